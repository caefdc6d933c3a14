"""Are the keys of those whose signed tokens are accepted at hand?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeport.access.discovery import fetch
from homeport.access.keys import Unusable
from homeport.diagnostics import Check, Finding
from homeport.diagnostics._scene import together
from homeport.kit.upstream_http import HttpUpstream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homeport.diagnostics._scene import Scene
    from homeport.kit.settings import Settings

REMEDY = (
    "AIGW_GITLAB_URL must be the URL, with its path, at which this host reaches GitLab; "
    "HOMEPORT_CA_FILE names the authority of its certificate."
)


async def look(scene: Scene) -> Finding:
    """As the running server sees it, if it tells us; otherwise by asking each issuer ourselves."""
    told = await _told(scene) if "server" in scene.passed else None
    wanted = configured(scene.settings)
    if told is not None:
        known = {state["url"] for state in told}
        findings = [*map(_of_the_server, told), *(_untold(url) for url in wanted if url not in known)]
    else:
        findings = [await _asked(scene.settings, url) for url in wanted]
    if not findings and scene.gateway:
        saw = "No issuer is configured here; ask with the gateway's own variables to have its keys looked at."
        return Finding(status="skip", saw=saw)
    if not findings:
        return Finding(status="ok", saw="No issuer is configured: only Homeport's own tokens are accepted.")
    return together(findings)


def configured(settings: Settings) -> Sequence[str]:
    """The addresses of all issuers, each once."""
    return tuple(dict.fromkeys(url for url in (settings.gitlab_url, settings.customer_portal_url) if url))


async def _told(scene: Scene) -> Sequence[dict[str, Any]] | None:
    """What the running server knows; None when it does not say."""
    answer = await scene.door.ask("/monitoring/issuers")
    return answer.body["issuers"] if answer.fine else None


def _of_the_server(state: dict[str, Any]) -> Finding:
    if state["age_s"] is None:
        saw = f"No keys of {state['url']}: {state['problem'] or 'they are being fetched'}. Its tokens are refused."
        return Finding(status="fail", saw=saw, fix=REMEDY)
    known = f"{_keys(state['url'], state['issuer'], state['key_ids'])}, {_age(state['age_s'])} old"
    if state["problem"]:
        return Finding(status="warn", saw=f"{known}; the last fetch failed: {state['problem']}.", fix=REMEDY)
    return Finding(status="ok", saw=f"{known}.")


def _untold(url: str) -> Finding:
    saw = f"{url} is configured here, but the running server does not know of it."
    return Finding(status="warn", saw=saw, fix="Start the server with the same variables.")


async def _asked(settings: Settings, url: str) -> Finding:
    upstream = HttpUpstream(ca_file=settings.ca_file)
    try:
        found = await fetch(upstream, url)
    except Unusable as error:
        return Finding(status="fail", saw=f"No keys of {url}: {error}. Its tokens are refused.", fix=REMEDY)
    finally:
        await upstream.close()
    return Finding(status="ok", saw=f"{_keys(url, found.issuer, list(found.keys.keys))}, just fetched.")


def _keys(url: str, issuer: str, ids: list[str]) -> str:
    """Whose keys they are."""
    name = issuer if issuer == url else f"{issuer} (asked at {url})"
    return f"{name}: key{'s' if len(ids) > 1 else ''} {', '.join(ids)}"


def _age(seconds: float) -> str:
    """An age for people."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


CHECK = Check(
    order=78,
    question="Are the keys of those whose signed tokens are accepted at hand?",
    look=look,
    role="both",
    after=("configuration",),
    behind=("server",),
)

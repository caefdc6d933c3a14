"""Can the metrics be scraped, and do they say that something was lost?"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from homeport.diagnostics import Check, Finding
from homeport.diagnostics._front_door import FrontDoor
from homeport.domain.errors import HomeportError
from homeport.kit.upstream_http import HttpUpstream

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene

SERIES = "homeport_"
LOST = {
    "homeport_lost_log_lines": "lines of the log",
    "homeport_llm_log_lost": "lines of llm.log",
    "homeport_request_log_lost": "requests of the request log",
    "homeport_request_log_content_lost": "contents of the request log",
}


async def look(scene: Scene) -> Finding:
    """Ask as Prometheus does."""
    # the server's own word counts: it may have been started with other settings than this terminal has
    port = scene.noted.get("metrics_port", scene.settings.metrics_port)
    if port < 1:
        why = "Metrics are switched off." if port < 0 else "The metrics page has a port that only the server knows."
        return Finding(status="skip", saw=why)
    if scene.settings.url and urlsplit(scene.door.url).hostname not in {"127.0.0.1", "localhost", "::1"}:
        return Finding(status="skip", saw="The metrics page of another host is for its own Prometheus.")
    host = scene.noted.get("metrics_host", scene.settings.metrics_host) or "127.0.0.1"
    url = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104 (compared, not bound)
    found = await _asked(url)
    return _UNTOLD if found.status == "fail" and not _is_told(scene) else found


async def _asked(url: str) -> Finding:
    upstream = HttpUpstream()
    try:
        answer = await FrontDoor(upstream, url).ask("/metrics")
    except HomeportError:
        fix = "Restart the server; HOMEPORT_METRICS_PORT sets the port, -1 switches the page off."
        return Finding(status="fail", saw=f"Nobody answers at {url}/metrics.", fix=fix)
    finally:
        await upstream.close()
    if not answer.says(SERIES):
        saw = f"What answers at {url}/metrics is not Homeport."
        return Finding(status="fail", saw=saw, fix="Set HOMEPORT_METRICS_PORT to a port of its own, and restart.")
    return _whole(url, answer.raw.decode("utf-8", "replace"))


_UNTOLD = Finding(
    status="skip",
    saw="Where its metrics page is, is not known here: HOMEPORT_METRICS_PORT says it, as the server was told.",
)


def _is_told(scene: Scene) -> bool:
    """Whether somebody said where the page is: the server itself, or whoever asks."""
    return "metrics_port" in scene.noted or "metrics_port" in scene.settings.model_fields_set


def _whole(url: str, page: str) -> Finding:
    """Whether everything was written down since the server began."""
    counts = dict(line.split(" ", 1) for line in page.splitlines() if line.partition(" ")[0] in LOST)
    lost = [f"{float(counts[name]):.0f} {what}" for name, what in LOST.items() if float(counts.get(name, 0))]
    if not lost:
        return Finding(status="ok", saw=f"{url}/metrics can be scraped; nothing was lost to a log.")
    fix = "Free disk space, or mend what reads the log or keeps the database; a restart begins to count anew."
    return Finding(status="warn", saw=f"Lost since the server began: {', '.join(lost)}.", fix=fix)


CHECK = Check(
    order=75,
    question="Can the metrics be scraped, and was nothing lost to a log?",
    look=look,
    role="both",
    after=("server",),
)

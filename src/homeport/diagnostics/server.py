"""Does Homeport answer at its address, and is it this version?"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from homeport import __version__
from homeport.diagnostics import Check, Finding
from homeport.diagnostics._front_door import FrontDoor
from homeport.diagnostics._nobody import START
from homeport.domain.errors import HomeportError

if TYPE_CHECKING:
    from homeport.diagnostics._front_door import Answer
    from homeport.diagnostics._scene import Scene

WITHIN_S = 10.0
_START_GATEWAY = "Start it with `homeport gateway`, or set HOMEPORT_URL to its address."
_TAKEN = HomeportError("Another program has the port.")
_BEFORE = ("ports", "data_dir", "database", "keys")


async def look(scene: Scene) -> Finding:
    """Ask whether it lives; a server that cannot run yet is not blamed for not running."""
    url = scene.door.url
    try:
        if "ports" in scene.failed:
            raise _TAKEN
        answer = await scene.door.ask("/monitoring/healthz", within_s=WITHIN_S)
    except HomeportError as error:
        broken = [name for name in _BEFORE if name in scene.failed]
        if broken and not scene.settings.url:
            return Finding(status="skip", saw=f"No server runs; it cannot before {broken[0]} is mended.")
        fix = _START_GATEWAY if scene.gateway and error.fix == START else error.fix
        return Finding(status="fail", saw=f"{_nobody(scene)}{error.saw}", fix=fix)
    version = _version(answer)
    if not version:
        return await _another(scene)
    if scene.guessed:
        saw = f"A Homeport answers at {url}, but no server runs from the data directory {scene.settings.data_dir}."
        fix = "Start one with `homeport up`, or set HOMEPORT_URL (or HOMEPORT_DATA_DIR) to the one that you mean."
        return Finding(status="fail", saw=saw, fix=fix)
    if version != __version__:
        fix = "Restart the server, so that both are the same."
        return Finding(status="warn", saw=f"Homeport {version} runs at {url}; this program is {__version__}.", fix=fix)
    return Finding(status="ok", saw=f"Homeport {version} answers at {url}.")


def _version(answer: Answer) -> str:
    """Whose answer it is: Homeport says its version; empty for anybody else's."""
    said = answer.body.get("version") if answer.fine and isinstance(answer.body, dict) else None
    return said if isinstance(said, str) else ""


async def _another(scene: Scene) -> Finding:
    """Somebody else answers, unless it is Homeport without the path that stands in its address."""
    url = scene.door.url
    host = urlsplit(url)._replace(path="", query="", fragment="").geturl()
    with suppress(HomeportError):
        if host != url and _version(await FrontDoor(scene.door.upstream, host).ask("/monitoring/healthz")):
            saw = f"Homeport answers at {host}; its address {url} has a path behind it."
            return Finding(status="fail", saw=saw, fix=f"Set HOMEPORT_URL={host}")
    fix = "Set HOMEPORT_URL to the address of Homeport, or stop the other program and start `homeport up`."
    return Finding(status="fail", saw=f"What answers at {url} is not Homeport.", fix=fix)


def _nobody(scene: Scene) -> str:
    return f"No server runs from the data directory {scene.settings.data_dir}. " if scene.guessed else ""


CHECK = Check(
    order=60, question="Does Homeport answer?", look=look, role="both", after=("configuration",), behind=_BEFORE
)

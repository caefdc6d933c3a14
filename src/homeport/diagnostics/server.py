"""Does Homeport answer at its address, and is it this version?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport import __version__
from homeport.diagnostics import Check, Finding
from homeport.domain.errors import HomeportError

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene

WITHIN_S = 10.0
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
        fix = "Start it with `homeport gateway`, or set HOMEPORT_URL to its address." if scene.gateway else error.fix
        return Finding(status="fail", saw=f"{_nobody(scene)}{error.saw}", fix=fix)
    version = answer.body.get("version") if isinstance(answer.body, dict) else None
    if not answer.fine or not version:
        fix = "Set HOMEPORT_URL to the address of Homeport, or stop the other program and start `homeport up`."
        return Finding(status="fail", saw=f"What answers at {url} is not Homeport.", fix=fix)
    if scene.guessed:
        saw = f"A Homeport answers at {url}, but no server runs from the data directory {scene.settings.data_dir}."
        fix = "Start one with `homeport up`, or set HOMEPORT_URL (or HOMEPORT_DATA_DIR) to the one that you mean."
        return Finding(status="fail", saw=saw, fix=fix)
    if version != __version__:
        fix = "Restart the server, so that both are the same."
        return Finding(status="warn", saw=f"Homeport {version} runs at {url}; this program is {__version__}.", fix=fix)
    return Finding(status="ok", saw=f"Homeport {version} answers at {url}.")


def _nobody(scene: Scene) -> str:
    return f"No server runs from the data directory {scene.settings.data_dir}. " if scene.guessed else ""


CHECK = Check(
    order=60, question="Does Homeport answer?", look=look, role="both", after=("configuration",), behind=_BEFORE
)

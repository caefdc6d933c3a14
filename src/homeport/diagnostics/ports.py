"""Are the ports free, or ours?"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding
from homeport.domain.errors import HomeportError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homeport.diagnostics._scene import Scene

WITHIN_S = 2.0


async def look(scene: Scene) -> Finding:
    """Where no server of ours runs, each port that one would listen on must be free."""
    if scene.settings.url or not scene.guessed:
        return Finding(status="ok", saw="A server has its ports already.")
    taken = [(name, port) for name, port in _wanted(scene) if not _free(scene.settings.host, port)]
    if taken and not await _homeport(scene):
        names = " and ".join(f"{port} ({name})" for name, port in taken)
        saw = f"Another program listens on port {names}: Homeport cannot start."
        fix = f"Stop it (ss -ltnp shows which), or set {taken[0][0]} to a free one."
        return Finding(status="fail", saw=saw, fix=fix)
    return Finding(status="ok", saw="A Homeport has them." if taken else "The ports that a server would take are free.")


async def _homeport(scene: Scene) -> bool:
    """Whether it is a Homeport that answers; whose it is, the check of the server says."""
    try:
        answer = await scene.door.ask("/monitoring/healthz", within_s=WITHIN_S)
    except HomeportError:
        return False
    return isinstance(answer.body, dict) and "version" in answer.body


def _wanted(scene: Scene) -> Iterator[tuple[str, int]]:
    for name in ("port", "metrics_port"):
        port = getattr(scene.settings, name)
        if port > 0:
            yield f"HOMEPORT_{name.upper()}", port


def _free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except PermissionError:
            return True
        except OSError:
            return False
    return True


CHECK = Check(order=15, question="Are the ports free, or ours?", look=look, after=("configuration",))

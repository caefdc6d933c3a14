"""Does the running Homeport find itself able to serve?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene


async def look(scene: Scene) -> Finding:
    """What it says of itself."""
    answer = await scene.door.ask("/monitoring/ready")
    said = answer.body if isinstance(answer.body, dict) else {}
    if answer.fine and said.get("status") == "ok":
        return Finding(status="ok", saw="It has a registry and can serve.")
    if said.get("status") == "unavailable":
        fix = "The check of token issuers says what is wrong with each; it goes on by itself once one answers."
        return Finding(status="fail", saw=f"It lets nobody in: {said.get('unavailable')}", fix=fix)
    saw = f"It is degraded: {said.get('degraded') or answer.problem}"
    fix = "It serves what it remembers; mend the database, and it goes on by itself. Its log says more."
    return Finding(status="fail", saw=saw, fix=fix)


CHECK = Check(order=70, question="Is the running Homeport ready to serve?", look=look, after=("server",))

"""Is the token that the command line sends accepted?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene

REFUSED = 401


async def look(scene: Scene) -> Finding:
    """List the models with it."""
    settings = scene.settings
    place = "HOMEPORT_TOKEN" if settings.token else f"{settings.data_dir / 'token'}"
    answer = await scene.door.ask("/v1/models")
    if answer.fine:
        how = f"The token from {place} is accepted." if scene.door.token else "No token is asked for."
        return Finding(status="ok", saw=how)
    if answer.status != REFUSED:
        return Finding(status="fail", saw=answer.problem, fix="See the server's log.")
    fix = (
        "Make one with `homeport tokens create --name NAME` and set HOMEPORT_TOKEN to it; `homeport up` makes one too."
    )
    saw = f"The token from {place} is not accepted." if scene.door.token else f"There is no token in {place}."
    return Finding(status="fail", saw=saw, fix=fix)


CHECK = Check(order=80, question="Is the command line's token accepted?", look=look, after=("server",))

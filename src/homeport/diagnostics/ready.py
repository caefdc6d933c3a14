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
        return Finding(status="ok", saw="It can serve." if scene.gateway else "It has a registry and can serve.")
    if said.get("status") == "unavailable" and "issuers" in scene.failed:
        return Finding(status="skip", saw="It lets nobody in, because issuers failed.")
    if said.get("status") == "unavailable":
        asks_issuers = not scene.gateway or scene.settings.gitlab_url or scene.settings.customer_portal_url
        fix = _ISSUERS if asks_issuers else _SET
        return Finding(status="fail", saw=f"It lets nobody in: {said.get('unavailable')}", fix=fix)
    if broken := scene.failed & {"database", "keys"}:
        return Finding(status="skip", saw=f"It serves what it remembers, because {min(broken)} failed.")
    saw = f"It is degraded: {said.get('degraded') or answer.problem}"
    fix = _OF_A_GATEWAY if scene.gateway else _OF_AN_INSTANCE
    return Finding(status="fail", saw=saw, fix=fix)


_ISSUERS = "The check of token issuers says what is wrong with each; it goes on by itself once one answers."
_SET = (
    "Set what is missing and start it again; where AIGW_GITLAB_URL is set for the gateway, set it here too, so that "
    "its keys are looked at."
)
_OF_AN_INSTANCE = "It serves what it remembers; mend the database, and it goes on by itself. Its log says more."
_OF_A_GATEWAY = "Its log says more."

CHECK = Check(
    order=79,
    question="Is the running Homeport ready to serve?",
    look=look,
    role="both",
    after=("server",),
    behind=("keys", "issuers"),
)

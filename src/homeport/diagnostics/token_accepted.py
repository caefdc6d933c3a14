"""Is the token that the command line sends accepted?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding
from homeport.diagnostics._token import read

if TYPE_CHECKING:
    from homeport.diagnostics._front_door import Answer
    from homeport.diagnostics._scene import Scene
    from homeport.diagnostics._token import Said
    from homeport.kit.settings import Settings

REFUSED = 401
_MAKE = "Make one with `homeport tokens create --name NAME` and set HOMEPORT_TOKEN to it; `homeport up` makes one too."
_SIGN = "Set HOMEPORT_TOKEN to a fresh one, as GitLab sends it."

_ISSUER = "AIGW_GITLAB_URL must be the URL of the GitLab that made it, which calls itself {}."


async def look(scene: Scene) -> Finding:
    """List the models with it."""
    place = "HOMEPORT_TOKEN" if scene.settings.token else f"{scene.settings.data_dir / 'token'}"
    if scene.gateway and not scene.door.token:
        saw = "No token to try: set HOMEPORT_TOKEN to one, as GitLab sends it, to have it looked at."
        return Finding(status="skip", saw=saw)
    answer = await scene.door.ask("/v1/models")
    if answer.fine:
        how = f"The token from {place} is accepted." if scene.door.token else "No token is asked for."
        return Finding(status="ok", saw=how)
    if answer.status != REFUSED:
        return Finding(status="fail", saw=answer.problem, fix="See the server's log.")
    return _refused(scene, place, answer)


def _refused(scene: Scene, place: str, answer: Answer) -> Finding:
    if not scene.door.token:
        return Finding(status="fail", saw=f"There is no token in {place}.", fix=_MAKE)
    said = read(scene.door.token)
    if said is None:
        return Finding(status="fail", saw=f"The token from {place} is not accepted.", fix=_MAKE)
    if (why := _why(scene.settings, said, place)) is not None:
        return why
    if "issuers" in scene.failed:
        return Finding(status="skip", saw="It cannot be checked, because issuers failed.")
    return Finding(
        status="fail",
        saw=f"The token from {place} is not accepted: {answer.problem}",
        fix=f"{_SIGN} {_ISSUER.format(said.issuer)}",
    )


def _why(settings: Settings, said: Said, place: str) -> Finding | None:
    """What the token itself shows to be wrong with it."""
    now = time.time()
    if said.ends and said.ends <= now:
        saw = f"The token from {place} ended {(now - said.ends) / 60:.0f} minutes ago."
        return Finding(status="fail", saw=saw, fix=f"{_SIGN} If it is fresh, compare the clocks of both machines.")
    if said.begins > now:
        saw = f"The token from {place} is not valid for another {said.begins - now:.0f} s."
        return Finding(status="fail", saw=saw, fix="Set this machine's clock, or GitLab's (timedatectl set-ntp true).")
    if said.audience and settings.service_name not in said.audience:
        saw = f"The token from {place} is made for {', '.join(said.audience)}, not for {settings.service_name}."
        fix = f"{_SIGN} Where its name is right, set AIGW_CLOUD_CONNECTOR_SERVICE_NAME={said.audience[0]}."
        return Finding(status="fail", saw=saw, fix=fix)
    return None


CHECK = Check(
    order=80,
    question="Is the command line's token accepted?",
    look=look,
    role="both",
    after=("server",),
    behind=("issuers",),
)

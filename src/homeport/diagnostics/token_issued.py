"""Does a gateway make the token with which a user's editor asks it directly, and take it?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeport.diagnostics import Check, Finding
from homeport.diagnostics._front_door import FrontDoor
from homeport.diagnostics._token import read

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene

REFUSED = 401
PATH, USER = "/v1/code/user_access_token", "doctor"


async def look(scene: Scene) -> Finding:
    """Have one made, and list the models with it."""
    if read(scene.door.token) is None:
        return Finding(status="skip", saw="Only with GitLab's own token, in HOMEPORT_TOKEN, one for an editor is made.")
    if "code_completions" in scene.forbidden:
        return Finding(status="skip", saw="GitLab's token may not complete code: none is made for its editors.")
    made = await scene.door.ask(PATH, {}, more={"X-Gitlab-Global-User-Id": USER})
    token = _token(made.body)
    if not made.fine or not token:
        fix = (
            "The user needs a seat for code suggestions; AIGW_SELF_SIGNED_JWT__SIGNING_KEY must be a readable RSA key."
        )
        return Finding(status="fail", saw=f"No token is made for editors: {made.problem}", fix=fix)
    answer = await FrontDoor(scene.door.upstream, scene.door.url, token, scene.door.agent).ask("/v1/models")
    # such a token opens completion alone: to be known here, and sent elsewhere, is to be accepted
    if answer.status == REFUSED:
        fix = "Every gateway behind one address needs the same AIGW_SELF_SIGNED_JWT__SIGNING_KEY."
        return Finding(status="fail", saw=f"The token that was made is not accepted: {answer.problem}", fix=fix)
    return Finding(status="ok", saw="One for an editor is made and accepted.")


def _token(body: Any) -> str:  # noqa: ANN401 (any JSON document)
    found = body.get("token") if isinstance(body, dict) else None
    return found if isinstance(found, str) else ""


CHECK = Check(
    order=84,
    question="Does the gateway make tokens for editors, and take them?",
    look=look,
    role="gateway",
    after=("token_accepted",),
    behind=("licence",),
)

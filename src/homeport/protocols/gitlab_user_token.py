"""GitLab's AI Gateway: `/v1/code/user_access_token`, a token with which a user's editor completes code directly.

Source: gateway protocol, `POST /v1/code/user_access_token` and "Direct-access tokens".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from homeport.access import Need
from homeport.domain.errors import BadRequest, NotAllowed
from homeport.protocols import Act, Reply, WireProtocol
from homeport.protocols._gitlab import error

if TYPE_CHECKING:
    from homeport.domain.errors import HomeportError
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door

MINTERS = frozenset({"instance", "bypass"})
"""Kinds of callers that may ask: a GitLab vouches for its users, anybody else only for themselves."""
LONGEST = 255
"""Characters that each of the headers may have."""


async def mint(door: Door, _body: None, arrival: Arrival) -> Reply:
    """A token for the user whom the headers name; raises NotAllowed or BadRequest."""
    if arrival.caller.kind not in MINTERS or door.federation is None:
        raise NotAllowed("Only a GitLab may ask for its users' tokens.", "Set AIGW_GITLAB_URL to the GitLab's URL.")
    user = _header(arrival, "X-Gitlab-Global-User-Id")
    instance = _header(arrival, "X-Gitlab-Instance-Id")
    realm = _header(arrival, "X-Gitlab-Realm")
    made = await door.federation.direct.mint(user, realm, instance)
    return Reply(orjson.dumps({"token": made.token, "expires_at": made.expires_at}))


def refused(problem: HomeportError, correlation_id: str) -> tuple[int, bytes]:
    """As everywhere in this protocol, but a header that is missing is 400."""
    status, body = error(problem, correlation_id)
    return (problem.status if isinstance(problem, BadRequest) else status), body


def _header(arrival: Arrival, name: str) -> str:
    value = arrival.header(name.lower().encode())
    if not 0 < len(value) <= LONGEST:
        raise BadRequest(f"The header {name} is {'too long' if value else 'missing'}.", "GitLab sends it.", param=name)
    return value


PROTOCOL = WireProtocol(
    label="GitLab AI Gateway: tokens of users",
    error=refused,
    process_time=True,
    routes=(
        Act(
            paths=("/v1/code/user_access_token",),
            need=Need("complete_code"),
            act=mint,
            summary="Make a one-hour token with which a user's editor completes code directly.",
        ),
    ),
)

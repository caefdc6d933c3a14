"""A GitLab instance as its editor extensions ask for it: which version, whose token, who am I.

Source: instance and editors reference, sections 5.5, 5.6 and 6.1.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson

from homeport import __version__
from homeport.access import KNOWN
from homeport.protocols import Act, Reply, WireProtocol
from homeport.protocols._instance import VERSION, error, error_headers, number, scopes_of

if TYPE_CHECKING:
    from datetime import datetime

    from homeport.domain.models import Token
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door


def _reply(found: Any) -> Reply:  # noqa: ANN401 (any JSON)
    return Reply(orjson.dumps(found))


async def version(_door: Door, _body: None, _arrival: Arrival) -> Reply:
    """The GitLab that clients take us for; the revision says who we are."""
    nowhere = {"enabled": False, "externalUrl": None, "externalK8sProxyUrl": None, "version": None}
    return _reply({"version": VERSION, "revision": f"homeport-{__version__}", "kas": nowhere, "enterprise": True})


async def user(_door: Door, _body: None, arrival: Arrival) -> Reply:
    """The owner of the token."""
    name = arrival.caller.subject
    found = {"id": number(name), "username": name, "name": name, "state": "active", "email": None, "web_url": None}
    return _reply(found)


async def token(door: Door, _body: None, arrival: Arrival) -> Reply:
    """The token itself, but for its secret."""
    caller = arrival.caller
    row = _row(door, arrival)
    return _reply(
        {
            "id": number(f"token {caller.token}"),
            "name": caller.token,
            "revoked": False,
            "active": True,
            "scopes": scopes_of(caller),
            "user_id": number(caller.subject),
            "created_at": _moment(row.created if row else None),
            "last_used_at": _moment(row.last_used if row else None),
            "expires_at": row.expires.date().isoformat() if row and row.expires else None,
        }
    )


async def token_info(door: Door, _body: None, arrival: Arrival) -> Reply:
    """The same for clients that take a long token for one of OAuth."""
    caller, row = arrival.caller, _row(door, arrival)
    left = None if caller.expires is None else max(int(caller.expires - time.time()), 0)
    return _reply(
        {
            "resource_owner_id": number(caller.subject),
            "scope": scopes_of(caller),
            "expires_in": left,
            "application": {"uid": None},
            "created_at": int(row.created.timestamp()) if row and row.created else None,
        }
    )


def _row(door: Door, arrival: Arrival) -> Token | None:
    """What is stored of the caller's token, if it is one of ours."""
    known = door.bench.snapshot().tokens.values()
    return next((each for each in known if each.name == arrival.caller.token), None)


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _get(paths: tuple[str, ...], act: Any, summary: str) -> Act:  # noqa: ANN401 (one of the functions above)
    return Act(paths=paths, need=KNOWN, act=act, method="GET", summary=summary)


PROTOCOL = WireProtocol(
    label="GitLab instance",
    error=error,
    error_headers=error_headers,
    routes=(
        _get(("/api/v4/version", "/api/v4/metadata"), version, "The GitLab version that clients take this for."),
        _get(("/api/v4/user",), user, "The owner of the token."),
        _get(("/api/v4/personal_access_tokens/self",), token, "The token: is it valid, and for what?"),
        _get(("/oauth/token/info",), token_info, "The same, as OAuth tells it."),
    ),
)

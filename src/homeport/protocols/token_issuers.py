"""`/monitoring/issuers`: whose signed tokens are accepted, and how fresh what is known of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from homeport.access import KNOWN
from homeport.protocols import Act, Reply, WireProtocol
from homeport.protocols._openai import error

if TYPE_CHECKING:
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door


async def issuers(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """How it stands with each configured issuer."""
    states = door.federation.issuers.states() if door.federation else ()
    return Reply(orjson.dumps({"issuers": [state._asdict() for state in states]}))


PROTOCOL = WireProtocol(
    label="Token issuers",
    error=error,
    routes=(
        Act(
            paths=("/monitoring/issuers",),
            need=KNOWN,
            act=issuers,
            method="GET",
            summary="Whose signed tokens are accepted, with which keys, and what is wrong.",
        ),
    ),
)

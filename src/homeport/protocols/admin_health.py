"""What `homeport doctor` asks, asked by the server itself, for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeport.domain.errors import Unknown
from homeport.protocols import Act, Reply, WireProtocol
from homeport.protocols._admin import ADMIN, reply, store_of
from homeport.protocols._openai import error

if TYPE_CHECKING:
    from homeport.diagnostics._examination import Examination
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door

PATH = "/api/admin/v1/health"
ACCEPTED = 202


async def show(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """What the last run of every check saw, as far as it came."""
    store_of(door)
    known = door.prober.examiner.known
    if known is None:
        raise Unknown("Nobody asked since Homeport started.", f"Ask: POST {PATH}")
    return reply(_told(known))


async def begin(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Begin to ask everything, unless that goes on already; it takes some seconds."""
    store_of(door)
    return reply(_told(door.prober.examiner.begin(arrival.here)), ACCEPTED)


def _told(known: Examination) -> dict[str, Any]:
    """The checks that have ended, in their order."""
    names = sorted(known.found, key=lambda name: (known.checks[name].order, name))
    return {
        "running": known.running,
        "began": known.began.isoformat(),
        "well": not known.running and not known.broken,
        "first_broken": known.broken[0] if known.broken else None,
        "checks": [_line(known, name) for name in names],
    }


def _line(known: Examination, name: str) -> dict[str, Any]:
    found, took_s = known.found[name]
    told = {"check": name, "question": known.checks[name].question, "status": found.status}
    return {**told, "saw": found.saw, "fix": found.fix, "took_s": round(took_s, 4)}


PROTOCOL = WireProtocol(
    label="Administration: health",
    error=error,
    routes=(
        Act(paths=(PATH,), need=ADMIN, act=show, method="GET", summary="What the last run of every check saw."),
        Act(paths=(PATH,), need=ADMIN, act=begin, summary="Ask every check, as homeport doctor does."),
    ),
)

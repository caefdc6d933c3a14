"""Requests and usage for administrators' programs: what the console's pages about them show."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from pydantic import Field

from homeport.diagnostics._replay import Replayer, Wanted
from homeport.domain.entries import ENDINGS
from homeport.domain.errors import BadRequest, Unknown
from homeport.protocols import Act, Reply, WireProtocol
from homeport.protocols._admin import ADMIN, Strict, by, query_of, reply, store_of
from homeport.protocols._openai import error

if TYPE_CHECKING:
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door
    from homeport.store.log_search import Found
    from homeport.store.request_log import RequestLog

DAY = 86_400
MOST, FIELDS, DIGITS = 1_000, 50, 19
STATUS = re.compile("|".join(("[1-5](xx|[0-9]{2})", *ENDINGS)))
NAMES = {"user": "who", "error": "error_code"}
FILTERS = frozenset({"who", "team", "feature", "model", "language"})
EXACT = (*FILTERS, "token", "client", "protocol", "outcome", "error_code", "status", "text")


class Other(Strict):
    """Which model is asked again."""

    model: str
    row: str = Field("", description="Of several requests with this id, which; left out: the newest whose content is.")


def _log(door: Door) -> RequestLog:
    if door.request_log is None:
        raise Unknown("No requests are kept here.", "HOMEPORT_REQUEST_LOG_DAYS says for how long an instance does.")
    return door.request_log


def _query(arrival: Arrival) -> dict[str, str]:
    return {NAMES.get(name, name): value for name, value in query_of(arrival).items() if value}


def _number(query: dict[str, str], name: str, usual: float, most: float) -> float:
    try:
        value = float(query.get(name, usual))
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise BadRequest(f"{name} is not a number from 0 to {most:g}.", f"Write one, such as {usual:g}.", param=name)
    return value


async def usage(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Sums of the last days, told apart by `by`, over time with `over_time=1`."""
    from homeport.store.log_usage import BY, Asked  # noqa: PLC0415 (the gateway role never loads what knows SQL)

    query = _query(arrival)
    by = NAMES.get(query.get("by", ""), query.get("by", ""))
    if by and by not in BY:
        raise BadRequest(f"Usage is not told apart by {by[:50]!r}.", f"Known: {', '.join(BY)}.", param="by")
    now = time.time()
    narrowed: dict[str, Any] = {name: value for name, value in query.items() if name in FILTERS}
    since = now - _number(query, "days", 30, 400) * DAY
    found = await _log(door).usage(Asked(since, now + 1, by, query.get("over_time") == "1", **narrowed))
    return reply([each._asdict() for each in found])


async def requests(door: Door, _body: None, arrival: Arrival) -> Reply:
    """The newest requests like this; `below` goes on after the last one's `row`."""
    from homeport.store.log_search import Sought  # noqa: PLC0415 (as above)

    query = _query(arrival)
    status = query.get("status", "")
    if status and not STATUS.fullmatch(status):
        fix = f"Write {', '.join(ENDINGS)}, 502 or 5xx."
        raise BadRequest("status is neither an ending, a number nor a class.", fix, param="status")
    exact: dict[str, Any] = {name: query[name].replace("\0", "") for name in EXACT if name in query}
    times: dict[str, Any] = {name: _number(query, name, 0, 1e11) for name in ("since", "until")}
    below = query.get("below", "")
    sought = Sought(**exact, **times, below=int(below) if below.isdecimal() and len(below) <= DIGITS else 0)
    found = await _log(door).search(sought, int(_number(query, "limit", 100, MOST)) or 1)
    return reply([_document(each) for each in found])


async def request(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Those with one id."""
    found = await _log(door).find(arrival.tail.replace("\0", ""))
    if not found:
        raise Unknown("No request with this id is kept.", "It may be too old, or not from here.")
    return reply([_document(each) for each in found])


async def replay(door: Door, body: Other, arrival: Arrival) -> Reply:
    """Ask another model what was asked in a request whose content was logged; both answers."""
    replayer = Replayer(door.bench, store_of(door), _log(door), door.again)
    wanted = Wanted(arrival.tail, body.model, body.row)
    found, before, result = again = await replayer.ask(wanted, arrival.caller.subject, by=by(arrival))
    then = {"model": found.traits.model, "text": before, "took_ms": found.phases.took // 1000, "row": str(found.row)}
    return reply({"then": then, "now": result._asdict(), "differs": again.differs})


def _document(found: Found) -> dict[str, Any]:
    """Times in microseconds; the row as a text, for it is larger than what JavaScript's numbers hold."""
    phases = [each._asdict() for each in found.phases.segments()]
    context = [{"name": name, "characters": size} for name, size in found.context]
    return found._asdict() | {
        "row": str(found.row),
        "traits": found.traits._asdict(),
        "ending": found.traits.ending,
        "phases": phases,
        "attempts": [each._asdict() for each in found.tries()],
        "context": context,
    }


PROTOCOL = WireProtocol(
    label="Administration: requests and usage",
    error=error,
    routes=(
        Act(paths=("/api/admin/v1/usage",), need=ADMIN, act=usage, method="GET", summary="Sums of requests."),
        Act(paths=("/api/admin/v1/requests",), need=ADMIN, act=requests, method="GET", summary="Look for requests."),
        Act(
            paths=("/api/admin/v1/requests/{id}",),
            need=ADMIN,
            act=request,
            method="GET",
            summary="The life of a request.",
        ),
        Act(
            paths=("/api/admin/v1/replays/{id}",),
            need=ADMIN,
            act=replay,
            body=Other,
            summary="Ask another model the same again.",
            example={"model": "coder"},
        ),
    ),
)

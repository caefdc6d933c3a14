"""The audit for programs: what was changed, by whom and when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from homeport.domain.errors import BadRequest
from homeport.protocols import Act, Reply, WireProtocol
from homeport.protocols._admin import ADMIN, query_of, reply, store_of
from homeport.protocols._openai import error

if TYPE_CHECKING:
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door

USUAL, MOST, DIGITS = 500, 10_000, 5
"""Events of one answer, and digits of their number."""


async def audit(door: Door, _body: None, arrival: Arrival) -> Reply:
    """The latest changes like this, newest first; `below` goes on after the last one's `id`."""
    from homeport.store.audit import as_csv, document, wanted  # noqa: PLC0415 (the gateway role never loads SQL)

    store, query = store_of(door), query_of(arrival)
    limit, form = query.get("limit", str(USUAL)), query.get("format", "json")
    if not (limit.isdecimal() and len(limit) <= DIGITS and 1 <= int(limit) <= MOST):
        raise BadRequest(f"limit is not a number from 1 to {MOST}.", f"Write one, such as {USUAL}.", param="limit")
    if form not in {"json", "csv"}:
        raise BadRequest("format is neither json nor csv.", "Write one of them.", param="format")
    found = [event async for piece in store.audit_pieces(int(limit), wanted(query)) for event in piece]
    if form == "csv":
        text = await asyncio.to_thread(as_csv, found)
        return Reply(text.encode(), content_type=b"text/csv; charset=utf-8")
    return await asyncio.to_thread(lambda: reply(list(map(document, found))))


PROTOCOL = WireProtocol(
    label="Administration: audit",
    error=error,
    routes=(Act(paths=("/api/admin/v1/audit",), need=ADMIN, act=audit, method="GET", summary="Look for changes."),),
)

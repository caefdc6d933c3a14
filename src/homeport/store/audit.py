"""What was changed, by whom and when: read, never changed."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import select

from homeport.domain.errors import BadRequest
from homeport.store.records import AuditEvent
from homeport.store.tables import audit_events

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection


class Wanted(NamedTuple):
    """Which events; what is empty does not matter."""

    who: str = ""
    """Exactly."""
    thing: str = ""
    """What was changed: the part of `what` before its dot."""
    subject: str = ""
    """A part of the thing's name, in any case."""
    since: datetime | None = None
    until: datetime | None = None
    """The first moment that is not wanted any more."""
    below: int | None = None
    """Only those older than this event."""


EVERYTHING = Wanted()
NAMES = ("id", "at", "who", "what", "subject", "before", "after")
"""Of an event, in files."""
_DIGITS = 18
"""Of a number that fits 64 bits."""


def wanted(said: Mapping[str, str]) -> Wanted:
    """What a filter says in words (who, thing, find, from, to, below); raises BadRequest for a day that is none."""
    until, below = _day(said, "to"), said.get("below", "")
    return Wanted(
        who=said.get("who", "").strip(),
        thing=said.get("thing", ""),
        subject=said.get("find", "").strip(),
        since=_day(said, "from"),
        until=until + timedelta(days=1) if until else None,
        below=int(below) if below.isdecimal() and len(below) <= _DIGITS else None,
    )


def _day(said: Mapping[str, str], name: str) -> datetime | None:
    if not said.get(name):
        return None
    try:
        return datetime.strptime(said[name], "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise BadRequest("The filter has a day that is none.", "Write one like 2027-01-31.", param=name) from error


def document(event: AuditEvent) -> dict[str, Any]:
    """An event as a program reads it."""
    return {name: getattr(event, name) for name in NAMES} | {"at": event.at.isoformat()}


def as_csv(found: Sequence[AuditEvent]) -> str:
    """Events as a table; before and after are JSON."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(NAMES)
    for event in found:
        sides = [orjson.dumps(side).decode() if side is not None else "" for side in (event.before, event.after)]
        texts = map(_harmless, (event.who, event.what, event.subject))
        writer.writerow((event.id, event.at.isoformat(), *texts, *sides))
    return out.getvalue()


def _harmless(text: str) -> str:
    """A spreadsheet takes what begins so for a formula and would carry it out."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


async def load(connection: AsyncConnection, wanted: Wanted, limit: int) -> Sequence[AuditEvent]:
    """The latest of the wanted events, newest first."""
    newest = select(audit_events).where(*_conditions(wanted)).order_by(audit_events.c.id.desc()).limit(limit)
    return [AuditEvent(**row._mapping) for row in await connection.execute(newest)]  # noqa: SLF001 (SQLAlchemy's public name for a row as a mapping)


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    events = audit_events.c
    if wanted.who:
        yield events.who == wanted.who
    if wanted.thing:
        yield events.what.startswith(f"{wanted.thing}.", autoescape=True)
    if wanted.subject:
        yield events.subject.icontains(wanted.subject, autoescape=True)
    if wanted.since is not None:
        yield events.at >= wanted.since
    if wanted.until is not None:
        yield events.at < wanted.until
    if wanted.below is not None:
        yield events.id < wanted.below

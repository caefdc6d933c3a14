"""What was changed, by whom and when: read, never changed."""

from __future__ import annotations

import csv
import io
import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import delete, func, select

from homeport.domain.errors import BadRequest
from homeport.store.records import AuditEvent
from homeport.store.tables import audit_events

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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
    address: str = ""
    """Where it came from, exactly."""
    below: int | None = None
    """Only those older than this event."""


EVERYTHING = Wanted()
NAMES = ("id", "at", "who", "what", "subject", "before", "after", "address")
"""Of an event, in files."""
AMONG = 20_000
"""Newest events among which what is frequent is looked for."""
NAMES_AT_ONCE = 500
PIECE = 250
"""Events that are read at once for a file: a few milliseconds of work."""
FORGOTTEN_AT_ONCE = 10_000
"""Events that are forgotten in a row."""
_DIGITS = 18
"""Of a number that fits 64 bits."""


def wanted(said: Mapping[str, str]) -> Wanted:
    """What a filter says in words (who, thing, find, address, from, to, below); raises BadRequest for no day."""
    until, below = _day(said, "to"), said.get("below", "")
    return Wanted(
        who=said.get("who", "").strip(),
        thing=said.get("thing", ""),
        subject=said.get("find", "").strip(),
        since=_day(said, "from"),
        address=said.get("address", "").strip(),
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


def as_csv(found: Iterable[AuditEvent], *, head: bool = True) -> str:
    """Events as a table; before and after are JSON."""
    out = io.StringIO()
    writer = csv.writer(out)
    if head:
        writer.writerow(NAMES)
    for event in found:
        sides = [orjson.dumps(side).decode() if side is not None else "" for side in (event.before, event.after)]
        texts = map(_harmless, (event.who, event.what, event.subject))
        writer.writerow((event.id, event.at.isoformat(), *texts, *sides, _harmless(event.address)))
    return out.getvalue()


def _harmless(text: str) -> str:
    """A spreadsheet takes what begins so for a formula and would carry it out."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


async def load(connection: AsyncConnection, wanted: Wanted, limit: int) -> Sequence[AuditEvent]:
    """The latest of the wanted events, newest first.

    What is frequent is among the newest events. What is not is found by the names of the things, of which there are
    far fewer than events.
    """
    if not (wanted.subject or wanted.thing):
        return await _newest(connection, _conditions(wanted), limit)
    last = await connection.scalar(select(func.max(audit_events.c.id))) or 0
    floor = min(last + 1, wanted.below or last + 1) - AMONG
    found = await _newest(connection, (audit_events.c.id >= floor, *_conditions(wanted)), limit)
    if len(found) == limit or floor <= 0:
        return found
    return await _by_name(connection, wanted, limit)


async def older(connection: AsyncConnection, before: datetime) -> Sequence[int]:
    """The oldest few of the events that happened before, by number."""
    events = audit_events.c
    asked = select(events.id).where(events.at < before).order_by(events.at).limit(PIECE)
    return (await connection.scalars(asked)).all()


async def forget(connection: AsyncConnection, numbers: Sequence[int]) -> None:
    """Forget these events."""
    await connection.execute(delete(audit_events).where(audit_events.c.id.in_(numbers)))


async def _newest(
    connection: AsyncConnection, conditions: Iterable[ColumnElement[bool]], limit: int, *, sorts: bool = False
) -> list[AuditEvent]:
    """The latest events for which these hold; `sorts`: few are expected, so that they are gathered before sorting."""
    order = audit_events.c.id + 0 if sorts else audit_events.c.id
    asked = select(audit_events).where(*conditions).order_by(order.desc()).limit(limit)
    return [AuditEvent(**row._mapping) for row in await connection.execute(asked)]  # noqa: SLF001 (SQLAlchemy's public name for a row as a mapping)


async def _by_name(connection: AsyncConnection, wanted: Wanted, limit: int) -> Sequence[AuditEvent]:
    """The same, by the names that fit."""
    events, others = audit_events.c, list(_conditions(wanted._replace(subject="", thing="")))
    whats = await _distinct(connection, events.what, f"{wanted.thing}.", anywhere=False) if wanted.thing else None
    if not wanted.subject:
        each = [await _newest(connection, (events.what == what, *others), limit) for what in whats or ()]
        return sorted(itertools.chain(*each), key=lambda event: -event.id)[:limit]
    subjects = await _distinct(connection, events.subject, wanted.subject, anywhere=True)
    kinds = () if whats is None else (events.what.in_(whats),)
    found: list[AuditEvent] = []
    for start in range(0, len(subjects), NAMES_AT_ONCE):
        named = events.subject.in_(subjects[start : start + NAMES_AT_ONCE])
        found += await _newest(connection, (named, *kinds, *others), limit, sorts=True)
    return sorted(found, key=lambda event: -event.id)[:limit]


async def _distinct(
    connection: AsyncConnection, column: ColumnElement[str], text: str, *, anywhere: bool
) -> Sequence[str]:
    """The different values that hold a text, or begin with it: one step in the index for each value."""
    first = select(func.min(column).label("value")).cte("steps", recursive=True)
    after = select(func.min(column)).where(column > first.c.value).scalar_subquery()
    steps = first.union_all(select(after).where(first.c.value.is_not(None)))
    fits = (
        steps.c.value.icontains(text, autoescape=True) if anywhere else steps.c.value.startswith(text, autoescape=True)
    )
    return list(await connection.scalars(select(steps.c.value).where(fits)))


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    events = audit_events.c
    if wanted.who:
        yield events.who == wanted.who
    if wanted.thing:
        yield events.what.startswith(f"{wanted.thing}.", autoescape=True)
    if wanted.address:
        yield events.address == wanted.address
    if wanted.subject:
        yield events.subject.icontains(wanted.subject, autoescape=True)
    if wanted.since is not None:
        yield events.at >= wanted.since
    if wanted.until is not None:
        yield events.at < wanted.until
    if wanted.below is not None:
        yield events.id < wanted.below

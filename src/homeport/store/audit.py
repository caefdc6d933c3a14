"""What was changed, by whom and when: read, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from homeport.store.records import AuditEvent
from homeport.store.tables import audit_events

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

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

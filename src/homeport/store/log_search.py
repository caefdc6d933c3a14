"""Finding requests again: newest first, a page at a time, at any size of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import and_, func, literal, or_, select, union_all

from homeport.domain.entries import Content, Exchange, Phases, Traits
from homeport.store.log_rows import DAY, ERROR, LAST, first_of, keys, moment_of, storable
from homeport.store.log_tables import PHASES, SIZES, contents, kinds, reports, requests

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

NEAR = 3_000
"""Requests that are looked through for frequent ones before rare ones are looked for."""
FURTHER = 8
"""How many times as far back is looked when there were too few."""
SEVERAL = 50
"""Requests with one id that are shown."""
CHOICES = 1_000
EXACT = ("who", "token", "client", "protocol", "feature", "model", "language", "outcome", "error_code")
FAILED = 400


class Sought(NamedTuple):
    """Which requests; what is empty does not matter."""

    who: str = ""
    team: str = ""
    token: str = ""
    client: str = ""
    protocol: str = ""
    feature: str = ""
    model: str = ""
    language: str = ""
    outcome: str = ""
    error_code: str = ""
    status: str = ""
    """A number, a class such as "5xx", or "failed"."""
    text: str = ""
    """A part of an error's text or code, in any case."""
    since: float = 0.0
    """Unix seconds."""
    until: float = 0.0
    below: int = 0
    """Only those older than the request with this number."""
    above: int = 0
    """Only those newer than it."""


class Found(NamedTuple):
    """A request as it was written down."""

    row: int
    """Its number: later ones have larger ones."""
    at: float
    """When it ended, in Unix seconds."""
    correlation_id: str
    traits: Traits
    phases: Phases
    prompt_tokens: int
    answer_tokens: int
    received: int
    sent: int
    attempts: list[dict[str, Any]]
    reported: tuple[str, ...] = ()
    """What its editor said became of the suggestion: shown, accepted, rejected; told where one id is looked up."""

    @property
    def began(self) -> float:
        """When it began, in Unix seconds."""
        return self.at - self.phases.took / 1e6


async def search(connection: AsyncConnection, sought: Sought, limit: int) -> Sequence[Found]:
    """The newest `limit` of them."""
    conditions = list(_conditions(sought))
    lower = min(max(first_of(sought.since) if sought.since else 0, sought.above + 1), LAST)
    upper = min(first_of(sought.until) if sought.until else LAST, sought.below or LAST)
    below = requests.c.id < upper
    newest = _whole().where(below).order_by(requests.c.id.desc()).limit(limit)
    if not conditions:
        return [_found(row) for row in await connection.execute(newest.where(requests.c.id >= lower))]
    numbers = select(requests.c.id).where(below, requests.c.id >= lower).order_by(requests.c.id.desc())
    floor = await connection.scalar(numbers.offset(NEAR).limit(1))
    # one lower bound and no more: of several SQLite takes any, and may walk down to the oldest request
    near = newest.where(requests.c.id >= (lower if floor is None else floor), *conditions)
    found = [_found(row) for row in await connection.execute(near)]
    if len(found) == limit or floor is None:
        return found
    return await _rare(connection, conditions, (lower, upper), floor, limit)


async def _rare(
    connection: AsyncConnection, conditions: Sequence[ColumnElement[bool]], ids: tuple[int, int], near: int, limit: int
) -> Sequence[Found]:
    """The same for requests that are not frequent: those of the kinds that were seen last.

    `near`: the number down to which there are too few of them.
    """
    lower, upper = ids
    seen = list(await connection.execute(_kinds(conditions, lower, upper, limit)))
    if not seen:
        return []
    # each of so many kinds has one request at least that is no older than this
    least = max(lower, seen[-1].top) if len(seen) == limit else lower
    newest = seen[0].top
    wanted = requests.c.kind.in_([row.id for row in seen])
    reach = max(newest - near, 1)
    found: list[int] = []
    while len(found) < limit:
        reach *= FURTHER
        since = max(least, newest - reach)
        numbers = select(requests.c.id).where(wanted, requests.c.id >= since, requests.c.id <= min(newest, upper - 1))
        found = [row.id for row in await connection.execute(numbers.order_by(requests.c.id.desc()).limit(limit))]
        if since == least:
            break
    rows = await connection.execute(_whole().where(requests.c.id.in_(found)).order_by(requests.c.id.desc()))
    return [_found(row) for row in rows]


def _kinds(conditions: Sequence[ColumnElement[bool]], lower: int, upper: int, limit: int) -> Select[Any]:
    """The kinds whose newest requests are the newest of all, as many as requests are wanted."""
    wanted = and_(kinds.c.last >= lower, kinds.c.first < upper, *conditions)
    if upper == LAST:
        last = kinds.c.last
        return select(kinds.c.id, last.label("top")).where(wanted).order_by(last.desc()).limit(limit)
    # one that was seen since, too: when it was seen last before that has to be looked up
    before = (
        select(func.max(requests.c.id))
        .where(requests.c.kind == kinds.c.id, requests.c.id < upper)
        .correlate(kinds)
        .scalar_subquery()
    )
    done = select(kinds.c.id, kinds.c.last.label("top")).where(wanted, kinds.c.last < upper)
    going_on = select(kinds.c.id, before.label("top")).where(wanted, kinds.c.last >= upper)
    both = union_all(done, going_on).subquery()
    return select(both.c.id, both.c.top).where(both.c.top.is_not(None)).order_by(both.c.top.desc()).limit(limit)


def _conditions(sought: Sought) -> Iterator[ColumnElement[bool]]:
    for name in EXACT:
        value = storable(getattr(sought, name))
        if value:
            yield kinds.c[name] == value
    if sought.team:
        yield in_team(kinds.c.team, storable(sought.team))
    if sought.status == "failed":
        yield kinds.c.status >= FAILED
    elif sought.status.endswith("xx"):
        lowest = int(sought.status[0]) * 100
        yield and_(kinds.c.status >= lowest, kinds.c.status < lowest + 100)
    elif sought.status:
        yield kinds.c.status == int(sought.status)
    if sought.text:
        part = storable(sought.text, ERROR)
        named = kinds.c.error_code.icontains(part, autoescape=True)
        yield and_(kinds.c.error_code != literal(""), or_(kinds.c.error.icontains(part, autoescape=True), named))


def in_team(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Whether one of the lines of a column is this name."""
    return (literal("\n") + column + literal("\n")).contains(f"\n{name}\n", autoescape=True)


async def find(connection: AsyncConnection, correlation_id: str) -> Sequence[Found]:
    """Those with this correlation id."""
    if not correlation_id.isprintable():  # nothing has such an id, and PostgreSQL refuses to look for a NUL
        return []
    # each by itself: of both at once SQLite reads every row
    first = await connection.scalar(select(func.min(requests.c.id)))
    last = await connection.scalar(select(func.max(requests.c.id)))
    if first is None or last is None:
        return []
    # a number may be a little later than its moment, and so of the next day
    wanted = keys(correlation_id, moment_of(first) - DAY, moment_of(last) + DAY)
    same = (requests.c.key.in_(wanted), requests.c.correlation_id == correlation_id)
    rows = await connection.execute(_whole().where(*same).order_by(requests.c.id.desc()).limit(SEVERAL))
    told = await _reported(connection, wanted, correlation_id)
    return [_found(row)._replace(reported=told) for row in rows]


async def _reported(connection: AsyncConnection, wanted: Sequence[int], correlation_id: str) -> tuple[str, ...]:
    same = (reports.c.key.in_(wanted), reports.c.correlation_id == correlation_id)
    return tuple(await connection.scalars(select(reports.c.what).where(*same).order_by(reports.c.id).limit(SEVERAL)))


async def names(connection: AsyncConnection, trait: str) -> Sequence[str]:
    """What a trait may be, by name."""
    column = kinds.c[trait]
    found = await connection.execute(select(column).distinct().where(column != "").order_by(column).limit(CHOICES))
    texts = [row[0] for row in found]
    return sorted({name for text in texts for name in text.split("\n")}) if trait == "team" else texts


async def content(connection: AsyncConnection, row: int) -> Content | None:
    """What was said in the request with this number."""
    found = (await connection.execute(select(contents).where(contents.c.id == row))).first()
    if found is None:
        return None
    exchanges = tuple(Exchange(**each) for each in orjson.loads(found.exchanges))
    return Content(found.path, found.body, found.answer, exchanges)


def _whole() -> Select[Any]:
    of_kind = [column for column in kinds.columns if column.name not in {"id", "first", "last"}]
    return select(requests, *of_kind).join_from(requests, kinds, kinds.c.id == requests.c.kind)


def _found(row: Any) -> Found:  # noqa: ANN401 (a row of `_whole`)
    return Found(
        row=row.id,
        at=moment_of(row.id),
        correlation_id=row.correlation_id,
        traits=Traits(**{name: getattr(row, name) for name in Traits._fields} | {"team": row.team.replace("\n", ", ")}),
        phases=Phases(**{name: getattr(row, name) for name in PHASES}),
        attempts=orjson.loads(row.attempts) if row.attempts else [],
        **{name: getattr(row, name) for name in SIZES},
    )

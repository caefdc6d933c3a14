"""Finding requests again: newest first, a page at a time, at any size of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import and_, func, literal, or_, select, true, union_all

from homeport.domain.entries import ENDINGS, Content, Exchange, Phases, Traits
from homeport.store.log_endings import ended_as
from homeport.store.log_rows import DAY, ERROR, LAST, WEEK, first_of, keys, moment_of, storable
from homeport.store.log_tables import (
    ENDING,
    PHASES,
    SIZES,
    contents,
    contexts,
    endings,
    kinds,
    origins,
    reports,
    requests,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Row, Select, Table
    from sqlalchemy.ext.asyncio import AsyncConnection

NEAR = 3_000
"""Requests that are looked through for frequent ones before rare ones are looked for."""
FURTHER = 8
"""How many times as far back is looked when there were too few."""
FEW = 500
"""Origins or endings that are looked for by number."""
SEVERAL = 50
"""Requests with one id that are shown."""
CHOICES = 1_000
OF_ORIGIN = ("who", "token", "client", "protocol", "feature", "model", "language")
LEAST_US = 100
"""By so much at least is an attempt later than the one before: that is how exactly its beginning is kept."""


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
    """A number, a class such as "5xx", or one of `ENDINGS`."""
    text: str = ""
    """A part of an error's text or code, in any case."""
    since: float = 0.0
    """Unix seconds."""
    until: float = 0.0
    below: int = 0
    """Only those older than the request with this number."""
    above: int = 0
    """Only those newer than it."""


class Tried(NamedTuple):
    """An attempt to get an answer; times in microseconds since the beginning of the request."""

    model: str
    start: int | None
    """None where it was written down by a program that did not tell."""
    end: int | None
    outcome: str
    """answered, client_closed, or the code of the error"""
    took: int


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
    estimated: bool
    """Nobody counted the tokens: they are guessed from what was sent."""
    reported: tuple[str, ...] = ()
    """What its editor said became of the suggestion: shown, accepted, rejected; told where one id is looked up."""
    context: tuple[tuple[str, int], ...] = ()
    """Other files that the prompt showed, and characters of each; told where one id is looked up."""

    @property
    def began(self) -> float:
        """When it began, in Unix seconds."""
        return self.at - self.phases.took / 1e6

    def tries(self) -> list[Tried]:
        """Every attempt of a request that had one that failed, in their order."""
        failed = [_tried(each) for each in self.attempts]
        asked, told = self.phases.asked, self.phases.told
        if not failed or not asked or any(each.start is None or each.start + LEAST_US > asked for each in failed):
            return failed
        outcome = "answered" if self.traits.outcome == "completed" else self.traits.outcome
        return [*failed, Tried(self.traits.model, asked, told, outcome, told - asked)]


class Conditions(NamedTuple):
    """What is asked of origins, and of endings."""

    origin: Sequence[ColumnElement[bool]]
    ending: Sequence[ColumnElement[bool]]


async def search(connection: AsyncConnection, sought: Sought, limit: int) -> Sequence[Found]:
    """The newest `limit` of them."""
    conditions = Conditions(tuple(_of_origin(sought)), tuple(_of_ending(sought)))
    lower = min(max(first_of(sought.since) if sought.since else 0, sought.above + 1), LAST)
    upper = min(first_of(sought.until) if sought.until else LAST, sought.below or LAST)
    below = requests.c.id < upper
    newest = _whole().where(below).order_by(requests.c.id.desc()).limit(limit)
    if not any(conditions):
        return [_found(row) for row in await connection.execute(newest.where(requests.c.id >= lower))]
    numbers = select(requests.c.id).where(below, requests.c.id >= lower).order_by(requests.c.id.desc())
    wanted = newest.where(*conditions.origin, *conditions.ending)
    floor = lower
    for reach in (NEAR, NEAR * FURTHER):
        beyond = await connection.scalar(numbers.offset(reach).limit(1))
        floor = lower if beyond is None else beyond
        # one lower bound and no more: of several SQLite takes any, and may walk down to the oldest request
        found = [_found(row) for row in await connection.execute(wanted.where(requests.c.id >= floor))]
        if len(found) == limit or beyond is None:
            return found
        if len(found) * FURTHER < limit:
            break
    return await _rare(connection, conditions, (lower, upper), floor, limit)


async def _rare(
    connection: AsyncConnection, conditions: Conditions, ids: tuple[int, int], near: int, limit: int
) -> Sequence[Found]:
    """The same for requests that are not frequent: those of the kinds that were seen last.

    `near`: the number down to which there are too few of them.
    """
    lower, upper = ids
    of_origin = await _part(connection, kinds.c.origin, origins, conditions.origin)
    of_ending = await _part(connection, kinds.c.ending, endings, conditions.ending)
    seen = list(await connection.execute(_kinds(and_(of_origin, of_ending), lower, upper, limit)))
    if not seen:
        return []
    # each of so many kinds has one request at least that is no older than this
    least = max(lower, seen[-1].top) if len(seen) == limit else lower
    among = Among([row.id for row in seen], least, min(seen[0].top + 1, upper))
    if connection.dialect.name == "postgresql":
        found = await connection.execute(_of_each(among, limit))
    else:
        found = await _further_back(connection, among, max(seen[0].top - near, 1), limit)
    numbers = [row.id for row in found]
    rows = await connection.execute(_whole().where(requests.c.id.in_(numbers)).order_by(requests.c.id.desc()))
    return [_found(row) for row in rows]


class Among(NamedTuple):
    """Where requests are looked for: of which kinds, and the numbers from one up to another."""

    kinds: Sequence[int]
    least: int
    upper: int


def _of_each(among: Among, limit: int) -> Select[Any]:
    """The newest ones from those of each kind: left to itself PostgreSQL reads every request until it has enough."""
    newest = (
        select(requests.c.id)
        .where(requests.c.kind == kinds.c.id, requests.c.id >= among.least, requests.c.id < among.upper)
        .order_by(requests.c.id.desc())
        .limit(limit)
        .lateral()
    )
    each = select(newest.c.id).join_from(kinds, newest, true()).where(kinds.c.id.in_(among.kinds))
    return each.order_by(newest.c.id.desc()).limit(limit)


async def _further_back(connection: AsyncConnection, among: Among, reach: int, limit: int) -> Sequence[Row[Any]]:
    """The same step by step, for SQLite: it would sort all that there are."""
    wanted = select(requests.c.id).where(requests.c.kind.in_(among.kinds)).order_by(requests.c.id.desc()).limit(limit)
    while True:
        reach *= FURTHER
        since = max(among.least, among.upper - reach)
        found = (await connection.execute(wanted.where(requests.c.id >= since, requests.c.id < among.upper))).all()
        if len(found) == limit or since == among.least:
            return found


async def _part(
    connection: AsyncConnection, column: ColumnElement[int], table: Table, conditions: Sequence[ColumnElement[bool]]
) -> ColumnElement[bool]:
    """What is asked of a kind's origin or ending.

    Few are named, so that the database goes by its index instead of trying every kind.
    """
    if not conditions:
        return true()
    wanted = select(table.c.id).where(*conditions)
    found = (await connection.scalars(wanted.limit(FEW + 1))).all()
    return column.in_(found if len(found) <= FEW else wanted)


def _kinds(conditions: ColumnElement[bool], lower: int, upper: int, limit: int) -> Select[Any]:
    """The kinds whose newest requests are the newest of all, as many as requests are wanted."""
    wanted = and_(kinds.c.last >= lower, kinds.c.first < upper, conditions)
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


def _of_origin(sought: Sought) -> Iterator[ColumnElement[bool]]:
    for name in OF_ORIGIN:
        value = storable(getattr(sought, name))
        if value:
            yield origins.c[name] == value
    if sought.team:
        yield in_team(origins.c.team, storable(sought.team))


def _of_ending(sought: Sought) -> Iterator[ColumnElement[bool]]:
    for name in ENDING:
        value = storable(getattr(sought, name))
        if value:
            yield endings.c[name] == value
    if sought.status in ENDINGS:
        yield ended_as(endings, sought.status)
    elif sought.status.endswith("xx"):
        lowest = int(sought.status[0]) * 100
        yield and_(endings.c.status >= lowest, endings.c.status < lowest + 100)
    elif sought.status:
        yield endings.c.status == int(sought.status)
    if sought.text:
        part = storable(sought.text, ERROR)
        named = endings.c.error_code.icontains(part, autoescape=True)
        yield and_(endings.c.error_code != literal(""), or_(endings.c.error.icontains(part, autoescape=True), named))


def in_team(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Whether one of the lines of a column is this name."""
    return (literal("\n") + column + literal("\n")).contains(f"\n{name}\n", autoescape=True)


async def find(connection: AsyncConnection, correlation_id: str) -> Sequence[Found]:
    """Those with this correlation id."""
    if not correlation_id.isprintable():  # nothing has such an id, and PostgreSQL refuses to look for a NUL
        return []
    # each by itself: of both at once SQLite reads every row
    ends = [select(each(requests.c.id)).scalar_subquery() for each in (func.min, func.max)]
    first, last = (await connection.execute(select(*ends))).one()
    if first is None:
        return []
    for span in (WEEK, DAY):  # those of version 1 lie behind their day
        # a number may be a little later than its moment, and so of the next day
        wanted = keys(correlation_id, moment_of(first) - DAY, moment_of(last) + DAY, span)
        same = (requests.c.key.in_(wanted), requests.c.correlation_id == correlation_id)
        rows = (await connection.execute(_whole().where(*same).order_by(requests.c.id.desc()).limit(SEVERAL))).all()
        if rows:
            told = await _reported(connection, wanted, correlation_id)
            found = [_found(row) for row in rows]
            shown = await _contexts(connection, [each.row for each in found])
            return [each._replace(reported=told, context=shown.get(each.row, ())) for each in found]
    return []


async def _contexts(connection: AsyncConnection, rows: Sequence[int]) -> dict[int, tuple[tuple[str, int], ...]]:
    found = await connection.execute(select(contexts).where(contexts.c.id.in_(rows)))
    return {row.id: tuple((name, size) for name, size in orjson.loads(row.files)) for row in found}


async def _reported(connection: AsyncConnection, wanted: Sequence[int], correlation_id: str) -> tuple[str, ...]:
    same = (reports.c.key.in_(wanted), reports.c.correlation_id == correlation_id)
    return tuple(await connection.scalars(select(reports.c.what).where(*same).order_by(reports.c.id).limit(SEVERAL)))


async def names(connection: AsyncConnection, trait: str) -> Sequence[str]:
    """What a trait may be, by name."""
    column = (endings if trait in ENDING else origins).c[trait]
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
    return (
        select(requests, *(column for table in (origins, endings) for column in table.c if column.name != "id"))
        .join_from(requests, kinds, kinds.c.id == requests.c.kind)
        .join(origins, origins.c.id == kinds.c.origin)
        .join(endings, endings.c.id == kinds.c.ending)
    )


def _tried(attempt: dict[str, Any]) -> Tried:
    began, took = attempt.get("from_ms"), int(attempt.get("duration_s", 0) * 1e6)
    start = None if began is None else int(began * 1000)
    return Tried(
        str(attempt.get("model")), start, None if start is None else start + took, str(attempt.get("error")), took
    )


def _found(row: Any) -> Found:  # noqa: ANN401 (a row of `_whole`)
    return Found(
        row=row.id,
        at=moment_of(row.id),
        correlation_id=row.correlation_id,
        traits=Traits(**{name: getattr(row, name) for name in Traits._fields} | {"team": row.team.replace("\n", ", ")}),
        phases=Phases(**{name: getattr(row, name) for name in PHASES}),
        attempts=orjson.loads(row.attempts) if row.attempts else [],
        estimated=bool(row.estimated),
        **{name: getattr(row, name) for name in SIZES},
    )

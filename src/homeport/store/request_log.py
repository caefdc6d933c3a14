"""The request log: what became of each request, written beside the registry and off everybody's way.

A file of its own beside SQLite's registry, the same database on PostgreSQL. What cannot be written is lost and
counted; nothing here ever holds up a request.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from sqlalchemy import func, inspect, select, text
from sqlalchemy.exc import OperationalError

from homeport.domain.entries import Entry
from homeport.domain.errors import StoreSchema, StoreUnavailable
from homeport.store import log_recent, log_retention, log_search, log_sums, log_upgrade, log_usage
from homeport.store.engine import close, connect, disposed, parse, reading, writing
from homeport.store.log_rows import Batch, Draft, Rows, as_sent, insert
from homeport.store.log_tables import (
    VERSION,
    contents,
    contexts,
    endings,
    kinds,
    log_version,
    metadata,
    origins,
    reports,
    requests,
    usage,
    usage_kinds,
)
from homeport.store.version import sqlite_file

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

    from homeport.domain.entries import Content, Report
    from homeport.kit.settings import Settings
    from homeport.store.log_rows import Row
    from homeport.store.log_search import Found, Sought
    from homeport.store.log_usage import Asked, Used
    from homeport.store.records import Point

log = structlog.get_logger()

T = TypeVar("T")

WAITING = 50_000
"""Requests that may wait to be written; beyond that the oldest are lost."""
TOGETHER_S = 0.5
"""How long a request waits for others, to be written with them."""
AT_ONCE, BEHIND = 400, 2_000
"""Requests written in one transaction; the second where more than that wait: a disk takes many as fast as a few."""
SLICE = 25
"""Requests made into rows before others have their turn: a quarter of a millisecond."""
CELLS = {"sqlite": 600, "postgresql": 1_200}
"""Values handed to the driver before others have their turn: a millisecond in which nobody else runs."""
HURRY = 8
"""So many times as many where too many wait."""
AGAIN_S = 5.0
"""After how long a database that did not take them is tried again."""
TIDY_S = 600.0
NAMES_S = 10.0
"""How long names are remembered: to find them all anew costs a page more than its requests."""
CONTENT_WAITING = 64_000_000
"""Characters of content that may wait to be written; beyond that requests are written down without theirs."""
CLOSE_S = 3.0
PATIENCE_S = 5.0
CACHE_KB = 32_000
"""Of SQLite's file in memory, for each of at most four connections: all kinds, and what a batch changes."""
PIECE = 200
"""Sums that are read at once for a file: some milliseconds of work."""
UPGRADE_S = 600.0
"""How long tables of an older version may take to be brought up to date."""
_LOCK = 0x686F6D656C6F6773  # "homelogs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How long and how much is kept; what is older goes, and what is too much, the oldest first."""

    days: float = 30
    rows: int = 20_000_000
    content_days: float = 7
    content_bytes: int = 500_000_000
    usage_days: float = 400


def kept(settings: Settings) -> Kept:
    """What the settings say of it."""
    return Kept(
        days=settings.request_log_days,
        rows=settings.request_log_rows,
        content_days=settings.request_content_days,
        content_bytes=settings.request_content_mb * 1_000_000,
        usage_days=settings.usage_days,
    )


class RequestLog:
    """Takes finished requests, and finds them again."""

    def __init__(self, engine: AsyncEngine, kept: Kept, url: str) -> None:
        """For `open`, which makes the tables."""
        self._engine = engine
        self._url = url
        self._kept = kept
        self._waiting: deque[Entry | Report] = deque()
        self._some = asyncio.Event()
        self._keeps_otherwise = asyncio.Event()
        self._rows = Rows()
        self._dialect = engine.dialect.name
        self._statements = _statements(self._dialect)
        self._batch: Batch | None = None
        self._said = 0
        self._told = 0
        self._minutes: dict[int, Point] = {}
        self._names: dict[str, tuple[float, Sequence[str]]] = {}
        self._caught_up = False
        self.lost = 0
        """Requests that were not written down."""
        self.lost_content = 0
        """Requests that were written down without what was said in them."""

    @classmethod
    async def open(cls, url: str, kept: Kept | None = None) -> RequestLog:
        """Connect, and make the tables where there are none; raises StoreUnavailable."""
        file = sqlite_file(parse(url))
        if file is not None and not file.exists():
            file.touch(mode=0o600)
        engine = connect(url, patience_s=PATIENCE_S, cache_kb=CACHE_KB)
        try:
            if await _prepared(engine) < VERSION:
                log.info("bringing the request log up to date")
                async with disposed(connect(url, patience_s=UPGRADE_S)) as patient:
                    await _prepared(patient, upgrade=True)
        except BaseException:
            await close(engine)
            raise
        return cls(engine, kept or Kept(), url)

    def enter(self, entry: Entry | Report) -> None:
        """Have a request, or what became of a suggestion, written down soon."""
        if len(self._waiting) >= WAITING:
            self._taken()
            self.lost += 1
        if isinstance(entry, Entry) and entry.content is not None:
            entry = self._bounded(entry, entry.content)
        self._waiting.append(entry)
        if not self._some.is_set():
            self._some.set()

    def _bounded(self, entry: Entry, content: Content) -> Entry:
        """Without its content where too much of others' waits: a database that is away must not fill the memory."""
        size = content.size
        if self._said + size > CONTENT_WAITING:
            self.lost_content += 1
            return entry._replace(content=None)
        self._said += size
        return entry

    def _taken(self) -> Entry | Report:
        """The one that waits longest, which waits no longer."""
        entry = self._waiting.popleft()
        if isinstance(entry, Entry) and entry.content is not None:
            self._said -= entry.content.size
        return entry

    @property
    def waiting(self) -> int:
        """Requests that are not written yet."""
        return len(self._waiting) + (len(self._batch.requests) if self._batch else 0)

    async def follow(self) -> None:
        """Write what is entered, until this is cancelled."""
        while True:
            await self._some.wait()
            await asyncio.sleep(TOGETHER_S)
            self._some.clear()
            try:
                await self._settled()
            except StoreUnavailable as error:
                self._some.set()
                log.warning("requests not written down yet", reason=error.code, waiting=self.waiting)
                await asyncio.sleep(AGAIN_S)
            if self.lost > self._told:
                log.warning("requests were lost to the request log: it could not be written", lost=self.lost)
                self._told = self.lost

    async def _settled(self) -> None:
        """Write everything that waits; whoever ends this waits for the rows that are on their way."""
        await _whole(self.settle())

    async def settle(self) -> None:
        """Write everything that waits; raises StoreUnavailable when that must be tried again."""
        while self._waiting or self._batch:
            if self._batch is None:
                self._batch = await self._next()
            try:
                await self._write(self._batch)
            except StoreUnavailable as error:
                if type(error) is not StoreUnavailable or isinstance(error.__cause__, OperationalError):
                    raise
                # no lock, no full or broken disk: these rows themselves are refused, and would be for ever
                self.lost += len(self._batch.requests)
                log.warning("requests not written down: the database refuses them", reason=str(error))
            self._batch = None

    async def _next(self) -> Batch:
        draft = Draft()
        most = AT_ONCE if len(self._waiting) <= BEHIND else BEHIND
        while self._waiting and len(draft.requests) < most:
            self._rows.add(draft, [self._taken() for _ in range(min(SLICE, len(self._waiting)))])
            await asyncio.sleep(0)
        parts: list[list[Any]] = []
        for part in draft.parts():
            parts.append(part)
            await asyncio.sleep(0)
        return Batch(*parts)

    async def _write(self, batch: Batch) -> None:
        cells = CELLS[self._dialect] * (1 if len(batch.requests) <= AT_ONCE else HURRY)
        parts: Sequence[Sequence[Row]] = batch[:-1]
        async with writing(self._engine) as connection:
            for statement, rows in zip(self._statements, parts, strict=True):
                piece = cells // len(rows[0]) if rows else 1
                for at in range(0, len(rows), piece):
                    await connection.exec_driver_sql(statement, as_sent(list(rows[at : at + piece]), self._dialect))
            await log_sums.write(connection, batch.usage, cells // len(usage.c))
        if self._rows.met_new:
            self._rows.met_new = False
            self._names.clear()

    async def catch_up(self) -> None:
        """Make the sums that an older log lacks, newest first; as long for others between two of them as one took."""
        async with disposed(connect(self._url, patience_s=UPGRADE_S)) as patient:
            while True:
                began = time.monotonic()
                try:
                    if not await _whole(_caught_up(patient)):
                        return
                except StoreUnavailable as error:
                    log.warning("older requests not summed up yet", reason=error.code)
                    await asyncio.sleep(AGAIN_S)
                await asyncio.sleep(time.monotonic() - began)

    async def behind(self) -> tuple[int, int]:
        """Of how many hours and days there are no sums yet, and when the last of them ends (Unix seconds)."""
        if self._caught_up:
            return 0, 0
        async with reading(self._engine) as connection:
            found = await log_sums.behind(connection)
        self._caught_up = not found[0]
        return found

    async def tidy_up(self) -> None:
        """Forget what is too old or too much, now and then, until this is cancelled."""
        while True:
            self._keeps_otherwise.clear()  # before, so that what is said meanwhile is not lost
            try:
                await self.tidy()
            except StoreUnavailable as error:
                log.warning("old requests not forgotten yet", reason=error.code)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._keeps_otherwise.wait(), TIDY_S)

    def keep(self, kept: Kept) -> None:
        """Keep so long and so much from now on; what is too old or too much goes at once."""
        if kept != self._kept:
            self._kept = kept
            self._keeps_otherwise.set()

    async def tidy(self) -> int:
        """Forget what is too old or too much; gives how many requests that were."""
        kept = self._kept
        now = time.time()
        oldest = await log_retention.oldest(self._engine, now, kept.days, kept.rows)
        gone = await log_retention.forget(self._engine, oldest)
        await log_retention.forget_content(self._engine, now - kept.content_days * 86_400, kept.content_bytes)
        await log_retention.forget_usage(self._engine, now, kept.usage_days)
        return gone

    async def search(self, sought: Sought, limit: int) -> Sequence[Found]:
        """The newest requests like this, newest first; raises StoreUnavailable."""
        async with reading(self._engine) as connection:
            return await log_search.search(connection, sought, limit)

    async def find(self, correlation_id: str) -> Sequence[Found]:
        """The requests with this correlation id, newest first: clients may use one for several."""
        async with reading(self._engine) as connection:
            return await log_search.find(connection, correlation_id)

    async def names(self, trait: str) -> Sequence[str]:
        """The values that requests have here, such as the names of models: at most a few hundred.

        New ones that another process wrote are seen after `NAMES_S`, our own at once.
        """
        at, found = self._names.get(trait, (0.0, ()))
        now = time.monotonic()
        if not at or now - at > NAMES_S:
            async with reading(self._engine) as connection:
                found = await log_search.names(connection, trait)
            self._names[trait] = now, found
        return found

    async def content(self, row: int) -> Content | None:
        """What was said in a request, if that was kept."""
        async with reading(self._engine) as connection:
            return await log_search.content(connection, row)

    async def usage(self, asked: Asked) -> Sequence[Used]:
        """Sums of requests, by what is asked for."""
        async with reading(self._engine) as connection:
            return await log_usage.usage_of(connection, asked)

    async def usage_pieces(self, asked: Asked) -> AsyncGenerator[Sequence[Used]]:
        """The same a few at a time, so that many do not keep everybody else waiting; those of teams at once."""
        if asked.by == "team":
            yield await self.usage(asked)
            return
        async with reading(self._engine) as connection:
            names = await log_usage.names_of(connection, asked)
        for at in range(0, len(names), PIECE):
            yield await self.usage(asked._replace(first=0, names=tuple(names[at : at + PIECE])))

    async def lately(self, now: float, *, by_hour: bool = False) -> Sequence[Point]:
        """The last hour by the minute, or the last day by the hour."""
        async with reading(self._engine) as connection:
            if by_hour:
                return await log_recent.last_day(connection, now)
            return await log_recent.last_hour(connection, now, self._minutes)

    async def close(self) -> None:
        """Write what waits, as far as that can be done soon, and let go of the database."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.settle()
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("requests lost at the end", lost=self.waiting, reason=type(error).__name__)
        await close(self._engine)


async def _caught_up(engine: AsyncEngine) -> bool:
    async with writing(engine) as connection:
        return await log_sums.catch_up(connection)


async def _whole(work: Coroutine[Any, Any, T]) -> T:
    """Who is ended waits for what is on its way: a transaction cut off would keep its lock."""
    going_on = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(going_on)
    except asyncio.CancelledError:
        with suppress(StoreUnavailable, TimeoutError):
            await asyncio.wait_for(going_on, CLOSE_S)
        raise


def address(registry: str, folder: str) -> str:
    """Where the log of an instance is whose registry is there: a SQLite file of its own in `folder`, or the same."""
    return f"sqlite+aiosqlite:///{folder}/requests.db" if registry.startswith("sqlite") else registry


async def _prepared(engine: AsyncEngine, *, upgrade: bool = False) -> int:
    """Make the tables where there are none; gives the version that they have now."""
    async with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        return await connection.run_sync(_make, upgrade)


def _make(connection: Connection, upgrade: bool) -> int:  # noqa: FBT001 (the driver hands it on)
    found = _version(connection)
    if found == VERSION:
        return VERSION
    metadata.create_all(connection)
    if found > VERSION:
        saw = f"The request log is at version {found}; this program needs {VERSION}."
        raise StoreSchema(saw, "Start the program that made it, or move the log away.")
    if found and not upgrade:
        return found
    if found == log_upgrade.FIRST_VERSION:
        log_upgrade.from_1(connection)
    if found in {log_upgrade.FIRST_VERSION, log_upgrade.SECOND_VERSION}:
        log_upgrade.from_2(connection)
    if found:
        log_upgrade.from_4(connection)
        log_upgrade.from_5(connection)
    if 0 < found < log_upgrade.SUMMED:
        log_sums.put_off(connection)
    connection.execute(log_version.delete())
    connection.execute(log_version.insert().values(number=VERSION))
    return VERSION


def _version(connection: Connection) -> int:
    """What was written down in the transaction that made the tables; 0 before."""
    there = inspect(connection).has_table(log_version.name)
    return int(connection.scalar(select(func.max(log_version.c.number))) or 0) if there else 0


def _statements(dialect: str) -> Sequence[str]:
    """What adds a batch, one for each of its parts but the sums."""
    later = '(id) DO UPDATE SET "last" = excluded."last" WHERE excluded."last" > logged_kinds."last"'
    wanted: Any = (
        (kinds, later),
        (origins, "DO NOTHING"),
        (endings, "DO NOTHING"),
        (requests, "DO NOTHING"),
        (contents, "DO NOTHING"),
        (contexts, "DO NOTHING"),
        (reports, "DO NOTHING"),
        (usage_kinds, "DO NOTHING"),
    )
    return [insert(table, conflict, dialect=dialect) for table, conflict in wanted]

"""Connections: what SQLite and PostgreSQL are told on opening, and what their failures mean to us."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import create_async_engine

from homeport.domain.errors import (
    BadConfiguration,
    StoreBusy,
    StoreFull,
    StoreReadOnly,
    StoreSchema,
    StoreUnavailable,
    StoreUnreachable,
)
from homeport.store import one_trip

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import URL, Connection
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
    from sqlalchemy.pool import ConnectionPoolEntry

BUSY_S = 5.0
"""How long a statement waits for a lock, and at most runs."""
POOL_WAIT_S = 2.0
"""How long a caller waits for a free connection."""
CONNECT_S = 2.0
"""How long a new connection waits for its server."""

_WITHIN = "within_s"
"""Name of our own option: seconds that a whole transaction may take when the server does not keep its limits."""
_LATE_S = 0.2


def parse(url: str) -> URL:
    """The address, checked; raises BadConfiguration, which never shows the password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername not in {"sqlite+aiosqlite", "postgresql+asyncpg"}:
        saw = "The database address is neither SQLite nor PostgreSQL."
        raise BadConfiguration(saw, "Write postgresql://user:password@host/name, or leave it empty for SQLite.")
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        saw = "The SQLite address names no file."
        raise BadConfiguration(saw, "Write sqlite+aiosqlite:////absolute/path/homeport.db.")
    return parsed


def connect(url: str, *, patience_s: float = BUSY_S, cache_kb: int = 0) -> AsyncEngine:
    """An engine for `url`, which connects on first use; a statement and its locks may take `patience_s` seconds.

    `cache_kb`: how much of the file each connection of SQLite keeps in memory at most; 0 for its usual two megabytes.
    """
    parsed = parse(url)
    if parsed.get_backend_name() != "sqlite":
        return _postgresql(parsed, patience_s)
    engine = _sqlite(parsed, patience_s)
    if cache_kb:
        event.listen(engine.sync_engine, "connect", partial(_keep_in_memory, cache_kb))
    return engine


def _keep_in_memory(cache_kb: int, connection: Any, _record: object) -> None:  # noqa: ANN401 (the driver's own)
    connection.execute(f"PRAGMA cache_size = -{cache_kb}").close()


def _postgresql(url: URL, patience_s: float) -> AsyncEngine:
    patience_ms = str(int(patience_s * 1000))
    return create_async_engine(
        url,
        pool_size=5,
        max_overflow=5,
        pool_timeout=POOL_WAIT_S,
        pool_pre_ping=True,
        hide_parameters=True,
        execution_options={_WITHIN: patience_s + _LATE_S},
        connect_args={
            "timeout": CONNECT_S,
            "server_settings": {
                "application_name": "homeport",
                "statement_timeout": patience_ms,
                "lock_timeout": patience_ms,
                "idle_in_transaction_session_timeout": "60000",
            },
        },
    )


def _sqlite(url: URL, patience_s: float) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=2,
        max_overflow=2,
        pool_timeout=patience_s,
        hide_parameters=True,
        connect_args={"timeout": patience_s, "async_creator_fn": one_trip.opened},
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 (the driver's own connection)
    """Our transactions begin by our own word, and every commit reaches the disk."""
    connection.isolation_level = None
    try:
        cursor = connection.cursor()
        for pragma in ("foreign_keys = ON", "synchronous = FULL"):
            cursor.execute(f"PRAGMA {pragma}")
        _settle_journal(cursor)
        cursor.close()
    except BaseException:
        connection.close()  # the pool forgets a connection that fails here without closing it
        raise


def _settle_journal(cursor: Any) -> None:  # noqa: ANN401 (the driver's own cursor)
    """Bring the file into the journal mode that is safe with this SQLite.

    Another connection can be in the way. That the rollback journal stays is harmless; that the
    write-ahead log stays on an affected SQLite is not, so that failure is passed on.
    """
    wanted = journal_mode()
    cursor.execute("PRAGMA journal_mode")
    if cursor.fetchone()[0] == wanted:
        return
    try:
        cursor.execute(f"PRAGMA journal_mode = {wanted}")
    except sqlite3.OperationalError as error:
        if wanted == "delete" and error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
            raise


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes its lock at once: a reader that becomes a writer later would fail without waiting."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def journal_mode(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> str:
    """Return "wal", or "delete" on a SQLite whose write-ahead log can corrupt the database.

    Affected are 3.7.0 to 3.51.2 but for the repaired 3.44.6 and 3.50.7 and later of their lines
    (sqlite.org/wal.html, "The WAL-Reset Bug").
    """
    repaired = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return "wal" if repaired else "delete"


async def close(engine: AsyncEngine) -> None:
    """Close every connection: the idle ones now, those in use as soon as whoever uses them is done."""
    event.listen(engine.sync_engine.pool, "checkin", _close_returned)
    await engine.dispose()


def _close_returned(_connection: object, record: ConnectionPoolEntry) -> None:
    """A pool that was disposed of would keep what is returned to it, open and unused."""
    record.invalidate()


@asynccontextmanager
async def disposed(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """An engine for one job."""
    try:
        yield engine
    finally:
        await close(engine)


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that sees one state of the database; failures are raised as StoreUnavailable."""
    level = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    async with _transaction(engine, level) as connection:
        yield connection


@asynccontextmanager
async def writing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that may write; failures are raised as StoreUnavailable, and nothing was changed then."""
    async with _transaction(engine, {"writes": True}) as connection:
        yield connection


@asynccontextmanager
async def _transaction(engine: AsyncEngine, options: dict[str, Any]) -> AsyncIterator[AsyncConnection]:
    within_s = engine.sync_engine.get_execution_options().get(_WITHIN)
    try:
        async with asyncio.timeout(within_s), engine.connect() as connection:
            await connection.execution_options(**options)
            async with connection.begin():
                yield connection
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        raise meaning(error) from error


class Turn:
    """One change at a time among those of one process."""

    def __init__(self, patience_s: float) -> None:
        """`patience_s`: how long to wait for the changes before."""
        self._lock = asyncio.Lock()
        self._patience_s = patience_s

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Wait for the changes before; raises StoreBusy."""
        try:
            async with asyncio.timeout(self._patience_s):
                await self._lock.acquire()
        except TimeoutError as error:
            raise StoreBusy(*_SENTENCES[StoreBusy], retry_after_s=5) from error
        try:
            yield
        finally:
            self._lock.release()


_LOOK = "`homeport db status` shows which database it is."
_SENTENCES: dict[type[StoreUnavailable], tuple[str, str]] = {
    StoreBusy: (
        "The database was busy with someone else's change for too long.",
        "Nothing was changed; try again.",
    ),
    StoreReadOnly: ("The database may not be written.", f"Give Homeport's user the right to write to it. {_LOOK}"),
    StoreFull: ("The database has no space left; nothing was changed.", f"Free some disk space. {_LOOK}"),
    StoreUnreachable: (
        "The database cannot be reached, or does not answer in time.",
        f"See that it runs and lets Homeport in. {_LOOK}",
    ),
    StoreSchema: ("The database has no Homeport tables.", "Run: homeport db upgrade"),
    StoreUnavailable: ("The database failed.", f"See the database's own log. {_LOOK}"),
}

_SQLITE_CODES: dict[int, type[StoreUnavailable]] = {
    sqlite3.SQLITE_BUSY: StoreBusy,
    sqlite3.SQLITE_LOCKED: StoreBusy,
    sqlite3.SQLITE_READONLY: StoreReadOnly,
    sqlite3.SQLITE_FULL: StoreFull,
    sqlite3.SQLITE_CANTOPEN: StoreUnreachable,
}

# PostgreSQL's manual, appendix A, "PostgreSQL Error Codes"; a shorter entry is a whole class
_SQL_STATES: dict[str, type[StoreUnavailable]] = {
    "55P03": StoreBusy,  # a lock was not available in time
    "57014": StoreBusy,  # the statement timeout
    "40": StoreBusy,  # deadlock, serialisation
    "53100": StoreFull,
    "53": StoreBusy,  # too many connections, out of memory
    "25006": StoreReadOnly,
    "42501": StoreReadOnly,  # the role lacks a privilege
    "42P01": StoreSchema,
    "42703": StoreSchema,
    "08": StoreUnreachable,
    "28": StoreUnreachable,  # user or password
    "3D": StoreUnreachable,  # no such database
    "57": StoreUnreachable,  # shutting down, starting up
}


_DAMAGED = (
    "The database file is damaged.",
    "Stop Homeport, move the file away, and put the last backup in its place: homeport db restore FILE",
)


def meaning(error: Exception) -> StoreUnavailable:
    """What a failure of the driver means to whoever asked; the driver's own words stay in its cause."""
    kind, detail = _kind(error)
    saw, fix = _DAMAGED if detail.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")) else _SENTENCES[kind]
    return kind(f"{saw[:-1]} ({detail})." if detail else saw, fix, retry_after_s=5)


def _kind(error: Exception) -> tuple[type[StoreUnavailable], str]:
    if isinstance(error, PoolTimeout):
        return StoreBusy, "all connections are in use"
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return _kind_of_sqlite(cause)
    if isinstance(cause, SQLAlchemyError):
        return StoreUnavailable, ""
    state = getattr(cause, "sqlstate", None) or ""
    if not state:
        return StoreUnreachable, ""
    kind = _SQL_STATES.get(state) or _SQL_STATES.get(state[:2], StoreUnavailable)
    return kind, f"SQLSTATE {state}"


def _kind_of_sqlite(error: sqlite3.Error) -> tuple[type[StoreUnavailable], str]:
    if str(error).startswith("no such table"):
        return StoreSchema, ""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    kind = _SQLITE_CODES.get(code & 0xFF, StoreUnavailable)
    return kind, getattr(error, "sqlite_errorname", "") if kind is StoreUnavailable else ""

"""SQLite's driver with one trip to its thread for each statement, where it makes four.

A trip hands Python's lock to another thread and back, a tenth of a millisecond or more: most of what a page costs.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import aiosqlite
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

AT_ONCE = 1_000
"""Rows that come with the statement; more are fetched as they are asked for, so that a stream stays small."""


class Connection(aiosqlite.Connection):
    """One whose cursors wait for nothing but their statements."""

    cut_off = False
    """Whether a statement was given up that may still run."""

    @override
    def cursor(self) -> Cursor:  # type: ignore[override]  # the same methods, as far as SQLAlchemy calls them
        return Cursor(self)

    @override
    async def rollback(self) -> None:
        """Roll back, where there is something to roll back: the pool asks for it after every commit."""
        if self.cut_off or self.in_transaction:
            await super().rollback()

    async def trip(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Do this on the connection's thread."""
        try:
            await self._execute(work, self._conn)  # type: ignore[no-untyped-call]  # the driver's own
        except asyncio.CancelledError:
            self.cut_off = True
            raise


class Cursor:
    """One statement, whose rows come with it; what SQLAlchemy asks of a cursor of aiosqlite."""

    arraysize = 1
    description: Any = None
    rowcount = -1
    lastrowid: int | None = None

    def __init__(self, connection: Connection) -> None:
        """Nothing happens before the statement."""
        self._connection = connection
        self._rows: deque[Any] = deque()
        self._open: sqlite3.Cursor | None = None

    async def __aenter__(self) -> Self:
        """Return itself: there is nothing to wait for."""
        return self

    async def execute(self, sql: str, parameters: Iterable[Any] = ()) -> Cursor:
        """Run a statement; raises the errors of sqlite3."""
        await self._connection.trip(partial(self._run, sqlite3.Cursor.execute, sql, parameters))
        return self

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> Cursor:
        """Run a statement for each of these; raises the errors of sqlite3."""
        await self._connection.trip(partial(self._run, sqlite3.Cursor.executemany, sql, parameters))
        return self

    async def fetchone(self) -> Any:  # noqa: ANN401 (a row of any shape)
        """Give the next row, or None."""
        return next(iter(await self.fetchmany(1)), None)

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        """Give at most so many rows more."""
        wanted = size or self.arraysize
        if self._open and len(self._rows) < wanted:
            await self._connection.trip(partial(self._more, wanted - len(self._rows)))
        return [self._rows.popleft() for _ in range(min(wanted, len(self._rows)))]

    async def fetchall(self) -> list[Any]:
        """Give all rows that are left."""
        if self._open:
            await self._connection.trip(partial(self._more, None))
        rows = list(self._rows)
        self._rows.clear()
        return rows

    async def close(self) -> None:
        """Let go of rows that nobody asked for."""
        self._rows.clear()
        if self._open:
            await self._connection.trip(self._close)

    def _run(self, how: Callable[..., object], sql: str, parameters: object, connection: sqlite3.Connection) -> None:
        self._open = cursor = connection.cursor()
        try:
            how(cursor, sql, parameters)
        except BaseException:
            self._close(connection)
            raise
        self.description, self.lastrowid = cursor.description, cursor.lastrowid
        self._more(AT_ONCE, connection)

    def _more(self, most: int | None, connection: sqlite3.Connection) -> None:
        if self._open is None:
            return
        came = self._open.fetchall() if most is None else self._open.fetchmany(most)
        self._rows.extend(came)
        self.rowcount = self._open.rowcount  # known once every row has come
        if most is None or len(came) < most:
            self._close(connection)

    def _close(self, _connection: sqlite3.Connection) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


async def opened(file: str, **options: Any) -> Connection:  # noqa: ANN401 (what sqlite3.connect takes)
    """Open a file, with the options of `sqlite3.connect`; raises its errors."""
    connection = Connection(partial(sqlite3.connect, file, **options), AT_ONCE)
    connection._thread.daemon = True  # noqa: SLF001 (as SQLAlchemy does it, so that a lost connection holds up no exit)
    await connection
    return connection

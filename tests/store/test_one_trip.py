"""SQLite's driver with one trip to its thread for each statement."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

import pytest

from homeport.store.one_trip import AT_ONCE, Connection, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

MANY = AT_ONCE + 7
NUMBERS = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY}) SELECT i FROM n"  # noqa: S608 (our own number)


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[Connection]:
    """A file with a table, and transactions by our own word."""
    made = await opened(str(tmp_path / "a.db"), isolation_level=None, check_same_thread=False)
    await made.cursor().execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
    yield made
    await made.close()


@pytest.fixture
def trips(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the thread was asked to do since."""
    made: list[object] = []
    put = connection._execute  # noqa: SLF001 (where every trip begins)

    async def counted(work: Callable[..., object], *arguments: object) -> object:
        made.append(work)
        return await put(work, *arguments)  # type: ignore[no-untyped-call]  # the driver's own

    monkeypatch.setattr(connection, "_execute", counted)
    return made


async def test_a_statement_and_its_rows_are_one_trip(connection: Connection, trips: list[object]) -> None:
    cursor = connection.cursor()
    await cursor.execute("INSERT INTO t (name) VALUES (?), (?) RETURNING id, name", ("a", "b"))
    assert await cursor.fetchall() == [(1, "a"), (2, "b")]
    assert [each[0] for each in cursor.description] == ["id", "name"]
    assert (cursor.rowcount, cursor.lastrowid) == (2, 2)
    assert await cursor.fetchone() is None
    assert len(trips) == 1


async def test_many_rows_stay_where_they_are_until_asked_for(connection: Connection, trips: list[object]) -> None:
    cursor = connection.cursor()
    await cursor.execute(NUMBERS)
    assert await cursor.fetchmany(2) == [(1,), (2,)]
    assert await cursor.fetchone() == (3,)
    assert len(trips) == 1
    assert await cursor.fetchmany(AT_ONCE) == [(i,) for i in range(4, AT_ONCE + 4)]
    assert await cursor.fetchall() == [(i,) for i in range(AT_ONCE + 4, MANY + 1)]
    assert await cursor.fetchall() == []
    assert len(trips) == 3


async def test_rows_nobody_asked_for_are_let_go(connection: Connection) -> None:
    cursor = connection.cursor()
    await cursor.execute(NUMBERS)
    await cursor.close()
    assert await cursor.fetchall() == []


async def test_one_statement_for_many_rows(connection: Connection, trips: list[object]) -> None:
    cursor = connection.cursor()
    await cursor.executemany("INSERT INTO t (name) VALUES (?)", [("a",), ("b",), ("c",)])
    assert (cursor.rowcount, cursor.description, len(trips)) == (3, None, 1)


async def test_a_statement_that_fails_leaves_the_connection_as_it_was(connection: Connection) -> None:
    await connection.cursor().execute("INSERT INTO t VALUES (1, 'a')")
    with pytest.raises(sqlite3.IntegrityError):
        await connection.cursor().execute("INSERT INTO t VALUES (1, 'b')")
    found = await connection.cursor().execute("SELECT * FROM t")
    assert await found.fetchall() == [(1, "a")]


async def test_only_a_transaction_is_rolled_back(connection: Connection, trips: list[object]) -> None:
    await connection.rollback()
    assert not trips
    await connection.cursor().execute("BEGIN")
    await connection.cursor().execute("INSERT INTO t VALUES (1, 'a')")
    await connection.rollback()
    found = await connection.cursor().execute("SELECT * FROM t")
    assert await found.fetchall() == []


async def test_a_beginning_that_was_given_up_is_rolled_back(connection: Connection, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(connection.trip(lambda own: own.execute("BEGIN IMMEDIATE").close()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    other.close()
    await connection.rollback()
    assert not connection.in_transaction

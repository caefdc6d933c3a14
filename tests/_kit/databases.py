"""What other programs do to a database."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

import asyncpg
from sqlalchemy import text

from homeport.store import engine, schema
from homeport.store.tables import HEAD, metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def administrator(postgres: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres)
    try:
        yield connection
    finally:
        await connection.close()


async def run_sql(url: str, *statements: str) -> list[tuple[object, ...]]:
    """What somebody else does to the database; the rows of the last statement."""
    async with engine.disposed(engine.connect(url)) as other, engine.writing(other) as connection:
        for statement in statements:
            result = await connection.execute(text(statement))
        return [tuple(row) for row in result] if result.returns_rows else []


@asynccontextmanager
async def everything_locked(url: str) -> AsyncIterator[None]:
    """Somebody holds a lock that neither readers nor writers get past."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(sqlite_path(url), isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield
            other.rollback()
        return
    async with engine.disposed(engine.connect(url)) as server, engine.writing(server) as connection:
        for table in metadata.sorted_tables:
            await connection.execute(text(f"LOCK TABLE {table.name} IN ACCESS EXCLUSIVE MODE"))
        yield
        await connection.rollback()


_OTHERS = "pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
EMPTY = "; ".join(
    [
        # what a failed test left behind would be in the way
        f"SELECT pg_terminate_backend(pid) FROM {_OTHERS}",  # noqa: S608 (our own words)
        *(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)),  # noqa: S608 (our tables)
        "INSERT INTO revision VALUES (1, 1)",
        f"UPDATE alembic_version SET version_num = '{HEAD}'",  # noqa: S608 (our version)
    ]
)


async def emptied(url: str) -> None:
    """Leave nothing but our tables in a PostgreSQL database, whatever a test did to it."""
    try:
        async with administrator(url.replace("+asyncpg", "")) as admin:
            await admin.execute(EMPTY)
    except asyncpg.UndefinedTableError:
        await without_tables(url)
        await schema.upgrade(url)


async def without_tables(url: str) -> None:
    """A PostgreSQL database as `CREATE DATABASE` makes it."""
    await run_sql(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")


def sqlite_path(url: str) -> str:
    return url.partition(":///")[2]

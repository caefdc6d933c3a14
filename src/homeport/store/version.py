"""Which migration a database is at, and whether this program may work with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from homeport.domain.errors import StoreSchema
from homeport.store.tables import HEAD

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

VERSION_TABLE = "alembic_version"


async def version_of(connection: AsyncConnection) -> str:
    """The migration that the database is at; empty for one without tables."""
    return await connection.run_sync(read_version)


def read_version(connection: Connection) -> str:
    """The same on a synchronous connection."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return ""
    return connection.scalar(text("SELECT version_num FROM alembic_version")) or ""


def sqlite_file(url: URL) -> Path | None:
    """The file of a SQLite address; None on PostgreSQL."""
    if url.get_backend_name() != "sqlite":
        return None
    return Path((url.database or "").removeprefix("file:"))


def require(version: str) -> None:
    """Raise StoreSchema unless `version` is the one that this program works with."""
    if version == HEAD:
        return
    if not version:
        saw, fix = "The database has no Homeport tables yet.", "Run: homeport db upgrade"
    elif version < HEAD:
        saw = f"The database is at version {version}; this program needs {HEAD}."
        fix = "Back it up (homeport db backup FILE), then run: homeport db upgrade"
    else:
        saw = f"The database is at version {version}, newer than this program, which knows {HEAD}."
        fix = "Start the newer Homeport again, or restore the backup made before the upgrade: homeport db restore FILE"
    raise StoreSchema(saw, fix)


def require_file(url: URL) -> None:
    """Raise StoreSchema when a SQLite address names a file that is not there (opening would make it)."""
    file = sqlite_file(url)
    if file is not None and not file.exists():
        saw = f"There is no database at {file}."
        raise StoreSchema(saw, "Run: homeport db upgrade")

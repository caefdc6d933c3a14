"""Copies of a database: SQLite's own file, or lines of JSON that either database reads.

A name that ends in `.jsonl` asks for lines of JSON; anything else, on SQLite, for a SQLite file.
Lines of JSON are also the way from SQLite to PostgreSQL and back. For large PostgreSQL databases
and point-in-time recovery use PostgreSQL's own tools. A copy holds keys as they are in the
database, sealed: it is worth nothing without the key file, which is not in it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

from sqlalchemy import LargeBinary, delete, func, insert, select, text, update

from homeport.domain.errors import BadConfiguration, StoreBusy, StoreUnavailable
from homeport.kit.peers import peer
from homeport.store.engine import BUSY_S, connect, disposed, meaning, parse, reading, writing
from homeport.store.tables import HEAD, Moment, audit_events, metadata, revision
from homeport.store.version import VERSION_TABLE, require, require_file, sqlite_file, version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sqlalchemy import Row, Table
    from sqlalchemy.ext.asyncio import AsyncConnection

LINES = ".jsonl"
PATIENCE_S = 600.0
"""How long a backup, a restoration or a migration may take, and another process wait for it."""

_SQLITE_MAGIC = b"SQLite format 3\x00"
_BATCH = 500
_RESTORED_BY = "homeport db restore"


async def write_copy(url: str, target: Path) -> None:
    """Copy the database to a new file that only its owner may read, while it is in use."""
    parsed = parse(url)
    require_file(parsed)
    file = sqlite_file(parsed)
    if file is not None and target.suffix != LINES:
        await asyncio.to_thread(_copy_file, file, target)
    elif target.suffix == LINES:
        await _write_lines(url, target)
    else:
        saw = f"PostgreSQL cannot be copied to {target}."
        raise BadConfiguration(saw, f"Choose a name that ends in {LINES}, or use pg_dump.")


def is_sqlite(source: Path) -> bool:
    """Whether a copy is a SQLite file; raises BadConfiguration when it cannot be read."""
    try:
        with source.open("rb") as found:
            return found.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC
    except OSError as error:
        saw = f"The copy {source} cannot be read: {error.strerror or error}."
        raise BadConfiguration(saw, "Name a file that `homeport db backup` wrote.") from error


@contextmanager
def draft_of(target: Path) -> Iterator[Path]:
    """A file beside `target`, in place when the block ends; a `target` that exists is left alone."""
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.close(descriptor)
        yield draft
        os.link(draft, target)
    except FileExistsError as error:
        saw = f"There is already a file {target}."
        raise BadConfiguration(saw, "Choose another name.") from error
    except OSError as error:
        saw = f"The copy {target} cannot be written: {error.strerror or error}."
        raise BadConfiguration(saw, "Choose a directory that exists, may be written and has space.") from error
    finally:
        draft.unlink(missing_ok=True)


def _copy_file(file: Path, target: Path) -> None:
    """A copy is one file: it keeps no write-ahead log beside it, whatever the database does."""
    with draft_of(target) as draft:
        copy_pages(file, draft)
        with closing(sqlite3.connect(draft)) as copy:
            copy.execute("PRAGMA journal_mode = delete")


def copy_pages(source: Path, target: Path) -> None:
    """SQLite's online backup: `target` becomes what `source` is at one moment, whole or not at all."""
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True, timeout=BUSY_S)) as origin,
            closing(sqlite3.connect(target, timeout=BUSY_S)) as copy,
        ):
            origin.backup(copy, progress=_give_up_when_locked)
            damage = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise meaning(error) from error
    if damage != "ok":
        saw = f"The database {source} is damaged: {damage}."
        raise StoreUnavailable(saw, "Restore an earlier copy.")


def _give_up_when_locked(state: int, _remaining: int, _total: int) -> None:
    """Left alone, the driver would try again without end."""
    if state in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        saw = f"The database was locked for more than {BUSY_S:.0f} seconds."
        raise StoreBusy(saw, "Try again, or stop what holds it.", retry_after_s=5)


async def prepare_file(draft: Path, *, at_least: int) -> None:
    """Make a restored SQLite file one that running processes notice: its revision is a new one."""
    url = f"sqlite+aiosqlite:///{draft}"
    async with disposed(connect(url)) as engine, writing(engine) as connection:
        await _mark_restored(connection, at_least)


async def revision_of(url: str) -> int:
    """The revision of a database, 0 if it has none yet."""
    async with disposed(connect(url)) as engine, reading(engine) as connection:
        known = await version_of(connection)
        return int(await connection.scalar(select(revision.c.number)) or 0) if known else 0


async def _mark_restored(connection: AsyncConnection, at_least: int) -> None:
    number = int(await connection.scalar(select(revision.c.number)) or 0)
    await connection.execute(update(revision).values(number=max(number, at_least) + 1))
    event = {"at": datetime.now(UTC), "who": _RESTORED_BY, "what": "db.restore", "subject": "database"}
    event["address"] = peer()
    await connection.execute(insert(audit_events).values(event))


# lines of JSON: one that says what follows, one per row, one that says how many there were


async def _write_lines(url: str, target: Path) -> None:
    async with disposed(connect(url, patience_s=PATIENCE_S)) as engine, reading(engine) as connection:
        require(await version_of(connection))
        with draft_of(target) as draft:
            await _write_tables(connection, draft)


async def _write_tables(connection: AsyncConnection, draft: Path) -> None:
    count = 0
    with _durable(draft) as out:
        out.write(_line({"homeport": "backup", "version": HEAD, "at": datetime.now(UTC).isoformat()}))
        for table in metadata.sorted_tables:
            found = await connection.stream(select(table))
            async for rows in found.partitions(_BATCH):
                lines = b"".join(_line({"table": table.name, "row": _plain(table, row)}) for row in rows)
                await asyncio.to_thread(out.write, lines)
                count += len(rows)
        out.write(_line({"rows": count}))


@contextmanager
def _durable(path: Path) -> Iterator[BinaryIO]:
    """A file that is on the disk when the block ends."""
    with path.open("wb") as out:
        yield out
        out.flush()
        os.fsync(out.fileno())


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _plain(table: Table, row: Row[Any]) -> dict[str, Any]:
    """A row as JSON has it: bytes in base64, moments as ISO 8601."""
    return {column.name: _to_json(value) for column, value in zip(table.columns, row, strict=True)}


def _to_json(value: Any) -> Any:  # noqa: ANN401 (what a column holds)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if isinstance(value, datetime) else value


def _from_json(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """The reverse of `_plain`, by the columns' types."""
    made = dict(row)
    for column in table.columns:
        value = row[column.name]
        if value is not None and isinstance(column.type, LargeBinary):
            made[column.name] = base64.b64decode(value)
        elif value is not None and isinstance(column.type, Moment):
            made[column.name] = datetime.fromisoformat(value)
    return made


async def restore_lines(url: str, source: Path) -> None:
    """Replace everything in a database that has its tables, in one transaction."""
    rows = await asyncio.to_thread(_read_lines, source)
    async with disposed(connect(url, patience_s=PATIENCE_S)) as engine, writing(engine) as connection:
        await connection.execute(update(revision).values(number=revision.c.number + 1))
        at_least = int(await connection.scalar(select(revision.c.number)) or 0)
        for table in reversed(metadata.sorted_tables):
            await connection.execute(delete(table))
        for table in metadata.sorted_tables:
            for batch in _batches(rows[table.name]):
                await connection.execute(insert(table), batch)
        await _count_on(connection)
        await _mark_restored(connection, at_least)


def _batches(rows: list[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    return (rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH))


async def _count_on(connection: AsyncConnection) -> None:
    """PostgreSQL counts by a sequence, which knows nothing of rows that brought their own number."""
    if connection.dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence(audit_events.name, "id")
        highest = select(func.coalesce(func.max(audit_events.c.id), 0) + 1).scalar_subquery()
        await connection.execute(select(func.setval(sequence, highest, text("false"))))


def _read_lines(source: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows by table; raises BadConfiguration unless the copy is whole and of this version."""
    rows: dict[str, list[dict[str, Any]]] = {table.name: [] for table in metadata.sorted_tables}
    count, told = 0, -1
    try:
        with source.open(encoding="utf-8") as lines:
            _check_head(source, json.loads(next(lines, "{}")))
            for line in lines:
                entry = json.loads(line)
                if "rows" in entry:
                    told = entry["rows"]
                    continue
                rows[entry["table"]].append(_from_json(metadata.tables[entry["table"]], entry["row"]))
                count += 1
    except (OSError, ValueError, KeyError, TypeError) as error:
        saw = f"The copy {source} cannot be read after row {count}."
        raise BadConfiguration(saw, "It is damaged: take another one. Nothing was changed.") from error
    if told != count:
        saw = f"The copy {source} ends too early, after row {count}."
        raise BadConfiguration(saw, "It was cut off: take another one. Nothing was changed.")
    return rows


def _check_head(source: Path, head: dict[str, Any]) -> None:
    if head.get("homeport") != "backup":
        saw = f"{source} is no copy that `homeport db backup` wrote."
        raise BadConfiguration(saw, "Name one that is. Nothing was changed.")
    if head.get("version") != HEAD:
        saw = f"The copy {source} is of version {head.get('version')}; this program reads {HEAD}."
        fix = "Restore it with the Homeport that wrote it, then upgrade. Nothing was changed."
        raise BadConfiguration(saw, fix)


def require_ours(source: Path) -> None:
    """Raise BadConfiguration unless a SQLite file holds our tables."""
    with closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True)) as copy:
        named = "SELECT count(*) FROM sqlite_master WHERE name IN (?, ?)"
        found = copy.execute(named, (VERSION_TABLE, revision.name)).fetchone()[0]
    if found != 2:  # noqa: PLR2004 (the two names above)
        saw = f"{source} is a SQLite file, but no copy of a Homeport database."
        raise BadConfiguration(saw, "Name one that `homeport db backup` wrote. Nothing was changed.")

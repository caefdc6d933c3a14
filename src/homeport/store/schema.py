"""Bringing a database to the tables that this program expects."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import text

from homeport.domain.errors import BadConfiguration, StoreBusy, StoreUnreachable
from homeport.store import backup as copies
from homeport.store.backup import PATIENCE_S
from homeport.store.engine import connect, disposed, journal_mode, parse, reading, writing
from homeport.store.tables import HEAD
from homeport.store.version import read_version, require, sqlite_file, version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import URL, Connection

    OnWait = Callable[[str], None]

State = Literal["missing", "empty", "older", "current", "newer"]
_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x686F6D65706F7274  # "homeport"
CHECK_S = 30.0
"""How long to wait for a locked database to say how far its tables are."""
TELL_S = 2.0
"""After how long somebody is told what is being waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaStatus:
    """Where a database is and how far its tables are."""

    kind: Literal["sqlite", "postgresql"]
    location: str
    """The file, or the address without the password."""
    version: str
    """The migration that it is at; empty for none."""
    needed: str
    """The migration that this program works with."""
    state: State
    journal: str = ""
    """SQLite's journal: "wal" (write-ahead log), or "delete" (rollback) on a version whose log is not safe."""


async def status(url: str) -> SchemaStatus:
    """How far the tables are; raises StoreUnavailable when the database cannot be asked."""
    parsed = parse(url)
    file = sqlite_file(parsed)
    if file is not None and not file.exists():
        return _status(parsed, "", "missing")
    async with disposed(connect(url)) as engine, reading(engine) as connection:
        version = await version_of(connection)
    return _status(parsed, version, _state(version))


async def try_writing(url: str, patience_s: float) -> None:
    """Change a row and take it back; raises StoreUnavailable that says why it cannot be written."""
    async with disposed(connect(url, patience_s=patience_s)) as engine, writing(engine) as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
        await connection.rollback()


def _status(url: URL, version: str, state: State) -> SchemaStatus:
    file = sqlite_file(url)
    return SchemaStatus(
        kind="postgresql" if file is None else "sqlite",
        location=_place(url),
        version=version,
        needed=HEAD,
        state=state,
        journal=journal_mode() if file else "",
    )


def _state(version: str) -> State:
    if not version:
        return "empty"
    if version == HEAD:
        return "current"
    return "older" if version < HEAD else "newer"


def _nobody(_what: str) -> None:
    """Nobody is there to be told."""


async def upgrade(url: str, *, on_wait: OnWait = _nobody) -> bool:
    """Bring the tables to what this program expects, in one transaction; False if they already were.

    Makes a missing SQLite file. Of several processes that start at once one does the work and the
    others wait for it; `on_wait` is told of a wait that takes longer than TELL_S. Raises StoreSchema
    for a database that a newer program made, StoreBusy for one that stays locked.
    """
    _make_file(parse(url))
    return not await _is_current(url, on_wait) and await _migrate(url, _to_head, on_wait)


async def backup(url: str, target: Path) -> None:
    """Copy the database to the new file `target` while it is in use; raises BadConfiguration, StoreUnavailable.

    SQLite gives a SQLite file, through its online backup. A name that ends in `.jsonl` gives lines
    of JSON on either database, the only form for PostgreSQL here: it is portable, even between the
    two, and meant for the tables of one installation; `pg_dump` remains the tool for large ones.
    """
    await copies.write_copy(url, target)


async def restore(url: str, source: Path) -> None:
    """Replace the database by the copy `source`, whole or not at all; running processes take it over.

    A SQLite copy may be of an older version: it is upgraded. Raises BadConfiguration for a file that
    is no copy, StoreSchema for one from a newer program, and StoreUnavailable.
    """
    if not await asyncio.to_thread(copies.is_sqlite, source):
        await upgrade(url)
        await copies.restore_lines(url, source)
        return
    file = sqlite_file(parse(url))
    if file is None:
        saw = f"{source} is a SQLite file; the database is PostgreSQL."
        raise BadConfiguration(saw, "Take the copy with a name that ends in .jsonl: either database reads that.")
    await asyncio.to_thread(copies.require_ours, source)
    await _restore_file(url, file, source)


async def _restore_file(url: str, file: Path, source: Path) -> None:
    _make_file(parse(url))
    draft = file.with_name(f".{file.name}.restored")
    try:
        draft.touch(mode=0o600)
        await asyncio.to_thread(copies.copy_pages, source, draft)
        await upgrade(f"sqlite+aiosqlite:///{draft}")
        await copies.prepare_file(draft, at_least=await copies.revision_of(url))
        await asyncio.to_thread(copies.copy_pages, draft, file)
    finally:
        for leftover in (draft, *(draft.with_name(draft.name + end) for end in ("-wal", "-shm", "-journal"))):
            leftover.unlink(missing_ok=True)


async def downgrade(url: str, to: str) -> None:
    """Go back to an older version, "base" for no tables; what only the newer one knew is lost."""
    await _migrate(url, lambda connection: _run(connection, to, down=True))


def _to_head(connection: Connection) -> bool:
    version = read_version(connection)
    if version == HEAD:
        return False
    if version > HEAD:
        require(version)
    return _run(connection, "head")


def _run(connection: Connection, to: str, *, down: bool = False) -> bool:
    """Alembic without an ini file; imported here because it is needed only when there is something to do."""
    from alembic import command  # noqa: PLC0415 (costs a tenth of a second, mostly for nothing)
    from alembic.config import Config  # noqa: PLC0415 (see above)

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    (command.downgrade if down else command.upgrade)(config, to)
    return True


async def _migrate(url: str, work: Callable[[Connection], bool], on_wait: OnWait = _nobody) -> bool:
    """Do `work` alone: nobody else migrates meanwhile, and a failure leaves everything as it was."""
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(disposed(connect(url, patience_s=PATIENCE_S)))
        with _told(url, PATIENCE_S, on_wait):
            connection = await stack.enter_async_context(writing(engine))
            if engine.dialect.name == "postgresql":
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
        return await connection.run_sync(work)


async def _is_current(url: str, on_wait: OnWait) -> bool:
    """Whether there is nothing to do: then the write lock need not be taken."""
    try:
        with _told(url, CHECK_S, on_wait):
            async with disposed(connect(url, patience_s=CHECK_S)) as engine, reading(engine) as connection:
                return await version_of(connection) == HEAD
    except StoreBusy as error:
        saw = f"The database {_place(parse(url))} was locked for more than {CHECK_S:g} s."
        raise StoreBusy(saw, "Stop what holds it (on SQLite `fuser FILE` names it), then start again.") from error


@contextmanager
def _told(url: str, most_s: float, on_wait: OnWait) -> Iterator[None]:
    """Say what is waited for, and for how long at most, when the block takes a while."""
    what = f"Waiting up to {most_s:g} s for the database {_place(parse(url))}: another program has locked it."
    timer = asyncio.get_running_loop().call_later(TELL_S, on_wait, what)
    try:
        yield
    finally:
        timer.cancel()


def _place(url: URL) -> str:
    """The file, or the address without the password."""
    return str(sqlite_file(url) or url.render_as_string(hide_password=True))


def _make_file(url: URL) -> None:
    """An empty SQLite file that only its owner may read."""
    file = sqlite_file(url)
    if file is None or file.exists():
        return
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
    except OSError as error:
        saw = f"The database {file} cannot be made: {error.strerror or error}."
        raise StoreUnreachable(saw, "Make its directory writable, or set HOMEPORT_DATA_DIR to another one.") from error

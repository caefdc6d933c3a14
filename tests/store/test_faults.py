"""A database that is locked, read-only, full, away or strange: a clear 503, and nothing half done."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from databases import administrator, emptied, everything_locked, run_sql, sqlite_path
from house import eventually
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import Pool

from homeport.domain.errors import (
    StoreBusy,
    StoreFull,
    StoreReadOnly,
    StoreSchema,
    StoreUnavailable,
    StoreUnreachable,
)
from homeport.domain.models import Model
from homeport.kit.vault import Vault
from homeport.store import engine
from homeport.store.database import Store

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Opener, Sql

SPARE = Model(name="spare", platform="bedrock")


@pytest.mark.usefixtures("rollback_journal")
async def test_a_locked_database_is_busy_in_time_and_works_again(url: str, open_store: Opener) -> None:
    store = await open_store(patience_s=0.3)
    await store.revision()
    async with everything_locked(url):
        for attempt in (store.add_model(SPARE, by="ada"), store.snapshot()):
            started = time.perf_counter()
            with pytest.raises(StoreBusy, match="busy with someone else's change") as caught:
                await attempt
            assert time.perf_counter() - started < 30
            assert (caught.value.status, caught.value.code, caught.value.retry_after_s) == (503, "db_busy", 5)
    await store.add_model(SPARE, by="ada")
    assert (await store.revision(), len(await store.audit())) == (2, 1)


async def test_a_short_lock_is_waited_for(url: str, open_store: Opener) -> None:
    store, taken = await open_store(), asyncio.Event()

    async def hold() -> None:
        async with everything_locked(url):
            taken.set()
            await asyncio.sleep(0.1)

    holder = asyncio.create_task(hold())
    await taken.wait()
    await store.add_model(SPARE, by="ada")
    await holder


async def test_all_connections_taken_is_busy(kind: str, open_store: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "POOL_WAIT_S", 0.1)
    monkeypatch.setattr(engine, "CONNECT_S", 60)
    store = await open_store(patience_s=60 if kind == "postgresql" else 0.1)
    pool = store._engine.sync_engine.pool  # noqa: SLF001 (what the callers share)
    async with asyncio.TaskGroup() as group:
        free = asyncio.Event()
        most = 10 if kind == "postgresql" else 4
        for _ in range(most):
            group.create_task(hold_connection(store, free))
        await eventually(lambda: pool.checkedout() == most)
        with pytest.raises(StoreBusy, match="all connections are in use"):
            await store.revision()
        free.set()
    assert await store.revision() == 1


async def hold_connection(store: Store, free: asyncio.Event) -> None:
    async with engine.reading(store._engine):  # noqa: SLF001 (what a slow reader would do)
        await free.wait()


async def test_a_read_only_sqlite_file_is_read_and_not_written(migrated_file: Path, vault: Vault) -> None:
    store = await Store.open(f"sqlite+aiosqlite:///file:{migrated_file}?mode=ro&uri=true", vault)
    assert await store.models() == []
    with pytest.raises(StoreReadOnly, match="may not be written") as caught:
        await store.add_model(SPARE, by="ada")
    assert caught.value.code == "db_read_only"
    await store.close()


async def test_a_read_only_postgresql_is_read_and_not_written(postgres_url: str, postgres: str, vault: Vault) -> None:
    await emptied(postgres_url)
    name = engine.parse(postgres_url).database
    async with administrator(postgres) as admin:
        await admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        try:
            store = await Store.open(postgres_url, vault)
            await store.models()
            with pytest.raises(StoreReadOnly, match="may not be written"):
                await store.add_model(SPARE, by="ada")
            await store.close()
        finally:
            await admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")


async def fill(store: Store) -> None:
    for number in range(100):
        await store.set_setting(f"s{number}", "x" * 5000, by="ada")


async def test_a_full_sqlite_database_says_so_and_goes_on_when_there_is_space(
    migrated_file: Path, tmp_path: Path
) -> None:
    file = tmp_path / "homeport.db"
    shutil.copy(migrated_file, file)
    with closing(sqlite3.connect(file)) as other:
        pages = other.execute("PRAGMA page_count").fetchone()[0]

    def limit(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    event.listen(Pool, "connect", limit)
    try:
        store = await Store.open(f"sqlite+aiosqlite:///{file}", Vault())
        with pytest.raises(StoreFull, match=r"no space left; nothing was changed.*Free some disk space") as caught:
            await fill(store)
        kept = len(await store.settings())
        assert (caught.value.code, await store.revision(), len(await store.audit(1000))) == ("db_full", kept + 1, kept)
        await store.close()
    finally:
        event.remove(Pool, "connect", limit)
    store = await Store.open(f"sqlite+aiosqlite:///{file}", Vault())
    await store.set_setting("more", "x" * 5000, by="ada")
    await store.close()
    with closing(sqlite3.connect(file)) as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql+asyncpg://ada:canary@127.0.0.1:1/homeport",
        "postgresql+asyncpg://ada:canary@no-such-host.invalid/homeport",
    ],
)
async def test_a_server_that_is_not_there_is_unreachable(address: str, vault: Vault) -> None:
    with pytest.raises(StoreUnreachable, match="cannot be reached") as caught:
        await Store.open(address, vault)
    assert (caught.value.status, caught.value.code) == (503, "db_unreachable")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(("old", "new"), [("/homeport_", "/missing_"), ("//postgres", "//nobody")])
async def test_a_server_that_does_not_let_us_in_is_unreachable(
    postgres_url: str, vault: Vault, old: str, new: str
) -> None:
    with pytest.raises(StoreUnreachable, match="SQLSTATE"):
        await Store.open(postgres_url.replace(old, new, 1), vault)


async def test_a_server_that_never_answers_is_given_up(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "CONNECT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        started = time.perf_counter()
        with pytest.raises(StoreUnreachable):
            await Store.open(f"postgresql+asyncpg://ada@127.0.0.1:{port}/x", vault)
        assert time.perf_counter() - started < 30


async def test_tables_that_vanish_are_named(open_store: Opener, sql: Sql) -> None:
    store = await open_store()
    await sql("DROP TABLE settings", "DROP TABLE alembic_version")
    with pytest.raises(StoreSchema, match="homeport db upgrade"):
        await store.settings()


async def test_a_file_that_is_no_database_is_told(tmp_path: Path, vault: Vault) -> None:
    (tmp_path / "homeport.db").write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(StoreUnavailable, match=r"is damaged \(SQLITE_NOTADB\)\. .*homeport db restore FILE"):
        await Store.open(f"sqlite+aiosqlite:///{tmp_path}/homeport.db", vault)


class Refusal(Exception):
    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("canary")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("55P03", StoreBusy),
        ("57014", StoreBusy),
        ("40P01", StoreBusy),
        ("53300", StoreBusy),
        ("53100", StoreFull),
        ("25006", StoreReadOnly),
        ("42501", StoreReadOnly),
        ("42P01", StoreSchema),
        ("08006", StoreUnreachable),
        ("28P01", StoreUnreachable),
        ("57P01", StoreUnreachable),
        (None, StoreUnreachable),
        ("XX000", StoreUnavailable),
    ],
)
def test_what_postgresql_refuses_is_told_apart(state: str | None, kind: type[StoreUnavailable]) -> None:
    error = engine.meaning(DBAPIError("SELECT canary", {"key": "canary"}, Refusal(state), hide_parameters=True))
    assert type(error) is kind
    assert "canary" not in str(error)


async def test_connections_that_the_server_cut_are_replaced(postgres_url: str, postgres: str, vault: Vault) -> None:
    await emptied(postgres_url)
    store = await Store.open(postgres_url, vault)
    await asyncio.gather(*(store.revision() for _ in range(5)))
    name = engine.parse(postgres_url).database
    async with administrator(postgres) as admin:
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
    await asyncio.gather(*(store.revision() for _ in range(5)))
    await store.close()


WRITER = """
import asyncio, sys
from homeport.kit.vault import Vault
from homeport.store.database import Store

async def main():
    store = await Store.open(sys.argv[1], Vault())
    for number in range(100_000):
        await store.set_setting(f"s{number}", "x" * 2000, by="ada")
        print(number, flush=True)

asyncio.run(main())
"""


def killed_after(acknowledgements: int, url: str) -> int:
    """Kill a writing process at some point; how many changes it had been told are done."""
    with subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE) as writer:  # noqa: S603 (our own program)
        assert writer.stdout is not None
        for _ in range(acknowledgements):
            writer.stdout.readline()
        writer.kill()
        return acknowledgements + len(writer.stdout.read().split())


async def test_what_was_acknowledged_survives_a_kill(url: str, open_store: Opener) -> None:
    acknowledged = await asyncio.to_thread(killed_after, 10, url)
    store = await open_store()
    kept = len(await store.settings())
    assert acknowledged <= kept <= acknowledged + 1
    assert (await store.revision(), len(await store.audit(10_000))) == (kept + 1, kept)
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(sqlite_path(url))) as other:
            assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_limits_of_a_newer_program_are_passed_over(open_store: Opener, url: str) -> None:
    store = await open_store()
    await store.add_model(SPARE, by="ada")
    await run_sql(url, """UPDATE models SET limits = '{"concurrency": 3, "of_a_newer_program": 1}'""")
    assert (await store.model("spare")).limits.concurrency == 3

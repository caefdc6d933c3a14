from __future__ import annotations

import asyncio
import gc
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from databases import everything_locked, run_sql
from sqlalchemy import inspect, text

from homeport.domain.errors import BadConfiguration, StoreBusy, StoreSchema, StoreUnavailable, StoreUnreachable
from homeport.store import engine, schema
from homeport.store.database import Store
from homeport.store.tables import HEAD, metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from conftest import Sql
    from homeport.kit.vault import Vault

OURS = {table.name for table in metadata.sorted_tables}


async def tables(url: str) -> set[str]:
    async with engine.disposed(engine.connect(url)) as own, engine.reading(own) as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


async def test_up_down_up(bare_url: str) -> None:
    assert await schema.upgrade(bare_url)
    assert await tables(bare_url) == OURS | {"alembic_version"}
    assert (await schema.status(bare_url)).state == "current"
    await schema.downgrade(bare_url, "base")
    assert await tables(bare_url) == {"alembic_version"}
    assert (await schema.status(bare_url)).state == "empty"
    assert await schema.upgrade(bare_url)
    assert not await schema.upgrade(bare_url)
    assert await tables(bare_url) == OURS | {"alembic_version"}


async def test_models_of_before_are_cleaned(bare_url: str) -> None:
    await schema.upgrade(bare_url)
    await schema.downgrade(bare_url, "0002")
    values = "'1', 'a', 'openai', 'general', '', '', true, '{}', '{}'"
    await run_sql(bare_url, f"INSERT INTO models VALUES ({values})")  # noqa: S608 (our table)
    assert await schema.upgrade(bare_url)
    assert await run_sql(bare_url, "SELECT count(*) FROM models WHERE clean") == [(1,)]


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))


async def test_changes_of_before_have_no_address(bare_url: str) -> None:
    await schema.upgrade(bare_url)
    await schema.downgrade(bare_url, "0011")
    made = "INSERT INTO audit_events (at, who, what, subject) VALUES ('2026-01-01 00:00:00', 'ada', 'model.add', 'm')"
    await run_sql(bare_url, made)
    assert await schema.upgrade(bare_url)
    assert await run_sql(bare_url, "SELECT who, address FROM audit_events") == [("ada", "")]


async def test_migrations_lead_to_the_tables_that_the_program_expects(url: str) -> None:
    async with engine.disposed(engine.connect(url)) as own, engine.reading(own) as connection:
        assert await connection.run_sync(differences) == []


def names(connection: Connection) -> set[str]:
    inspector = inspect(connection)
    found: set[str] = set()
    for table in OURS:
        several = (inspector.get_foreign_keys, inspector.get_check_constraints, inspector.get_indexes)
        found.add(inspector.get_pk_constraint(table)["name"] or "")
        found.update(str(each["name"]) for ask in several for each in ask(table))
    return found


async def test_constraints_have_the_names_that_the_program_expects(url: str) -> None:
    async with engine.disposed(engine.connect(url)) as own, engine.writing(own) as connection:
        migrated = await connection.run_sync(names)
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)
        made = await connection.run_sync(names)
    assert migrated == made


def test_the_newest_migration_is_the_one_that_the_program_needs() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [HEAD]
    assert [step.revision for step in script.walk_revisions()] == sorted(
        (step.revision for step in script.walk_revisions()), reverse=True
    )


async def test_of_upgrades_at_once_one_does_the_work(bare_url: str) -> None:
    done = await asyncio.gather(*(schema.upgrade(bare_url) for _ in range(4)))
    assert sorted(done) == [False, False, False, True]
    assert (await schema.status(bare_url)).state == "current"


def test_upgrades_of_processes_that_start_at_once(tmp_path: Path) -> None:
    code = "import asyncio, sys; from homeport.store import schema; asyncio.run(schema.upgrade(sys.argv[1]))"
    arguments = [sys.executable, "-c", code, f"sqlite+aiosqlite:///{tmp_path}/homeport.db"]
    started = [subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) for _ in range(2)]  # noqa: S603 (our own program)
    assert [(process.communicate()[1], process.returncode) for process in started] == [("", 0)] * 2


async def test_the_first_upgrade_is_quick(tmp_path: Path) -> None:
    times = []
    for number in range(3):
        started = time.perf_counter()
        await schema.upgrade(f"sqlite+aiosqlite:///{tmp_path}/{number}.db")
        times.append(time.perf_counter() - started)
    assert min(times) < 5


async def test_a_failed_upgrade_changes_nothing(bare_url: str) -> None:
    await run_sql(bare_url, "CREATE TABLE revision (id INTEGER)")
    with pytest.raises(StoreUnavailable):
        await schema.upgrade(bare_url)
    assert await tables(bare_url) == {"revision"}


@pytest.mark.usefixtures("rollback_journal")
async def test_a_locked_database_is_waited_for_and_told_of(
    migrated_file: Path, quick_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when there is nothing to do: that cannot be known before the lock is gone."""
    monkeypatch.setattr(schema, "TELL_S", 0.05)
    file = quick_dir / "homeport.db"
    shutil.copy(migrated_file, file)
    url, told = f"sqlite+aiosqlite:///{file}", asyncio.Event()
    heard: list[str] = []

    def on_wait(what: str) -> None:
        heard.append(what)
        told.set()

    async with everything_locked(url):
        starting = asyncio.create_task(schema.upgrade(url, on_wait=on_wait))
        await asyncio.wait_for(told.wait(), 30)
    assert not await starting
    assert heard == [f"Waiting up to 30 s for the database {file}: another program has locked it."]


async def test_the_wait_for_another_that_migrates_is_told_of(bare_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "TELL_S", 0.05)
    told = asyncio.Event()
    heard: list[str] = []

    def on_wait(what: str) -> None:
        heard.append(what)
        # on a slow machine the check before it is told of as well
        if what.startswith("Waiting up to 600 s for the database "):
            told.set()

    async with engine.disposed(engine.connect(bare_url)) as other, engine.writing(other) as connection:
        if other.dialect.name == "postgresql":
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({schema._ADVISORY_LOCK})"))  # noqa: SLF001 (what another program takes)
        starting = asyncio.create_task(schema.upgrade(bare_url, on_wait=on_wait))
        await asyncio.wait_for(told.wait(), 30)
    assert await starting
    assert heard


async def test_a_database_that_stays_locked_is_given_up(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "CHECK_S", 0.2)
    async with everything_locked(url):
        if url.startswith("sqlite"):
            with pytest.raises(StoreBusy, match=r"homeport\.db was locked for more than 0\.2 s\. Stop what holds it"):
                await schema.upgrade(url)
        else:
            assert not await schema.upgrade(url)  # the version is not in a table of ours


async def test_a_sqlite_file_is_for_its_owner_only(tmp_path: Path) -> None:
    await schema.upgrade(f"sqlite+aiosqlite:///{tmp_path}/new/homeport.db")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()} == {0o600}


async def test_a_sqlite_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnreachable, match=r"file/homeport\.db cannot be made"):
        await schema.upgrade(f"sqlite+aiosqlite:///{tmp_path}/file/homeport.db")


async def test_a_missing_file_is_not_made_by_looking(tmp_path: Path, vault: Vault) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/none.db"
    assert (await schema.status(url)).state == "missing"
    with pytest.raises(StoreSchema, match=r"no database at .*none\.db.*homeport db upgrade"):
        await Store.open(url, vault)
    assert not (tmp_path / "none.db").exists()


async def test_a_database_without_tables_is_not_opened(bare_url: str, vault: Vault) -> None:
    with pytest.raises(StoreSchema, match=r"no Homeport tables yet.*homeport db upgrade"):
        await Store.open(bare_url, vault)


@pytest.mark.parametrize(("version", "state", "advice"), [("0000", "older", "upgrade"), ("9999", "newer", "restore")])
async def test_tables_of_another_version_are_not_opened(
    url: str, sql: Sql, vault: Vault, version: str, state: str, advice: str
) -> None:
    await sql(f"UPDATE alembic_version SET version_num = '{version}'")  # noqa: S608 (our own value)
    assert (await schema.status(url)).state == state
    with pytest.raises(StoreSchema, match=rf"version {version}.*{HEAD}.*homeport db {advice}") as caught:
        await Store.open(url, vault)
    assert (caught.value.status, caught.value.code) == (503, "db_schema")


async def test_an_older_program_does_not_touch_a_newer_database(url: str, sql: Sql) -> None:
    await sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreSchema, match="newer than this program"):
        await schema.upgrade(url)
    assert await sql("SELECT version_num FROM alembic_version") == [("9999",)]


async def test_status_hides_the_password() -> None:
    url = "postgresql+asyncpg://ada:canary@127.0.0.1:1/x"
    with pytest.raises(StoreUnreachable) as caught:
        await schema.status(url)
    assert "canary" not in str(caught.value)
    location = schema._status(engine.parse(url), "", "empty").location  # noqa: SLF001 (no server needed)
    assert location == "postgresql+asyncpg://ada:***@127.0.0.1:1/x"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "mysql://h/d",
        "sqlite:///x.db",
        "sqlite+aiosqlite://",
        "sqlite+aiosqlite:///:memory:",
        "postgresql+asyncpg://h:nan/d",
    ],
)
def test_an_address_that_is_no_database_is_told(url: str) -> None:
    with pytest.raises(BadConfiguration):
        engine.parse(url)


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ((3, 6, 23), "delete"),
        ((3, 7, 0), "delete"),
        ((3, 40, 1), "delete"),
        ((3, 44, 5), "delete"),
        ((3, 44, 6), "wal"),
        ((3, 45, 0), "delete"),
        ((3, 50, 6), "delete"),
        ((3, 50, 7), "wal"),
        ((3, 51, 0), "delete"),
        ((3, 51, 2), "delete"),
        ((3, 51, 3), "wal"),
        ((3, 53, 4), "wal"),
    ],
)
def test_the_write_ahead_log_is_used_only_where_it_is_safe(version: tuple[int, ...], mode: str) -> None:
    assert engine.journal_mode(version) == mode


async def test_a_sqlite_connection_is_set_up_for_safety(migrated_file: Path) -> None:
    wanted = {"foreign_keys": 1, "synchronous": 2, "busy_timeout": 5000, "journal_mode": engine.journal_mode()}
    async with (
        engine.disposed(engine.connect(f"sqlite+aiosqlite:///{migrated_file}")) as own,
        engine.reading(own) as connection,
    ):
        found = {name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() for name in wanted}
    assert found == wanted


@pytest.mark.usefixtures("rollback_journal")
async def test_an_unsafe_write_ahead_log_is_left_behind(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/homeport.db"
    await schema.upgrade(url)
    other = sqlite3.connect(tmp_path / "homeport.db")
    assert other.execute("PRAGMA journal_mode = wal").fetchone() == ("wal",)
    other.execute("SELECT * FROM models").fetchall()
    with pytest.raises(StoreUnavailable):
        async with engine.disposed(engine.connect(url, patience_s=0.05)) as own, engine.reading(own):
            pass
    other.close()
    gc.collect()  # the error's traceback still holds a statement of the connection that failed
    async with engine.disposed(engine.connect(url)) as own, engine.reading(own) as connection:
        assert (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar() == "delete"


async def test_postgresql_is_told_to_give_up_in_time(postgres_url: str) -> None:
    async with engine.disposed(engine.connect(postgres_url)) as own, engine.reading(own) as connection:
        for setting in ("statement_timeout", "lock_timeout"):
            assert (await connection.exec_driver_sql(f"SHOW {setting}")).scalar() == "5s"
        assert (await connection.exec_driver_sql("SHOW transaction_isolation")).scalar() == "repeatable read"


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("homeport.store", ("sqlalchemy", "alembic", "pydantic", "structlog", "cryptography")),
        ("homeport.store.models_file", ("sqlalchemy", "alembic", "cryptography")),
        ("homeport.store.database, homeport.store.schema", ("alembic",)),
        ("homeport.access.gate", ("sqlalchemy", "cryptography", "pydantic")),
    ],
)
def test_importing_stays_light(module: str, heavy: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 (our own program)
    assert done.stdout == "[]\n"

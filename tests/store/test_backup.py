from __future__ import annotations

import asyncio
import json
import shutil
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from databases import emptied, everything_locked, run_sql

from homeport.domain.errors import BadConfiguration, StoreBusy, StoreSchema, StoreUnavailable
from homeport.domain.models import FeatureSetting, Limits, Model, Secret, Token
from homeport.store import backup, schema
from homeport.store.database import Store
from homeport.store.records import User
from homeport.store.registry import Registry
from homeport.store.tables import HEAD

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Opener
    from homeport.kit.vault import Vault

CODER = Model(
    name="coder äöü 🦊", platform="openai", endpoint="http://h:8000/v1", key=Secret("canary"), limits=Limits(queue=3)
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(directory: Path, pattern: str = "*") -> list[str]:
    return sorted(path.name for path in directory.glob(pattern))


def read(path: Path) -> bytes:
    return path.read_bytes()


def write(path: Path, content: bytes | str) -> None:
    path.write_bytes(content.encode() if isinstance(content, str) else content)


async def furnish(store: Store) -> None:
    """Something in every table."""
    await store.add_model(CODER, by="ada")
    await store.add_model(Model(name="spare", platform="bedrock", enabled=False), by="ada")
    chat = FeatureSetting(feature="chat", assignment="model", model=CODER.name, fallbacks=("spare",))
    await store.set_feature(chat, by="ada")
    later = datetime.now(UTC) + timedelta(days=1)
    await store.add_token(Token(name="a", owner="ada", digest=bytes(range(32)), expires=later), by="ada")
    await store.add_token(Token(name="b", owner="ada", digest=bytes(32)), by="ada")
    await store.revoke_token("b", by="ada")
    await store.set_user(User(name="ada", role="admin"), by="setup")
    await store.set_setting("banner", "two\nlines", by="ada")


async def everything(store: Store) -> list[object]:
    snapshot = await store.snapshot()
    return [
        snapshot.models,
        snapshot.features,
        snapshot.tokens,
        snapshot.settings,
        snapshot.problems,
        await store.tokens(),
        await store.users(),
        [event for event in await store.audit(1000) if event.what != "db.restore"],
    ]


@pytest.fixture(params=["", ".jsonl"])
def copy(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Path:
    """Where a copy goes: PostgreSQL gives lines of JSON only."""
    return tmp_path / f"copy{request.param if kind == 'sqlite' else '.jsonl'}"


async def test_a_copy_brings_everything_back_and_running_processes_notice(
    url: str, store: Store, open_store: Opener, copy: Path
) -> None:
    await furnish(store)
    before = await everything(store)
    await schema.backup(url, copy)
    assert mode(copy) == 0o600
    await store.remove_model(CODER.name, by="eve", force=True)
    await store.set_setting("banner", "changed", by="eve")
    registry = Registry(await open_store(), 0.01)
    await registry.refresh()
    await schema.restore(url, copy)
    assert await everything(store) == before
    assert await store.revision() > registry.current.revision
    assert (await store.audit(1))[0].who == "homeport db restore"
    await store.add_model(Model(name="new", platform="bedrock"), by="ada")
    assert len(await store.audit(1000)) == len(before[-1]) + 2  # type: ignore[arg-type]  # the audit
    assert names(copy.parent, "*copy*") == [copy.name]


async def test_a_copy_is_consistent_while_others_write(url: str, open_store: Opener, copy: Path) -> None:
    writer = await open_store()

    async def write() -> None:
        for number in range(40):
            await writer.set_setting(f"s{number}", "x", by="ada")

    writing = asyncio.create_task(write())
    await asyncio.sleep(0.02)
    await schema.backup(url, copy)
    await writing
    await schema.restore(url, copy)
    kept = len(await writer.settings())
    assert len(await writer.audit(1000)) == kept + 1
    assert kept <= 40


@pytest.mark.parametrize("direction", ["to postgresql", "to sqlite"])
async def test_lines_of_json_move_an_installation_to_the_other_database(
    direction: str, tmp_path: Path, migrated_file: Path, postgres_url: str, vault: Vault
) -> None:
    shutil.copy(migrated_file, tmp_path / "homeport.db")
    await emptied(postgres_url)
    urls = [f"sqlite+aiosqlite:///{tmp_path}/homeport.db", postgres_url]
    source, target = urls if direction == "to postgresql" else reversed(urls)
    store = await Store.open(source, vault)
    await furnish(store)
    before = await everything(store)
    await store.close()
    await schema.backup(source, tmp_path / "copy.jsonl")
    await schema.restore(target, tmp_path / "copy.jsonl")
    store = await Store.open(target, vault)
    assert await everything(store) == before
    await store.set_setting("more", "x", by="ada")
    await store.close()


async def test_a_copy_can_be_restored_where_there_is_nothing(url: str, store: Store, copy: Path, vault: Vault) -> None:
    await furnish(store)
    before = await everything(store)
    await schema.backup(url, copy)
    fresh = f"sqlite+aiosqlite:///{copy.parent}/elsewhere/homeport.db"
    await schema.restore(fresh, copy)
    restored = await Store.open(fresh, vault)
    assert await everything(restored) == before
    await restored.close()
    assert mode(copy.parent / "elsewhere" / "homeport.db") == 0o600
    assert names(copy.parent / "elsewhere") == ["homeport.db"]


async def test_a_file_is_never_overwritten(url: str, store: Store, copy: Path) -> None:
    await furnish(store)
    write(copy, "precious")
    with pytest.raises(BadConfiguration, match="already a file"):
        await schema.backup(url, copy)
    assert read(copy) == b"precious"
    assert names(copy.parent, ".copy*") == []


async def test_a_place_that_cannot_be_written_is_named(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match=r"missing/copy\.jsonl cannot be written"):
        await schema.backup(url, tmp_path / "missing" / "copy.jsonl")


async def test_postgresql_gives_lines_of_json_only(postgres_url: str, tmp_path: Path, migrated_file: Path) -> None:
    with pytest.raises(BadConfiguration, match=r"\.jsonl, or use pg_dump"):
        await schema.backup(postgres_url, tmp_path / "copy.db")
    with pytest.raises(BadConfiguration, match=r"SQLite file; the database is PostgreSQL.*\.jsonl"):
        await schema.restore(postgres_url, migrated_file)


def damaged(lines: list[str]) -> dict[str, list[str]]:
    return {
        "cut off": lines[:-1],
        "cut off within": [*lines[:-2], lines[-2][:20]],
        "a line missing": lines[:3] + lines[4:],
        "another kind": ['{"some": "json"}\n'],
        "no json": ["name,value\n"],
        "empty": [],
        "older": [lines[0].replace(f'"{HEAD}"', '"0000"'), *lines[1:]],
        "newer": [lines[0].replace(f'"{HEAD}"', '"9999"'), *lines[1:]],
        "unknown table": [line.replace('"settings"', '"x"') for line in lines],
        "unknown column": [line.replace('"banner"', '"x"').replace('"name": ', '"nmae": ') for line in lines],
    }


@pytest.mark.parametrize("damage", damaged(["", "", "", "", ""]))
async def test_a_damaged_copy_changes_nothing(url: str, store: Store, tmp_path: Path, damage: str) -> None:
    await furnish(store)
    await schema.backup(url, tmp_path / "copy.jsonl")
    lines = (tmp_path / "copy.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "damaged.jsonl").write_text("".join(damaged(lines)[damage]))
    before = await everything(store), await store.revision()
    with pytest.raises(BadConfiguration, match="Nothing was changed"):
        await schema.restore(url, tmp_path / "damaged.jsonl")
    assert (await everything(store), await store.revision()) == before


async def test_rows_that_do_not_fit_together_change_nothing(url: str, store: Store, tmp_path: Path) -> None:
    await furnish(store)
    await schema.backup(url, tmp_path / "copy.jsonl")
    entries = [json.loads(line) for line in (tmp_path / "copy.jsonl").read_text().splitlines()]
    kept = [entry for entry in entries if entry.get("table") != "models"]
    kept[-1]["rows"] = len(kept) - 2
    (tmp_path / "copy.jsonl").unlink()
    (tmp_path / "copy.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in kept))
    before = await everything(store)
    with pytest.raises(StoreUnavailable):
        await schema.restore(url, tmp_path / "copy.jsonl")
    assert await everything(store) == before


async def test_a_strange_sqlite_file_is_refused(migrated_file: Path, tmp_path: Path) -> None:
    shutil.copy(migrated_file, tmp_path / "homeport.db")
    url = f"sqlite+aiosqlite:///{tmp_path}/homeport.db"
    other = f"sqlite+aiosqlite:///{tmp_path}/other.db"
    await run_sql(other, "CREATE TABLE x (y)")
    with pytest.raises(BadConfiguration, match="no copy of a Homeport database"):
        await schema.restore(url, tmp_path / "other.db")
    shutil.copy(migrated_file, tmp_path / "newer.db")
    await run_sql(f"sqlite+aiosqlite:///{tmp_path}/newer.db", "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreSchema, match="newer than this program"):
        await schema.restore(url, tmp_path / "newer.db")
    with pytest.raises(BadConfiguration, match="cannot be read"):
        await schema.restore(url, tmp_path / "missing.db")
    assert (await schema.status(url)).state == "current"
    assert names(tmp_path, ".*") == []


async def test_a_damaged_database_is_not_copied_in_silence(migrated_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "homeport.db"
    content = bytearray(read(migrated_file))
    content[4096 * 2 : 4096 * 4] = b"\xaa" * 8192
    write(file, bytes(content))
    with pytest.raises(StoreUnavailable, match="damaged"):
        await schema.backup(f"sqlite+aiosqlite:///{file}", tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


@pytest.mark.usefixtures("rollback_journal")
async def test_a_locked_file_is_given_up(migrated_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "BUSY_S", 0.05)
    shutil.copy(migrated_file, tmp_path / "homeport.db")
    url = f"sqlite+aiosqlite:///{tmp_path}/homeport.db"
    assert (await schema.status(url)).state == "current"
    async with everything_locked(url):
        with pytest.raises(StoreBusy):
            await schema.backup(url, tmp_path / "copy.db")
    await schema.backup(url, tmp_path / "copy.db")
    async with everything_locked(url):
        with pytest.raises(StoreBusy):
            await asyncio.to_thread(backup.copy_pages, tmp_path / "copy.db", tmp_path / "homeport.db")

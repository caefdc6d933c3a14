"""Keys are unreadable wherever the database goes, and open only where they belong."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from databases import sqlite_path

from homeport.access import tokens
from homeport.domain.errors import BadConfiguration
from homeport.domain.models import Model, Secret, Token
from homeport.kit.vault import Vault
from homeport.store import schema
from homeport.store.tables import metadata

if TYPE_CHECKING:
    from conftest import Opener, Sql
    from homeport.store.database import Store

CANARY = "sk-canary-9f2c7e"
MODELS = [
    Model(name=name, platform="openai", endpoint=f"https://{name}.internal/v1", key=Secret(f"{CANARY}-{name}"))
    for name in ("one", "two")
]


@pytest.fixture
async def filled(store: Store) -> Store:
    for model in MODELS:
        await store.add_model(model, by="ada")
    return store


def forms(secret: str) -> list[bytes]:
    plain = secret.encode()
    return [plain, base64.b64encode(plain)[:-4], plain.hex().encode(), plain[::-1], plain[-12:]]


async def content(url: str, sql: Sql) -> bytes:
    """All that is in the database, byte by byte."""
    if url.startswith("sqlite"):
        file = Path(sqlite_path(url))
        return b"".join(path.read_bytes() for path in file.parent.glob("homeport.db*"))
    rows = [row for table in metadata.sorted_tables for row in await sql(f"SELECT t::text FROM {table.name} t")]  # noqa: S608 (our tables)
    return repr(rows).encode()


async def test_no_key_is_readable_in_the_database(url: str, sql: Sql, filled: Store, tmp_path: Path) -> None:
    await filled.edit_model("one", {"key": f"{CANARY}-changed"}, by="ada")
    await filled.edit_model("two", {"endpoint": "http://elsewhere/v1"}, by="ada")
    await filled.remove_model("one", by="ada")
    await filled.add_model(MODELS[0], by="ada")
    await schema.backup(url, tmp_path / "copy.jsonl")
    stored = await content(url, sql) + (tmp_path / "copy.jsonl").read_bytes()
    assert b"model_keys" in stored
    assert b"v1." in stored
    assert [form for form in forms(CANARY) if form in stored] == []


async def test_no_token_is_readable_in_the_database(url: str, sql: Sql, store: Store, vault: Vault) -> None:
    token = tokens.mint()
    digest = tokens.digest(vault.derive("pat-pepper"), token)
    await store.add_token(Token(name="t", owner="ada", digest=digest, hint=tokens.hint(token)), by="ada")
    stored = await content(url, sql)
    assert [form for form in forms(token[:-4])[:-1] if form in stored] == []


async def test_a_key_moved_to_another_model_does_not_open(filled: Store, sql: Sql) -> None:
    first, second = [str(row[0]) for row in await sql("SELECT ciphertext FROM model_keys ORDER BY ciphertext")]
    await sql(
        f"UPDATE model_keys SET ciphertext = 'x' WHERE ciphertext = '{first}'",  # noqa: S608 (a test's own row)
        f"UPDATE model_keys SET ciphertext = '{first}' WHERE ciphertext = '{second}'",  # noqa: S608 (see above)
        f"UPDATE model_keys SET ciphertext = '{second}' WHERE ciphertext = 'x'",  # noqa: S608 (see above)
    )
    snapshot = await filled.snapshot()
    assert [bool(model.key) for model in snapshot.models.values()] == [False, False]
    assert len(snapshot.problems) == 2
    assert "The key of the model 'one' cannot be read." in snapshot.problems[0]
    assert CANARY not in repr(snapshot.problems)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE models SET endpoint = 'https://evil.internal/v1' WHERE name = 'one'",
        "UPDATE models SET endpoint = 'http://one.internal/v1' WHERE name = 'one'",
        "UPDATE models SET endpoint = 'nonsense' WHERE name = 'one'",
        "UPDATE model_keys SET ciphertext = 'v1.nonsense' WHERE origin LIKE '%one%'",
        "UPDATE model_keys SET ciphertext = '' WHERE origin LIKE '%one%'",
    ],
)
async def test_a_key_does_not_open_for_an_endpoint_that_was_slipped_in(filled: Store, sql: Sql, tampering: str) -> None:
    await sql(tampering)
    snapshot = await filled.snapshot()
    assert {name: bool(model.key) for name, model in snapshot.models.items()} == {"one": False, "two": True}
    assert len(snapshot.problems) == 1


async def test_an_origin_that_was_slipped_in_changes_nothing(filled: Store, sql: Sql) -> None:
    await sql("UPDATE model_keys SET origin = 'https://evil.internal:443'")
    assert (await filled.model("one")).key.reveal() == f"{CANARY}-one"


async def test_a_lost_key_file_costs_the_keys_and_tokens_and_says_so(
    filled: Store, open_store: Opener, tmp_path: Path
) -> None:
    await filled.add_token(Token(name="t", owner="ada", digest=b"d" * 32), by="ada")
    other = await open_store(vault=Vault.at(tmp_path / "other"))
    snapshot = await other.snapshot()
    assert (set(snapshot.models), list(snapshot.tokens)) == ({"one", "two"}, [])
    assert not any(model.key for model in snapshot.models.values())
    assert [problem.split(".")[0] for problem in snapshot.problems] == [
        "The key of the model 'one' cannot be read",
        "The key of the model 'two' cannot be read",
        "1 of 1 tokens were made with another key file and are not accepted",
    ]
    await other.edit_model("one", {"key": "entered-again"}, by="ada")
    assert (await other.model("one")).key.reveal() == "entered-again"


async def test_keys_outlive_a_rotation_and_are_sealed_again(filled: Store, vault: Vault, sql: Sql) -> None:
    await filled.add_token(Token(name="t", owner="ada", digest=b"d" * 32), by="ada")
    used = "SELECT DISTINCT key_id FROM model_keys"
    old = vault.sealing_id
    assert await sql(used) == [(old,)]
    new, count = await filled.rotate_keys(by="ada")
    assert (new, count) == (vault.sealing_id, 2)
    assert new != old
    assert await sql(used) == [(new,)]
    snapshot = await filled.snapshot()
    assert (snapshot.problems, len(snapshot.tokens)) == ((), 1)
    assert [model.key.reveal() for model in snapshot.models.values()] == [f"{CANARY}-one", f"{CANARY}-two"]
    (event, *_rest) = [event for event in await filled.audit() if event.what == "keys.rotate"]
    assert event.subject == new
    assert event.after == {"models": ["one", "two"]}


async def test_an_unreadable_key_does_not_stop_a_rotation(filled: Store, vault: Vault, sql: Sql) -> None:
    await sql("UPDATE model_keys SET ciphertext = 'v1.nonsense' WHERE origin LIKE '%one%'")
    assert await filled.rotate_keys(by="ada") == (vault.sealing_id, 1)
    assert (await filled.model("two")).key.reveal() == f"{CANARY}-two"


async def test_a_key_file_that_is_being_changed_is_left_alone(filled: Store, vault: Vault, tmp_path: Path) -> None:
    (tmp_path / "data" / "keys.new").touch()
    known = vault.key_ids
    with pytest.raises(BadConfiguration, match="Another process is changing") as caught:
        await filled.rotate_keys(by="ada")
    assert "delete" in caught.value.fix
    assert vault.key_ids == known
    assert [event for event in await filled.audit() if event.what == "keys.rotate"] == []


async def test_a_key_sealed_by_another_process_after_its_rotation_opens(
    filled: Store, open_store: Opener, tmp_path: Path
) -> None:
    theirs = Vault.at(tmp_path / "data")
    theirs.rotate()
    other = await open_store(vault=theirs)
    await other.edit_model("one", {"key": "theirs"}, by="ada")
    assert (await filled.model("one")).key.reveal() == "theirs"


async def test_moments_keep_their_meaning(store: Store, sql: Sql) -> None:
    moment = datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=UTC)
    await store.add_token(Token(name="t", owner="ada", digest=b"d" * 32, created=moment), by="ada")
    assert (await store.tokens())[0].created == moment
    (row,) = await sql("SELECT CAST(created AS CHAR(19)) FROM tokens")
    assert str(row[0]).startswith("2026-07-01 12:30:15")

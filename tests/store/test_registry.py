from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from databases import administrator, everything_locked, run_sql
from structlog.testing import capture_logs

from homeport.access import KNOWN, tokens
from homeport.access.gate import Gate
from homeport.domain.errors import AuthUnavailable, NotAuthenticated, StoreUnavailable
from homeport.domain.models import Model, Secret, Snapshot, Token
from homeport.store import engine
from homeport.store.registry import Registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from conftest import Opener, Sql
    from homeport.store.database import Store

CODER = Model(name="coder", platform="openai", endpoint="http://h:8000/v1", key=Secret("k"))
REFRESH_S = 0.02


async def until(condition: Callable[[], object], *, within_s: float = 30.0) -> float:
    """Wait for it; returns how long it took."""
    started = time.perf_counter()
    while not condition():
        assert time.perf_counter() - started < within_s, "it did not happen"
        await asyncio.sleep(0.005)
    return time.perf_counter() - started


@asynccontextmanager
async def following(registry: Registry) -> AsyncIterator[None]:
    task = asyncio.create_task(registry.follow())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def database_away(url: str, postgres: str) -> AsyncIterator[None]:
    """Nobody gets anything from the database: the server refuses everyone, or the file is locked."""
    if url.startswith("sqlite"):
        async with everything_locked(url):
            yield
        return
    name = engine.parse(url).database
    async with administrator(postgres) as admin:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        try:
            yield
        finally:
            await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


async def test_our_own_change_is_there_when_it_returns(store: Store) -> None:
    registry = Registry(store, REFRESH_S)
    await store.add_model(CODER, by="ada")
    assert registry.current.models == {"coder": CODER}
    await store.edit_model("coder", {"enabled": False}, by="ada")
    assert not registry.current.models["coder"].enabled


async def test_a_change_by_another_process_is_seen(open_store: Opener) -> None:
    registry, other = Registry(await open_store(), REFRESH_S), await open_store()
    await registry.refresh()
    async with following(registry):
        await other.add_model(CODER, by="ada")
        assert await until(lambda: registry.current.models) < 10
        await other.add_token(Token(name="t", owner="ada", digest=b"d" * 32), by="ada")
        await until(lambda: registry.current.tokens)
        await other.revoke_token("t", by="ada")
        await until(lambda: not registry.current.tokens)
        await other.remove_model("coder", by="ada")
        await until(lambda: not registry.current.models)


async def test_without_a_change_nothing_is_read_again(store: Store) -> None:
    registry = Registry(store, 0.001)
    await registry.refresh()
    before = registry.current
    async with following(registry):
        await asyncio.sleep(0.05)
    assert registry.current is before


async def test_each_new_snapshot_is_announced(store: Store) -> None:
    registry = Registry(store, REFRESH_S)
    heard: list[Snapshot] = []
    registry.on_change(heard.append)
    await registry.refresh()
    await store.set_setting("a", "b", by="ada")
    assert heard[-1] is registry.current
    assert [snapshot.revision for snapshot in heard] == [1, 2]


async def test_many_changes_at_once_end_with_the_newest(store: Store) -> None:
    registry = Registry(store, REFRESH_S)
    heard: list[int] = []
    registry.on_change(lambda snapshot: heard.append(snapshot.revision))
    await asyncio.gather(*(store.set_setting(f"s{n}", "x", by="ada") for n in range(30)))
    assert (registry.current.revision, len(registry.current.settings)) == (31, 30)
    assert heard == sorted(heard)


async def test_before_the_first_reading_nothing_is_known(store: Store) -> None:
    registry = Registry(store, REFRESH_S)
    assert not registry.healthy
    async with following(registry):
        await until(lambda: registry.healthy)
    assert (registry.current.revision, registry.problem) == (1, "")


@pytest.mark.usefixtures("rollback_journal")
async def test_a_database_that_goes_away_and_comes_back(url: str, postgres: str, open_store: Opener) -> None:
    patience_s = 0.05 if url.startswith("sqlite") else 2.0
    store, pepper, token = await open_store(patience_s=patience_s), b"p" * 32, tokens.mint()
    await store.add_model(CODER, by="ada")
    await store.add_token(Token(name="t", owner="ada", digest=tokens.digest(pepper, token)), by="ada")
    registry = Registry(store, REFRESH_S)
    gate = Gate(lambda: registry.current, pepper, fresh=lambda: registry.healthy)
    headers, unknown = [(b"x-api-key", token.encode())], [(b"x-api-key", tokens.mint().encode())]
    await registry.refresh()
    known = registry.current
    with capture_logs() as lines:
        async with following(registry):
            async with database_away(url, postgres):
                await until(lambda: not registry.healthy)
                assert registry.current is known
                assert gate.admit(headers, KNOWN).subject == "ada"
                with pytest.raises(AuthUnavailable):
                    gate.admit(unknown, KNOWN)
                with pytest.raises(StoreUnavailable):
                    await registry.refresh()
                await asyncio.sleep(0.1)
            await until(lambda: registry.healthy)
            with pytest.raises(NotAuthenticated):
                gate.admit(unknown, KNOWN)
            await run_sql(url, "UPDATE revision SET number = 99", "UPDATE models SET name = 'renamed'")
            await until(lambda: "renamed" in registry.current.models)
    assert [line["event"] for line in lines] == ["database away, serving what is known", "database back"]


@pytest.mark.usefixtures("rollback_journal")
async def test_a_change_that_was_made_counts_even_if_it_cannot_be_read_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(store, REFRESH_S)
    await registry.refresh()

    async def refuse() -> Snapshot:
        saw = "The database went away."
        raise StoreUnavailable(saw)

    with monkeypatch.context() as patch:
        patch.setattr(store, "snapshot", refuse)
        await store.add_model(CODER, by="ada")
        assert (registry.current.models, registry.problem) == ({}, "The database went away.")
    async with following(registry):
        await until(lambda: registry.current.models)


async def test_following_survives_what_nobody_foresaw(store: Store, sql: Sql, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(store, REFRESH_S)
    await registry.refresh()

    async def fail() -> int:
        raise ZeroDivisionError

    with capture_logs() as lines:
        async with following(registry):
            with monkeypatch.context() as patch:
                patch.setattr(store, "revision", fail)
                await until(lambda: lines)
            await sql("UPDATE revision SET number = 7")
            await until(lambda: registry.current.revision == 7)
    assert {line["event"] for line in lines} == {"unexpected error while looking for changes"}


async def test_an_unreadable_key_is_logged_once(store: Store, sql: Sql) -> None:
    await store.add_model(CODER, by="ada")
    await sql("UPDATE model_keys SET ciphertext = 'v1.nonsense'")
    registry = Registry(store, REFRESH_S)
    with capture_logs() as lines:
        for number in range(3):
            await store.set_setting("a", str(number), by="ada")
    assert [line["event"] for line in lines] == ["registry problem"]
    assert registry.current.models == {"coder": replace(CODER, key=Secret())}
    assert len(registry.current.problems) == 1
    assert registry.healthy


async def test_a_large_registry_is_read_quickly(store: Store, sql: Sql) -> None:
    await store.add_model(CODER, by="ada")
    others = "platform, family, endpoint, identifier, enabled, limits, options, clean"
    double = f"INSERT INTO models SELECT '{{0}}' || substr(id, 1, 31), name || '{{0}}', {others} FROM models"  # noqa: S608 (our tables)
    await sql(*(double.format(number) for number in range(1, 10)))
    times = []
    for _ in range(3):
        started = time.perf_counter()
        snapshot = await store.snapshot()
        times.append(time.perf_counter() - started)
    assert len(snapshot.models) == 512
    assert min(times) < 5

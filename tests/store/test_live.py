"""Settings that are changed while it runs: which value counts, what they may be, and who follows them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from house import eventually
from sqlalchemy import insert

from homeport import app
from homeport.domain.errors import BadRequest, Outdated
from homeport.domain.models import Limits, Model
from homeport.kit.settings import Settings, load
from homeport.providers._engine import Engine
from homeport.store import live
from homeport.store.engine import connect, writing
from homeport.store.following import WAITS, Following
from homeport.store.registry import Registry
from homeport.store.tables import audit_events

if TYPE_CHECKING:
    from conftest import Opener
    from homeport.store.database import Store

DAY = timedelta(days=1)
GOOD = {
    "url": {"https://homeport.example/": "https://homeport.example", "http://[::1]:5050": "http://[::1]:5050"},
    "model_connect_s": {"0.5": "0.5", "3.0": "3"},
    "allowed_networks": {" 10.0.0.0/8 \n192.168.1.1, 10.0.0.0/8": "10.0.0.0/8,192.168.1.1/32", "::/0": "::/0"},
    "audit_days": {"0": "0", "030": "30"},
}
BAD = {
    "url": ("homeport", "ftp://x", "https://", "https://a/b", "https://a?b", "https://u@a", "http://a:0", "http://a b"),
    "model_total_s": ("0", "-1", "nan", "inf", "1e9", "٣", "one"),
    "denied_networks": ("10.0.0.1/8", "gpu1", "10.0.0.0/33", ",".join(f"10.0.0.{each}" for each in range(51))),
    "usage_days": ("0", "1.5", "3651", "-1", "٣", "9" * 30, "+1"),
    "audit_days": ("1", "29", "36501"),
    "port": ("1",),
}


def test_each_is_a_field_of_the_settings_and_each_wait_a_limit() -> None:
    assert set(live.LIVE) <= set(Settings.model_fields)
    assert {live.default(load(), name): getattr(Limits(), limit) for name, limit in WAITS.items()} == {
        3: 3,
        60: 60,
        900: 900,
    }
    for name in live.LIVE:
        if text := live.text_of(live.default(load(), name)):
            assert live.LIVE[name].read(text) == live.default(load(), name)


@pytest.mark.parametrize("name", GOOD)
def test_what_may_be_written(name: str) -> None:
    for text, stored in GOOD[name].items():
        assert live.changed(load(), {name: text}) == {name: stored}
    assert live.changed(load(), {name: " "}) == {name: None}


@pytest.mark.parametrize("name", BAD)
def test_what_may_not(name: str) -> None:
    for text in BAD[name]:
        with pytest.raises(BadRequest) as refusal:
            live.changed(load(), {name: text})
        assert refusal.value.param == name
        assert len(str(refusal.value)) < 400


def test_the_operator_wins_over_what_is_stored_and_that_over_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEPORT_USAGE_DAYS", "7")
    settings = load(request_log_days=3)
    stored = {"usage_days": "90", "request_log_days": "90", "audit_days": "90", "url": "rubbish", "other": "x"}
    counts = live.counting(settings, stored)
    assert (counts.usage_days, counts.request_log_days, counts.audit_days, counts.url) == (7, 3, 90, "")
    assert counts.model_fields_set == settings.model_fields_set
    assert live.counting(counts, {}) == settings
    places = {each.name: each.place for each in live.placed(counts, stored, {"HOMEPORT_USAGE_DAYS": "7"})}
    assert [places[name] for name in ("usage_days", "request_log_days", "audit_days", "url")] == [
        "HOMEPORT_USAGE_DAYS",
        "command line",
        "database",
        "default",
    ]
    with pytest.raises(BadRequest, match="HOMEPORT_USAGE_DAYS"):
        live.changed(settings, {"usage_days": "5"})


async def test_every_process_follows(open_store: Opener) -> None:
    ours, theirs = await open_store(), await open_store()
    registry = Registry(theirs, 0.02)
    await registry.refresh()
    following, told = Following(load(), registry), []
    following.tell(lambda settings: told.append(settings.allowed_networks))
    looking = asyncio.create_task(registry.follow())
    await ours.set_settings({"allowed_networks": "10.0.0.0/8", "model_total_s": "5", "beta": "on"}, by="ada")
    await eventually(lambda: len(told) > 1)
    assert told == [(), ("10.0.0.0/8",)]
    own = Model(name="own", platform="openai", limits=Limits(total_s=7))
    usual = Model(name="usual", platform="openai")
    assert [(each.name, each.limits) for each in following.waiting([own, usual])] == [("usual", Limits(total_s=5))]
    await ours.set_settings({"allowed_networks": None, "model_total_s": None}, by="ada")
    await eventually(lambda: len(told) > 2)
    assert (told[2], following.current, following.waiting([own, usual])) == ((), load(), [])
    looking.cancel()
    await asyncio.wait([looking])


async def test_requests_see_how_long_models_wait(store: Store) -> None:
    registry = Registry(store, 60)
    await registry.refresh()
    located = app._Located(registry, Engine(threads=1), Following(load(), registry))  # noqa: SLF001 (as run_instance does it)
    await store.add_model(Model(name="m", platform="openai", endpoint="http://a.internal/v1"), by="ada")
    assert located().models["m"].limits == Limits()
    await store.set_settings({"model_first_token_s": "0.5"}, by="ada")
    assert located().models["m"].limits == Limits(first_token_s=0.5)
    assert located() is located()
    assert (await store.model("m")).limits == Limits()


async def test_all_or_nothing_is_set_and_told_of(store: Store) -> None:
    seen = live.version(await store.settings())
    await store.set_settings({"usage_days": "90", "audit_days": None}, check=live.as_seen(seen), by="ada")
    with pytest.raises(Outdated):
        await store.set_settings({"usage_days": "91"}, check=live.as_seen(seen), by="ben")
    await store.set_settings({"usage_days": "91", "audit_days": "30"}, check=live.as_seen(""), by="ben")
    assert [(each.who, each.subject, each.before, each.after) for each in await store.audit()] == [
        ("ben", "audit_days", None, {"value": "30"}),
        ("ben", "usage_days", {"value": "90"}, {"value": "91"}),
        ("ada", "usage_days", None, {"value": "90"}),
    ]


async def test_old_changes_are_forgotten_only_where_somebody_said_so(store: Store, url: str) -> None:
    engine, now = connect(url), datetime.now(UTC)
    rows = [{"at": now - 40 * DAY, "who": "ada", "what": "x.y", "subject": str(each)} for each in range(600)]
    async with writing(engine) as connection:
        await connection.execute(insert(audit_events), rows)
        await connection.execute(insert(audit_events), [{**rows[0], "at": now - 20 * DAY, "subject": "young"}])
    await engine.dispose()
    registry = Registry(store, 60)
    await registry.refresh()
    following = Following(load(), registry)
    forgetting = asyncio.create_task(app._forget_audit(store, following))  # noqa: SLF001 (as run_instance does it)
    await store.set_settings({"audit_days": "60"}, by="ada")
    revision = await store.revision()
    assert len(await store.audit(1000)) == 602
    await store.set_settings({"audit_days": "30"}, by="ada")
    left: list[str] = []
    async with asyncio.timeout(20):
        while len(left) != 3:  # what is waited for has no event
            left = [each.subject for each in await store.audit(1000)]
    assert left == ["audit_days", "audit_days", "young"]
    assert await store.revision() == revision + 1
    forgetting.cancel()
    await asyncio.wait([forgetting])

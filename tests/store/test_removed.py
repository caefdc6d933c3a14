"""A removed model comes back as it was for an hour, and not a minute longer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from homeport.domain.capabilities import Capabilities
from homeport.domain.errors import BadRequest, Unknown
from homeport.domain.models import FeatureSetting, Model, Secret
from homeport.store import config_file, removed
from homeport.store.plan import ModelChange, Plan

if TYPE_CHECKING:
    from conftest import Sql
    from homeport.store.database import Store

CODER = Model(
    name="coder",
    platform="openai",
    family="qwen_coder",
    endpoint="http://vllm.internal:8000/v1",
    identifier="served",
    key=Secret("sk-canary-removed"),
    options={"fim": "suffix"},
    clean=False,
)
BIG = replace(CODER, name="big", key=Secret())
CHAT = FeatureSetting(
    feature="chat", assignment="model", model="coder", fallbacks=("big",), weights={"coder": 2}, sticky=True
)
REVIEW = FeatureSetting(feature="code_review", assignment="model", model="big", shadow="coder")


@pytest.fixture
async def filled(store: Store) -> Store:
    await store.add_model(CODER, by="ada")
    await store.add_model(BIG, by="ada")
    await store.set_feature(CHAT, by="ada")
    await store.set_feature(REVIEW, by="ada")
    await store.measured("coder", Capabilities(chat=True), by="ada")
    return store


@pytest.mark.parametrize("how", ["forced", "replaced", "planned"])
async def test_everything_of_it_comes_back(filled: Store, how: str) -> None:
    before, id_ = await filled.snapshot(), (await filled.model_ids())["coder"]
    if how == "forced":
        await filled.remove_model("coder", by="ada", force=True)
    elif how == "replaced":
        await filled.replace_model("coder", "big", by="ada")
    else:
        for each in ("chat", "code_review"):
            await filled.set_feature(FeatureSetting(feature=each), by="ada")
        before = replace(before, features=await filled.features())
        gone = ModelChange(name="coder", before=CODER)
        await filled.carry_out(Plan(revision=await filled.revision(), changes=(gone,)), by="ada")
    assert list(await filled.removed_models()) == ["coder"]
    assert list((await filled.snapshot()).models) == ["big"]
    back = await filled.restore_model("coder", by="eve")
    after = await filled.snapshot()
    assert (back.model, back.kept, back.notes) == (CODER, (), ())
    assert (after.models, after.features, after.measured) == (before.models, before.features, before.measured)
    assert (await filled.model_ids())["coder"] == id_
    assert await filled.removed_models() == {}
    events = [(event.who, event.what) for event in await filled.audit(8)]
    assert ("eve", "model.restore") in events
    assert ("ada", "model.remove") in events
    with pytest.raises(Unknown, match="'coder' was removed within the last hour"):
        await filled.restore_model("coder", by="eve")


async def test_what_somebody_set_otherwise_stays_and_is_told(filled: Store) -> None:
    await filled.replace_model("coder", "big", by="ada")
    mine = FeatureSetting(feature="code_review", assignment="disabled")
    await filled.set_feature(mine, by="ben")
    back = await filled.restore_model("coder", by="ada")
    assert back.kept == ("code_review",)
    assert back.notes == ("code_review stays as it is: it was set otherwise since.",)
    assert await filled.features() == {"chat": CHAT, "code_review": mine}


async def test_a_helper_that_is_gone_too_keeps_a_feature_from_coming_back(filled: Store) -> None:
    await filled.remove_model("coder", by="ada", force=True)
    await filled.remove_model("big", by="ada", force=True)
    assert list(await filled.removed_models()) == ["big", "coder"]
    back = await filled.restore_model("coder", by="ada")
    assert back.notes[0] == "chat stays as it is: it needs big, which is gone."
    assert (await filled.features())["chat"].assignment == "unassigned"


async def test_another_one_of_its_name_is_in_the_way(filled: Store) -> None:
    await filled.remove_model("coder", by="ada", force=True)
    await filled.add_model(replace(CODER, key=Secret()), by="ada")
    with pytest.raises(BadRequest, match="already a model named 'coder'"):
        await filled.restore_model("coder", by="ada")
    await filled.rename_model("coder", "newer", by="ada")
    assert (await filled.restore_model("coder", by="ada")).model == CODER


async def test_the_key_is_sealed_all_the_while_and_with_every_new_root_key(filled: Store, sql: Sql) -> None:
    await filled.remove_model("coder", by="ada", force=True)
    (kept,) = await sql("SELECT * FROM removed_models")
    assert "sk-canary" not in repr(kept)
    assert sum((await filled.sealed()).values()) == 1
    made, _ = await filled.rotate_keys(by="ada")
    assert await filled.sealed() == {made: 1}
    assert "sk-canary" not in repr(await filled.audit()) + config_file.write(await filled.snapshot())
    assert (await filled.restore_model("coder", by="ada")).model.key.reveal() == "sk-canary-removed"


async def test_after_an_hour_it_is_gone_for_good(filled: Store, sql: Sql, monkeypatch: pytest.MonkeyPatch) -> None:
    await filled.remove_model("coder", by="ada", force=True)
    await filled.forget_removed()
    (at,) = (await filled.removed_models()).values()
    assert datetime.now(UTC) - at < timedelta(minutes=5)
    monkeypatch.setattr(removed, "KEPT", timedelta(0))
    assert await filled.removed_models() == {}
    with pytest.raises(Unknown):
        await filled.restore_model("coder", by="ada")
    revision = await filled.revision()
    await filled.forget_removed()
    assert await sql("SELECT * FROM removed_models") == []
    assert await filled.revision() == revision

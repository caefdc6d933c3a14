"""A change of what serves features is undone for an hour, as far as nobody set it otherwise since."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from homeport.domain.errors import Outdated, Unknown
from homeport.domain.models import FeatureSetting, Model
from homeport.store import feature_changes
from homeport.store.plan import FeatureChange, Plan

if TYPE_CHECKING:
    from conftest import Sql
    from homeport.store.database import Store

CHAT = FeatureSetting(
    feature="chat", assignment="model", model="one", fallbacks=("two",), weights={"one": 2, "three": 1}, sticky=True
)
REVIEW = FeatureSetting(feature="code_review", assignment="disabled")
OTHERS = [FeatureSetting(feature=each, assignment="model", model="two") for each in ("chat", "code_review", "cli_help")]


@pytest.fixture
async def changed(store: Store) -> Store:
    """Two features were set one by one; then three, in one step."""
    for name in ("one", "two", "three"):
        await store.add_model(Model(name=name, platform="bedrock"), by="ada")
    for setting in (CHAT, REVIEW):
        await store.set_feature(setting, by="ada")
    now = await store.features()
    changes = tuple(FeatureChange(name=each.feature, before=now.get(each.feature), after=each) for each in OTHERS)
    await store.carry_out(Plan(revision=await store.revision(), changes=changes), by="ben")
    return store


async def test_all_of_a_step_is_undone_and_that_is_a_change_too(changed: Store) -> None:
    (latest,) = await changed.feature_changes()
    assert (latest.by, [each.feature for _, each in latest.settings]) == ("ben", ["chat", "code_review", "cli_help"])
    undone = await changed.undo_features(latest.id, by="eve")
    assert (len(undone.settings), undone.kept, undone.notes) == (3, (), ())
    found = await changed.features()
    assert (found["chat"], found["code_review"], found["cli_help"].assignment) == (CHAT, REVIEW, "unassigned")
    (again,) = await changed.feature_changes()  # older ones left the same, and are none of what is in force
    assert again.by == "eve"
    await changed.undo_features(again.id, by="eve")
    assert [(await changed.features())[each.feature] for each in OTHERS] == OTHERS


async def test_what_was_set_otherwise_stays_and_is_told(changed: Store) -> None:
    (latest,) = await changed.feature_changes()
    await changed.set_feature(FeatureSetting(feature="chat"), by="eve")
    undone = await changed.undo_features(latest.id, by="ben")
    assert (undone.kept, undone.notes) == (("chat",), ("chat stays as it is: it was set otherwise since.",))
    assert (await changed.features())["code_review"] == REVIEW
    before = await changed.revision()
    with pytest.raises(Outdated, match="code_review stays as it is") as caught:
        await changed.undo_features(latest.id, by="ben")
    assert (caught.value.status, await changed.revision()) == (409, before)


async def test_what_was_set_back_and_forth_is_not_undone_by_an_older_change(changed: Store) -> None:
    await changed.set_feature(FeatureSetting(feature="cli_help", assignment="disabled"), by="eve")
    await changed.set_feature(OTHERS[2], by="eve")
    mine, latest = await changed.feature_changes()
    assert (mine.by, latest.by) == ("eve", "ben")
    undone = await changed.undo_features(latest.id, by="ben")
    assert (undone.kept, len(undone.settings)) == (("cli_help",), 2)
    assert (await changed.features())["cli_help"] == OTHERS[2]


async def test_a_model_that_is_gone_serves_nothing_again(changed: Store) -> None:
    (latest,) = await changed.feature_changes()
    await changed.remove_model("three", by="ada")
    undone = await changed.undo_features(latest.id, by="ben")
    assert undone.notes == ("chat stays as it is: it needs three, which is gone.",)


async def test_for_an_hour(changed: Store, sql: Sql) -> None:
    (latest,) = await changed.feature_changes()
    old = (datetime.now(UTC) - feature_changes.KEPT).replace(tzinfo=None).isoformat(" ")
    await sql(f"UPDATE audit_events SET at = '{old}'")  # noqa: S608 (a moment)
    assert await changed.feature_changes() == []
    for number in (latest.id, 0, 10**17):
        with pytest.raises(Unknown, match="not changed within the last hour"):
            await changed.undo_features(number, by="ben")


@pytest.mark.parametrize("shown", ['{"enabled": true}', '{"fallbacks": 1}', "[]", '{"assignment": "model", "new": 1}'])
async def test_what_another_version_wrote_is_passed_over(changed: Store, sql: Sql, shown: str) -> None:
    known = await changed.feature_changes()
    added = "INSERT INTO audit_events (at, who, what, subject, before, after)"
    made = f"{added} SELECT at, 'eve', what, 'chat', before, '{shown}'"
    await sql(f"{made} FROM audit_events WHERE what = 'feature.set'")
    assert await changed.feature_changes() == known


async def test_nothing_is_offered_that_needs_a_model_which_is_gone(changed: Store) -> None:
    await changed.add_model(Model(name="four", platform="bedrock"), by="ada")
    for model in ("four", "two"):
        setting = FeatureSetting(feature="cli_help", assignment="model", model=model)
        await changed.set_feature(setting, by="eve")
    assert [each.by for each in await changed.feature_changes()] == ["eve", "ben"]
    await changed.remove_model("four", by="ada")
    assert [each.by for each in await changed.feature_changes()] == ["ben"]

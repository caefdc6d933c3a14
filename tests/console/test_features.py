"""Which model serves what: seen by auditors, changed by administrators."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from homeport.console.features import changed, sections
from homeport.domain.errors import BadRequest
from homeport.domain.models import FeatureSetting, Model

if TYPE_CHECKING:
    from offices import Office, Shown

PAGE = "/console/features"
XSS = "<script>alert(1)</script>"


async def models(office: Office, **families: str) -> None:
    for name, family in families.items():
        model = Model(name=name, platform="openai", family=family, endpoint="http://127.0.0.1:9/v1", identifier=name)
        await office.store.add_model(model, by="tests")


async def assign(office: Office, feature: str, model: str = "", **fields: object) -> None:
    usual = {"assignment": "model" if model else "unassigned", "model": model}
    await office.store.set_feature(FeatureSetting(feature=feature, **(usual | fields)), by="tests")  # type: ignore[arg-type]


def row(page: Shown, key: str) -> str:
    found = re.search(rf'<tr id="row-{key}">.*?</tr>', page.body, re.DOTALL)
    assert found, key
    return found[0]


async def test_every_listed_feature_has_a_row_in_its_section(office: Office) -> None:
    await office.sign_in()
    page = await office.get(PAGE)
    features = office.house.app.door.bench.features
    for section, keys in sections(features).items():
        assert f">{section}</h2>" in page.body
        assert all(features[key].title in row(page, key) for key in keys)
    assert 'id="row-text_completions"' not in page.body
    assert "There is no model yet" in page.text


async def test_states_and_who_answers_now(office: Office) -> None:
    await office.sign_in()
    await models(office, big="mistral", coder="starcoder")
    await assign(office, "chat", "big")
    await assign(office, "chat_fix_code", "coder")
    await assign(office, "merge_commit_message", assignment="disabled")
    page = await office.get(PAGE)
    assert "Fully compatible" in row(page, "chat")
    assert "as <a" in row(page, "code_review")
    assert "big" in row(page, "code_review")
    assert "Not compatible" in row(page, "chat_fix_code")
    assert "switched off" in row(page, "merge_commit_message")
    assert "Nobody" in row(page, "code_completions")
    assert "As General chat: big" in row(page, "code_review")


async def test_models_that_suit_come_first(office: Office) -> None:
    await office.sign_in()
    await models(office, alpha="starcoder", beta="general", gamma="mistral")
    page = await office.get(PAGE)
    assert re.findall(r'value="model:(\w+)"', row(page, "chat")) == ["gamma", "beta", "alpha"]
    assert re.findall(r'value="model:(\w+)"', row(page, "code_completions")) == ["alpha", "beta", "gamma"]
    assert re.findall('<optgroup label="([^"]+)"', row(page, "chat")) == [
        "Fully compatible",
        "Largely compatible",
        "Not compatible",
    ]


async def test_saving_one_keeps_its_helpers_and_the_place(office: Office) -> None:
    await office.sign_in()
    await models(office, one="mistral", two="mistral", three="mistral")
    await assign(office, "chat", "one", fallbacks=("two", "three"), weights={"one": 3})
    sent = await office.send(PAGE, "serve", feature="chat", was="model:one", serves="model:two")
    assert sent.status == 303
    assert sent.location.endswith("#row-chat")
    setting = (await office.store.features())["chat"]
    assert (setting.model, setting.fallbacks, setting.weights) == ("two", ("three",), {"two": 3})
    saved = row(await office.get(sent.location.partition("#")[0]), "chat")
    assert "General chat now uses two." in saved
    assert 'aria-label="Undo: General chat now uses two."' in saved
    event = (await office.store.audit(1))[0]
    assert (event.who, event.what, event.subject) == ("ada", "feature.set", "chat")


async def test_who_comes_second_is_told(office: Office) -> None:
    await office.sign_in()
    await models(office, one="mistral", two="mistral")
    await assign(office, "chat", "two")
    sent = await office.send(PAGE, "serve", feature="chat", was="unassigned", serves="model:one")
    assert sent.status == 409
    assert "Somebody else changed General chat" in sent.text
    assert (await office.store.features())["chat"].model == "two"


@pytest.mark.parametrize(
    ("feature", "serves", "status"),
    [
        ("nothing", "disabled", 404),
        ("text_completions", "disabled", 404),
        ("chat", "", 400),
        ("chat", "inherit", 400),
        ("chat", "model:", 400),
        ("chat", "one", 400),
        ("chat", "model:nobody", 404),
        ("chat", f"model:{XSS}", 404),
    ],
)
async def test_what_cannot_be_chosen(office: Office, feature: str, serves: str, status: int) -> None:
    await office.sign_in()
    sent = await office.send(PAGE, "serve", feature=feature, was="unassigned", serves=serves)
    assert sent.status == status
    assert 'role="alert"' in sent.body
    assert XSS not in sent.body
    assert await office.store.features() == {}


async def test_a_whole_section(office: Office) -> None:
    await office.sign_in()
    await models(office, one="mistral", two="mistral")
    await assign(office, "code_review", "two", fallbacks=("one",))
    sent = await office.send(PAGE, "section", section="Merge requests", serves="model:two")
    assert sent.status == 303
    found = await office.store.features()
    assert {each.model for each in found.values()} == {"two"}
    assert found["code_review"].fallbacks == ("one",)
    assert set(found) == set(sections(office.house.app.door.bench.features)["Merge requests"])
    await office.send(PAGE, "section", section="Chat", serves="inherit")
    assert "chat" not in await office.store.features()


@pytest.mark.parametrize(
    ("section", "serves", "status"), [("No such", "disabled", 404), ("Chat", "", 400), ("Chat", "model:x", 404)]
)
async def test_a_section_changes_as_a_whole_or_not(office: Office, section: str, serves: str, status: int) -> None:
    await office.sign_in()
    assert (await office.send(PAGE, "section", section=section, serves=serves)).status == status
    assert await office.store.features() == {}


def change(page: Shown, at: str) -> str:
    """The number of the change that the way back beside a feature or a section undoes."""
    found = re.findall(rf'name="change" value="(\d+)"><input type="hidden" name="at" value="{at}"', page.body)
    assert found, at
    return str(found[0])


async def test_a_change_is_undone_and_done_again(office: Office) -> None:
    await office.sign_in()
    await models(office, one="mistral", two="mistral")
    await assign(office, "chat", "one", fallbacks=("two",))
    saved = await office.send(PAGE, "serve", feature="chat", was="model:one", serves="disabled")
    page = await office.get(saved.location)
    assert "General chat is disabled now." in row(page, "chat")
    undone = await office.send(PAGE, "undo", change=change(page, "chat"), at="chat")
    assert (undone.status, undone.location) == (303, f"{PAGE}?at=chat#row-chat")
    setting = (await office.store.features())["chat"]
    assert (setting.model, setting.fallbacks) == ("one", ("two",))
    page = await office.get(undone.location)
    assert "General chat now uses one." in row(page, "chat")
    await office.send(PAGE, "undo", change=change(page, "chat"), at="chat")
    assert (await office.store.features())["chat"].assignment == "disabled"
    assert [(each.who, each.what) for each in await office.store.audit(2)] == [("ada", "feature.set")] * 2


async def test_a_section_is_undone_but_for_what_was_set_otherwise_since(office: Office) -> None:
    await office.sign_in()
    await models(office, one="mistral", two="mistral")
    saved = await office.send(PAGE, "section", section="Merge requests", serves="model:two")
    page = await office.get(saved.location)
    assert re.search(r"✓ \d features now use two\.", page.body)
    number = change(page, "Merge requests")
    await office.store.set_feature(FeatureSetting(feature="code_review", assignment="disabled"), by="eve")
    undone = await office.send(PAGE, "undo", change=number, at="Merge requests")
    assert "One feature was set otherwise since" in (await office.get(undone.location.partition("#")[0])).text
    found = await office.store.features()
    assert found.pop("code_review").assignment == "disabled"
    assert {each.assignment for each in found.values()} == {"unassigned"}
    refused = await office.send(PAGE, "undo", change=number, at="Merge requests")
    assert (refused.status, "stays as it is: it was set otherwise since" in refused.text) == (409, True)


async def test_what_others_changed_is_listed_for_an_hour_with_the_way_back(office: Office) -> None:
    await models(office, one="mistral")
    await assign(office, "chat", "one")
    await office.sign_in()
    page = await office.get(PAGE)
    assert "Changed lately" in page.text
    assert "General chat now uses one." in page.text
    assert (await office.send(PAGE, "undo", change="x", at="chat")).status == 404
    await office.sign_in("eve", "auditor")
    assert "Changed lately" not in (await office.get(PAGE)).text
    assert (await office.send(PAGE, "undo", change=change(page, "chat"), at="chat")).status == 403
    assert (await office.store.features())["chat"].model == "one"


async def test_an_auditor_looks_and_a_user_does_not(office: Office) -> None:
    await models(office, one="mistral")
    await office.sign_in("eve", "auditor")
    page = await office.get(PAGE)
    assert page.status == 200
    assert 'name="serves"' not in page.body
    assert (await office.send(PAGE, "serve", feature="chat", was="unassigned", serves="model:one")).status == 403
    await office.sign_in("uma", "user")
    assert (await office.get(PAGE)).status == 403
    assert await office.store.features() == {}


async def test_a_models_name_is_text(office: Office) -> None:
    await office.sign_in()
    await models(office, **{XSS: "mistral"})
    await assign(office, "chat", XSS)
    page = await office.get(PAGE)
    assert XSS not in page.body
    assert XSS in page.text


async def test_a_disabled_model_answers_nobody(office: Office) -> None:
    await office.sign_in()
    await models(office, one="mistral")
    await assign(office, "chat", "one")
    await office.store.edit_model("one", {"enabled": False}, by="tests")
    assert "one is disabled" in row(await office.get(PAGE), "chat")


def test_another_choice_forgets_helpers_only_where_there_is_no_first() -> None:
    setting = FeatureSetting(feature="chat", assignment="model", model="a", fallbacks=("b",), shadow="c")
    assert changed(setting, "model:c").shadow == ""
    assert changed(setting, "model:c").fallbacks == ("b",)
    assert changed(setting, "disabled") == FeatureSetting(feature="chat", assignment="disabled")
    with pytest.raises(BadRequest):
        changed(setting, "b")


async def test_no_two_things_have_one_id(office: Office) -> None:
    await office.sign_in()
    await models(office, one="mistral")
    ids = re.findall(r' id="([^"]+)"', (await office.get(PAGE)).body)
    assert len(ids) == len(set(ids))

"""One feature: models that share the work, follow and shadow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from homeport.console.feature import in_words
from homeport.domain.models import FeatureSetting, Model

if TYPE_CHECKING:
    from offices import Office, Shown

PAGE = "/console/features/chat"
NAMES = ("one", "two", "three", "four")


@pytest.fixture
async def desk(office: Office) -> Office:
    for name in NAMES:
        await office.store.add_model(
            Model(name=name, platform="openai", family="mistral", endpoint="http://127.0.0.1:9/v1", identifier=name),
            by="tests",
        )
    await office.sign_in()
    return office


async def save(office: Office, *fields: tuple[str, str], path: str = PAGE) -> Shown:
    """The form with the mark that the page shows, unless `fields` have another."""
    marked = re.search(r'name="was" value="(\w+)"', (await office.get(path)).body)
    was = [("was", marked[1])] if marked and "was" not in dict(fields) else []
    body = urlencode([("do", "save"), ("key", office.key), *was, *fields])
    return await office.ask("POST", path, body.encode())


async def test_a_whole_setting(desk: Office) -> None:
    fields = [("serves", "model:one"), ("own", "3"), ("share", "two"), ("weight", "2"), ("share", ""), ("weight", "9")]
    more = [("fallback", ""), ("fallback", "three"), ("sticky", "on"), ("shadow", "four")]
    sent = await save(desk, *fields, *more)
    assert (sent.status, sent.location) == (303, f"{PAGE}?saved=1")
    assert (await desk.store.features())["chat"] == FeatureSetting(
        feature="chat",
        assignment="model",
        model="one",
        weights={"one": 3, "two": 2},
        fallbacks=("three",),
        sticky=True,
        shadow="four",
    )
    page = await desk.get(sent.location)
    assert "General chat now uses one, two." in page.text
    assert 'aria-label="Undo: General chat now uses one, two."' in page.body
    assert "one and two share the work 3 : 2" in page.text
    assert 'value="two" selected' in page.body
    assert (await desk.store.audit(1))[0].who == "ada"


async def test_over_the_list_it_is_the_same_form_alone(desk: Office) -> None:
    """A script asks for the part; what the form did is told by the list, what was wrong by the panel."""
    panel, whole = await desk.get(PAGE, HX_Request="true"), await desk.get(PAGE)
    assert panel.body.startswith('<div id="panel">')
    back = await desk.get(PAGE, HX_Request="true", HX_History_Restore_Request="true")
    assert back.body.startswith("<!doctype html>")  # who goes back to it has no list below it
    forms = [
        re.sub(r' hx-[a-z]+="[^"]*"', "", re.findall(r'<form class="stack".*?</form>', each, re.DOTALL)[0])
        for each in (panel.body, whole.body)
    ]
    assert forms[0] == forms[1]
    assert 'hx-target="#features"' in panel.body
    assert "hx-target" not in re.findall(r'<form class="stack".*?>', whole.body)[0]
    mark = re.findall(r'name="was" value="(\w+)"', panel.body)[0]
    asked = {"do": "save", "key": desk.key, "was": mark, "serves": "model:one"}
    wrong = urlencode(asked | {"own": "x", "share": "two"}).encode()
    async with desk.house.line() as wire:
        await wire.send(desk.asking("POST", PAGE, wrong, HX_Request="true"))
        refused = await wire.answer()
    assert (refused.status, refused.header("hx-retarget"), refused.header("hx-reselect")) == (400, "#panel", "#panel")
    assert refused.body.startswith(b'<div id="panel">')
    saved = await desk.ask("POST", PAGE, urlencode(asked).encode(), HX_Request="true")
    assert (saved.status, saved.location) == (303, "/console/features?at=chat#row-chat")
    assert (await desk.store.features())["chat"].model == "one"


async def test_without_a_first_model_the_others_are_forgotten(desk: Office) -> None:
    assert (await save(desk, ("serves", "disabled"), ("fallback", "two"))).status == 303
    assert (await desk.store.features())["chat"] == FeatureSetting(feature="chat", assignment="disabled")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ([("serves", "")], "no choice"),
        ([("serves", "one")], "no choice"),
        ([("serves", "inherit")], "nothing to inherit"),
        ([("serves", "model:nobody")], "nobody"),
        ([("serves", "model:one"), ("share", "two"), ("weight", "many")], "no weight"),
        ([("serves", "model:one"), ("share", "two"), ("weight", "-1")], "no weight"),
        ([("serves", "model:one"), ("share", "two"), ("weight", "0")], "weight"),
        ([("serves", "model:one"), ("share", "two"), ("weight", "1001")], "weight"),
        ([("serves", "model:one"), ("share", "one"), ("weight", "1")], "twice"),
        ([("serves", "model:one"), ("fallback", "one")], "twice"),
        ([("serves", "model:one"), ("fallback", "two"), ("shadow", "two")], "twice"),
    ],
)
async def test_what_cannot_be(desk: Office, fields: list[tuple[str, str]], said: str) -> None:
    sent = await save(desk, *fields)
    assert 400 <= sent.status < 500
    assert said in sent.text
    assert await desk.store.features() == {}


async def test_what_was_typed_is_kept(desk: Office) -> None:
    sent = await save(desk, ("serves", "model:two"), ("share", "three"), ("weight", "x<b>"), ("fallback", "four"))
    assert 'value="model:two" selected' in sent.body
    assert 'value="four" selected' in sent.body
    assert 'value="x&lt;b&gt;"' in sent.body
    assert "<b>" not in sent.body


async def test_who_comes_second_is_told(desk: Office) -> None:
    sent = await save(desk, ("serves", "model:one"), ("was", "0123456789abcdef"))
    assert (sent.status, "Somebody else changed" in sent.text) == (409, True)
    assert await desk.store.features() == {}


async def test_who_was_told_saves_again(desk: Office) -> None:
    stale = re.findall(r'name="was" value="(\w+)"', (await desk.get(PAGE)).body)[0]
    await desk.store.set_feature(FeatureSetting(feature="chat", assignment="model", model="one"), by="bob")
    typed = [("serves", "model:two"), ("own", "x"), ("fallback", "four")]
    told = await save(desk, *typed, ("was", stale))
    assert (told.status, "Now: one answers." in told.text, "save again to keep yours" in told.text) == (409, True, True)
    assert ('value="model:two" selected' in told.body, 'value="four" selected' in told.body) == (True, True)
    fresh = re.findall(r'name="was" value="(\w+)"', told.body)[0]
    wrong = await save(desk, *typed, ("was", fresh), ("share", "three"), ("weight", "x"))
    assert (wrong.status, f'name="was" value="{fresh}"' in wrong.body) == (400, True)
    typed[1] = ("own", "1")
    assert (await save(desk, *typed, ("was", fresh))).status == 303
    setting = (await desk.store.features())["chat"]
    assert (setting.model, setting.fallbacks) == ("two", ("four",))


@pytest.mark.parametrize("name", ["nothing", "text_completions", "%3Cscript%3E", "chat/x"])
async def test_no_such_feature(desk: Office, name: str) -> None:
    assert (await desk.get(f"/console/features/{name}")).status == 404


async def test_an_auditor_looks_and_a_user_does_not(desk: Office) -> None:
    await desk.sign_in("eve", "auditor")
    page = await desk.get(PAGE)
    assert (page.status, "<fieldset" in page.body, "Only administrators" in page.text) == (200, True, True)
    assert "Save" not in page.text
    assert (await save(desk, ("serves", "model:one"))).status == 403
    await desk.sign_in("uma", "user")
    assert (await desk.get(PAGE)).status == 403


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (None, "No model serves it yet."),
        (FeatureSetting(feature="x", assignment="disabled"), "It is switched off: callers are told so."),
        (FeatureSetting(feature="x", assignment="model", model="a"), "a answers."),
        (
            FeatureSetting(feature="x", assignment="model", model="a", fallbacks=("b", "c"), shadow="d"),
            "a answers; when it cannot, b, then c; d is asked the same, and nobody sees its answers.",
        ),
        (
            FeatureSetting(feature="x", assignment="model", model="a", weights={"b": 2, "c": 1}, sticky=True),
            "a, b and c share the work 1 : 2 : 1; each file or conversation stays with one of them.",
        ),
    ],
)
def test_a_setting_in_words(setting: FeatureSetting | None, said: str) -> None:
    assert in_words(setting) == said


async def test_many_models_are_typed_and_not_looked_through(desk: Office) -> None:
    for at in range(60):
        name = f"more-{at}"
        await desk.store.add_model(
            Model(name=name, platform="openai", family="mistral", endpoint="http://127.0.0.1:9/v1", identifier=name),
            by="tests",
        )
    page = await desk.get(PAGE)
    assert page.body.count("<datalist") == 1
    assert page.body.count("<select") == 1
    assert (await save(desk, ("serves", "model:one"), ("fallback", "more-59"))).status == 303
    assert (await save(desk, ("serves", "model:one"), ("fallback", "mor"))).status == 404

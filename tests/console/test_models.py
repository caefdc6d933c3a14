"""Models in the console: find, add, try, change, switch off, delete; keys stay where they are."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from homeport import providers
from homeport.access import tokens
from homeport.console import _model_form as model_form
from homeport.console import model as model_page
from homeport.domain.models import FeatureSetting, Model, Secret, Token
from homeport.kit.discover import discover
from homeport.providers import Provider

if TYPE_CHECKING:
    from offices import Office, Shown
    from script import Peer

LIST, NEW = "/console/models", "/console/models/new"
PLATFORMS = discover(providers, Provider)
KEY = "sk-canary-of-the-console-41d7"
XSS = '"><script>alert(1)</script>'


@pytest.fixture
async def admin(office: Office) -> Office:
    await office.sign_in()
    return office


async def registered(office: Office, name: str = "coder", **fields: Any) -> Model:
    usual = {"endpoint": office.house.models.url, "identifier": "served", "family": "qwen_coder"}
    return await office.store.add_model(Model(name=name, platform="openai", **(usual | fields)), by="tests")


def filled(office: Office, **fields: str) -> dict[str, str]:
    """The form of a model, as a person fills it in."""
    usual = {"name": "coder", "platform": "openai", "endpoint": office.house.models.url, "identifier": "served"}
    return {**usual, "clean": "on", "family": "qwen_coder", **fields}


async def edited(office: Office, model: str, **fields: str) -> Shown:
    """A model's form, sent with some fields changed."""
    stored = await office.store.model(model)
    values = model_form.values_of(stored, PLATFORMS)
    return await office.send(f"{LIST}/{model}", "save", **{**values, "seen": model_form.fingerprint(stored), **fields})


async def last(office: Office) -> tuple[str, str, str]:
    event = (await office.store.audit(1))[0]
    return event.who, event.what, event.subject


# the list


async def test_with_no_model_there_are_two_ways_to_begin(admin: Office) -> None:
    shown = await admin.get(LIST)
    assert shown.status == 200
    assert "Add self-hosted model" in shown.text
    assert "homeport up" in shown.text


async def test_a_row_says_what_is_known_of_a_model(admin: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    model = await registered(admin, family="codellama")
    await admin.store.set_feature(FeatureSetting(feature="chat", assignment="model", model="coder"), by="tests")
    text = " ".join((await admin.get(LIST)).text.split())
    for part in ("coder", "served", "Code Llama", "beta", "OpenAI-compatible", model.endpoint, "General chat"):
        assert part in text
    assert "never asked" in text
    health = admin.house.app.door.bench.health
    now = time.monotonic()
    monkeypatch.setattr(health, "_clock", lambda: now)
    health.answered(model, 0.25)
    assert "well first token 250 ms" in " ".join((await admin.get(LIST)).text.split())
    for _ in range(3):
        health.failed(model)
    pages = (LIST, f"{LIST}/coder", "/console/features", "/console")
    for said in (
        "ot asked for 5 s more after failures",
        "fter failures the next request tries it",
        "a request tries it now",
    ):
        for page in pages:
            shown = " ".join((await admin.get(page)).text.split())
            assert said in shown, page
        health.chosen(model)
        now += 5 if said.startswith("ot asked") else 0
    health.answered(model)
    for page in pages:
        assert "after failures" not in (await admin.get(page)).text.lower()


async def test_the_first_failure_is_told_everywhere(admin: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    await registered(admin)
    await admin.store.set_feature(FeatureSetting(feature="chat", assignment="model", model="coder"), by="tests")
    made = tokens.mint()
    digest = admin.house.app.door.gate.digest(made)
    scopes = frozenset({"duo_chat", "admin"})
    await admin.store.add_token(Token(name="adas", owner="ada", digest=digest, scopes=scopes), by="tests")
    models, health = admin.house.models, admin.house.app.door.bench.health
    usual, now = models.play, time.monotonic()
    monkeypatch.setattr(health, "_clock", lambda: now)

    async def refuse(peer: Peer) -> None:
        await peer.document({"error": {"message": XSS}}, 401)

    async def told(said: str) -> None:
        for page in (LIST, f"{LIST}/coder", "/console/features", "/console"):
            shown = await admin.get(page)
            assert said in " ".join(shown.text.split()), page
            assert XSS not in shown.body

    models.play = refuse
    body = {"model": "chat", "messages": [{"role": "user", "content": "Hi"}]}
    assert (await admin.house.post("/v1/chat/completions", body, made)).status == 502
    now += 150
    await told("ast request failed 2 minutes ago: answered HTTP 401")
    await registered(admin, "other")
    await admin.store.set_feature(
        FeatureSetting(feature="code_completions", assignment="model", model="other"), by="tests"
    )
    instead = (await admin.get(f"{LIST}/other?delete")).text
    assert "coder (last request failed 2 minutes ago: answered HTTP 401)" in instead
    shown = (await admin.get(LIST)).body
    assert '<span class="pill warn">failing</span>' in shown
    now += 3600
    values = model_form.values_of(await admin.store.model("coder"), PLATFORMS)
    # a draft that is tried says nothing of what is registered
    await admin.send(f"{LIST}/coder", "test", **{**values, "identifier": "another"})
    await told("ast request failed 1 hour ago: answered HTTP 401")
    await admin.send(f"{LIST}/coder", "test", **values)
    await told("onnection test failed just now: answered HTTP 401")
    models.play = usual
    await admin.send(f"{LIST}/coder", "test", **values)
    now += 1
    assert "well connection test passed 1 second ago" in " ".join((await admin.get(LIST)).text.split())
    assert "Everything is well." in (await admin.get("/console")).text
    assert (await admin.house.post("/v1/chat/completions", body, made)).status == 200
    assert "connection test" not in (await admin.get(LIST)).text


async def test_searching_and_sorting_need_no_script(admin: Office) -> None:
    for name, family in (("zeta", "llama3"), ("alpha", "qwen_coder"), ("mid", "llama3")):
        await registered(admin, name, family=family)
    body = (await admin.get(f"{LIST}?q=llama")).body
    assert "alpha" not in body
    assert body.index("/mid") < body.index("/zeta")
    body = (await admin.get(f"{LIST}?sort=name&down=1")).body
    assert body.index("/zeta") < body.index("/mid") < body.index("/alpha")
    assert 'aria-sort="descending"' in body
    assert "Nothing fits" in (await admin.get(f"{LIST}?q=nothing+like+it")).text
    assert (await admin.get(f"{LIST}?sort=colour&page=-4")).status == 200


async def test_many_models_come_in_pages(admin: Office) -> None:
    for number in range(103):
        await registered(admin, f"m{number:03}")
    first, second = await admin.get(LIST), await admin.get(f"{LIST}?page=2")
    assert ("m099" in first.body, "m100" in first.body) == (True, False)
    assert ("m099" in second.body, "m102" in second.body) == (False, True)
    assert "101 to 103 of 103" in second.text


async def test_disabling_can_be_undone(admin: Office) -> None:
    await registered(admin)
    shown = await admin.send(LIST, "disable", name="coder")
    assert shown.status == 303
    assert not (await admin.store.model("coder")).enabled
    assert "Undo" in (await admin.get(shown.location)).text
    shown = await admin.send(LIST, "enable", name="coder")
    assert (await admin.store.model("coder")).enabled
    assert "Undo" not in (await admin.get(shown.location)).text
    assert await last(admin) == ("ada", "model.edit", "coder")
    assert (await admin.send(LIST, "disable", name="nobody")).status == 400


# adding


async def test_adding_a_model(admin: Office) -> None:
    more = {"identifier": "Qwen/Qwen2.5-Coder-7B", "api_key": KEY, "limits.concurrency": "8", "way.proxy": "none"}
    shown = await admin.send(NEW, "save", **filled(admin, **more))
    assert (shown.status, shown.location) == (303, f"{LIST}/coder?said=added&about=coder")
    stored = await admin.store.model("coder")
    assert (stored.family, stored.key, stored.limits.concurrency) == ("qwen_coder", Secret(KEY), 8)
    assert stored.options == {"proxy": "none"}
    assert await last(admin) == ("ada", "model.add", "coder")
    assert KEY not in (await admin.get(shown.location)).body


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "Give it a deployment name"),
        ({"name": "my coder"}, "Write it like my-coder"),
        ({"name": "chat"}, "name of a feature"),
        ({"name": "x" * 101}, "cannot be the name"),
        ({"endpoint": ""}, "needs the endpoint"),
        ({"identifier": ""}, "needs the identifier"),
        ({"endpoint": "ftp://host"}, "no http or https address"),
        ({"endpoint": "http://user:pass@host/v1"}, "holds a user name or password"),
        ({"platform": "moon"}, "There is no platform"),
        ({"family": "dragons"}, "There is no family"),
        ({"limits.concurrency": "many"}, "Give a number"),
        ({"limits.concurrency": "0"}, "cannot be 0"),
        ({"limits.total_s": "inf"}, "cannot be inf"),
        ({"limits.queue": "1.5"}, "Give a number"),
        ({"openai.fim": "dance"}, "cannot be 'dance'"),
        ({"way.magic": "1"}, "has no option 'magic'"),
    ],
)
async def test_what_cannot_be_is_said_and_nothing_typed_is_lost(
    admin: Office, fields: dict[str, str], said: str
) -> None:
    shown = await admin.send(NEW, "save", **filled(admin, **{"limits.queue_s": "7.25", "api_key": KEY, **fields}))
    assert shown.status == 400
    assert said in shown.text
    assert 'value="7.25"' in shown.body
    assert KEY not in shown.body
    assert await admin.store.models() == []


async def test_a_name_that_is_taken(admin: Office) -> None:
    await registered(admin)
    shown = await admin.send(NEW, "save", **filled(admin))
    assert (shown.status, "already a model named" in shown.text) == (400, True)
    assert "Type the API key again" not in shown.text
    typed = filled(admin, family="codellama", api_key=KEY)
    shown = await admin.send(NEW, "save", **typed, beta="on")
    assert (shown.status, "Type the API key again" in shown.text, KEY in shown.body) == (400, True, False)
    # what was refused has allowed nothing, and the box is still ticked
    assert "Forbid" not in (await admin.get("/console/settings")).text
    box = re.search(r'<input[^>]*name="beta"[^>]*>', shown.body)
    assert box
    assert " checked" in box[0]
    assert (await admin.send(NEW, "save", **{**typed, "name": "free"}, beta="on")).status == 303
    assert "Forbid" in (await admin.get("/console/settings")).text


async def test_a_family_that_is_not_settled_is_opted_into_once(admin: Office) -> None:
    asked = filled(admin, family="codellama")
    refused = await admin.send(NEW, "save", **asked)
    assert refused.status == 400
    assert (
        "Code Llama is beta. Choose another one, or tick “Allow beta and experimental families in this whole instance”"
        in refused.text
    )
    assert 'name="beta"' in refused.body
    assert await admin.store.models() == []
    assert (await admin.send(NEW, "save", **asked, beta="on")).status == 303
    assert 'name="beta"' not in (await admin.get(NEW)).body
    assert (await admin.send(NEW, "save", **{**asked, "name": "more"})).status == 303
    assert "Forbid" in (await admin.get("/console/settings")).text
    assert (await admin.send("/console/settings", "beta", beta="")).status == 303
    refused = await edited(admin, "coder", family="smollm")
    assert (refused.status, "is experimental" in refused.text) == (400, True)
    assert (await edited(admin, "coder", identifier="other")).status == 303


async def test_a_copy_begins_with_everything_but_the_key(admin: Office) -> None:
    await registered(admin, key=Secret(KEY), options={"headers": '{"X-Team": "blue"}'})
    body = (await admin.get(f"{NEW}?like=coder")).body
    assert 'value="coder-2"' in body
    assert "X-Team" in body
    assert KEY not in body


# what its server says


async def test_detecting_fills_in_what_is_served_and_the_missing_v1(admin: Office) -> None:
    async def catalogue(peer: Peer) -> None:
        if peer.target == "/v1/models":
            await peer.document({"object": "list", "data": [{"id": "Qwen/Qwen2.5-Coder-7B"}]})
        else:
            await peer.document({"error": {"message": "no"}}, 404)

    admin.house.models.catalogue = catalogue
    url = admin.house.models.url
    asked = filled(admin, endpoint=url.removesuffix("/v1"), identifier="", api_key=KEY)
    shown = await admin.send(NEW, "detect", **asked)
    assert shown.status == 200
    assert f"It answers at {url}" in shown.text
    assert f'value="{url}"' in shown.body
    assert 'value="Qwen/Qwen2.5-Coder-7B"' in shown.body
    assert '<option value="qwen_coder" selected>' in shown.body
    assert KEY not in shown.body
    assert admin.house.models.listed[-1].headers["authorization"] == f"Bearer {KEY}"


async def test_one_of_several_is_picked(admin: Office) -> None:
    async def catalogue(peer: Peer) -> None:
        await peer.document({"object": "list", "data": [{"id": "one"}, {"id": "llama-3.1-8b"}, {"id": XSS}]})

    admin.house.models.catalogue = catalogue
    shown = await admin.send(NEW, "detect", **filled(admin, identifier="", family=""))
    assert "Use one" in shown.text
    assert XSS not in shown.body
    # none is chosen yet: the family is left open, so that it follows from whichever is typed
    assert '<option value="" selected>Guess it from the identifier' in shown.body
    assert "&lt;script&gt;" in shown.body
    shown = await admin.send(NEW, "save", **filled(admin, identifier="", use="llama-3.1-8b"))
    assert 'value="llama-3.1-8b"' in shown.body
    assert '<option value="llama3" selected>' in shown.body
    assert await admin.store.models() == []


async def test_detecting_says_that_a_family_has_to_be_allowed(admin: Office) -> None:
    async def catalogue(peer: Peer) -> None:
        await peer.document({"object": "list", "data": [{"id": "nobody-knows-this"}]})

    admin.house.models.catalogue = catalogue
    asked = filled(admin, identifier="", family="")
    assert "To add it, tick “Allow beta" in (await admin.send(NEW, "detect", **asked)).text
    assert "To add it" not in (await admin.send(NEW, "detect", **asked, beta="on")).text


async def test_a_script_gets_help_alone(admin: Office) -> None:
    fields = {"do": "detect", "key": admin.key, **filled(admin, endpoint="")}
    shown = await _by_script(admin, fields)
    assert shown.status == 400
    assert "no endpoint to ask" in shown.text
    assert "<html" not in shown.body
    shown = await _by_script(admin, {**fields, **filled(admin)})
    assert 'hx-swap-oob="true"' in shown.body
    assert "<html" not in shown.body


async def _by_script(office: Office, fields: dict[str, str]) -> Shown:
    return await office.ask("POST", NEW, urlencode(fields).encode(), HX_Request="true")


async def test_a_server_that_wants_a_key(admin: Office) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.document({"error": {"message": "who are you"}}, 401)

    admin.house.models.catalogue = refuse
    shown = await admin.send(NEW, "detect", **filled(admin))
    assert "It wants an API key" in shown.text
    shown = await admin.send(NEW, "detect", **filled(admin, api_key=KEY))
    assert "It wants another API key" in shown.text


@pytest.mark.parametrize(
    ("status", "fix"),
    [(404, "It runs, and lists no models at this path: mend the path of the endpoint"), (500, "It runs: its own log")],
)
async def test_a_server_that_answers_is_not_to_be_started(admin: Office, status: int, fix: str) -> None:
    async def elsewhere(peer: Peer) -> None:
        await peer.document({"detail": "no"}, status)

    admin.house.models.catalogue = elsewhere
    url = admin.house.models.url.removesuffix("/v1")
    text = (await admin.send(NEW, "detect", **filled(admin, endpoint=f"{url}/api"))).text
    assert f"The server at {url}/api" in text
    assert (str(status) in text, fix in text, "Start it" in text) == (True, True, False)


async def test_testing_says_each_step(admin: Office) -> None:
    shown = await admin.send(NEW, "test", **filled(admin, name=""))
    assert "It works." in shown.text
    assert shown.text.count("✓") == 4
    assert await admin.store.models() == []


async def test_a_script_loads_one_step_after_the_other(admin: Office) -> None:
    fields = {"do": "test", "key": admin.key, **filled(admin)}
    shown = await _by_script(admin, fields)
    assert '"step": "address"' in shown.body.replace("&#34;", '"').replace("&quot;", '"')
    for step, following in (("address", "served"), ("served", "answers")):
        shown = await _by_script(admin, {**fields, "step": step})
        assert following in shown.body
        assert "✓" in shown.text
    assert "It works." in (await _by_script(admin, {**fields, "step": "answers"})).text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"endpoint": "http://127.0.0.1:9/v1"}, "nobody listens there"),
        ({"identifier": "other"}, "Set Model identifier to served"),
        ({"identifier": ""}, "needs the identifier"),
    ],
)
async def test_testing_stops_at_what_is_wrong(admin: Office, fields: dict[str, str], said: str) -> None:
    shown = await admin.send(NEW, "test", **filled(admin, **fields))
    assert said in shown.text
    assert "It works." not in shown.text


async def test_finding_out_what_a_model_can_do_is_kept(admin: Office) -> None:
    await registered(admin)
    shown = await admin.send(f"{LIST}/coder", "measure")
    assert shown.status == 303
    assert await last(admin) == ("ada", "model.measure", "coder")
    text = (await admin.get(f"{LIST}/coder")).text
    assert "Looked at" in text
    assert "Worth a look" in text
    assert "chat, streams" in (await admin.get(LIST)).text


# changing


async def test_an_empty_key_keeps_the_stored_one_where_it_belongs(admin: Office) -> None:
    await registered(admin, key=Secret(KEY))
    shown = await edited(admin, "coder", family="mistral")
    assert shown.location == f"{LIST}/coder?said=saved&about=coder"
    stored = await admin.store.model("coder")
    assert (stored.family, stored.key) == ("mistral", Secret(KEY))
    event = (await admin.store.audit(1))[0]
    assert (event.who, event.before, event.after) == ("ada", {"family": "qwen_coder"}, {"family": "mistral"})
    shown = await edited(admin, "coder", endpoint="http://gpu9.internal:8000/v1")
    assert "said=moved" in shown.location
    assert not (await admin.store.model("coder")).key


async def test_a_stored_key_is_not_tried_elsewhere(admin: Office) -> None:
    await registered(admin, key=Secret(KEY), endpoint="http://gpu1.internal:8000/v1")
    await admin.send(f"{LIST}/coder", "detect", **filled(admin))
    await admin.send(f"{LIST}/coder", "test", **filled(admin))
    heard = [*admin.house.models.listed, *admin.house.models.heard]
    assert heard
    assert not any("authorization" in peer.headers for peer in heard)


async def test_secret_headers_are_not_tried_elsewhere(admin: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATE_PASS", KEY)
    headers = '{"X-Pass": "env:GATE_PASS"}'
    await registered(admin, endpoint="http://gpu1.internal:8000/v1", options={"headers": headers})
    await admin.send(f"{LIST}/coder", "test", **filled(admin, **{"way.headers": headers}))
    heard = [*admin.house.models.listed, *admin.house.models.heard]
    assert heard
    assert not any("x-pass" in peer.headers for peer in heard)


async def test_a_key_is_forgotten_or_replaced(admin: Office) -> None:
    await registered(admin, key=Secret("old"))
    await edited(admin, "coder", api_key=KEY)
    assert (await admin.store.model("coder")).key == Secret(KEY)
    await edited(admin, "coder", no_api_key="on")
    assert not (await admin.store.model("coder")).key


async def test_who_is_second_is_told(admin: Office) -> None:
    stored = await registered(admin)
    seen = model_form.fingerprint(stored)
    await admin.store.edit_model("coder", {"family": "llama3"}, by="bob")
    values = filled(admin, seen=seen, family="codellama")
    shown = await admin.send(f"{LIST}/coder", "save", **values)
    assert (shown.status, "Somebody changed this model" in shown.text) == (409, True)
    assert '<option value="codellama" selected>' in shown.body
    assert (await admin.store.model("coder")).family == "llama3"


async def test_renaming_and_saving_nothing(admin: Office) -> None:
    await registered(admin)
    assert "said=same" in (await edited(admin, "coder")).location
    assert (await edited(admin, "coder", name="better")).location.startswith(f"{LIST}/better?")
    assert (await admin.get(f"{LIST}/coder")).status == 404


@pytest.mark.parametrize("name", ["a/b", "new", "..", "ä%41?#", 'x"y'])
async def test_every_name_has_a_page(admin: Office, name: str) -> None:
    await registered(admin, name)
    shown = await admin.get(model_form.address(name))
    assert shown.status == 200
    assert f"Delete {name}?" in (await admin.get(f"{model_form.address(name)}?delete")).text


async def test_a_doubt_is_mended_by_a_button(admin: Office) -> None:
    await registered(admin, endpoint="http://gpu1.internal:8000")
    assert "does not end in /v1" in (await admin.get(f"{LIST}/coder")).text
    wanted = {"field": "endpoint", "value": "http://gpu1.internal:8000/v1"}
    assert (await admin.send(f"{LIST}/coder", "mend", field="endpoint", value="http://evil.test/v1")).status == 400
    mended = await admin.send(f"{LIST}/coder", "mend", **wanted)
    assert (mended.status, (await admin.store.model("coder")).endpoint) == (303, wanted["value"])
    # whether it answers now is asked at once
    step = """hx-vals="{&#34;do&#34;: &#34;test&#34;, &#34;step&#34;"""
    assert (step in (await admin.get(mended.location)).body, step in (await admin.get(f"{LIST}/coder")).body) == (
        True,
        False,
    )
    await admin.sign_in("dewi", "auditor")
    assert step not in (await admin.get(mended.location)).body


async def test_the_embedded_model_keeps_what_its_form_does_not_show(admin: Office) -> None:
    made = Model(name="small", platform="embedded", family="smollm", identifier="smollm2")
    await admin.store.add_model(made, by="tests")
    assert "runs inside Homeport" in (await admin.get(f"{LIST}/small")).text
    fields = {"name": "small", "platform": "embedded", "family": "smollm", "clean": "on"}
    seen = model_form.fingerprint(await admin.store.model("small"))
    shown = await admin.send(f"{LIST}/small", "save", **{**fields, "seen": seen, "limits.queue": "9"})
    assert "said=saved" in shown.location
    stored = await admin.store.model("small")
    assert (stored.identifier, stored.limits.queue) == ("smollm2", 9)


# deleting


async def test_one_in_use_is_replaced_and_deleted_at_once(admin: Office) -> None:
    await registered(admin)
    await registered(admin, "other")
    await admin.store.set_feature(FeatureSetting(feature="chat", assignment="model", model="coder"), by="tests")
    shown = await admin.get(f"{LIST}/coder?delete")
    assert "General chat" in shown.text
    assert (await admin.send(f"{LIST}/coder?delete", "delete")).status == 409
    assert (await admin.send(f"{LIST}/coder?delete", "delete", instead="nobody-there")).status == 404
    shown = await admin.send(f"{LIST}/coder?delete", "delete", instead="other")
    assert shown.location == f"{LIST}?said=removed&about=coder"
    assert (await admin.store.features())["chat"].model == "other"
    assert [model.name for model in await admin.store.models()] == ["other"]
    events = [(event.who, event.what) for event in await admin.store.audit(2)]
    assert events == [("ada", "model.remove"), ("ada", "feature.set")]


async def test_a_deleted_one_comes_back_and_says_what_it_left_out(admin: Office) -> None:
    model = await registered(admin, key=Secret(KEY))
    for each in ("chat", "code_review"):
        await admin.store.set_feature(FeatureSetting(feature=each, assignment="model", model="coder"), by="tests")
    gone = await admin.send(f"{LIST}/coder?delete", "delete", instead=model_page.NOBODY)
    shown = await admin.get(gone.location)
    assert "coder is deleted. For an hour you can bring it back." in shown.text
    assert "Undo: bring it back" in shown.text
    await admin.store.set_feature(FeatureSetting(feature="code_review", assignment="disabled"), by="tests")
    back = await admin.send(LIST, "restore", name="coder")
    assert back.location == f"{LIST}?said=recovered&about=coder&kept=code_review"
    shown = await admin.get(back.location)
    assert "coder is back as it was." in shown.text
    assert "One feature was set otherwise since and stays so: " in shown.text
    assert "Undo" not in shown.text
    assert await admin.store.model("coder") == model
    assert KEY not in shown.text
    assert (await admin.store.features())["chat"].model == "coder"
    assert ("ada", "model.restore") in [(event.who, event.what) for event in await admin.store.audit(2)]
    again = await admin.send(LIST, "restore", name=XSS)
    assert again.status == 404
    assert XSS in again.text


async def test_one_in_use_goes_without_replacement_if_that_is_said(admin: Office) -> None:
    await registered(admin)
    await admin.store.set_feature(FeatureSetting(feature="chat", assignment="model", model="coder"), by="tests")
    await admin.send(f"{LIST}/coder?delete", "delete", instead=model_page.NOBODY)
    assert (await admin.store.features())["chat"].assignment == "unassigned"
    assert await admin.store.models() == []


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"model": "old", "fallbacks": ("new", "x")}, {"model": "new", "fallbacks": ("x",)}),
        ({"model": "x", "fallbacks": ("old", "new")}, {"model": "x", "fallbacks": ("new",)}),
        ({"model": "old", "weights": {"old": 3, "new": 1}}, {"model": "new", "weights": {"new": 3}}),
        ({"model": "new", "shadow": "old"}, {"model": "new"}),
        ({"model": "x", "shadow": "old"}, {"model": "x", "shadow": "new"}),
    ],
)
def test_a_replacement_is_named_once(setting: dict[str, Any], expected: dict[str, Any]) -> None:
    made = FeatureSetting(feature="chat", assignment="model", **setting)
    assert made.replaced("old", "new") == FeatureSetting(feature="chat", assignment="model", **expected)


# who may


async def test_an_auditor_looks_and_changes_nothing(office: Office) -> None:
    await registered(office, key=Secret(KEY), options={"headers": '{"X-Token": "in-clear"}'})
    await office.sign_in("eve", "auditor")
    shown = await office.get(f"{LIST}/coder")
    assert shown.status == 200
    assert "Save" not in shown.text
    assert "in-clear" not in shown.body
    assert "Disable" not in (await office.get(LIST)).text
    assert (await office.get(NEW)).status == 403
    before = await office.store.revision()
    for path, do in ((LIST, "disable"), (NEW, "save"), (NEW, "detect"), (NEW, "test")):
        assert (await office.send(path, do, **filled(office))).status == 403
    for do in ("save", "detect", "test", "measure", "mend", "switch", "delete"):
        assert (await office.send(f"{LIST}/coder", do, **filled(office))).status == 403
    assert await office.store.revision() == before
    assert not office.house.models.heard


async def test_a_user_sees_no_models(office: Office) -> None:
    await registered(office)
    await office.sign_in("bob", "user")
    for path in (LIST, NEW, f"{LIST}/coder"):
        assert (await office.get(path)).status == 403
    assert "Self-hosted models" not in (await office.get("/console")).text


async def test_markup_in_every_field_is_text(admin: Office) -> None:
    await registered(admin, XSS, identifier=XSS, endpoint=f"http://gpu1.internal/{XSS.replace(' ', '')}/v1")
    for path in (LIST, model_form.address(XSS), f"{model_form.address(XSS)}?delete", f"{LIST}?q={XSS}&about={XSS}"):
        shown = await admin.get(path.replace('"', "%22").replace("<", "%3C").replace(">", "%3E"))
        assert shown.status == 200
        assert "<script>alert" not in shown.body
    fields = filled(admin, name=XSS, identifier=XSS, family=XSS, **{"way.headers": XSS, "openai.extra_body": XSS})
    shown = await admin.send(NEW, "save", **fields)
    assert shown.status == 400
    assert "<script>alert" not in shown.body


async def test_a_server_that_repeats_the_key_does_not_make_us_show_it(admin: Office) -> None:
    async def repeat(peer: Peer) -> None:
        await peer.document({"error": {"message": f"bad key {peer.headers.get('authorization')}"}}, 400)

    admin.house.models.catalogue = admin.house.models.play = repeat
    await registered(admin, key=Secret(KEY))
    for do in ("detect", "test"):
        for path in (NEW, f"{LIST}/coder"):
            typed = {"api_key": KEY} if path == NEW else {}
            assert KEY not in (await admin.send(path, do, **filled(admin, **typed))).body
    await admin.send(f"{LIST}/coder", "measure")
    assert KEY not in (await admin.get(f"{LIST}/coder")).body

"""Requests in the console: found again, looked into, asked again; what was said is there only while it was logged."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from house import PEPPER

from homeport.access import SCOPES, tokens
from homeport.domain.entries import ENDINGS, Entry, Phases, Traits
from homeport.domain.models import FeatureSetting, Model, Secret, Token
from homeport.domain.verbose import SETTING

if TYPE_CHECKING:
    from offices import Office

PAGE, VERBOSE = "/console/requests", "/console/verbose"
KEY = "sk-0123456789abcdef"
XSS = "<script>alert(1)</script>"
CODE = {"prompt": "def add(a, b):\n    return", "suffix": "\n", "max_tokens": 16}


@pytest.fixture
async def desk(office: Office) -> Office:
    """Two models, a token, an administrator."""
    for name, family in (("coder", "qwen_coder"), ("other", "mistral")):
        url = office.house.models.url
        model = Model(name=name, platform="openai", family=family, endpoint=url, identifier=name, key=Secret(KEY))
        await office.store.add_model(model, by="tests")
    for feature in ("code_completions", "chat"):
        await office.store.set_feature(FeatureSetting(feature=feature, assignment="model", model="coder"), by="tests")
    await office.sign_in("ada", "admin")
    return office


async def asked(office: Office, path: str = "/v1/completions", body: Any = CODE, **headers: str) -> str:
    """Ask something through the front door; gives the id."""
    token = tokens.mint()
    digest = tokens.digest(PEPPER, token)
    row = Token(name=f"t{time.monotonic_ns()}", owner="uma", digest=digest, hint="abcd", scopes=frozenset(SCOPES))
    await office.store.add_token(row, by="tests")
    answer = await office.house.post(path, body, token, **headers)
    found = answer.header("x-request-id")
    assert found
    await office.written()
    return found


async def test_nothing_yet(desk: Office) -> None:
    shown = await desk.get(PAGE)
    assert shown.status == 200
    assert "Nobody asked for anything yet" in shown.text
    assert "No request is like this" in (await desk.get(f"{PAGE}?who=nobody")).text


async def test_a_request_is_found_by_everything(desk: Office) -> None:
    number = await asked(desk, User_Agent="Neovim/0.10")
    for query in ("", "?who=uma", "?feature=code_completions", "?model=coder", "?status=answered", "?client=Neovim"):
        assert number in (await desk.get(PAGE + query)).body, query
    for query in (
        "?who=bob",
        "?feature=chat",
        "?model=other",
        "?status=failed",
        "?find=nothing",
        "?to=2020-01-01T00:00",
    ):
        assert number not in (await desk.get(PAGE + query)).body, query
    there = await desk.get(f"{PAGE}?find={number}")
    assert (there.status, there.location) == (303, f"{PAGE}/{number}")
    shown = await desk.get(there.location)
    assert "POST /v1/completions" in shown.text
    for said in ("uma", "coder", "qwen_coder", "OpenAI completions", "Neovim", "admit", "first token", "all of it"):
        assert said in shown.text, said
    assert "What was said was not logged" in shown.text
    assert "def add" not in shown.body


async def test_a_failure_says_why_and_what_was_tried(desk: Office) -> None:
    await desk.house.transport.close()
    setting = FeatureSetting(feature="chat", assignment="model", model="coder", fallbacks=("other",))
    await desk.store.set_feature(setting, by="tests")

    async def refuse(peer: Any) -> None:
        await peer.document({"error": "no"}, status=503)

    desk.house.models.play = refuse
    number = await asked(desk, "/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]})
    shown = await desk.get(f"{PAGE}/{number}")
    assert "failed · 503" in shown.text or "failed · 502" in shown.text or "failed · 429" in shown.text
    assert "Attempts to get an answer" in shown.text
    assert re.findall(r'scope="row">([12])\. (\w+)<', shown.body)[0] == ("1", "coder")
    bars = re.findall(r'<rect class="failed" x="(\d+)" width="(\d+)"', shown.body)
    assert len(bars) == len(re.findall(r"<code>upstream_\w+</code></span>", shown.body)) >= 1
    assert number in (await desk.get(f"{PAGE}?status=failed&find=model")).body


async def test_a_callers_mistake_is_refused_and_nothing_failed(desk: Office) -> None:
    number = await asked(desk, body={"prompt": 5})
    assert "refused · 400" in (await desk.get(f"{PAGE}/{number}")).text
    found = {ending: number in (await desk.get(f"{PAGE}?status={ending}")).body for ending in ENDINGS}
    assert found == {"answered": False, "failed": False, "refused": True, "left": False}
    desk.request_log.enter(Entry(time.time(), "gone-early", Traits(status=499, outcome="client_closed"), Phases(1000)))
    await desk.request_log.settle()
    assert "client left · 499" in (await desk.get(f"{PAGE}?status=left")).text


async def test_hostile_ids_are_replaced_and_found_under_their_own(desk: Office) -> None:
    for hostile in ("x" * 10_000, "1'; DROP TABLE requests--", "a/b", "../x"):
        number = await asked(desk, X_Request_Id=hostile[:8000])
        assert number != hostile
        assert len(number) == 32
        assert (await desk.get(f"{PAGE}/{number}")).status == 200


async def test_what_is_stored_is_shown_as_text(desk: Office) -> None:
    traits = Traits(who=XSS, model=XSS, feature="chat", status=502, outcome="rejected", error_code="x", error=XSS)
    desk.request_log.enter(Entry(time.time(), "an-id-of-8", traits, Phases(1000)))
    await desk.request_log.settle()
    for path in (PAGE, f"{PAGE}/an-id-of-8"):
        shown = await desk.get(path)
        assert XSS not in shown.body
        assert XSS in shown.text


async def test_pages_and_following_live(desk: Office) -> None:
    traits = Traits(who="ada", feature="chat", model="coder", status=200, outcome="completed")
    for number in range(120):
        desk.request_log.enter(Entry(time.time(), f"number-{number:04}", traits, Phases(1000)))
    await desk.request_log.settle()
    first = await desk.get(f"{PAGE}?who=ada")
    assert first.body.count("<tr>") == 101
    older = first.body.split('class="button" href="')[-1].split('"')[0].replace("&amp;", "&")
    second = await desk.get(older)
    assert second.body.count("<tr>") == 21
    assert "number-0000" in second.body
    live = await desk.get(f"{PAGE}?who=ada&live=1")
    assert 'hx-trigger="every 2s"' in live.body
    assert "Stop following" in live.text


@pytest.mark.parametrize("query", ["status=9xx", "status=abc", "from=yesterday", "to=2027-13-01T00:00"])
async def test_a_filter_that_makes_no_sense(desk: Office, query: str) -> None:
    shown = await desk.get(f"{PAGE}?{query}")
    assert shown.status == 400
    assert "Write" in shown.text or "write" in shown.text


@pytest.mark.parametrize(
    "query", ["below=x", "below=99999999999999999999999", "find=%00", "who=%ff", "from=9999-12-31T00:00"]
)
async def test_a_filter_from_somebody_hostile(desk: Office, query: str) -> None:
    assert (await desk.get(f"{PAGE}?{query}")).status in {200, 400}


async def test_who_may_look(desk: Office) -> None:
    number = await asked(desk)
    for role, status in (("user", 403), ("auditor", 200)):
        await desk.sign_in(f"a-{role}", role)
        for path in (PAGE, f"{PAGE}/{number}", VERBOSE):
            assert (await desk.get(path)).status == status
    assert (await desk.get(f"{PAGE}/no-such-request")).status == 404


# verbose logging


async def switched_on(office: Office) -> None:
    assert (await office.send(VERBOSE, "on", minutes="60")).status == 303


async def test_content_only_while_it_is_switched_on(desk: Office) -> None:
    before = await asked(desk)
    await switched_on(desk)
    assert "Verbose logging is on until" in (await desk.get("/console")).text
    during = await asked(desk)
    assert (await desk.send(VERBOSE, "off")).status == 303
    assert "Verbose logging is on until" not in (await desk.get("/console")).text
    after = await asked(desk)
    said = {each: "def add(a, b)" in (await desk.get(f"{PAGE}/{each}")).text for each in (before, during, after)}
    shown = (await desk.get(f"{PAGE}/{during}")).text
    for part in ("What coder was told", "<|fim_prefix|>def add(a, b)", "What coder said", "one + two"):
        assert part in shown, part
    assert said == {before: False, during: True, after: False}
    whats = [(event.what, event.subject) for event in await desk.store.audit(5)]
    assert whats.count(("setting.set", SETTING)) == 2


async def test_it_ends_by_itself_and_cannot_be_set_for_ever(desk: Office) -> None:
    for moment in ("2020-01-01T00:00:00+00:00", "9999-01-01T00:00:00+00:00", "soon"):
        await desk.store.set_setting(SETTING, moment, by="tests")
        assert not desk.house.app.door.verbose()
        assert "is on until" not in (await desk.get("/console")).text
    await switched_on(desk)
    assert desk.house.app.door.verbose()
    until = datetime.fromisoformat((await desk.store.settings())[SETTING])
    assert 3500 < (until - datetime.now(UTC)).total_seconds() <= 3600


async def test_only_administrators_switch_and_read(desk: Office) -> None:
    await switched_on(desk)
    number = await asked(desk)
    await desk.sign_in("audi", "auditor")
    shown = await desk.get(f"{PAGE}/{number}")
    assert "administrators may read it" in shown.text
    assert "def add" not in shown.body
    assert (await desk.send(VERBOSE, "off")).status == 403
    assert (await desk.send(f"{PAGE}/{number}", "replay", row="1", model="other")).status == 403


async def test_keys_are_masked_in_what_is_kept(desk: Office) -> None:
    await switched_on(desk)
    secret = "sk-canary-0123456789abcdef0123"
    number = await asked(desk, body=CODE | {"prompt": f"key = '{secret}'\nprint("})
    (found,) = await desk.request_log.find(number)
    content = await desk.request_log.content(found.row)
    assert content is not None
    kept = str(content)
    assert "key = " in kept
    assert secret not in kept
    assert KEY not in kept


async def test_a_models_key_is_masked_in_a_request_that_was_refused(desk: Office) -> None:
    await switched_on(desk)
    key = 'a "word" that looks like none'
    carried = {"model_endpoint": "http://127.0.0.1:9", "model_name": "mistral", "model_api_key": key}
    body = {"prompt_version": 1, "current_file": "none", "project_id": 1, **carried}
    number = await asked(desk, "/v2/code/completions", body)
    (found,) = await desk.request_log.find(number)
    assert found.traits.error_code == "bad_request"
    content = await desk.request_log.content(found.row)
    assert content is not None
    assert "model_api_key" in content.body
    assert "looks like none" not in content.body


# asking again


async def test_a_request_is_asked_again_of_another_model(desk: Office) -> None:
    await switched_on(desk)
    number = await asked(desk)
    (found,) = await desk.request_log.find(number)
    shown = await desk.send(f"{PAGE}/{number}", "replay", row=str(found.row), model="other")
    assert shown.status == 200
    assert "Then: coder" in shown.text
    assert "Now: other" in shown.text
    assert "What differs" in shown.text
    (event,) = await desk.store.audit(1)
    assert (event.who, event.what, event.subject, event.after) == ("ada", "request.replay", number, {"model": "other"})


@pytest.mark.parametrize("stream", [True, False])
async def test_chat_is_asked_again_in_words(desk: Office, *, stream: bool) -> None:
    await switched_on(desk)
    body = {"messages": [{"role": "user", "content": "Say hello"}], "stream": stream}
    number = await asked(desk, "/v1/chat/completions", body)
    (found,) = await desk.request_log.find(number)
    shown = await desk.send(f"{PAGE}/{number}", "replay", row=str(found.row), model="coder")
    assert shown.status == 200
    assert "data: {" not in shown.text
    assert "Nothing." in shown.text


async def admitted(office: Office) -> str:
    """The token of a program that administers."""
    made = tokens.mint()
    row = Token(name="robot", owner="ada", digest=tokens.digest(PEPPER, made), hint="abcd", scopes=frozenset(SCOPES))
    await office.store.add_token(row, by="tests")
    return made


async def test_a_program_asks_again(desk: Office) -> None:
    token = await admitted(desk)
    silent = await asked(desk)
    await switched_on(desk)
    number = await asked(desk)
    path = "/api/admin/v1/replays"
    told = await desk.house.ask("POST", f"{path}/{number}", {"model": "other"}, token=token)
    assert told.status == 200, told.body
    assert (told.json["then"]["model"], told.json["now"]["model"], told.json["now"]["error"]) == ("coder", "other", "")
    assert told.json["then"]["text"]
    assert told.json["now"]["text"]
    assert told.json["differs"] is (told.json["then"]["text"].strip() != told.json["now"]["text"].strip())
    (event,) = await desk.store.audit(1)
    assert (event.who, event.what, event.subject) == ("api:ada", "request.replay", number)
    for id_, body, status, said in (
        (number, {"model": "nobody"}, 404, "nobody"),
        (number, {"model": "other", "row": "1"}, 400, "is not kept"),
        (silent, {"model": "other"}, 400, "is not kept"),
        ("none", {"model": "other"}, 404, "No request"),
        (number, {}, 400, "model"),
    ):
        refused = await desk.house.ask("POST", f"{path}/{id_}", body, token=token)
        assert refused.status == status
        assert said in refused.json["error"]["message"]
    assert len([each for each in await desk.store.audit() if each.what == "request.replay"]) == 1


async def test_a_request_is_not_asked_again_under_the_id_of_another(desk: Office) -> None:
    await switched_on(desk)
    theirs, mine = await asked(desk), await asked(desk)
    (found,) = await desk.request_log.find(theirs)
    shown = await desk.send(f"{PAGE}/{mine}", "replay", row=str(found.row), model="other")
    assert (shown.status, "is not kept" in shown.text) == (400, True)


async def test_asking_again_what_was_not_kept(desk: Office) -> None:
    number = await asked(desk)
    (found,) = await desk.request_log.find(number)
    shown = await desk.send(f"{PAGE}/{number}", "replay", row=str(found.row), model="other")
    assert shown.status == 400
    assert "is not kept" in shown.text
    await switched_on(desk)
    number = await asked(desk)
    (found,) = await desk.request_log.find(number)
    shown = await desk.send(f"{PAGE}/{number}", "replay", row=str(found.row), model="nobody")
    assert shown.status == 404 or "no model" in shown.text


async def test_pages_of_the_console_are_not_written_down(desk: Office) -> None:
    await desk.get("/console")
    await desk.written()
    assert "Nobody asked for anything yet" in (await desk.get(PAGE)).text

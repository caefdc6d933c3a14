"""A form whose session ended: it is kept, shown again in the next session, and never carried out by itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from databases import run_sql
from house import eventually

from homeport import console
from homeport.console import Page, _ended
from homeport.domain.models import Model
from homeport.kit.discover import discover

if TYPE_CHECKING:
    from offices import Office

NEW = "/console/models/new"
TYPED = {"name": '"><b>coder', "endpoint": "http://gpu1:8000/v1", "api_key": "sk-typed", "platform": "openai"}
PAGES = {name: page for name, page in discover(console, Page).items() if page.acts and page.see != "anyone"}


def kept(body: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', body))


async def test_the_form_of_an_ended_session_is_kept(office: Office) -> None:
    await office.sign_in()
    await office.store.end_sessions("ada", by="tests")
    shown = await office.send(NEW, "save", **TYPED)
    assert (shown.status, shown.location) == (401, "")
    assert "nothing that you typed is lost" in shown.text
    assert kept(shown.body) == {
        "do": "save", "name": "&#34;&gt;&lt;b&gt;coder", "endpoint": TYPED["endpoint"], "platform": "openai",
    }  # fmt: skip
    assert 'target="_blank"' in shown.body
    assert "sk-typed" not in shown.body


async def test_the_next_session_is_shown_it_and_nothing_is_done(office: Office) -> None:
    await office.sign_in()
    shown = await office.send(NEW, "save", **TYPED, key="0" * 40)
    assert (shown.status, "Look at it and send it again" in shown.text) == (403, True)
    assert "&lt;b&gt;coder" in shown.body
    assert office.key in shown.body
    assert "sk-typed" not in shown.body
    assert not await office.store.models()


async def test_what_was_typed_stays_where_the_database_refuses_it(office: Office) -> None:
    await office.sign_in()
    refuse = "CREATE TRIGGER refusal BEFORE INSERT ON models BEGIN SELECT RAISE(ABORT, 'refused'); END"
    url = office.store._engine.url.render_as_string()  # noqa: SLF001 (a test's way to its file)
    await run_sql(url, refuse)
    typed = TYPED | {"name": "coder", "family": "qwen_coder", "identifier": "qwen-of-mine"}
    shown = await office.send(NEW, "save", **typed)
    assert (shown.status, 'role="alert"' in shown.body) == (503, True)
    assert 'value="qwen-of-mine"' in shown.body
    assert "sk-typed" not in shown.body
    await run_sql(url, "DROP TRIGGER refusal")
    assert (await office.send(NEW, "save", **typed)).status == 303


@pytest.mark.parametrize("path", [NEW, "/console/models/coder"])
async def test_what_was_typed_before_a_server_was_asked_comes_back(office: Office, path: str) -> None:
    model = Model(name="coder", platform="openai", family="qwen_coder", endpoint="http://gpu1/v1", identifier="x")
    await office.store.add_model(model, by="tests")
    await eventually(lambda: office.house.app.door.bench.snapshot().models)
    typed = {"name": "my-coder", "platform": "azure", "endpoint": "http://gpu9/v1", "identifier": "mine"}
    asks = urlencode({"do": "save", **typed, "limits.queue": "9"}) + "&do=detect"
    shown = await office.ask("POST", path, asks.encode())
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', shown.body)
    assert (shown.status, [value for name, value in fields if name == "do"]) == (401, ["save", "detect"])
    await office.sign_in()
    back = await office.ask("POST", path, urlencode(fields).encode())
    assert back.status == 403
    drawn = re.findall(r"<input[^>]*>", back.body)
    for name, value in (*typed.items(), ("limits.queue", "9")):
        assert [each for each in drawn if f'name="{name}"' in each and f'value="{value}"' in each], name


async def test_other_sites_are_told_nothing(office: Office) -> None:
    body = b"do=save&name=planted"
    shown = await office.ask("POST", NEW, body, Sec_Fetch_Site="cross-site")
    assert (shown.status, "planted" in shown.body) == (403, False)
    await office.sign_in()
    shown = await office.ask("POST", NEW, body, Sec_Fetch_Site="cross-site")
    assert (shown.status, "planted" in shown.body) == (403, False)


@pytest.mark.parametrize("signed_in", [False, True])
async def test_a_script_that_wanted_a_part_gets_a_page(office: Office, *, signed_in: bool) -> None:
    if signed_in:
        await office.sign_in()
    async with office.house.line() as wire:
        await wire.send(office.asking("POST", NEW, b"do=detect&endpoint=x", HX_Request="true"))
        answer = await wire.answer()
    assert answer.header("hx-retarget") == "body"
    assert answer.header("hx-reselect") == (".frame" if signed_in else "main")


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
async def test_what_is_secret_is_known(office: Office, page: Page) -> None:
    await office.sign_in()
    for query in ("", "?new"):
        shown = await office.get(page.path.partition("{")[0].rstrip("/") + query)
        fields = re.findall(r"<input[^>]*>", shown.body)
        secret = {re.findall(r'name="([^"]*)"', each)[0] for each in fields if 'type="password"' in each}
        assert secret <= _ended.SECRET

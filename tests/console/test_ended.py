"""A form whose session ended: it is kept, shown again in the next session, and never carried out by itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from homeport import console
from homeport.console import Page, _ended
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

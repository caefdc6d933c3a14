"""The set-ups of clients: each names what this server really offers, with the address and the token in place."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from offices import office_at

from homeport.access import SCOPES
from homeport.console._clients import GROUPS, filled
from homeport.console._connect import clients

if TYPE_CHECKING:
    from pathlib import Path

    from offices import Office

ADDRESS, TOKEN = "https://ai.example.com", "hp_token"


@pytest.mark.parametrize("key", sorted(clients()))
def test_a_set_up_is_filled_in(key: str) -> None:
    client = clients()[key]
    texts = [filled(step.text, ADDRESS, TOKEN) for step in client.steps]
    assert not re.search("@[A-Z]+@", "".join(texts))
    assert any("ai.example.com" in text for text in texts)
    assert any(TOKEN in text for text in texts) is client.token
    assert client.scopes <= SCOPES.keys()
    for text in texts:
        if text.startswith("{"):
            json.loads(text)


async def test_every_path_that_a_client_asks_is_there(office: Office) -> None:
    paths = {
        path for each in clients().values() for step in each.steps for path in re.findall(r"/v1/[a-z/]+", step.text)
    }
    assert paths == {"/v1/completions", "/v1/chat/completions"}
    assert paths <= office.house.app.routes.keys()


async def test_the_page_has_every_client(office: Office) -> None:
    await office.sign_in("ben", "user")
    shown = await office.get("/console/connect")
    assert shown.status == 200
    for key, client in clients().items():
        assert f'id="client-{key}"' in shown.body
        assert client.label in shown.text
    places = [shown.body.index(f"<h2>{name}</h2>") for _, name in GROUPS]
    assert places == sorted(places)
    assert places[1] < shown.body.index('id="client-aider"') < places[2] < shown.body.index('id="client-vercel_ai"')
    assert f"http://127.0.0.1:{office.house.port}/v1" in shown.text
    assert "have no seat yet" not in shown.text
    await office.store.edit_user("ben", {"seat": False}, by="tests")
    assert "have no seat yet" in (await office.get("/console/connect")).text


NOBODY = "Nobody on another machine can open this address"
GUESSED = "The address begins as this browser reached Homeport."


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:5050", "[::1]:5050"])
async def test_an_address_that_others_cannot_open_is_told_wherever_it_is_handed_out(office: Office, host: str) -> None:
    await office.sign_in()
    pages = [await office.get(f"/console/{each}", Host=host) for each in ("connect", "single-sign-on")]
    sent = (("people", {"name": "ben"}), ("invitations", {"note": "ben", "role": "user", "lasts": "1"}))
    for path, fields in sent:
        body = urlencode({"do": "add", "key": office.key, **fields}).encode()
        pages.append(await office.ask("POST", f"/console/{path}", body, Host=host, Origin=f"http://{host}"))
    for shown in pages:
        assert (shown.status, NOBODY in shown.text, '/console/settings#url"' in shown.body) == (200, True, True)
        assert "It also listens on this machine alone" in shown.text
        await office.store.remove_user("ben", by="tests") if "sign-in?code=" in shown.body else None


async def test_an_address_that_a_browser_said_is_a_guess_and_one_that_is_set_is_none(
    office: Office, tmp_path: Path
) -> None:
    await office.sign_in()
    text = (await office.get("/console/connect", Host="homeport.lan:5050")).text
    assert (NOBODY in text, GUESSED in text, "http://homeport.lan:5050" in text) == (False, True, True)
    async with office_at(tmp_path / "other", url="http://ai.example") as other:
        await other.sign_in()
        text = (await other.get("/console/connect", Host="127.0.0.1")).text
    assert (NOBODY in text, GUESSED in text, "http://ai.example" in text) == (False, False, True)

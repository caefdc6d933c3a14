"""Finding pages, features and models by a few letters, and the help for keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from homeport.domain.models import Model
from homeport.store.records import User

if TYPE_CHECKING:
    from offices import Office, Shown

XSS = "<img src=x onerror=alert(1)>"


def found(shown: Shown) -> list[str]:
    return re.findall(r'href="([^"]+)"', shown.body.partition('id="found"')[2].partition("</main>")[0])


@pytest.fixture
async def desk(office: Office) -> Office:
    """Two models, and an administrator."""
    for name in ("coder", "encoder"):
        model = Model(name=name, platform="openai", family="qwen_coder", endpoint="http://gpu1/v1", identifier="x")
        await office.store.add_model(model, by="tests")
    await office.sign_in()
    return office


async def test_every_page_of_the_menu_is_found(desk: Office) -> None:
    shown = await desk.get("/console/find")
    menu = re.findall(r'<a href="([^"]+)"[^>]*data-go', shown.body)
    assert menu
    assert set(menu) <= set(found(shown))
    for address in found(shown):
        assert (await desk.get(address)).status == 200, address


async def test_models_and_features_by_letters(desk: Office) -> None:
    assert found(await desk.get("/console/find?q=CODER"))[-2:] == ["/console/models/coder", "/console/models/encoder"]
    assert found(await desk.get("/console/find?q=general+chat")) == ["/console/features/chat"]
    nothing = await desk.get("/console/find?q=zzzz")
    assert (nothing.status, found(nothing), "Nothing is called so" in nothing.text) == (200, [], True)


async def test_people_by_a_part_of_what_they_are_called(desk: Office) -> None:
    for name, display in (("bea", "Beatrice Stone"), ("carlos.mendes@example.com", ""), (XSS, "")):
        await desk.store.add_user(User(name=name, display=display), by="tests")
    assert found(await desk.get("/console/find?q=stone+bea")) == ["/console/people?name=bea"]
    assert found(await desk.get("/console/find?q=MENDES")) == ["/console/people?name=carlos.mendes%40example.com"]
    assert "Beatrice Stone" in (await desk.get("/console/find?q=bea")).text
    assert "/console/people?name=bea" not in found(await desk.get("/console/find"))
    shown = await desk.get("/console/find?q=onerror")
    assert (len(found(shown)), XSS in shown.body, XSS in shown.text) == (1, False, True)
    assert (await desk.get("/console/find?q=%00")).status == 200
    await desk.sign_in("dewi", "auditor")
    assert found(await desk.get("/console/find?q=stone")) == ["/console/people?find=bea"]
    await desk.sign_in("ben", "user")
    assert found(await desk.get("/console/find?q=stone")) == []


@pytest.mark.parametrize("typed", ["password", "dark", "theme", "sign+out"])
async def test_what_is_done_under_account_is_found(desk: Office, typed: str) -> None:
    await desk.sign_in("ben", "user")
    assert "/console/account" in found(await desk.get(f"/console/find?q={typed}"))


async def test_a_part_of_it_is_no_whole_page(desk: Office) -> None:
    for address in ("/console/find?q=audit", "/console/keys"):
        shown = await desk.get(address, HX_Request="true")
        assert (shown.status, "<html" in shown.body, "<h1>" in shown.body) == (200, False, True)


async def test_users_find_what_they_may_see(desk: Office) -> None:
    await desk.sign_in("ben", "user")
    shown = await desk.get("/console/find?q=o")
    assert not [each for each in found(shown) if each.startswith(("/console/models", "/console/features"))]
    assert "/console/playground" in found(shown)
    assert "coder" not in (await desk.get("/console/find?q=coder")).body.partition('id="found"')[2]
    assert "AI-powered features" not in (await desk.get("/console/keys")).text


async def test_what_was_typed_is_text(desk: Office) -> None:
    shown = await desk.get(f"/console/find?q={XSS.replace(' ', '+')}")
    assert (shown.status, XSS in shown.body) == (200, False)
    desk.cookie = ""
    assert (await desk.get("/console/find")).status == 303


async def test_keys_lead_to_different_pages(desk: Office) -> None:
    body = (await desk.get("/console/keys")).body
    ways = re.findall(r'data-go="(.)"', body)
    assert len(ways) == len(set(ways)) >= 7
    for key in ways:
        assert f"<kbd>g</kbd> <kbd>{key}</kbd>" in body

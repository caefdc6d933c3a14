"""Single sign-on with a real provider: oidc-provider, on Node, with its development forms."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest
from offices import office_at
from single_sign_on import DOOR, HERE, MISSING, Browser, fill, real_provider, set_up

from homeport.store.records import User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from offices import Office, Shown
    from single_sign_on import Real

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
ROLES = {"admins": "homeport-admins", "auditors": "homeport-auditors; revisors"}


@pytest.fixture(scope="module", params=[True, False], ids=["claims at userinfo", "claims in the token"])
async def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Office, Real]]:
    async with office_at(tmp_path_factory.mktemp("real")) as office:
        at = f"http://127.0.0.1:{office.house.port}"
        async with real_provider(at, slim=request.param) as provider:
            await office.store.set_user(User(name="root", role="admin"), by="tests")
            await set_up(office, provider.url, name="The Office", **ROLES)
            yield office, provider


async def enter(office: Office, browser: Browser, login: str, query: str = "") -> Shown:
    """The whole way from the sign-in page, to where it ends."""
    at = f"http://127.0.0.1:{office.house.port}"
    shown = await browser.follow(await browser.ask(f"{at}{HERE}{query}"), at)
    shown = await fill(browser, shown, login, at)
    assert shown.location.startswith(at), (shown.status, shown.text)
    return await browser.follow(await browser.ask(shown.location))


async def role(office: Office, name: str) -> str:
    return next(user.role for user in await office.store.users() if user.name == name)


async def test_the_button_leads_in(place: tuple[Office, Real]) -> None:
    office, _provider = place
    browser, at = Browser(), f"http://127.0.0.1:{office.house.port}"
    door = await browser.ask(f"{at}{DOOR}?next=/console/account")
    assert "Continue with The Office" in door.text
    address = re.search(rf'href="({HERE}[^"]*)"', door.body)
    assert address is not None
    shown = await enter(office, browser, "bea", unescape(address[1]).removeprefix(HERE))
    assert (shown.status, "Signed in as bea@example.com, a user." in " ".join(shown.text.split())) == (200, True)


@pytest.mark.parametrize(
    ("login", "expected"),
    [("ann+homeport-admins+staff", "admin"), ("ava+revisors", "auditor"), ("amy+homeport-auditors", "auditor"),
     ("ali+homeport-admins+revisors", "admin"), ("aki+homeport-admin", "user"), ("abe", "user")],
)  # fmt: skip
async def test_groups_make_roles(place: tuple[Office, Real], login: str, expected: str) -> None:
    office, _provider = place
    assert "Overview" in (await enter(office, Browser(), login)).text
    assert await role(office, f"{login.partition('+')[0]}@example.com") == expected


async def test_the_same_person_has_one_account_and_one_line_each_time(place: tuple[Office, Real]) -> None:
    office, provider = place
    for _time in range(2):
        await enter(office, Browser(), "eva+homeport-admins")
    assert [each.subject for each in await office.store.identities("eva@example.com")] == ["eva+homeport-admins"]
    events = [event for event in await office.store.audit() if event.subject == "eva@example.com"]
    assert [event.what for event in events] == ["session.begin", "session.begin", "identity.link", "user.set"]
    assert events[0].after == {"issuer": provider.url, "role": "admin"}


async def test_who_was_given_another_role_here_gets_back_what_the_provider_says(place: tuple[Office, Real]) -> None:
    office, _provider = place
    await enter(office, Browser(), "fay")
    await office.store.set_user(User(name="fay@example.com", role="admin"), by="tests")
    await enter(office, Browser(), "fay")
    assert await role(office, "fay@example.com") == "user"
    told = next(event for event in await office.store.audit() if event.what == "user.set")
    assert (told.who, told.before, told.after) == (
        "single sign-on",
        {"role": "admin", "disabled": False},
        {"role": "user", "disabled": False},
    )


async def test_who_cancels_is_told_so(place: tuple[Office, Real]) -> None:
    office, _provider = place
    browser, at = Browser(), f"http://127.0.0.1:{office.house.port}"
    shown = await browser.follow(await browser.ask(f"{at}{HERE}"), at)
    abort = re.search(r'href="([^"]+/abort)"', shown.body)
    assert abort is not None
    back = await browser.follow(await browser.ask(unescape(abort[1])), at)
    shown = await browser.ask(back.location)
    assert (shown.status, "you cancelled" in shown.text) == (403, True)
    assert "homeport" not in browser.cookies


async def test_signing_out_here_offers_to_sign_out_there(place: tuple[Office, Real]) -> None:
    office, provider = place
    browser, at = Browser(), f"http://127.0.0.1:{office.house.port}"
    shown = await enter(office, browser, "gil")
    key = re.search(r'name="key" value="([^"]+)"', shown.body)
    assert key is not None
    left = await browser.follow(await browser.ask(at + DOOR, {"do": "leave", "key": key[1]}))
    assert "Sign out of The Office too" in left.text
    there = await browser.ask(f"{at}{HERE}?leave")
    assert there.location.startswith(f"{provider.url}/session/end?client_id=homeport&post_logout_redirect_uri=")
    question = await browser.ask(there.location)
    xsrf = re.search(r'name="xsrf" value="([^"]+)"', question.body)
    action = re.search(r'action="([^"]+)"', question.body)
    assert xsrf is not None
    assert action is not None
    gone = await browser.ask(unescape(action[1]), {"xsrf": xsrf[1], "logout": "yes"})
    assert gone.location.startswith(at + DOOR)


async def test_trying_it_out_changes_nothing(place: tuple[Office, Real]) -> None:
    office, _provider = place
    browser = Browser()
    await office.sign_in("root")
    browser.cookies["homeport"] = office.cookie
    shown = await enter(office, browser, "hal+homeport-admins", "?test")
    assert (shown.status, "They sign in as administrator." in shown.text) == (200, True)
    assert "hal@example.com" in shown.text
    assert "hal@example.com" not in [user.name for user in await office.store.users()]


async def test_connecting_an_account(place: tuple[Office, Real]) -> None:
    office, provider = place
    browser, at = Browser(), f"http://127.0.0.1:{office.house.port}"
    await office.sign_in("ida", "user")
    browser.cookies["homeport"] = office.cookie
    shown = await browser.ask(at + HERE, {"do": "connect", "key": office.key})
    address = re.search(rf'href="({provider.url}[^"]+)"', shown.body)
    assert address is not None
    there = await browser.follow(await browser.ask(unescape(address[1])), at)
    back = await fill(browser, there, "somebody-else", at)
    shown = await browser.follow(await browser.ask(back.location))
    assert "From now on your account there signs you in." in shown.text
    assert "Signed in as ida" in (await enter(office, Browser(), "somebody-else", "?next=/console/account")).text
    assert (await browser.ask(at + HERE, {"do": "disconnect", "key": office.key})).status == 303
    assert await office.store.identities("ida") == []


@pytest.mark.parametrize(("client_id", "secret"), [("post", "posted"), ("public", ""), ("homeport", "s:e c/r%e&t")])
async def test_every_way_to_prove_who_the_client_is(place: tuple[Office, Real], client_id: str, secret: str) -> None:
    office, provider = place
    await set_up(office, provider.url, secret, client_id, **ROLES)
    await office.sign_in("root")
    form = {"sso_issuer": provider.url, "sso_client_id": client_id, "sso_scopes": "openid email", "sso_others": "user"}
    shown = await office.send("/console/single-sign-on", "check", **form)
    assert f"It accepts the client {client_id}" in shown.text
    assert "Overview" in (await enter(office, Browser(), f"jo-{client_id}")).text
    await set_up(office, provider.url, name="The Office", **ROLES)


async def test_the_check_tells_a_wrong_secret(place: tuple[Office, Real]) -> None:
    office, provider = place
    await office.sign_in("root")
    form = {"sso_issuer": provider.url, "sso_client_id": "homeport", "sso_scopes": "openid", "sso_others": "user"}
    shown = await office.send("/console/single-sign-on", "check", **form, sso_client_secret="wrong")
    assert "does not accept Homeport as its client" in shown.text
    shown = await office.send("/console/single-sign-on", "check", **form | {"sso_client_id": "nobody"})
    assert "does not accept Homeport as its client" in shown.text

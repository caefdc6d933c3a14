"""Sign in, stay, sign out; nobody else's form, page or session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from homeport import console
from homeport.access import sessions
from homeport.access.passwords import Passwords
from homeport.console import Page
from homeport.kit.discover import discover
from homeport.store.records import User

if TYPE_CHECKING:
    from offices import Office

DOOR = "/console/sign-in"
PASSWORD = "correct horse battery"
PAGES = discover(console, Page)


async def with_password(office: Office, name: str = "ada", role: str = "admin") -> None:
    await office.store.set_user(User(name=name, role=role), by="tests")  # type: ignore[arg-type]
    await office.store.set_password(name, await Passwords().hash(PASSWORD), by="tests")


async def code(office: Office, name: str = "ada") -> str:
    await office.store.set_user(User(name=name, role="admin"), by="tests")
    made = sessions.mint()
    digest = sessions.digest(office.vault.derive(sessions.PEPPER), made)
    await office.store.add_sign_in_code(digest, name, sessions.CODE_LASTS, by="tests")
    return made


@pytest.mark.parametrize(
    "path", [page.path for page in PAGES.values() if page.see != "anyone" and "{" not in page.path]
)
async def test_a_stranger_is_led_to_the_door(office: Office, path: str) -> None:
    shown = await office.get(path)
    assert (shown.status, shown.location) == (303, f"{DOOR}?next={path}")


async def test_signing_in_with_a_password(office: Office) -> None:
    await with_password(office)
    shown = await office.send(DOOR, "password", name="ada", password=PASSWORD, next="/console")
    assert (shown.status, shown.location) == (303, "/console")
    assert "Overview" in (await office.get("/console")).text


@pytest.mark.parametrize("where", ["https://evil.test", "//evil.test", "/\\evil.test", "javascript:alert(1)", "/v1"])
async def test_the_way_on_stays_in_the_console(office: Office, where: str) -> None:
    await with_password(office)
    shown = await office.send(DOOR, "password", name="ada", password=PASSWORD, next=where)
    assert shown.location == "/console"


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong"), ("nobody", PASSWORD), ("", ""), ("ada\0", PASSWORD)])
async def test_a_wrong_name_and_a_wrong_password_look_the_same(office: Office, name: str, password: str) -> None:
    await with_password(office)
    shown = await office.send(DOOR, "password", name=name, password=password)
    assert shown.status == 400
    assert "The name or the password is wrong." in shown.text
    assert not office.cookie


async def test_who_guesses_has_to_wait(office: Office) -> None:
    await with_password(office)
    for _ in range(sessions.FREE):
        assert (await office.send(DOOR, "password", name="ada", password="wrong")).status == 400
    shown = await office.send(DOOR, "password", name="ada", password=PASSWORD)
    assert shown.status == 429
    assert "Wait" in shown.text


async def test_a_code_signs_in_once(office: Office) -> None:
    made = await code(office)
    assert "signs you in once" in (await office.get(f"{DOOR}?code={made}")).text
    assert "signs you in once" in (await office.get(f"{DOOR}?code={made}")).text
    assert (await office.send(DOOR, "code", code=made)).location == "/console"
    office.cookie = ""
    shown = await office.send(DOOR, "code", code=made)
    assert (shown.status, "used already" in shown.text) == (400, True)


async def test_a_code_of_somebody_who_may_not_sign_in(office: Office) -> None:
    made = await code(office)
    await office.store.set_user(User(name="eve", role="admin"), by="tests")
    await office.store.set_user(User(name="ada", role="admin", disabled=True), by="tests")
    assert (await office.send(DOOR, "code", code=made)).status == 400


async def test_signing_out_ends_the_session_here_and_everywhere(office: Office) -> None:
    await office.sign_in()
    cookie = office.cookie
    assert (await office.send(DOOR, "leave")).location == DOOR
    assert not office.cookie
    office.cookie = cookie
    assert (await office.get("/console")).location.startswith(DOOR)


async def test_who_is_disabled_or_gets_another_password_is_out_at_once(office: Office) -> None:
    await office.sign_in()
    await office.store.set_password("ada", await Passwords().hash(PASSWORD), by="tests")
    assert (await office.get("/console")).status == 303
    await office.sign_in()
    await office.store.set_user(User(name="eve", role="admin"), by="tests")
    await office.store.set_user(User(name="ada", role="admin", disabled=True), by="tests")
    assert (await office.get("/console")).status == 303


FOREIGN = {
    "another origin": {"Origin": "https://evil.test", "Sec_Fetch_Site": "cross-site"},
    "another origin without metadata": {"Origin": "https://evil.test", "Sec_Fetch_Site": ""},
    "a sibling": {"Origin": "http://x.127.0.0.1", "Sec_Fetch_Site": "same-site"},
    "no origin at all": {"Origin": "", "Sec_Fetch_Site": ""},
    "null": {"Origin": "null", "Sec_Fetch_Site": ""},
    "null and cross-site": {"Origin": "null", "Sec_Fetch_Site": "cross-site"},
    "json": {"Content_Type": "application/json"},
    "text": {"Content_Type": "text/plain"},
    "no type": {"Content_Type": ""},
}


@pytest.mark.parametrize("how", FOREIGN)
async def test_another_sites_form_is_refused(office: Office, how: str) -> None:
    await office.sign_in()
    shown = await office.ask("POST", DOOR, f"do=leave&key={office.key}".encode(), **FOREIGN[how])
    assert shown.status == 403
    assert (await office.get("/console")).status == 200


@pytest.mark.parametrize("key", ["", "x", "0" * 43])
async def test_a_form_without_this_sessions_key_is_refused(office: Office, key: str) -> None:
    await office.sign_in()
    assert (await office.ask("POST", DOOR, f"do=leave&key={key}".encode())).status == 403


async def test_a_form_key_of_another_session_is_refused(office: Office) -> None:
    await office.sign_in("eve", "user")
    key = office.key
    await office.sign_in("ada")
    assert (await office.ask("POST", DOOR, f"do=leave&key={key}".encode())).status == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods(office: Office, method: str) -> None:
    await office.sign_in()
    assert (await office.ask(method, "/console")).status == 405


async def test_a_page_that_is_not_there(office: Office) -> None:
    await office.sign_in()
    shown = await office.get("/console/<script>alert(1)</script>")
    assert shown.status == 404
    assert "<script>alert" not in shown.body


@pytest.mark.parametrize("cookie", ["x", "a" * 5000, "=", "'; drop table sessions"])
async def test_odd_cookies(office: Office, cookie: str) -> None:
    office.cookie = cookie
    assert (await office.get("/console")).status == 303


@pytest.mark.parametrize("query", ["a&" * 1000, "a=%ff%fe", "said=saved&about=%00", "=&=", "a=1&a=2"])
async def test_odd_addresses(office: Office, query: str) -> None:
    await office.sign_in()
    assert (await office.get(f"/console?{query}")).status in {200, 400}


@pytest.mark.parametrize("body", [b"", b"do=leave", b"\xff\xfe", b"&" * 5000, b"do=nothing", b"a=1&" * 1000])
async def test_odd_forms(office: Office, body: bytes) -> None:
    await office.sign_in()
    assert 400 <= (await office.ask("POST", DOOR, body)).status < 500

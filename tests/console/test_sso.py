"""Single sign-on as an administrator sets it: the page, who is let in as what, and that nobody is locked out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from offices import Office, office_at
from single_sign_on import DOOR, HERE, Rogue, Visitor, set_up

from homeport.access import sessions
from homeport.access.passwords import Passwords
from homeport.store.records import User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PAGE = "/console/single-sign-on"
ISSUER = "https://sso.example.com/realms/main"
FORM = {
    "sso_issuer": ISSUER,
    "sso_client_id": "homeport",
    "sso_scopes": "openid profile email",
    "sso_claim": "groups",
    "sso_others": "user",
    "sso_create": "on",
    "sso_passwords": "on",
}
PASSWORD = "correct horse battery"


@pytest.fixture
async def rogue() -> AsyncIterator[Rogue]:
    async with Rogue().listening() as found:
        yield found


async def roles(office: Office) -> dict[str, str]:
    return {user.name: user.role for user in await office.store.users()}


# the page


async def test_setting_it_up(office: Office) -> None:
    await office.sign_in()
    assert f"http://127.0.0.1:{office.house.port}{HERE}" in (await office.get(PAGE)).text
    shown = await office.send(PAGE, "save", **FORM, sso_admins="a,b\nc", sso_client_secret="hidden-1")
    assert (shown.status, shown.location) == (303, f"{PAGE}?said=saved&about=Single sign-on")
    assert await office.store.settings() == {
        "sso_issuer": ISSUER,
        "sso_client_id": "homeport",
        "sso_admins": "a,b\nc",
    }
    assert (await office.store.secret("sso_client_secret", ISSUER)).reveal() == "hidden-1"
    events = await office.store.audit()
    assert [(e.who, e.what, e.subject) for e in events[:4]] == [
        ("ada", "secret.set", "sso_client_secret"),
        ("ada", "setting.set", "sso_admins"),
        ("ada", "setting.set", "sso_client_id"),
        ("ada", "setting.set", "sso_issuer"),
    ]
    assert events[0].after == {"for": ISSUER, "value": "(set)"}
    shown = await office.get(PAGE)
    assert "hidden-1" not in shown.body
    assert "One is stored" in shown.text
    assert "a,b\nc" in shown.text
    assert "Continue with sso.example.com" in await door(office)


async def door(office: Office) -> str:
    """The sign-in page as a stranger sees it."""
    cookie, office.cookie = office.cookie, ""
    shown = await office.get(DOOR)
    office.cookie = cookie
    return " ".join(shown.text.split())


async def test_the_second_of_two_who_change_it_is_told(office: Office) -> None:
    await office.sign_in()
    was = re.findall(r'name="was" value="(\w+)"', (await office.get(PAGE)).body)[0]
    await office.store.set_setting("sso_name", "Theirs", by="ben")
    mine = FORM | {"sso_name": "Mine"}
    shown = await office.send(PAGE, "save", **mine, was=was)
    assert (shown.status, "Somebody else changed" in shown.text, 'value="Mine"' in shown.body) == (409, True, True)
    assert (await office.store.settings())["sso_name"] == "Theirs"
    again = re.findall(r'name="was" value="(\w+)"', shown.body)[0]
    assert (await office.send(PAGE, "save", **mine, was=again)).status == 303
    assert (await office.store.settings())["sso_name"] == "Mine"


async def test_a_secret_belongs_to_its_provider(office: Office) -> None:
    await office.sign_in()
    await office.send(PAGE, "save", **FORM, sso_client_secret="hidden-1")
    await office.send(PAGE, "save", **FORM)
    assert (await office.store.secret("sso_client_secret", ISSUER)).reveal() == "hidden-1"
    other = "https://evil.example.com"
    shown = await office.send(PAGE, "save", **FORM | {"sso_issuer": other})
    assert "said=moved" in shown.location
    assert not await office.store.secret("sso_client_secret", other)
    assert not await office.store.secret("sso_client_secret", ISSUER)


async def test_a_secret_is_forgotten_and_resealed(office: Office) -> None:
    await office.sign_in()
    await office.send(PAGE, "save", **FORM, sso_client_secret="hidden-1")
    assert await office.store.rotate_keys(by="tests") == (office.vault.sealing_id, 1)
    assert await office.store.sealed() == {office.vault.sealing_id: 1}
    assert (await office.store.secret("sso_client_secret", ISSUER)).reveal() == "hidden-1"
    await office.send(PAGE, "save", **FORM, forget="on")
    assert not await office.store.secret("sso_client_secret", ISSUER)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sso_issuer": "http://sso.example.com"}, "must begin with https,"),
        ({"sso_issuer": "<script>alert(1)</script>"}, "The issuer is not one."),
        ({"sso_issuer": f"{ISSUER}#x"}, "The issuer is not one."),
        ({"sso_issuer": "https://ada:secret@sso.example.com"}, "The issuer is not one."),
        ({"sso_client_id": ""}, "The client id is missing."),
        ({"sso_scopes": "profile"}, "openid"),
        ({"sso_scopes": 'openid "x"'}, "openid"),
        ({"sso_others": "admin"}, "It is one of"),
        ({"sso_domains": "not a domain"}, "is no domain"),
        ({"sso_client_secret": "env:AWS_SECRET_ACCESS_KEY"}, "goes nowhere else"),
        ({"sso_client_secret": "two\nlines"}, "one line"),
        ({"sso_passwords": ""}, "No administrator has signed in"),
    ],
)
async def test_what_cannot_be_is_said_and_stays_in_the_form(office: Office, changes: dict[str, str], said: str) -> None:
    await office.sign_in()
    shown = await office.send(PAGE, "save", **FORM | changes | {"sso_name": "<b>Typed</b>"})
    assert shown.status in {400, 409}
    assert said in shown.text or said == "goes nowhere else"
    assert "&lt;b&gt;Typed&lt;/b&gt;" in shown.body
    assert "<script>alert" not in shown.body
    assert await office.store.settings() == {}


async def test_who_may_see_and_change(office: Office) -> None:
    await office.sign_in("eve", "auditor")
    assert (await office.get(PAGE)).status == 200
    assert (await office.send(PAGE, "save", **FORM)).status == 403
    assert (await office.send(PAGE, "check", **FORM)).status == 403
    await office.sign_in("uma", "user")
    assert (await office.get(PAGE)).status == 403
    assert await office.store.settings() == {}


async def test_a_name_cannot_write_html(office: Office, rogue: Rogue) -> None:
    await set_up(office, rogue.url, name="<img src=x onerror=alert(1)>")
    assert "<img" not in (await office.get(DOOR)).body
    await office.sign_in()
    for path in (PAGE, f"{HERE}?connect", "/console/account"):
        assert "<img" not in (await office.get(path)).body


async def test_the_check_asks_with_what_was_typed(office: Office, rogue: Rogue) -> None:
    await office.sign_in()
    shown = await office.send(PAGE, "check", **FORM | {"sso_issuer": f"{rogue.url}/"})
    assert f"says that it is {rogue.url}" in shown.text
    rogue.answers["/token"] = lambda peer: peer.document({"error": "invalid_grant"}, 400)
    shown = await office.send(PAGE, "check", **FORM | {"sso_issuer": rogue.url}, sso_client_secret="typed")
    assert "accepts the client homeport with its secret" in shown.text
    assert "typed" not in shown.body
    shown = await office.send(PAGE, "check", **FORM | {"sso_issuer": rogue.url}, sso_client_secret="env:NOT_SET_HERE")
    assert "the variable NOT_SET_HERE is not set" in shown.text
    assert (await office.send(PAGE, "check", **FORM | {"sso_issuer": ""})).status == 400
    assert await office.store.settings() == {}


async def test_what_the_operator_said_before_the_start_wins(tmp_path: Path, rogue: Rogue) -> None:
    said = {"sso_client_id": "from-outside", "sso_client_secret": "outside-1", "sso_create": "off"}
    async with office_at(tmp_path, **said) as office:
        await office.sign_in()
        await office.send(PAGE, "save", **FORM | {"sso_issuer": rogue.url})
        assert await office.store.settings() == {"sso_issuer": rogue.url}
        shown = await office.get(PAGE)
        assert "Set before the start: HOMEPORT_SSO_CLIENT_ID." in shown.text
        assert "Set before the start: HOMEPORT_SSO_CLIENT_SECRET." in shown.text
        assert "outside-1" not in shown.body + (await office.get("/console/settings")).body
        visitor = Visitor(office, rogue)
        assert (await visitor.begin())["client_id"] == "from-outside"


@pytest.mark.parametrize("wrong", [{"domains": "x y"}, {"scopes": "email"}, {"others": "all"}])
async def test_settings_that_a_file_set_wrongly(office: Office, wrong: dict[str, str]) -> None:
    await set_up(office, ISSUER, **wrong)
    assert "Continue with" not in await door(office)
    shown = await office.get(HERE)
    assert (shown.status, "not set up rightly" in shown.text) == (403, True)
    await office.sign_in()
    assert "As it is set, nobody can use it." in (await office.get(PAGE)).text


async def test_without_it_there_is_no_way_to_it(office: Office) -> None:
    assert "Continue with" not in await door(office)
    for query in ("", "?code=x&state=y", "?leave", "?error=x"):
        assert (await office.get(HERE + query)).status == 400
    await office.sign_in()
    assert HERE + "?connect" not in (await office.get("/console/account")).body


# who is let in, and as what


async def test_a_name_that_is_taken_opens_nothing(office: Office, rogue: Rogue) -> None:
    """Somebody who can choose their e-mail address or name there must not get an account that is here already."""
    await office.sign_in("ada@example.com", "admin")
    await set_up(office, rogue.url)
    visitor = Visitor(office, rogue)
    shown = await visitor.sign_in()
    assert (shown.status, "already" in shown.text) == (409, True)
    assert not visitor.signed_in
    refused = (await office.store.audit())[0]
    assert (refused.what, refused.subject) == ("session.refuse", "ada@example.com")


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"email_verified": False, "preferred_username": "ada"}, 409),
        ({"email_verified": "false", "preferred_username": "ada"}, 409),
        ({"email_verified": ..., "preferred_username": ...}, 403),
        ({"email": "x" * 200 + "@example.com"}, 400),
        ({"email": ["ada@example.com"], "preferred_username": "cli:root"}, 403),
        ({"email": "a@b@example.com", "preferred_username": " "}, 403),
        ({"email": "ada\n@example.com", "preferred_username": {"a": 1}}, 403),
    ],
)
async def test_names_that_cannot_be(office: Office, rogue: Rogue, claims: dict[str, Any], status: int) -> None:
    await office.sign_in("ada", "admin")
    await set_up(office, rogue.url)
    rogue.claims, rogue.more = claims, {"sub": "s-1"}
    shown = await Visitor(office, rogue).sign_in()
    assert shown.status == status
    assert await roles(office) == {"ada": "admin"}


@pytest.mark.parametrize(
    ("claims", "settings", "status"),
    [
        ({}, {"domains": "example.com"}, 303),
        ({"email": "ada@EXAMPLE.com"}, {"domains": "other.example; @Example.com"}, 303),
        ({"email": "ada@evil.test"}, {"domains": "example.com"}, 403),
        ({"email": "ada@sub.example.com"}, {"domains": "example.com"}, 403),
        ({"email": "ada@evilexample.com"}, {"domains": "example.com"}, 403),
        ({"email_verified": False}, {"domains": "example.com"}, 403),
        ({"email": ...}, {"domains": "example.com"}, 403),
        ({}, {"create": "off"}, 403),
        ({}, {"others": "refuse"}, 403),
        ({}, {"others": "refuse", "admins": "staff"}, 303),
        ({"groups": "staff"}, {"others": "refuse", "admins": "staff"}, 303),
        ({"groups": ["staffs", {"a": 1}, None]}, {"others": "refuse", "admins": "staff"}, 403),
        ({"groups": ..., "_claim_names": {"groups": "src1"}}, {"others": "refuse", "admins": "staff"}, 403),
        ({"a": {"b": ["staff"]}}, {"others": "refuse", "admins": "staff", "claim": "a.b"}, 303),
        ({"https://x.test/r": ["staff"]}, {"others": "refuse", "admins": "staff", "claim": "https://x.test/r"}, 303),
    ],
)  # fmt: skip
async def test_who_is_let_in(
    office: Office, rogue: Rogue, claims: dict[str, Any], settings: dict[str, str], status: int
) -> None:
    await office.sign_in("root")
    await set_up(office, rogue.url, **settings)
    rogue.claims = claims
    visitor = Visitor(office, rogue)
    shown = await visitor.sign_in()
    assert (shown.status, visitor.signed_in) == (status, status == 303), shown.text


async def test_where_roles_do_not_come_from_claims_they_stay(office: Office, rogue: Rogue) -> None:
    await set_up(office, rogue.url)
    await Visitor(office, rogue).sign_in()
    await office.store.set_user(User(name="ada@example.com", role="auditor"), by="tests")
    await Visitor(office, rogue).sign_in()
    assert await roles(office) == {"ada@example.com": "auditor"}


async def test_who_is_disabled_here_stays_out(office: Office, rogue: Rogue) -> None:
    await set_up(office, rogue.url)
    await Visitor(office, rogue).sign_in()
    await office.store.set_user(User(name="ada@example.com", disabled=True), by="tests")
    visitor = Visitor(office, rogue)
    shown = await visitor.sign_in()
    assert (shown.status, visitor.signed_in) == (403, False)
    assert "may not sign in any longer" in shown.text


async def test_the_last_administrator_is_not_made_a_user(office: Office, rogue: Rogue) -> None:
    await set_up(office, rogue.url, admins="staff")
    assert (await Visitor(office, rogue).sign_in()).status == 303
    rogue.claims = {"groups": []}
    visitor = Visitor(office, rogue)
    shown = await visitor.sign_in()
    assert (shown.status, "last administrator" in shown.text) == (409, True)
    assert await roles(office) == {"ada@example.com": "admin"}


# nobody is locked out


async def with_password(office: Office, name: str = "root") -> None:
    await office.store.set_user(User(name=name, role="admin"), by="tests")
    await office.store.set_password(name, await Passwords().hash(PASSWORD), by="tests")


async def test_passwords_are_switched_off_only_with_another_way_in(office: Office, rogue: Rogue) -> None:
    await with_password(office)
    await set_up(office, rogue.url, admins="staff")
    await office.sign_in("root")
    form = FORM | {"sso_issuer": rogue.url, "sso_admins": "staff", "sso_passwords": ""}
    assert (await office.send(PAGE, "save", **form)).status == 409
    await Visitor(office, rogue).sign_in()
    assert (await office.send(PAGE, "save", **form)).status == 303
    assert "Password" not in await door(office)
    office.cookie = ""
    shown = await office.send(DOOR, "password", name="root", password=PASSWORD)
    assert (shown.status, "Passwords are switched off" in shown.text) == (400, True)
    # a link always works
    made = sessions.mint()
    digest = sessions.digest(office.vault.derive(sessions.PEPPER), made)
    await office.store.add_sign_in_code(digest, "root", sessions.CODE_LASTS, by="tests")
    assert (await office.send(DOOR, "code", code=made)).status == 303
    # and passwords do again as soon as no administrator is left who could come the other way
    await office.store.set_user(User(name="ada@example.com", role="user"), by="tests")
    office.cookie = ""
    assert (await office.send(DOOR, "password", name="root", password=PASSWORD)).status == 303


async def test_switching_passwords_off_by_a_file_locks_nobody_out(office: Office, rogue: Rogue) -> None:
    await with_password(office)
    await set_up(office, rogue.url, passwords="off")
    assert "Password" in await door(office)
    assert (await office.send(DOOR, "password", name="root", password=PASSWORD)).status == 303


# connecting, trying out


async def test_an_account_is_connected_in_its_own_session_alone(office: Office, rogue: Rogue) -> None:
    await set_up(office, rogue.url)
    visitor = Visitor(office, rogue)
    await office.sign_in("ada", "user")
    visitor.cookies["homeport"] = office.cookie
    page = await visitor.ask(visitor.at + HERE, {"do": "connect", "key": office.key})
    state = page.body.partition("state=")[2].partition("&")[0]
    rogue.nonce = page.body.partition("nonce=")[2].partition("&")[0]
    await office.sign_in("eve", "user")
    visitor.cookies["homeport"] = office.cookie
    shown = await visitor.back(state=state, code="c-1")
    assert (shown.status, "Somebody else signed in" in shown.text) == (403, True)
    assert await office.store.identities() == []


@pytest.mark.parametrize("do", ["connect", "disconnect"])
async def test_nobody_connects_without_a_session_or_its_key(office: Office, rogue: Rogue, do: str) -> None:
    await set_up(office, rogue.url)
    assert (await office.send(HERE, do)).status == 403
    await office.sign_in("ada", "user")
    assert (await office.ask("POST", HERE, f"do={do}&key=x".encode())).status == 403
    assert (await office.get(f"{HERE}?connect")).status == 200
    assert await office.store.identities() == []


async def test_an_identity_belongs_to_one_account(office: Office, rogue: Rogue) -> None:
    await set_up(office, rogue.url)
    await Visitor(office, rogue).sign_in()
    visitor = Visitor(office, rogue)
    await office.sign_in("eve", "user")
    visitor.cookies["homeport"] = office.cookie
    page = await visitor.ask(visitor.at + HERE, {"do": "connect", "key": office.key})
    state = page.body.partition("state=")[2].partition("&")[0]
    rogue.nonce = page.body.partition("nonce=")[2].partition("&")[0]
    shown = await visitor.back(state=state, code="c-1")
    assert (shown.status, "belongs to ada@example.com" in shown.text) == (409, True)


async def test_only_an_administrator_tries_it_out(office: Office, rogue: Rogue) -> None:
    await set_up(office, rogue.url)
    assert (await office.get(f"{HERE}?test")).status == 403
    await office.sign_in("eve", "auditor")
    assert (await office.get(f"{HERE}?test")).status == 403


async def test_who_is_signed_in_goes_on(office: Office, rogue: Rogue) -> None:
    await set_up(office, rogue.url)
    await office.sign_in()
    assert (await office.get(f"{HERE}?next=/console/models")).location == "/console/models"
    assert not rogue.heard


async def test_a_cookie_over_tls_is_for_us_alone(tmp_path: Path, rogue: Rogue) -> None:
    async with office_at(tmp_path, url="https://homeport.example.com") as office:
        await set_up(office, rogue.url)
        visitor = Visitor(office, rogue)
        told = await visitor.begin()
        assert told["redirect_uri"] == "https://homeport.example.com/console/sso"
        assert visitor.cookies.keys() == {"__Host-homeport-sso"}
        assert (await visitor.back(state=told["state"], code="c-1")).status == 303
        assert visitor.cookies.keys() == {"__Host-homeport"}


# whom a directory provisioned


async def provisioned(office: Office, name: str, external_id: str, **more: Any) -> None:
    await office.store.add_user(User(name=name, external_id=external_id, **more), by="scim:entra")


@pytest.mark.parametrize(
    ("by", "name", "external_id", "claims"),
    [
        ("sub", "ada", "s-1", {"email": ...}),
        ("oid", "ada", "o-7", {"oid": "o-7"}),
        ("email", "Ada@Example.com", "x", {}),
        ("email", "ada@example.com", "x", {"email_verified": "true"}),
    ],
)
async def test_whom_a_directory_provisioned_signs_in(
    office: Office, rogue: Rogue, by: str, name: str, external_id: str, claims: dict[str, Any]
) -> None:
    await provisioned(office, name, external_id, display="Ada")
    await set_up(office, rogue.url, provisioned=by, create="off")
    rogue.claims = claims
    for _again in range(2):
        shown = await Visitor(office, rogue).sign_in()
        assert shown.status == 303, shown.text
    assert await roles(office) == {name: "user"}
    links = [each for each in await office.store.audit() if each.what == "identity.link"]
    assert [(each.who, each.subject) for each in links] == [("single sign-on", name)]
    assert {"external_id", "user_name"} & dict(links[0].after or {}).keys()


@pytest.mark.parametrize(
    ("settings", "person", "claims"),
    [
        ({}, {}, {}),
        ({"provisioned": "off"}, {}, {}),
        ({"provisioned": "sub"}, {"external_id": "S-1"}, {}),
        ({"provisioned": "sub"}, {"role": "admin"}, {}),
        ({"provisioned": "sub"}, {"role": "auditor"}, {}),
        ({"provisioned": "email"}, {}, {"email_verified": False}),
        ({"provisioned": "email"}, {}, {"email_verified": ...}),
        ({"provisioned": "email"}, {"external_id": ""}, {}),
        ({"provisioned": "email"}, {}, {"email": "ada@example.com.evil.test"}),
        ({"provisioned": "oid"}, {"external_id": "o-7"}, {"oid": ["o-7"]}),
        ({"provisioned": "oid"}, {"external_id": ""}, {}),
        ({"provisioned": "sub", "domains": "other.example"}, {}, {}),
        ({"provisioned": "sub"}, {"disabled": True}, {}),
    ],
)  # fmt: skip
async def test_a_provisioned_account_opens_to_nobody_else(
    office: Office, rogue: Rogue, settings: dict[str, str], person: dict[str, Any], claims: dict[str, Any]
) -> None:
    await office.sign_in("root")
    await provisioned(office, "ada@example.com", **({"external_id": "s-1"} | person))
    await set_up(office, rogue.url, create="off", **settings)
    rogue.claims = claims
    visitor = Visitor(office, rogue)
    shown = await visitor.sign_in()
    assert (shown.status in {403, 409}, visitor.signed_in) == (True, False), shown.text
    assert not await office.store.identities()


async def test_an_account_with_another_way_in_is_not_opened_by_the_directory(office: Office, rogue: Rogue) -> None:
    """Who may provision could otherwise write their own subject to anybody's account."""
    await provisioned(office, "ada", "s-1")
    await set_up(office, rogue.url, provisioned="sub", create="off")
    await office.store.set_password("ada", await Passwords().hash(PASSWORD), by="tests")
    shown = await Visitor(office, rogue).sign_in()
    assert (shown.status, "the directory's word is not enough" in shown.text) == (409, True)
    await provisioned(office, "ben", "s-2")
    await office.store.link_identity(rogue.url, "of-ben", "ben", by="tests")
    rogue.claims = {"sub": "s-2"}
    assert (await Visitor(office, rogue).sign_in()).status == 409
    await provisioned(office, "cy", "s-3")
    await provisioned(office, "cleo", "s-3")
    rogue.claims = {"sub": "s-3"}
    shown = await Visitor(office, rogue).sign_in()
    assert (shown.status, "2 accounts that could be yours" in shown.text) == (409, True)


async def test_a_deleted_account_is_not_found_by_the_directory(office: Office, rogue: Rogue) -> None:
    await provisioned(office, "ada", "s-1")
    await office.store.remove_user("ada", by="tests")
    await set_up(office, rogue.url, provisioned="sub", create="off")
    assert (await Visitor(office, rogue).sign_in()).status == 403

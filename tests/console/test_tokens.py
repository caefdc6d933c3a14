"""Tokens: made for oneself or by an administrator for others, shown once, seen by their owners."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from homeport.access import SCOPES, tokens
from homeport.domain.models import Token
from homeport.store.records import User

if TYPE_CHECKING:
    from offices import Office

TOKENS = "/console/tokens"
XSS = "<script>alert(1)</script>"
USUAL = "scope=complete_code&scope=duo_chat"


async def kept(office: Office, name: str, owner: str, **changes: Any) -> None:
    made = tokens.mint()
    facts = {"scopes": frozenset({"duo_chat"}), **changes}
    token = Token(name=name, owner=owner, digest=tokens.digest(b"p", made), hint=tokens.hint(made), **facts)
    await office.store.add_token(token, by="tests")


async def send(office: Office, fields: str) -> Any:
    return await office.ask("POST", TOKENS, f"do=add&key={office.key}&{fields}".encode())


async def test_a_token_is_shown_once_with_the_set_up_of_clients(office: Office) -> None:
    await office.sign_in("ben", "user")
    shown = await send(office, f"name=laptop&lasts=30&{USUAL}")
    assert (shown.status, "only time" in shown.text) == (200, True)
    made = re.search(tokens.PATTERN, shown.text)
    assert made is not None
    assert tokens.well_formed(made[0])
    address = f"http://127.0.0.1:{office.house.port}"
    for part in (f"curl -s {address}/v1/completions", f'base_url="{address}/v1"', f"apiKey: {made[0]}", "GitLab"):
        assert part in shown.text
    assert not re.search("@[A-Z]+@", shown.text)
    assert f"export HOMEPORT_TOKEN={made[0]}" in shown.text
    (token,) = await office.store.tokens()
    assert (token.owner, token.scopes) == ("ben", {"complete_code", "duo_chat"})
    assert token.expires is not None
    assert timedelta(days=29) < token.expires - datetime.now(UTC) < timedelta(days=31)
    event = (await office.store.audit(1))[0]
    assert (event.who, event.what, event.subject) == ("ben", "token.add", "laptop")
    for each in (await office.get(TOKENS)).body, str(await office.store.audit()):
        assert made[0] not in each


async def test_the_token_opens_the_door(office: Office) -> None:
    await office.sign_in()
    shown = await send(office, f"name=laptop&lasts=&{USUAL}")
    made = re.search(tokens.PATTERN, shown.text)
    assert made is not None
    assert (await office.store.snapshot()).tokens.keys() == {tokens.digest(office.vault.derive(tokens.PEPPER), made[0])}
    assert (await office.store.tokens())[0].expires is None


async def test_only_fitting_set_ups_are_shown(office: Office) -> None:
    await office.sign_in()
    text = (await send(office, "name=x&scope=complete_code")).text
    assert "curl -s" in text
    assert "aider" not in text
    text = (await office.get("/console/connect")).text
    assert "aider" in text
    assert "YOUR-TOKEN" in text


async def test_an_administrator_makes_tokens_for_others(office: Office) -> None:
    await office.store.set_user(User(name="ben"), by="tests")
    await office.sign_in()
    form = (await office.get(f"{TOKENS}?new")).body
    assert '<option value="ben">' in form
    assert 'value="admin"' in form
    assert (await send(office, "name=ci&owner=ben&scope=admin")).status == 200
    (token,) = await office.store.tokens()
    assert (token.owner, token.scopes) == ("ben", {"admin"})


@pytest.mark.parametrize("role", ["user", "auditor"])
@pytest.mark.parametrize("fields", [f"owner=ada&{USUAL}", f"scope=admin&{USUAL}"])
async def test_others_only_for_themselves_and_without_administration(office: Office, role: str, fields: str) -> None:
    await office.sign_in("ben", role)
    form = (await office.get(f"{TOKENS}?new")).body
    assert 'name="owner"' not in form
    assert 'id="scope-admin"' not in form
    shown = await send(office, f"name=mine&{fields}")
    assert shown.status == 403
    assert 'value="mine"' in shown.body
    assert not await office.store.tokens()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ("name=x", "A token must be good for something"),
        ("name=x&scope=nonsense", "A token must be good for something"),
        ("name=x&scope=duo_chat&lasts=4000", "does not last that long"),
        ("name=x&scope=duo_chat&lasts=x", "does not last that long"),
        ("name=&scope=duo_chat", "name"),
        ("name=taken&scope=duo_chat", "already a token named"),
        (f"name={'x' * 101}&scope=duo_chat", "100"),
    ],
)
async def test_what_cannot_be_made(office: Office, fields: str, told: str) -> None:
    await kept(office, "taken", "ada")
    await office.sign_in()
    shown = await send(office, fields)
    assert (shown.status, told in shown.text) == (400, True)
    assert len(await office.store.tokens()) == 1


async def test_nothing_typed_is_lost(office: Office) -> None:
    await office.sign_in()
    shown = await send(office, "name=x%22%3Cb%3E&owner=ben&lasts=7&scope=nonsense&scope=duo_chat")
    assert 'value="x&#34;&lt;b&gt;"' in shown.body
    assert 'value="ben"' in shown.body
    assert '<option value="7" selected>' in shown.body
    boxes = dict(re.findall(r'value="(\w+)"( checked)?>', shown.body))
    assert (boxes["duo_chat"], boxes["complete_code"]) == (" checked", "")


async def test_an_owner_whom_nobody_knows_leads_to_where_people_are_added(office: Office) -> None:
    await office.sign_in()
    shown = await send(office, f"name=laptop&owner=b%3Cb%3Eob&{USUAL}")
    assert (shown.status, "There is no user named 'b<b>ob'. Add or invite them first." in shown.text) == (404, True)
    assert "homeport users" not in shown.text
    assert {"/console/people?new", "/console/invitations?new"} <= set(re.findall(r'href="([^"]+)"', shown.body))
    (focused,) = re.findall(r"<input[^>]* autofocus[^>]*>", shown.body)
    assert ('name="owner"' in focused, 'aria-invalid="true"' in focused) == (True, True)
    assert 'value="laptop"' in shown.body
    assert not await office.store.tokens()
    lacking = await send(office, "name=x&owner=ada&scope=nonsense")
    assert "/console/people?new" not in lacking.body


async def test_users_see_their_own_and_the_others_all(office: Office) -> None:
    await kept(office, "hers", "ada", scopes=frozenset(SCOPES))
    await kept(office, "his", "ben")
    for name, role, sees in (("ben", "user", False), ("eve", "auditor", True), ("ada", "admin", True)):
        await office.sign_in(name, role)
        text = (await office.get(TOKENS)).text
        assert "his" in text
        assert ("hers" in text, "everything" in text) == (sees, sees)


async def test_the_states_of_tokens(office: Office) -> None:
    await office.sign_in()
    await office.store.set_user(User(name="ben", disabled=True), by="tests")
    await kept(office, "gone", "ada")
    await office.store.revoke_token("gone", by="tests")
    await kept(office, "shut", "ben")
    text = (await office.get(f"{TOKENS}?state=all")).text
    assert "revoked" in text
    assert "owner disabled" in text
    assert "gone" not in (await office.get(TOKENS)).text


async def test_revoking_asks_first(office: Office) -> None:
    await kept(office, "lap & top", "ada")
    await office.sign_in()
    assert "?revoke=lap+%26+top" in (await office.get(TOKENS)).body
    asked = await office.get(f"{TOKENS}?revoke=lap+%26+top")
    assert "Revoke lap & top?" in re.sub(r"\s+", " ", asked.text)
    assert (await office.store.tokens())[0].revoked is None
    shown = await office.send(TOKENS, "revoke", name="lap & top")
    assert shown.location == f"{TOKENS}?said=revoked&about=lap%20%26%20top"
    assert "lap & top works no longer." in (await office.get(shown.location)).text
    assert (await office.store.tokens())[0].revoked is not None
    assert (await office.store.audit(1))[0].what == "token.revoke"
    assert (await office.send(TOKENS, "revoke", name="lap & top")).status == 404


@pytest.mark.parametrize("role", ["user", "auditor"])
async def test_nobody_but_an_administrator_revokes_anothers(office: Office, role: str) -> None:
    await kept(office, "hers", "ada")
    await kept(office, "his", "ben")
    await office.sign_in("ben", role)
    shown = await office.send(TOKENS, "revoke", name="hers")
    assert shown.status == 404
    assert "Known: his." in shown.text
    assert {token.name: token.revoked is None for token in await office.store.tokens()} == {"hers": True, "his": True}
    assert (await office.send(TOKENS, "revoke", name="his")).status == 303


async def test_names_are_text(office: Office) -> None:
    await kept(office, XSS, XSS)
    await office.sign_in()
    for path in (TOKENS, f"{TOKENS}?revoke=%3Cscript%3Ealert(1)%3C/script%3E", f"{TOKENS}?find=%3Cscript%3E"):
        shown = await office.get(path)
        assert (XSS in shown.text, "<script>" in shown.body) == (True, False)


@pytest.mark.parametrize("host", ["evil.test/<script>", 'a"b', "a b", "x" * 300])
async def test_an_odd_host_is_not_taken_for_our_address(office: Office, host: str) -> None:
    await office.sign_in()
    shown = await office.get(f"{TOKENS}?connect", Host=host)
    assert shown.status in {200, 400}
    assert host not in shown.body


async def test_empty_and_found_nothing(office: Office) -> None:
    await office.sign_in("ben", "user")
    assert "No tokens yet" in (await office.get(TOKENS)).text
    await kept(office, "his", "ben")
    assert "No token is like this" in (await office.get(f"{TOKENS}?find=zzz")).text

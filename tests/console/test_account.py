"""One's own password and sessions: nobody else's, and not without the old password."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from homeport.access import sessions
from homeport.access.passwords import Passwords

if TYPE_CHECKING:
    from offices import Office

ACCOUNT = "/console/account"
OLD, NEW = "correct horse battery", "purple monkey dishwasher"


async def change(office: Office, **fields: str) -> int:
    return (await office.send(ACCOUNT, "password", **{"new": NEW, "again": NEW, **fields})).status


async def known(office: Office, name: str = "ada") -> None:
    await office.store.set_password(name, await Passwords().hash(OLD), by="tests")


async def test_the_first_password_needs_no_old_one(office: Office) -> None:
    await office.sign_in("ben", "user")
    shown = await office.get(ACCOUNT)
    assert "Choose a password" in shown.text
    assert 'name="old"' not in shown.body
    before = office.cookie
    shown = await office.send(ACCOUNT, "password", new=NEW, again=NEW)
    assert shown.location == f"{ACCOUNT}?said=password"
    assert office.cookie not in {"", before}
    assert "The new password counts" in (await office.get(shown.location)).text
    assert await Passwords().matches(await office.store.password("ben"), NEW)
    assert "user.password" in [event.what for event in await office.store.audit(3)]
    assert NEW not in str(await office.store.audit())


async def test_changing_it_ends_the_other_sessions(office: Office) -> None:
    await office.sign_in()
    await known(office)
    await office.sign_in()
    other = office.cookie
    await office.sign_in()
    assert 'name="old"' in (await office.get(ACCOUNT)).body
    assert await change(office, old=OLD) == 303
    assert (await office.get(ACCOUNT)).status == 200
    office.cookie = other
    assert (await office.get(ACCOUNT)).status == 303


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "another one"),
        ({"old": "wrong"}, "another one"),
        ({"old": OLD, "again": NEW + "x"}, "not typed twice alike"),
        ({"old": OLD, "new": "short", "again": "short"}, "has 5 characters"),
        ({"old": OLD, "new": "x" * 257, "again": "x" * 257}, "has 257 characters"),
    ],
)
async def test_what_does_not_change_it(office: Office, fields: dict[str, str], told: str) -> None:
    await office.sign_in()
    await known(office)
    await office.sign_in()
    shown = await office.send(ACCOUNT, "password", **{"new": NEW, "again": NEW, **fields})
    assert (shown.status, told in shown.text) == (400, True)
    assert NEW not in shown.body
    assert await Passwords().matches(await office.store.password("ada"), OLD)
    assert (await office.get(ACCOUNT)).status == 200


async def test_who_guesses_the_old_one_has_to_wait(office: Office) -> None:
    await office.sign_in()
    await known(office)
    await office.sign_in()
    for _ in range(sessions.FREE):
        assert await change(office, old="wrong") == 400
    assert await change(office, old=OLD) == 429


async def test_one_session_is_ended(office: Office) -> None:
    await office.sign_in("ben", "user")
    other = office.cookie
    await office.sign_in("ben", "user")
    body = (await office.get(ACCOUNT)).body
    assert body.count("Sign out there") == 1
    assert "this one" in body
    digest = sessions.digest(office.vault.derive(sessions.PEPPER), other)
    assert digest.hex() in body
    assert (await office.send(ACCOUNT, "end", session=digest.hex())).location == f"{ACCOUNT}?said=ended"
    office.cookie = other
    assert (await office.get(ACCOUNT)).status == 303


async def test_nobody_elses_session_is_ended(office: Office) -> None:
    await office.sign_in("ada")
    hers = office.cookie
    digest = sessions.digest(office.vault.derive(sessions.PEPPER), hers)
    await office.sign_in("ben", "user")
    assert digest.hex() not in (await office.get(ACCOUNT)).body
    assert (await office.send(ACCOUNT, "end", session=digest.hex())).status == 303
    for odd in ("", "zz", "0"):
        assert (await office.send(ACCOUNT, "end", session=odd)).status == 400
    office.cookie = hers
    assert (await office.get(ACCOUNT)).status == 200


async def test_signing_out_everywhere(office: Office) -> None:
    await office.sign_in("ben", "user")
    other = office.cookie
    await office.sign_in("ben", "user")
    mine = office.cookie
    assert (await office.send(ACCOUNT, "leave")).location == "/console/sign-in"
    assert not office.cookie
    for each in (other, mine):
        office.cookie = each
        assert (await office.get("/console")).status == 303


async def test_the_theme_is_chosen_by_buttons(office: Office) -> None:
    await office.sign_in("ben", "user")
    body = (await office.get(ACCOUNT)).body
    for theme in ("", "light", "dark"):
        assert f'data-set-theme="{theme}"' in body

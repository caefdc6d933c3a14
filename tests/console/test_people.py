"""Who may sign in: seen by auditors, changed by administrators, never without an administrator."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from homeport.store.records import Team, User

if TYPE_CHECKING:
    from offices import Office

PEOPLE = "/console/people"
XSS = "<img src=x onerror=alert(1)>"


async def add(office: Office, name: str = "ben", role: str = "user", *, disabled: bool = False) -> None:
    await office.store.set_user(User(name=name, role=role, disabled=disabled), by="tests")  # type: ignore[arg-type]


async def person(office: Office, name: str) -> User | None:
    return next((user for user in await office.store.users() if user.name == name), None)


async def test_somebody_is_added_and_signs_in_by_the_link(office: Office) -> None:
    await office.sign_in()
    assert 'name="role"' in (await office.get(f"{PEOPLE}?new")).body
    shown = await office.send(PEOPLE, "add", name=" ben ", role="auditor")
    assert (shown.status, "only time" in shown.text) == (200, True)
    found = re.search(r"http://127\.0\.0\.1:(\d+)/console/sign-in\?code=([\w-]{32})", shown.text)
    assert found is not None
    assert int(found[1]) == office.house.port
    assert [event.what for event in await office.store.audit(2)] == ["user.code", "user.set"]
    assert found[2] not in str(await office.store.audit())
    office.cookie = ""
    assert (await office.send("/console/sign-in", "code", code=found[2])).location == "/console"
    text = (await office.get(PEOPLE)).text
    assert "ben" in text
    assert "auditor" in text


async def test_the_list_tells_the_last_sign_in(office: Office) -> None:
    await add(office)
    await office.sign_in()
    rows = re.findall(r"<tr>(.*?)</tr>", (await office.get(PEOPLE)).body)
    assert ["<time" in row for row in rows[1:]] == [True, False]
    assert "not known" in rows[2]


async def test_the_seats_and_who_somebody_is_are_told_in_words(office: Office) -> None:
    await office.sign_in()
    text = (await office.get(PEOPLE)).text
    assert "1 has a seat." in text
    assert "(administrator)" in text
    await add(office)
    assert "2 have a seat." in (await office.get(PEOPLE)).text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (PEOPLE, "This page is for administrators and auditors. Ask one of them."),
        ("/console/models/new", "This page is for administrators. Ask one of them."),
    ],
)
async def test_whom_a_page_is_for_is_told(office: Office, path: str, said: str) -> None:
    await office.sign_in("uma", "user")
    shown = await office.get(path)
    assert (shown.status, said in " ".join(shown.text.split())) == (403, True)


async def test_a_role_is_changed(office: Office) -> None:
    await add(office)
    await office.sign_in()
    card = (await office.get(f"{PEOPLE}?name=ben")).body
    assert '<option value="user" selected>' in card
    shown = await office.send(PEOPLE, "role", name="ben", role="auditor", was="user")
    assert shown.location == f"{PEOPLE}?said=role&about=ben"
    assert "ben has another role now." in (await office.get(shown.location)).text
    event = (await office.store.audit(1))[0]
    assert (event.who, event.what, event.after) == ("ada", "user.set", {"role": "auditor", "disabled": False})


async def test_who_changes_a_role_that_somebody_else_changed_is_told(office: Office) -> None:
    await add(office)
    await office.sign_in()
    await office.store.edit_user("ben", {"role": "auditor"}, by="eve")
    told = await office.send(PEOPLE, "role", name="ben", role="admin", was="user")
    assert (told.status, "Now it is Role: auditor." in told.text) == (409, True)
    assert '<option value="admin" selected>' in told.body
    assert (await office.store.user("ben")).role == "auditor"
    # each form of the page keeps what it showed itself
    first, second = re.findall(r'name="was" value="([^"]*)"', told.body)
    assert (first, "auditor" in second) == ("auditor", False)
    assert (await office.send(PEOPLE, "role", name="ben", role="admin", was=first)).status == 303
    refused = await office.send(PEOPLE, "about", name="ben", was="{}")
    assert re.findall(r'name="was" value="([^"]*)"', refused.body)[0] == "admin"
    assert (await office.send(PEOPLE, "role", name="ben", role="user")).status == 409


async def shown(office: Office, name: str) -> dict[str, str]:
    """The form about somebody as a browser would send it back."""
    body = (await office.get(f"{PEOPLE}?name={name}")).body
    (about,) = re.findall(r'<form [^>]*>(?:(?!</form>).)*name="do" value="about".*?</form>', body, re.DOTALL)
    fields = dict(re.findall(r'name="(was|display|email|teams)"[^>]*? value="([^"]*)"', about))
    seat = {"seat": "on"} if re.search(r'<input type="checkbox" checked[^>]* name="seat"', about) else {}
    return {"name": name, "licence": "", **{each: unescape(value) for each, value in fields.items()}, **seat}


async def test_who_saves_what_somebody_else_changed_meanwhile_is_told(office: Office) -> None:
    await add(office, "uma")
    await office.sign_in()
    stale = await shown(office, "uma")
    fresh = {name: value for name, value in stale.items() if name != "seat"}
    assert (await office.send(PEOPLE, "about", **fresh)).status == 303
    told = await office.send(PEOPLE, "about", **{**stale, "display": "Uma T."})
    assert (told.status, "Now it is Has a seat: no." in told.text) == (409, True)
    assert 'value="Uma T."' in told.body
    uma = await office.store.user("uma")
    assert (uma.seat, uma.display) == (False, "")
    was = unescape(re.findall(r'name="was" value="([^"]*)"', told.body)[1])
    assert was != stale["was"]
    assert (await office.send(PEOPLE, "about", **{**stale, "display": "Uma T.", "was": was})).status == 303
    uma = await office.store.user("uma")
    assert (uma.seat, uma.display) == (True, "Uma T.")


@pytest.mark.parametrize("was", ["", "7", "[]", '{"seat": {}}'])
async def test_a_form_that_does_not_say_what_it_showed_changes_nothing(office: Office, was: str) -> None:
    await office.sign_in()
    told = await office.send(PEOPLE, "about", **{**await shown(office, "ada"), "display": "A", "was": was})
    assert (told.status, "Has a seat: yes" in told.text) == (409, True)
    assert (await office.store.user("ada")).display == ""


async def test_a_form_with_an_unknown_team_saves_nothing(office: Office) -> None:
    await add(office)
    await office.store.add_team(Team(name="Alpha"), by="tests")
    await office.sign_in()
    filled = {**await shown(office, "ben"), "display": "Ben B.", "teams": "Alpha, Zeta"}
    before = await office.store.revision()
    told = await office.send(PEOPLE, "about", **filled)
    assert (told.status, "There is no team 'Zeta'" in told.text) == (404, True)
    assert ('value="Ben B."' in told.body, 'value="Alpha, Zeta"' in told.body) == (True, True)
    ben = await office.store.user("ben")
    assert (ben.display, ben.teams, await office.store.revision()) == ("", (), before)
    assert (await office.send(PEOPLE, "about", **{**filled, "teams": "Alpha"})).status == 303
    ben = await office.store.user("ben")
    assert (ben.display, ben.teams) == ("Ben B.", ("Alpha",))


async def test_nobody_is_added_with_an_unknown_team(office: Office) -> None:
    await office.store.add_team(Team(name="Alpha"), by="tests")
    await office.sign_in()
    told = await office.send(PEOPLE, "add", name="ben", role="user", teams="Alpha, Zeta")
    assert (told.status, "There is no team 'Zeta'" in told.text, 'value="ben"' in told.body) == (404, True, True)
    assert await person(office, "ben") is None
    assert (await office.send(PEOPLE, "add", name="ben", role="user", teams="Alpha")).status == 200
    assert (await office.store.user("ben")).teams == ("Alpha",)


async def test_disabling_and_enabling(office: Office) -> None:
    await add(office)
    await office.sign_in()
    assert (await office.send(PEOPLE, "disable", name="ben")).location.endswith("said=closed&about=ben")
    assert "disabled" in (await office.get(f"{PEOPLE}?name=ben")).text
    assert (await office.send(PEOPLE, "enable", name="ben")).location.endswith("said=reopened&about=ben")
    assert (await person(office, "ben")) is not None


async def test_another_link_and_signing_out_everywhere(office: Office) -> None:
    await office.sign_in("ben", "user")
    theirs = office.cookie
    await office.sign_in()
    mine = office.cookie
    assert "/console/sign-in?code=" in (await office.send(PEOPLE, "link", name="ben")).text
    assert (await office.send(PEOPLE, "leave", name="ben")).status == 303
    office.cookie = theirs
    assert (await office.get("/console")).status == 303
    office.cookie = mine
    assert (await office.get("/console")).status == 200


@pytest.mark.parametrize(("do", "fields"), [("disable", {}), ("role", {"role": "user", "was": "admin"})])
async def test_the_last_administrator_stays(office: Office, do: str, fields: dict[str, str]) -> None:
    await add(office, "eve", "admin", disabled=True)
    await office.sign_in()
    shown = await office.send(PEOPLE, do, name="ada", **fields)
    assert shown.status == 409
    assert "ada is the last administrator. Make somebody else an administrator first." in shown.text
    assert await person(office, "ada") == User(
        name="ada", role="admin", created=(await office.store.users())[0].created
    )
    await add(office, "eve", "admin")
    assert (await office.send(PEOPLE, do, name="ada", **fields)).status == 303


@pytest.mark.parametrize("do", ["add", "role", "disable", "enable", "leave", "link"])
@pytest.mark.parametrize("role", ["auditor", "user"])
async def test_who_may_not_change_people(office: Office, role: str, do: str) -> None:
    await add(office, "ben", "user")
    await office.sign_in("eve", role)
    before = await office.store.users(), await office.store.revision()
    shown = await office.send(PEOPLE, do, name="ben", role="admin")
    assert shown.status == 403
    assert (await office.store.users(), await office.store.revision()) == before


async def test_an_auditor_sees_no_form_and_a_user_sees_nothing(office: Office) -> None:
    await add(office)
    await office.sign_in("eve", "auditor")
    shown = await office.get(f"{PEOPLE}?name=ben")
    assert shown.status == 200
    assert "Add somebody" not in shown.text
    assert 'name="role" value' not in shown.body
    assert "Change ben" not in shown.body
    await office.sign_in("max", "user")
    shown = await office.get(PEOPLE)
    assert (shown.status, "ben" in shown.text) == (403, False)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": "ada"}, "ada may sign in already"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "100"),
        ({"name": "a\0b"}, "name"),
        ({"name": "ben", "role": "root"}, "There is no role 'root'"),
    ],
)
async def test_what_cannot_be_added(office: Office, fields: dict[str, str], told: str) -> None:
    await office.sign_in()
    shown = await office.send(PEOPLE, "add", **fields)
    assert (shown.status, told in shown.text) == (400, True)
    assert 'value="add"' in shown.body
    assert len(await office.store.users()) == 1


async def test_somebody_who_is_not_there(office: Office) -> None:
    await office.sign_in()
    assert (await office.send(PEOPLE, "disable", name="nobody")).status == 404
    assert (await office.get(f"{PEOPLE}?name=nobody")).status == 200


async def test_names_are_text(office: Office) -> None:
    await add(office, XSS)
    await office.sign_in()
    for query in (
        "",
        "?name=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
        "?find=%3Cimg",
        "?said=role&about=<img%20src=x>",
    ):
        shown = await office.get(PEOPLE + query)
        assert (shown.status, "<img" in shown.body) == (200, False)
    assert XSS in (await office.get(PEOPLE)).text
    assert "<img" not in (await office.send(PEOPLE, "link", name=XSS)).body
    assert "<img" not in (await office.send(PEOPLE, "add", name=XSS)).body


async def test_finding_and_paging(office: Office) -> None:
    for number in range(105):
        await add(office, f"p{number:03}", "auditor" if number % 2 else "user")
    await office.sign_in()
    assert "Page 1 of 2" in (await office.get(PEOPLE)).text
    second = (await office.get(f"{PEOPLE}?page=2")).text
    assert "p104" in second
    assert "p001" not in second
    text = (await office.get(f"{PEOPLE}?find=P10&role=auditor")).text
    assert [name in text for name in ("p101", "p103", "p100")] == [True, True, False]
    assert "Nobody is like this" in (await office.get(f"{PEOPLE}?find=zzz")).text
    assert (await office.get(f"{PEOPLE}?page=-1")).status == 200

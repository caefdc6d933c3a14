"""`homeport users`: people who may sign in, from the command line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from commands import Instance, homeport

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("data_dir")
LINK = r"http://127\.0\.0\.1:9/console/sign-in\?code=[\w-]{32}"


def people() -> list[tuple[str, str, bool]]:
    return [(row["name"], row["role"], row["disabled"]) for row in homeport("users", "list", "--json").json]


def test_adding_and_listing() -> None:
    ran = homeport("users", "add", "ada", "--role", "admin")
    assert (ran.code, ran.out.strip()) == (0, "ada may sign in as admin.")
    assert "homeport users code ada" in ran.err
    added = homeport("users", "add", "ben", "--json").json
    assert {name: added[name] for name in ("name", "role", "disabled", "seat", "teams", "scopes")} == {
        "name": "ben",
        "role": "user",
        "disabled": False,
        "seat": True,
        "teams": [],
        "scopes": None,
    }
    listed = homeport("users", "list")
    assert re.search(r"ada +admin +- +yes +may sign in +-", listed.out)
    assert people() == [("ada", "admin", False), ("ben", "user", False)]


def test_another_role() -> None:
    homeport("users", "add", "ada", "--role", "admin")
    homeport("users", "add", "ben")
    assert homeport("users", "add", "ben", "--role", "auditor").code == 0
    assert people()[1] == ("ben", "auditor", False)
    assert homeport("users", "add", "ben", "--role", "root").code == 2


def test_disabling_and_enabling() -> None:
    homeport("users", "add", "ada", "--role", "admin")
    homeport("users", "add", "ben")
    assert homeport("users", "disable", "ben").out.strip() == "ben may not sign in any longer."
    assert re.search(r"ben +user +- +no +disabled", homeport("users", "list").out)
    assert homeport("users", "enable", "ben", "--json").json["disabled"] is False


def test_the_last_administrator_stays() -> None:
    homeport("users", "add", "ada", "--role", "admin")
    for command in (("disable", "ada"), ("add", "ada", "--role", "user")):
        ran = homeport("users", *command)
        assert ran.code == 1
        assert "ada is the last administrator. Make somebody else an administrator first." in ran.err
    assert people() == [("ada", "admin", False)]


def test_a_link() -> None:
    homeport("users", "add", "ada")
    ran = homeport("users", "code", "ada")
    assert re.fullmatch(LINK, ran.out.strip())
    assert "works once" in ran.err
    shown = homeport("users", "code", "ada", "--json").json
    assert shown["user"] == "ada"
    assert re.fullmatch(LINK, shown["link"])
    assert shown["link"] not in ran.out


@pytest.mark.parametrize("typed", ["a long enough password\na long enough password\n"])
def test_a_password(typed: str) -> None:
    homeport("users", "add", "ada")
    ran = homeport("users", "password", "ada", typed=typed)
    assert (ran.code, ran.out.strip()) == (0, "ada signs in with the new password; older sessions are over.")
    assert "a long enough" not in ran.out + ran.err


def test_a_password_that_is_too_short() -> None:
    homeport("users", "add", "ada")
    ran = homeport("users", "password", "ada", typed="short\nshort\n")
    assert ran.code != 0
    assert "Choose one of 12 to 256." in ran.err


@pytest.mark.parametrize("command", ["disable", "enable", "code", "password"])
def test_nobody_of_that_name(command: str) -> None:
    homeport("users", "add", "ada")
    ran = homeport("users", command, "eve", typed="a long enough password\na long enough password\n")
    assert ran.code == 1
    assert "There is no user named 'eve'." in ran.err


@pytest.mark.parametrize("name", ["", "x" * 101, "a\nb"])
def test_what_is_no_name(name: str) -> None:
    assert homeport("users", "add", name).code in {1, 2}


def test_nothing_is_made_by_looking(data_dir: Path) -> None:
    assert homeport("users", "list").code == 1
    assert not data_dir.exists()


async def test_a_link_leads_to_the_server_that_runs(instance: Instance) -> None:
    ran = await instance.run("users", "code", "admin")
    assert ran.out.startswith(f"{instance.url}/console/sign-in?code=")


def test_seats_and_licences() -> None:
    homeport("users", "add", "ada", "--role", "admin")
    assert homeport("users", "seats", "--limit", "1").out.strip() == "1 of 1 seats are taken."
    assert homeport("users", "add", "ben", "--json").json["seat"] is False
    ran = homeport("users", "seat", "ben")
    assert (ran.code, "No seat is free: 1 of 1 are taken." in ran.err) == (1, True)
    assert homeport("users", "seat", "ada", "--take").code == 0
    assert homeport("users", "seat", "ben").out.strip() == "ben has a seat now."
    assert [user["name"] for user in homeport("users", "list", "--seat", "--json").json] == ["ben"]
    assert homeport("users", "allow", "ben", "--scopes", "duo_chat", "--json").json["scopes"] == ["duo_chat"]
    assert homeport("users", "allow", "ben", "--json").json["scopes"] is None
    assert homeport("users", "allow", "ben", "--scopes", "nonsense").code == 2


def test_deleting_and_undoing() -> None:
    homeport("users", "add", "ada", "--role", "admin")
    homeport("users", "add", "ben")
    assert homeport("users", "delete", "ben").out.strip() == "ben is deleted; their tokens open nothing."
    assert [user["name"] for user in homeport("users", "list", "--json").json] == ["ada"]
    assert [user["name"] for user in homeport("users", "list", "--state", "deleted", "--json").json] == ["ben"]
    assert homeport("users", "leave", "ben").code == 1
    assert homeport("users", "restore", "ben").code == 0
    assert homeport("users", "restore", "ben").code == 1
    assert homeport("users", "leave", "ben").out.strip() == "ben is signed out everywhere."


def test_teams() -> None:
    homeport("users", "add", "ada")
    homeport("users", "add", "ben")
    assert homeport("teams", "list", "--json").json == []
    assert homeport("teams", "add", "Platform", "ada", "--json").json["members"] == ["ada"]
    assert homeport("teams", "join", "Platform", "ben").out.strip() == "2 people are in Platform."
    assert homeport("teams", "join", "Platform", "nobody").code == 1
    assert homeport("teams", "rename", "Platform", "Base").code == 0
    assert homeport("teams", "leave", "Base", "ada", "--json").json["members"] == ["ben"]
    assert homeport("teams", "show", "Base").out.strip() == "ben"
    homeport("teams", "delete", "Base")
    assert homeport("teams", "restore", "Base").out.strip() == "Base is back with: ben."
    assert re.search(r"Base +1", homeport("teams", "list").out)
    assert re.search(r"ben +user +Base", homeport("users", "list", "--team", "Base").out)
    assert homeport("teams", "delete", "Base").code == 0
    assert homeport("teams", "show", "Base").code == 1


def test_inviting() -> None:
    homeport("users", "add", "root", "--role", "admin")
    homeport("teams", "add", "Platform")
    ran = homeport("users", "invite", "--for", "Ada", "--team", "Platform", "--days", "3", "--json").json
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/console/join\?code=[\w-]{32}", ran["link"])
    assert re.search(rf"{ran['id']} +Ada +user +Platform .* open", homeport("users", "invitations").out)
    assert homeport("users", "uninvite", ran["id"]).code == 0
    assert homeport("users", "uninvite", ran["id"]).code == 1
    assert homeport("users", "invitations", "--json").json == []
    assert homeport("users", "invitations", "--all", "--json").json[0]["state"] == "revoked"
    assert homeport("users", "invite", "--team", "None").code == 1


def test_a_token_of_a_service() -> None:
    homeport("tokens", "create", "--name", "ci", "--service", "--scopes", "scim")
    (token,) = homeport("tokens", "list", "--json").json
    assert (token["kind"], token["owner"], token["scopes"]) == ("service", "ci", ["scim"])


def test_what_somebody_is_called() -> None:
    homeport("users", "add", "ada")
    shown = homeport("users", "about", "ada", "--display", "Ada L.", "--email", "ada@example.com", "--json").json
    assert (shown["display"], shown["email"]) == ("Ada L.", "ada@example.com")
    assert homeport("users", "about", "ada", "--email", "", "--json").json["display"] == "Ada L."
    assert homeport("users", "about", "ada").code == 2
    assert homeport("users", "about", "nobody", "--email", "x@example.com").code == 1

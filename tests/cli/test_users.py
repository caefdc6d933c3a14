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
    assert homeport("users", "add", "ben", "--json").json == {"name": "ben", "role": "user", "disabled": False}
    listed = homeport("users", "list")
    assert re.search(r"ada +admin +may sign in", listed.out)
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
    assert re.search(r"ben +user +disabled", homeport("users", "list").out)
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

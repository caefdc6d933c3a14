"""`homeport sso`: single sign-on from the command line."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from commands import homeport
from single_sign_on import Rogue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from script import Peer

pytestmark = pytest.mark.usefixtures("data_dir")
ISSUER = "https://sso.example.com/realms/main"


@pytest.fixture
async def rogue() -> AsyncIterator[Rogue]:
    async with Rogue().listening() as found:
        yield found


def set_up(issuer: str = ISSUER, *more: str) -> None:
    ran = homeport("sso", "set", "--issuer", issuer, "--client-id", "homeport", *more)
    assert (ran.code, ran.out.strip()) == (0, "Single sign-on is set."), ran.err


def test_setting_and_showing() -> None:
    set_up(ISSUER, "--client-secret", "hidden-1", "--admins", "cn=admins,dc=example;bosses", "--others", "refuse")
    shown = homeport("sso", "show", "--json")
    assert {name: value for name, value in shown.json.items() if name != "version"} == {
        "issuer": ISSUER,
        "client_id": "homeport",
        "name": "",
        "scopes": "openid profile email",
        "claim": "groups",
        "admins": "cn=admins,dc=example;bosses",
        "auditors": "",
        "others": "refuse",
        "create": "on",
        "domains": "",
        "provisioned": "off",
        "passwords": "on",
    }
    assert "cn=admins,dc=example, bosses" in homeport("sso", "show").out
    for command in (("sso", "show"), ("config", "export"), ("config", "show")):
        assert "hidden-1" not in homeport(*command).out
    assert 'sso_issuer = "https://sso.example.com/realms/main"' in homeport("config", "export").out


def test_the_second_of_two_who_change_it_is_told() -> None:
    set_up()
    seen = homeport("sso", "show", "--json").json["version"]
    assert homeport("sso", "set", "--name", "First", "--seen", seen).code == 0
    late = homeport("sso", "set", "--name", "Second", "--seen", seen)
    assert (late.code, "Somebody else changed single sign-on" in late.err) == (1, True)
    assert homeport("sso", "show", "--json").json["name"] == "First"


def test_the_secret_is_asked_for() -> None:
    ran = homeport("sso", "set", "--issuer", ISSUER, "--client-id", "h", "--client-secret", "-", typed="typed-1\n")
    assert ran.code == 0
    assert "typed-1" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--issuer", "http://sso.example.com", "--client-id", "h"), "must begin with https,"),
        (("--issuer", "sso", "--client-id", "h"), "The issuer is not one."),
        (("--issuer", f"{ISSUER}?a=b", "--client-id", "h"), "The issuer is not one."),
        (("--issuer", ISSUER), "The client id is missing."),
        (("--issuer", ISSUER, "--client-id", "h", "--scopes", "profile"), "openid"),
        (("--issuer", ISSUER, "--client-id", "h", "--domains", "example"), "is no domain"),
        (("--issuer", ISSUER, "--client-id", "h", "--client-secret", "env:HOMEPORT_TOKEN"), "Homeport's own"),
        (("--issuer", ISSUER, "--client-id", "h", "--client-secret", "file:relative"), "cannot be had like this"),
        (("--issuer", ISSUER, "--client-id", "h", "--passwords", "off"), "No administrator has signed in"),
    ],
)
def test_what_cannot_be(arguments: tuple[str, ...], said: str) -> None:
    homeport("users", "add", "ada", "--role", "admin")
    ran = homeport("sso", "set", *arguments)
    assert ran.code != 0
    assert said in ran.err
    assert homeport("sso", "show", "--json").json["issuer"] == ""


def test_switching_off() -> None:
    set_up()
    assert homeport("sso", "set", "--issuer", "").code == 0
    assert "Single sign-on is off." in homeport("sso", "show").err


def test_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    set_up()
    monkeypatch.setenv("HOMEPORT_SSO_CLIENT_ID", "from-outside")
    assert homeport("sso", "show", "--json").json["client_id"] == "from-outside"


async def test_the_check(rogue: Rogue) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.document({"error": "invalid_grant"}, 400)

    rogue.answers["/token"] = refuse
    await _ran(set_up, rogue.url, "--client-secret", "s")
    ran = await _ran(homeport, "sso", "check")
    assert ran.code == 0, ran.out
    assert f"✓ {rogue.url} answers" in ran.out
    assert "2 keys for ES256 and RS256" in ran.out
    assert "accepts the client homeport with its secret" in ran.out
    assert "/console/sso" in ran.out


@pytest.mark.parametrize(
    ("published", "said"),
    [
        ({"issuer": "https://other.example.com"}, "says that it is https://other.example.com"),
        ({"id_token_signing_alg_values_supported": ["PS256", "EdDSA"]}, "none of these is accepted"),
        ({"jwks_uri": ...}, "no jwks_uri"),
    ],
)
async def test_the_check_says_what_is_wrong(rogue: Rogue, published: dict[str, object], said: str) -> None:
    rogue.published = published
    await _ran(set_up, rogue.url)
    ran = await _ran(homeport, "sso", "check")
    assert (ran.code, said in ran.out) == (1, True)


async def test_the_check_of_a_secret_that_is_away(rogue: Rogue, tmp_path: Path) -> None:
    await _ran(set_up, rogue.url, "--client-secret", f"file:{tmp_path / 'gone'}")
    ran = await _ran(homeport, "sso", "check")
    assert (ran.code, "cannot be read" in ran.err) == (1, True)


async def _ran(work: Any, *arguments: str) -> Any:
    """A command in a thread: the provider runs here."""
    return await asyncio.to_thread(work, *arguments)


def test_linking() -> None:
    set_up()
    homeport("users", "add", "ada")
    homeport("users", "add", "ben")
    assert homeport("sso", "link", "ada", "s-1").out.strip() == f"s-1 at {ISSUER} signs in as ada."
    assert homeport("sso", "link", "ben", "s-1").code != 0
    assert homeport("sso", "link", "nobody", "s-2").code != 0
    assert homeport("sso", "list", "--json").json == [
        {"user": "ada", "issuer": ISSUER, "subject": "s-1", "seen": None},
    ]
    assert "never" in homeport("sso", "list").out
    assert homeport("sso", "unlink", "ada").out.strip() == "ada is known to no provider any longer."
    assert homeport("sso", "unlink", "ada").out.strip() == "ada was known to no provider."

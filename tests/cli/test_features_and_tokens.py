"""Assigning models to features, and making tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from commands import Instance, homeport

from homeport.access import tokens

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("data_dir")


@pytest.fixture
def coder(data_dir: Path) -> None:
    del data_dir
    homeport("models", "add", "coder", "--endpoint", "http://127.0.0.1:9/v1", "--identifier", "qwen-coder")
    homeport("models", "add", "small", "--beta", "--endpoint", "http://127.0.0.1:9/v1", "--identifier", "smollm")


def test_nothing_is_assigned_at_first() -> None:
    homeport("tokens", "create", "--name", "laptop")
    ran = homeport("features", "list")
    assert "code_completions" in ran.out
    assert "(nothing yet)" in ran.out
    assert "homeport features set code_completions MODEL" in ran.err


@pytest.mark.usefixtures("coder")
def test_assigning() -> None:
    ran = homeport("features", "set", "code_completions", "coder", "--fallback", "small", "--json")
    assert ran.json == {
        "feature": "code_completions",
        "assignment": "model",
        "model": "coder",
        "fallbacks": ["small"],
        "weights": {},
        "sticky": False,
        "shadow": None,
    }
    assert "homeport complete" in ran.err
    assert "warning: coder at http://127.0.0.1:9/v1: nobody listens there." in ran.err
    assert "warning: small at" in ran.err
    listed = {row["feature"]: row for row in homeport("features", "list", "--json").json}
    assert listed["code_completions"]["serves"] == "coder"
    assert listed["chat"]["serves"] is None


@pytest.mark.usefixtures("coder")
def test_sharing_the_work() -> None:
    ran = homeport("features", "set", "chat", "coder", "--weight", "small=3", "--sticky", "--json")
    assert (ran.json["weights"], ran.json["sticky"]) == ({"small": 3}, True)
    assert "coder=1 small=3 sticky" in homeport("features", "list").out
    assert homeport("features", "set", "chat", "coder", "--shadow", "small").code == 0
    assert "coder (shadow small)" in homeport("features", "list").out
    assert homeport("models", "remove", "small").code == 1


@pytest.mark.parametrize("weight", ["small", "=2", "small=0", "small=x", "small=-1", "nobody=1", "small=1001"])
@pytest.mark.usefixtures("coder")
def test_what_is_no_weight(weight: str) -> None:
    ran = homeport("features", "set", "chat", "coder", "--weight", weight)
    assert ran.code in {1, 2}
    assert "weight" in ran.err or "nobody" in ran.err


async def test_a_model_that_answers_is_assigned_without_a_warning(instance: Instance) -> None:
    assert "warning" not in (await instance.run("features", "set", "chat", "coder")).err


def test_only_what_has_a_parent_inherits(data_dir: Path) -> None:
    ran = homeport("features", "set", "chat", "inherit")
    assert ran.code == 2
    assert "nothing that 'chat' could inherit from" in ran.err
    assert not data_dir.exists()


@pytest.mark.usefixtures("coder")
@pytest.mark.parametrize(("word", "told"), [("disabled", "(switched off)"), ("unassigned", "(nothing yet)")])
def test_words_in_place_of_a_model(word: str, told: str) -> None:
    homeport("features", "set", "chat", "coder")
    assert homeport("features", "set", "chat", word, "--json").json["assignment"] == word
    assert told in homeport("features", "list").out


@pytest.mark.usefixtures("coder")
def test_a_disabled_model_is_told() -> None:
    homeport("features", "set", "chat", "coder")
    homeport("models", "disable", "coder")
    assert "coder (disabled model)" in homeport("features", "list").out


@pytest.mark.usefixtures("coder")
def test_a_whole_section() -> None:
    ran = homeport("features", "apply", "code suggestions", "coder", "--json")
    assert {row["feature"] for row in ran.json} >= {"code_completions", "code_generations"}
    assert homeport("features", "apply", "Nonsense", "coder").code == 2


@pytest.mark.usefixtures("coder")
def test_a_change_is_undone_with_all_that_it_changed() -> None:
    homeport("features", "set", "code_completions", "coder", "--fallback", "small")
    ran = homeport("features", "apply", "Code Suggestions", "small", "--json")
    assert "homeport features undo code_completions" in ran.err
    assert {row["model"] for row in ran.json} == {"small"}
    assert homeport("features", "set", "chat", "coder").code == 0
    undone = homeport("features", "undo", "code_generations")
    assert undone.out.splitlines() == [
        "code_completions: coder, then small again.",
        "code_generations: unassigned again.",
    ]
    assert [row["feature"] for row in homeport("features", "undo", "chat", "--json").json["features"]] == ["chat"]
    listed = {row["feature"]: row for row in homeport("features", "list", "--json").json}
    assert (listed["chat"]["serves"], listed["code_completions"]["fallbacks"]) == (None, ["small"])
    nothing = homeport("features", "undo", "code_review")
    assert (nothing.code, "no change of what serves code_review in the last hour" in nothing.err) == (1, True)


def test_what_is_not_there() -> None:
    ran = homeport("features", "set", "chat", "nobody")
    assert ran.code == 1
    assert "There is no model named 'nobody'. Add one with: homeport models add" in ran.err
    ran = homeport("features", "set", "chatter", "coder")
    assert ran.code == 2
    assert "Known: " in ran.err


def test_a_token_is_shown_once() -> None:
    ran = homeport("tokens", "create", "--name", "my-editor")
    assert ran.code == 0
    assert tokens.well_formed(ran.out.strip())
    assert "only time it is shown" in ran.err
    listed = homeport("tokens", "list")
    assert "my-editor" in listed.out
    assert ran.out.strip() not in listed.out


def test_a_token_as_json() -> None:
    document = homeport(
        "tokens",
        "create",
        "--name",
        "ci",
        "--user",
        "ada",
        "--scopes",
        "complete_code, duo_chat",
        "--expires",
        "30d",
        "--json",
    ).json
    assert tokens.well_formed(document["token"])
    assert document["scopes"] == ["complete_code", "duo_chat"]
    assert document["owner"] == "ada"
    ends = datetime.fromisoformat(document["expires"])
    assert timedelta(days=29, hours=23) < ends - datetime.now(UTC) <= timedelta(days=30)


@pytest.mark.parametrize("when", ["12h", "2w", "1y", "2099-01-31"])
def test_when_a_token_ends(when: str) -> None:
    assert homeport("tokens", "create", "--name", "x", "--expires", when).code == 0


@pytest.mark.parametrize("when", ["soon", "-1d", "0d", "30", "30m"])
def test_when_no_token_ends(when: str) -> None:
    ran = homeport("tokens", "create", "--name", "x", f"--expires={when}")
    assert ran.code == 2
    assert "neither a duration like 30d" in ran.err


def test_a_token_that_would_have_expired() -> None:
    ran = homeport("tokens", "create", "--name", "x", "--expires", "2020-01-31")
    assert ran.code == 1
    assert "would have expired already" in ran.err


@pytest.mark.parametrize("scopes", ["everything", "", "complete_code,nonsense"])
def test_scopes_that_nobody_knows(scopes: str) -> None:
    ran = homeport("tokens", "create", "--name", "x", "--scopes", scopes)
    assert ran.code == 2
    assert "Known: complete_code" in ran.err


def test_revoking() -> None:
    homeport("tokens", "create", "--name", "my-editor")
    assert homeport("tokens", "revoke", "my-editor", "--json").json == {"revoked": "my-editor"}
    assert homeport("tokens", "list", "--json").json == []
    assert homeport("tokens", "list", "--all", "--json").json[0]["state"] == "revoked"
    ran = homeport("tokens", "revoke", "my-editor")
    assert ran.code == 1
    assert ran.err.startswith("error: There is no token named 'my-editor' that could be revoked.")


async def test_a_running_server_takes_a_new_token_and_refuses_a_revoked_one(instance: Instance) -> None:
    made = await instance.run("tokens", "create", "--name", "new", "--json")
    await instance.seen()
    ran = await instance.run("chat", "hello", HOMEPORT_TOKEN=made.json["token"])
    assert ran.code == 0
    await instance.run("tokens", "revoke", "new")
    await instance.seen()
    ran = await instance.run("chat", "hello", HOMEPORT_TOKEN=made.json["token"])
    assert ran.code == 1
    assert "not accepted" in ran.err


async def test_the_audit_says_who(instance: Instance) -> None:
    await instance.run("features", "set", "chat", "disabled")
    async with instance.store() as store:
        event = (await store.audit(1))[0]
    assert event.who.startswith("cli:")
    assert (event.what, event.subject) == ("feature.set", "chat")


def test_a_new_token_says_since_when_it_is() -> None:
    made = homeport("tokens", "create", "--name", "x", "--json").json["created"]
    (listed,) = homeport("tokens", "list", "--json").json
    assert datetime.fromisoformat(listed["created"]) == datetime.fromisoformat(made)


def test_a_route_is_told_whole() -> None:
    for name in ("rep1", "rep2", "spare"):
        assert (
            homeport("models", "add", name, "--beta", "--endpoint", "http://127.0.0.1:9/v1", "--identifier", "x").code
            == 0
        )
    route = ("--weight", "rep2=2", "--fallback", "spare")
    ran = homeport("features", "set", "code_completions", "rep1", *route)
    assert ran.out == "code_completions: served by rep1=1 rep2=2, then spare.\n"
    listed = homeport("features", "list").out.splitlines()
    assert next(line.split()[-3:] for line in listed if "rep1" in line) == ["rep1=1", "rep2=2", "spare"]
    for feature in ("code_generations", "chat"):
        homeport("features", "set", feature, "rep1")
    checks = homeport("doctor", "--json").json["checks"]
    (registry,) = (each for each in checks if each["id"] == "registry")
    assert "code_completions by rep1=1 rep2=2, then spare" in registry["saw"]
    (address,) = (each for each in checks if each["id"] == "model_tcp")
    assert (address["status"], "No feature uses it" in address["saw"]) == ("fail", False)

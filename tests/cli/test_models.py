"""Registering models from the command line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from commands import KEY, SERVED, Instance, homeport

if TYPE_CHECKING:
    from pathlib import Path

    from script import Peer

ADD = ("models", "add", "coder", "--endpoint", "http://gpu1:8000/v1", "--identifier", "qwen2.5-coder-7b")
pytestmark = pytest.mark.usefixtures("data_dir")


def test_the_first_command_of_all_makes_the_database(data_dir: Path) -> None:
    assert homeport(*ADD).code == 0
    homeport("models", "remove", "coder")
    ran = homeport("models", "list")
    assert ran.code == 0
    assert "Register one:" in ran.err
    assert str(data_dir) in ran.err
    assert (data_dir / "homeport.db").stat().st_mode & 0o077 == 0


def test_adding_guesses_the_family_and_tells_what_comes_next() -> None:
    ran = homeport(*ADD)
    assert ran.code == 0
    assert ran.out == "Registered coder: openai, family qwen_coder (guessed from 'qwen2.5-coder-7b').\n"
    assert "homeport models test coder" in ran.err
    assert "homeport features set code_completions coder" in ran.err


def test_adding_as_json() -> None:
    document = homeport(*ADD, "--context-tokens", "32768", "--max-output", "512", "--json").json
    assert document["family"] == "qwen_coder"
    assert document["key"] is False
    assert document["limits"]["context_tokens"] == 32768
    assert document["limits"]["output_tokens"] == 512
    assert document["warnings"] == []


@pytest.mark.parametrize(
    ("identifier", "platform", "served"),
    [
        ("custom_openai/codestral", "openai", "codestral"),
        ("openai/gpt-oss-20b", "openai", "openai/gpt-oss-20b"),
        ("Qwen/Qwen2.5-Coder-7B", "openai", "Qwen/Qwen2.5-Coder-7B"),
    ],
)
def test_identifiers_with_a_prefix(identifier: str, platform: str, served: str) -> None:
    document = homeport(
        "models", "add", "m", "--beta", "--endpoint", "http://h/v1", "--identifier", identifier, "--json"
    ).json
    assert (document["platform"], document["identifier"]) == (platform, served)


def test_a_family_by_its_alias() -> None:
    assert homeport(*ADD, "--family", "qwen3_coder", "--json").json["family"] == "qwen_coder"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--family", "nonsense"), "There is no family 'nonsense'. Known: "),
        (("--platform", "nonsense"), "There is no platform 'nonsense'. Known: "),
        (("--api-key-env", "NO_SUCH_VARIABLE"), "The variable NO_SUCH_VARIABLE holds no key"),
        (("--api-key-file", "/no/such/file"), "The key file /no/such/file cannot be read"),
        (("--api-key-env", "A", "--api-key-file", "b"), "not both"),
        (("--concurrency", "many"), "'many' is not a valid integer range"),
    ],
)
def test_wrong_use(more: tuple[str, ...], said: str, data_dir: Path) -> None:
    ran = homeport(*ADD, *more)
    assert ran.code == 2
    assert said in ran.err
    assert not data_dir.exists()


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--option", "region"), 2, "--option 'region' says no value"),
        (("--option", "region=eu-west-1"), 1, "OpenAI-compatible (vLLM, SGLang, llama.cpp, …) has no option 'region'"),
    ],
)
def test_options_that_a_platform_does_not_have(more: tuple[str, ...], code: int, said: str) -> None:
    for command in (ADD, ("models", "edit", "small")):
        homeport("models", "add", "small", "--beta", "--endpoint", "http://h/v1", "--identifier", "x")
        ran = homeport(*command, *more)
        assert ran.code == code
        assert said in ran.err


BEDROCK = ("models", "add", "claude", "--identifier", "bedrock/eu.anthropic.claude-opus-4-8")


def test_code_as_it_comes() -> None:
    added = homeport(
        "models",
        "add",
        "raw",
        "--beta",
        "--endpoint",
        "http://127.0.0.1:9/v1",
        "--identifier",
        "x",
        "--no-clean",
        "--json",
    )
    assert added.json["clean"] is False
    shown = homeport("models", "show", "raw").out
    assert [line.split() for line in shown.splitlines() if line.startswith("clean")] == [["clean", "no"]]
    kept = homeport("models", "edit", "raw", "--concurrency", "3", "--json")
    assert kept.json["clean"] is False
    assert homeport("models", "edit", "raw", "--clean", "--json").json["clean"] is True
    assert homeport("models", "show", "raw", "--json").json["clean"] is True


NO_REGION: dict[str, str | None] = {"AWS_REGION_NAME": None, "AWS_REGION": None, "AWS_DEFAULT_REGION": None}


def test_a_model_on_bedrock() -> None:
    ran = homeport(*BEDROCK, "--option", "region=eu-central-1", "--option", "guardrail=abc", "--json", **NO_REGION)
    assert ran.code == 0
    assert ran.json["platform"] == "bedrock"
    assert ran.json["identifier"] == "eu.anthropic.claude-opus-4-8"
    assert ran.json["family"] == "claude_3"
    assert ran.json["options"] == {"region": "eu-central-1", "guardrail": "abc"}
    assert ran.json["warnings"] == []
    assert "region" in homeport("models", "show", "claude").out
    edited = homeport(
        "models", "edit", "claude", "--option", "guardrail=", "--option", "credentials=instance", "--json"
    )
    assert edited.json["options"] == {"region": "eu-central-1", "credentials": "instance"}


def test_a_region_may_come_from_the_servers_environment() -> None:
    ran = homeport(*BEDROCK, **NO_REGION)
    assert ran.code == 0
    assert "warning: The server needs AWS_REGION_NAME in its environment" in ran.err
    assert "homeport models edit claude --option region=" in ran.err
    assert (
        homeport("models", "edit", "claude", "--queue", "3", "--json", **NO_REGION | {"AWS_REGION": "x"}).json[
            "warnings"
        ]
        == []
    )


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("region=mars", "The option region cannot be 'mars'."),
        ("region=evil.example/#", "The option region cannot be"),
        ("credentials=guess", "Give one of key, environment, profile"),
        ("regoin=eu-central-1", "AWS Bedrock has no option 'regoin'. Known: region, credentials"),
    ],
)
def test_options_are_checked_when_they_are_given(option: str, said: str) -> None:
    assert said in homeport(*BEDROCK, "--option", option).err
    homeport(*BEDROCK, "--option", "region=eu-central-1")
    ran = homeport("models", "edit", "claude", "--option", option)
    assert ran.code == 1
    assert said in ran.err
    assert homeport("models", "show", "claude", "--json").json["options"] == {"region": "eu-central-1"}


def test_a_model_on_azure() -> None:
    add = ("models", "add", "gpt", "--beta", "--identifier", "azure/my-deployment")
    assert "--endpoint is missing: Azure OpenAI needs to know" in homeport(*add).err
    ran = homeport(*add, "--endpoint", "https://x.openai.azure.com", "--option", "api_version=2024-10-21", "--json")
    assert ran.json["platform"] == "azure"
    assert ran.json["identifier"] == "my-deployment"
    assert ran.json["warnings"] == []
    assert homeport("models", "edit", "gpt", "--option", "api_version=latest").code == 1


def test_a_model_behind_anthropic_s_format() -> None:
    add = ("models", "add", "claude", "--platform", "anthropic", "--endpoint", "https://gateway.internal")
    document = homeport(*add, "--identifier", "claude-opus-4-8", "--option", "auth=bearer", "--json").json
    assert (document["platform"], document["family"], document["warnings"]) == ("anthropic", "claude_3", [])


def test_options_do_not_follow_to_another_platform() -> None:
    homeport(*BEDROCK, "--option", "region=eu-central-1")
    moved = ("models", "edit", "claude", "--platform", "azure", "--endpoint", "https://x.openai.azure.com")
    assert homeport(*moved, "--option", "region=eu-central-1").code == 1
    assert homeport(*moved, "--json").json["options"] == {}


def test_what_a_platform_needs() -> None:
    ran = homeport("models", "add", "coder")
    assert ran.code == 2
    assert "--endpoint and --identifier is missing" in ran.err or "--endpoint and --identifier" in ran.err


def test_the_embedded_model_needs_no_address() -> None:
    document = homeport(
        "models", "add", "small", "--beta", "--platform", "embedded", "--identifier", "smollm2", "--json"
    ).json
    assert (document["platform"], document["family"]) == ("embedded", "smollm")


@pytest.mark.parametrize(
    ("endpoint", "better"),
    [
        ("http://gpu1:8000", "http://gpu1:8000/v1"),
        ("http://gpu1:8000/", "http://gpu1:8000/v1"),
        ("http://gpu1:8000/v1/chat/completions", "http://gpu1:8000/v1"),
        ("http://gpu1:8000/v1/completions", "http://gpu1:8000/v1"),
    ],
)
def test_an_odd_endpoint_is_a_warning_with_a_remedy(endpoint: str, better: str) -> None:
    ran = homeport("models", "add", "coder", "--beta", "--endpoint", endpoint, "--identifier", "x")
    assert ran.code == 0
    assert "warning: " in ran.err
    assert f"homeport models edit coder --endpoint {better}\n" in ran.err


def test_an_endpoint_that_is_none() -> None:
    ran = homeport("models", "add", "coder", "--beta", "--endpoint", "gpu1:8000", "--identifier", "x")
    assert ran.code == 1
    assert "is no http or https address" in ran.err


def test_a_key_over_plain_http_is_a_warning() -> None:
    ran = homeport(*ADD, "--api-key-env", "MY_KEY", MY_KEY="sk-1")
    assert "travels unencrypted" in ran.err


def test_keys_come_from_a_variable_or_a_file_and_are_never_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    shown = [
        homeport(*ADD, "--api-key-env", "MY_KEY", MY_KEY=KEY),
        homeport("models", "edit", "coder", "--api-key-file", str(tmp_path / "key"), "--json"),
        homeport("models", "show", "coder"),
        homeport("models", "list"),
        homeport("models", "list", "--json"),
    ]
    assert [ran.code for ran in shown] == [0] * len(shown)
    assert all(KEY not in ran.out + ran.err for ran in shown)
    assert shown[1].json["key"] is True
    assert homeport("models", "edit", "coder", "--no-api-key", "--json").json["key"] is False


def test_a_key_does_not_follow_to_another_host() -> None:
    homeport(*ADD, "--api-key-env", "MY_KEY", MY_KEY=KEY)
    ran = homeport("models", "edit", "coder", "--endpoint", "http://elsewhere/v1")
    assert ran.code == 0
    assert "warning: The stored key was removed" in ran.err


def test_the_same_name_twice() -> None:
    homeport(*ADD)
    ran = homeport(*ADD)
    assert ran.code == 1
    assert ran.err == "error: There is already a model named 'coder'. Choose another name, or edit that one.\n"


def test_showing_one_that_is_not_there() -> None:
    homeport(*ADD)
    ran = homeport("models", "show", "codr")
    assert ran.code == 1
    assert ran.err == "error: There is no model named 'codr'. Known: coder.\n"


def test_editing_disabling_enabling_renaming() -> None:
    homeport(*ADD)
    assert homeport("models", "edit", "coder", "--concurrency", "7", "--json").json["limits"]["concurrency"] == 7
    assert homeport("models", "disable", "coder", "--json").json["enabled"] is False
    assert homeport("models", "list").out.splitlines()[1].split()[-2:] == ["disabled", "unknown"]
    assert homeport("models", "enable", "coder").out == "coder is enabled.\n"
    assert homeport("models", "edit", "coder", "--rename", "better", "--json").json["name"] == "better"
    assert homeport("models", "edit", "better").code == 2


def test_removing_one_that_serves_something() -> None:
    homeport(*ADD)
    homeport("features", "set", "chat", "coder")
    ran = homeport("models", "remove", "coder")
    assert ran.code == 1
    assert "serves chat" in ran.err
    assert "--force" in ran.err
    assert homeport("models", "remove", "coder", "--force", "--json").json == {"removed": "coder"}
    assert homeport("models", "list", "--json").json == []
    assert "was removed within the last hour" in homeport("models", "restore", "other").err
    assert homeport("models", "restore", "coder", "--json").json == {"restored": "coder", "notes": []}
    assert homeport("features", "list", "--json").json[0]["model"] == "coder"
    said = homeport("models", "remove", "coder", "--force").err
    assert "homeport models restore coder" in said


@pytest.mark.parametrize(("name", "why"), [("chat", "it is a feature's"), ("bad name", "Write it like bad-name")])
def test_names_that_callers_could_not_write(name: str, why: str, data_dir: Path) -> None:
    more = ("--endpoint", "http://h/v1", "--identifier", "x")
    added = homeport("models", "add", name, "--beta", *more)
    assert (added.code, why in added.err, data_dir.exists()) == (2, True, False)
    homeport("models", "add", "good", "--beta", *more)
    renamed = homeport("models", "edit", "good", "--rename", name)
    assert (renamed.code, why in renamed.err) == (2, True)


async def test_testing_a_model_shows_each_step(instance: Instance) -> None:
    ran = await instance.run("models", "test", "coder")
    assert ran.code == 0
    skipped = {"proxy", "tls"}
    hops = ("dns", "proxy", "tcp", "tls", "reachable", "served", "answers", "chats", "fills", "streams", "window")
    assert [line.split()[:2] for line in ran.out.splitlines()] == [
        ["\N{EN DASH}" if hop in skipped else "✓", f"model_{hop}"] for hop in hops
    ]


async def test_testing_a_model_that_serves_nothing_yet_asks_it_to_chat_all_the_same(instance: Instance) -> None:
    await instance.run("models", "duplicate", "coder", "twin")
    ran = await instance.run("models", "test", "twin", "--json")
    (found,) = (each for each in ran.json["checks"] if each["id"] == "model_chats")
    assert (found["status"], found["saw"]) == ("ok", "twin holds a conversation.")


async def test_testing_a_disabled_model_that_is_broken(instance: Instance) -> None:
    await instance.edit(enabled=False, key="wrong")
    ran = await instance.run("models", "test", "coder", "--json")
    assert ran.code == 1
    failed = [check["id"] for check in ran.json["checks"] if check["status"] == "fail"]
    assert failed == ["model_served"]


async def test_testing_one_that_is_not_there(instance: Instance) -> None:
    ran = await instance.run("models", "test", "nobody")
    assert ran.code == 1
    assert "Known: coder" in ran.err


async def test_detecting_what_a_server_serves(instance: Instance) -> None:
    base = instance.models.url.removesuffix("/v1")
    ran = await instance.run("models", "detect", base, "--api-key-env", "MY_KEY", "--json", MY_KEY=KEY)
    assert ran.json["endpoint"] == f"{base}/v1"
    (found,) = ran.json["models"]
    assert (found["identifier"], found["family"]) == (SERVED, "general")
    assert (found["seen"]["chat"], found["seen"]["streams"]) == (True, True)
    assert "It answers at" in ran.err
    assert f"--endpoint {base}/v1 --identifier {SERVED}" in ran.err


async def test_listing_alone_asks_no_model(instance: Instance) -> None:
    url = instance.models.url
    ran = await instance.run("models", "detect", url, "--no-prove", "--api-key-env", "MY_KEY", "--json", MY_KEY=KEY)
    assert ran.json["models"] == [{"identifier": SERVED, "family": "general"}]
    assert {peer.method for peer in instance.models.heard} == {"GET"}


async def test_an_identifier_that_is_not_served(instance: Instance) -> None:
    url = instance.models.url
    ran = await instance.run("models", "detect", url, "--identifier", "other", "--api-key-env", "MY_KEY", MY_KEY=KEY)
    assert ran.code == 1
    assert f"Nothing is served as 'other' at {url}. Served: {SERVED}." in ran.err


async def test_what_a_registered_model_can_do_is_kept(instance: Instance) -> None:
    assert "models detect coder" in (await instance.run("models", "show", "coder")).err
    ran = await instance.run("models", "detect", "coder", "--json")
    assert ran.json["seen"]["streams"] is True
    shown = (await instance.run("models", "show", "coder", "--json")).json["seen"]
    assert shown["holes"] == ran.json["seen"]["holes"]
    assert shown["at"]


async def refused(peer: Peer) -> None:
    await peer.document({"error": "Unauthorized"}, status=401)


async def cut(peer: Peer) -> None:
    peer.close()


@pytest.mark.parametrize(
    ("play", "said"),
    [(refused, "Its API key is missing or wrong"), (cut, "the connection was closed before an answer")],
)
async def test_a_server_that_answers_nothing_is_told_so_and_nothing_is_kept(
    instance: Instance, play: Any, said: str
) -> None:
    await instance.run("models", "detect", "coder")
    before = (await instance.run("models", "show", "coder", "--json")).json["seen"]
    instance.models.play = play
    ran = await instance.run("models", "detect", "coder")
    assert (ran.code, ran.out) == (1, "")
    assert said in ran.err
    assert "✗ a chat" in ran.err
    assert "✓" not in ran.err.partition("✗ a chat")[2]
    assert "does not chat" not in ran.err
    assert "nothing is kept" in ran.err
    assert (await instance.run("models", "show", "coder", "--json")).json["seen"] == before


async def test_a_server_that_goes_away_leaves_what_was_seen_before(instance: Instance) -> None:
    await instance.run("models", "detect", "coder")
    before = (await instance.run("models", "show", "coder", "--json")).json["seen"]

    async def play(peer: Peer) -> None:
        await (cut(peer) if peer.method == "POST" and "prompt" in peer.json else instance.play(peer))

    instance.models.play = play
    ran = await instance.run("models", "detect", "coder", "--json")
    assert ran.code == 1
    assert "✗ plain text" in ran.err
    assert "was broken off" in ran.err
    assert (ran.json["seen"]["chat"], ran.json["seen"]["text"]) == (True, None)
    shown = (await instance.run("models", "show", "coder", "--json")).json["seen"]
    assert (shown["text"], shown["holes"]) == (before["text"], before["holes"])
    assert "the connection was closed" in shown["problems"]["the rest"]


async def test_a_list_that_is_open_and_a_model_that_wants_a_key(instance: Instance) -> None:
    async def play(peer: Peer) -> None:
        await (refused(peer) if peer.method == "POST" else peer.document({"data": [{"id": SERVED}]}))

    instance.models.play = play
    ran = await instance.run("models", "detect", instance.models.url)
    assert (ran.code, ran.out) == (1, "")
    assert "Register it" not in ran.err
    assert "--api-key-env" in ran.err


async def test_detecting_suggests_a_command_for_each_that_names_the_key(instance: Instance) -> None:
    instance.served = ["one", "two"]
    ran = await instance.run("models", "detect", instance.models.url, "--api-key-env", "MY_KEY", MY_KEY=KEY)
    suggested = [line for line in ran.err.splitlines() if line.startswith("Register it:")]
    assert len(suggested) == 2
    assert suggested[1].endswith("--identifier two --beta --api-key-env MY_KEY")


async def test_the_suggested_command_registers_a_family_that_is_beta_and_says_for_whom(instance: Instance) -> None:
    await instance.run("models", "beta", "off")
    found = await instance.run(
        "models", "detect", instance.models.url, "--no-prove", "--api-key-env", "MY_KEY", MY_KEY=KEY
    )
    (command,) = re.findall(r"^Register it:  homeport models add NAME (.+)$", found.err, re.MULTILINE)
    meant = "The family General is beta: --beta allows such families for every model from now on"
    assert found.err.count(meant) == 1
    made = await instance.run("models", "add", "second", *command.split(), MY_KEY=KEY)
    assert (made.code, meant in made.err) == (0, True)


async def test_detecting_without_the_key(instance: Instance) -> None:
    ran = await instance.run("models", "detect", instance.models.url)
    assert ran.code == 1
    assert "--api-key-env" in ran.err


async def test_detecting_with_a_wrong_key(instance: Instance) -> None:
    url = instance.models.url
    ran = await instance.run("models", "detect", url, "--api-key-env", "MY_KEY", MY_KEY="sk-wrong")
    assert ran.code == 1
    assert "did not accept the key that was given" in ran.err
    assert "It wants a key" not in ran.err


async def test_detecting_at_a_web_server(instance: Instance) -> None:
    async def play(peer: Peer) -> None:
        await peer.document({"detail": "Not Found"}, status=404)

    instance.models.play = play
    base = instance.models.url.removesuffix("/v1")
    ran = await instance.run("models", "detect", base)
    assert ran.code == 1
    assert f"not like a model server. Tried: GET {base}/models, GET {base}/v1/models." in ran.err
    assert "Start it" not in ran.err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            ("127.0.0.1:5981",),
            "'127.0.0.1:5981' looks like an address, but it has no scheme. Write http://127.0.0.1:5981",
        ),
        (("gpu1/v1",), "Write http://gpu1/v1 or https://gpu1/v1"),
        (("htp://foo",), "htp:// is no scheme of a model server. Write http://foo"),
        (("http://",), "'http://' names no host. Write it like http://127.0.0.1:8000/v1"),
        (("http://[::1",), "names no host"),
        (("--platform", "azure"), "needs an address: homeport models detect URL --platform azure"),
        (("--platform", "anthropic"), "needs an address: homeport models detect URL --platform anthropic"),
        (("--platform", "bedrock", "--option", "region=mars-1"), "Give something like eu-central-1."),
    ],
)
def test_what_cannot_be_asked_is_told_with_what_can(given: tuple[str, ...], said: str) -> None:
    ran = homeport("models", "detect", *given)
    assert ran.code in {1, 2}
    assert said in ran.err
    if "azure" in given or "anthropic" in given:
        assert "bedrock" not in ran.err


def test_detecting_where_nobody_is() -> None:
    ran = homeport("models", "detect", "http://127.0.0.1:9/v1")
    assert ran.code == 1
    assert ran.err.startswith("error: The server at http://127.0.0.1:9/v1 cannot be reached: nobody listens")


def test_another_model_takes_the_place_of_one_that_is_removed() -> None:
    for name in ("coder", "big"):
        homeport("models", "add", name, *ADD[3:])
    homeport("features", "set", "code_completions", "coder", "--fallback", "big")
    ran = homeport("models", "remove", "coder")
    assert (ran.code, "--replace-by" in ran.err) == (1, True)
    assert homeport("models", "remove", "coder", "--replace-by", "coder").code == 1
    assert homeport("models", "remove", "coder", "--replace-by", "nobody").code == 1
    shown = homeport("models", "remove", "coder", "--replace-by", "big", "--json").json
    assert shown == {"removed": "coder", "instead": "big", "features": ["code_completions"]}
    (found,) = (each for each in homeport("features", "list", "--json").json if each["feature"] == "code_completions")
    assert (found["model"], found["fallbacks"]) == ("big", [])


def test_families_that_are_not_settled() -> None:
    assert homeport("models", "beta", "on", "--json").json == {"allowed": True}
    assert homeport("models", "beta").out == "Beta and experimental families are allowed.\n"
    assert homeport("models", "beta", "off", "--json").json == {"allowed": False}


def test_without_a_server_nobody_knows_how_a_model_is() -> None:
    homeport("models", "add", "coder", "--beta", "--endpoint", "http://h/v1", "--identifier", "x")
    ran = homeport("models", "list")
    assert re.search(r"^coder .* unknown$", ran.out, re.MULTILINE)
    assert ran.err == "Health is unknown: no server runs\n"
    assert homeport("models", "list", "--json").json[0]["health"] is None


async def test_a_model_is_duplicated_and_its_health_listed(instance: Instance) -> None:
    made = (await instance.run("models", "duplicate", "coder", "--json")).json
    assert (made["name"], made["key"]) == ("coder-2", True)
    assert (await instance.run("models", "duplicate", "coder", "twin")).out == "Registered twin, like coder.\n"
    assert (await instance.run("models", "duplicate", "coder", "twin")).code == 1
    assert (await instance.run("models", "duplicate", "coder", "a b")).code == 2
    await instance.seen()
    await instance.run("chat", "hello")
    listed = {each["name"]: each["health"] for each in (await instance.run("models", "list", "--json")).json}
    assert (listed["coder"]["state"], listed["twin"]["state"]) == ("well", "never asked")
    # whom HOMEPORT_URL names knows nothing of the models here
    out = (await instance.run("models", "list", HOMEPORT_URL="http://127.0.0.1:9")).out
    assert re.search(r"^coder .* well(, first token \d+ ms)?$", out, re.MULTILINE)


def test_without_a_server_nobody_knows_how_models_are() -> None:
    homeport(*ADD)
    assert homeport("models", "list", "--json").json[0]["health"] is None


def test_a_family_that_is_not_generally_available_is_opted_into_once() -> None:
    add = (
        "models",
        "add",
        "coder",
        "--endpoint",
        "http://127.0.0.1:9/v1",
        "--identifier",
        "x",
        "--family",
        "codellama",
    )
    refused = homeport(*add)
    assert (refused.code, "Code Llama is beta" in refused.err, "--beta" in refused.err) == (1, True, True)
    assert homeport("models", "list", "--json").json == []
    assert homeport(*add, "--beta").code == 0
    assert homeport("models", "beta", "--json").json == {"allowed": True}
    homeport("models", "beta", "off")
    assert homeport("models", "edit", "coder", "--concurrency", "8").code == 0
    assert homeport("models", "edit", "coder", "--family", "llama3").code == 1
    assert homeport("models", "edit", "coder", "--family", "llama3", "--beta").code == 0


@pytest.mark.parametrize("option", ["--first-token-s", "--connect-s", "--idle-s", "--total-s"])
def test_a_wait_of_nothing_is_none(option: str) -> None:
    assert homeport(*ADD, option, "0").code == 2
    assert homeport(*ADD, option, "0.5", "--queue-s", "0").code == 0


def test_a_key_for_an_ipv6_address_stays_with_it() -> None:
    add = ("models", "add", "coder", "--endpoint", "http://[::1]:9/v1", "--identifier", "qwen-coder")
    assert homeport(*add, "--api-key-env", "KEY", KEY="sk-1").code == 0
    moved = homeport("models", "edit", "coder", "--endpoint", "http://[::1]:9/other/v1", "--json").json
    assert (moved["key"], moved["warnings"]) == (True, [])
    told = homeport("models", "edit", "coder", "--endpoint", "http://[::2]:9/v1").err
    assert "http://[::1]:9" in told
    assert "http://[::2]:9" in told

"""`homeport models detect` on every platform: what is served, what it can do, and how to register it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from clouds import ACCESS, REGION, SECRET, Aws, converse, converse_stream
from script import document

from homeport.diagnostics._prove import HOLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from commands import Instance, Ran
    from script import Peer

BUILDER = Path(__file__).parent.parent / "models" / "build.py"
CLOUD = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "KEY": "good"}
CALLED = {"toolUseId": "1", "name": "get_weather", "input": {"city": "Paris"}}
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "2 and 3"}}}


def endpoint(instance: Instance) -> str:
    return instance.models.url.removesuffix("/v1")


async def detected(instance: Instance, *arguments: str, **environment: str) -> Ran:
    return await instance.run("models", "detect", *arguments, "--json", **{**CLOUD, **environment})


async def bedrock(peer: Peer) -> None:
    """A model on Bedrock that thinks, calls tools and streams."""
    if peer.target.endswith("/converse"):
        answer: dict[str, Any] = converse(stop="tool_use" if b"toolConfig" in peer.body else "end_turn")
        parts = answer["output"]["message"]["content"]
        parts.insert(0, THOUGHT)
        if b"toolConfig" in peer.body:
            parts.append({"toolUse": CALLED})
        await peer.document(answer)
    elif peer.target.endswith("/converse-stream"):
        await peer.head(200, "application/vnd.amazon.eventstream")
        await peer.events(converse_stream())
        await peer.end()
    elif "inference" in peer.target:
        await peer.document({"inferenceProfileSummaries": [{"inferenceProfileId": "eu.anthropic.claude-x"}]})
    else:
        await peer.document({"modelSummaries": [{"modelId": f"meta.llama3-{size}b-v1:0"} for size in range(8)]})


async def test_bedrock_without_an_address(instance: Instance) -> None:
    instance.models.play = Aws(play=bedrock)
    at = {"AWS_BEDROCK_RUNTIME_ENDPOINT": endpoint(instance)}
    where = ("--platform", "bedrock", "--option", f"region={REGION}")
    listed = await detected(instance, *where, **at)
    assert {each["identifier"]: each["family"] for each in listed.json["models"]} == {
        **{f"meta.llama3-{size}b-v1:0": "llama3" for size in range(8)},
        "eu.anthropic.claude-x": "claude_3",
    }
    assert f"homeport models add NAME --platform bedrock --identifier ID --option region={REGION}" in listed.err
    proven = await detected(instance, *where, "--identifier", "bedrock/eu.anthropic.claude-x", **at)
    (seen,) = [each["seen"] for each in proven.json["models"] if "seen" in each]
    assert {name: seen[name] for name in ("chat", "streams", "tools", "thinks", "text")} == {
        **dict.fromkeys(("chat", "streams", "tools", "thinks"), True),
        "text": None,
    }
    assert seen["first_token_s"] > 0
    assert proven.err.count("Register it:") == 1
    assert f"--platform bedrock --identifier eu.anthropic.claude-x --option region={REGION}" in proven.err
    missed = await detected(instance, *where, "--identifier", "eu.anthropic.claude-y", **at)
    assert missed.code == 1
    assert "Nothing is served as 'eu.anthropic.claude-y' at AWS Bedrock" in missed.err
    assert "Near to it: eu.anthropic.claude-x" in missed.err
    refused = await detected(instance, *where, **at, AWS_SECRET_ACCESS_KEY="wrong")
    assert "AWS does not accept the credentials" in refused.err
    assert "homeport models edit" not in refused.err


async def azure(peer: Peer) -> None:
    if peer.headers.get("api-key") != "good":
        await peer.document({"error": {"code": "401"}}, 401)
    elif peer.method == "GET":
        await peer.document({"data": [{"id": "gpt-4o"}]})
    else:
        await peer.document(document("chat", "5"))


async def test_azure_lists_no_deployments_but_one_that_is_named_is_proven(instance: Instance) -> None:
    instance.models.play = azure
    where = (endpoint(instance), "--platform", "azure", "--api-key-env", "KEY")
    nameless = await detected(instance, *where)
    assert nameless.code == 1
    assert "does not list deployments. Name the model, or the deployment, with --identifier ID." in nameless.err
    found = await detected(instance, *where, "--identifier", "my-gpt-4o")
    (only,) = found.json["models"]
    assert (only["family"], only["seen"]["chat"], only["seen"]["tools"]) == ("gpt", True, False)
    assert found.json["platform"] == "azure"
    typed = f"--platform azure --endpoint {endpoint(instance)} --identifier my-gpt-4o --api-key-env KEY"
    assert typed in found.err
    wrong = await detected(instance, *where, KEY="bad")
    assert f"The server at {endpoint(instance)} answered HTTP 401" in wrong.err
    assert "did not accept the key that was given" in wrong.err


async def anthropic(peer: Peer) -> None:
    if peer.method == "GET":
        await peer.document({"data": [{"id": "claude-x"}]})
    else:
        parts = [{"type": "thinking", "thinking": "2 and 3"}, {"type": "text", "text": "5"}]
        await peer.document({"content": parts, "stop_reason": "end_turn"})


async def test_anthropic(instance: Instance) -> None:
    instance.models.play = anthropic
    found = await detected(instance, instance.models.url, "--platform", "anthropic", "--api-key-env", "KEY")
    (only,) = found.json["models"]
    assert (only["identifier"], only["family"]) == ("claude-x", "claude_3")
    assert (only["seen"]["chat"], only["seen"]["thinks"], only["seen"]["streams"]) == (True, True, False)
    assert "It does not stream" in found.err


async def test_the_embedded_model_is_started_for_it(
    instance: Instance, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tiny = tmp_path_factory.mktemp("weights") / "tiny.gguf"
    subprocess.run((sys.executable, BUILDER, tiny), check=True)  # noqa: ASYNC221, S603 (our own script)
    assert (await instance.run("models", "add", "small", "--beta", "--platform", "embedded")).code == 0
    found = await detected(instance, "small", HOMEPORT_EMBEDDED_MODEL=str(tiny))
    assert (found.json["seen"]["chat"], found.json["seen"]["context_tokens"]) == (True, 4096)
    listed = await detected(instance, "--platform", "embedded", "--no-prove", HOMEPORT_EMBEDDED_MODEL=str(tiny))
    assert listed.json == {
        "platform": "embedded",
        "endpoint": "",
        "models": [{"identifier": "smollm2", "family": "smollm"}],
    }
    assert "homeport models add NAME --platform embedded --identifier smollm2" in listed.err


async def test_an_engine_that_does_not_start_says_how_its_log_ends(
    instance: Instance, tmp_path_factory: pytest.TempPathFactory
) -> None:
    broken = tmp_path_factory.mktemp("weights") / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    found = await detected(instance, "--platform", "embedded", HOMEPORT_EMBEDDED_MODEL=str(broken))
    assert found.code == 1
    assert "Its log ends: " in found.err
    assert "bad GGUF version: 0" in found.err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ((), "Give an address, a registered model's name, or a platform that needs neither"),
        (("--platform", "azure"), "Azure OpenAI needs an address"),
        (("--platform", "nobody"), "There is no platform 'nobody'. Known: anthropic, azure"),
        (("--platform", "bedrock", "--option", "regoin=x"), "has no option 'regoin'. Known: region"),
        (("coder", "--platform", "bedrock"), "'coder' is no address"),
        (("http://127.0.0.1:9", "--platform", "azure"), "The server at http://127.0.0.1:9 cannot be reached"),
    ],
)
async def test_what_cannot_be_meant(instance: Instance, typed: tuple[str, ...], said: str) -> None:
    ran = await detected(instance, *typed)
    assert ran.code in {1, 2}
    assert said in ran.err


def suffixes(only: bool) -> Callable[[Peer], Any]:  # noqa: FBT001 (a case)
    async def play(peer: Peer) -> None:
        asked = peer.json if peer.method == "POST" else {}
        if peer.method == "GET":
            await peer.document({"data": [{"id": "qwen-coder"}]})
        elif "prompt" in asked:
            hole = next((each.wanted for each in HOLES if each.before in asked["prompt"]), "")
            text = hole if ("suffix" in asked) is only else "nothing"
            await peer.document({"choices": [{"text": text, "finish_reason": "stop"}]})
        else:
            await peer.document(document("chat", "5"))

    return play


async def test_a_server_that_fills_holes_by_itself_is_registered_so(instance: Instance) -> None:
    instance.models.play = suffixes(only=True)
    found = await instance.run("models", "detect", instance.models.url)
    assert "--identifier qwen-coder --option fim=suffix" in found.err
    registered = await instance.run("models", "detect", "coder")
    assert "Completions are asked by the server's `suffix` from now on" in registered.err

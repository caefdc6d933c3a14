"""`homeport models test` and doctor on models of the clouds: what they saw, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from clouds import ACCESS, REGION, SECRET, Aws, refuse
from script import document

if TYPE_CHECKING:
    from commands import Instance
    from script import Peer

CLOUD = {
    "AWS_ACCESS_KEY_ID": ACCESS,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_REGION_NAME": REGION,
    "AZURE_KEY": "good",
    "ANTHROPIC_KEY": "sk-ant",
}


async def looked_at(instance: Instance, *registration: str, **environment: str) -> dict[str, tuple[str, str]]:
    """What the checks of one model saw: status and words."""
    surroundings: dict[str, str | None] = {**CLOUD, **environment}
    added = await instance.run("models", "add", "mine", "--beta", *registration, **surroundings)
    assert added.code == 0, added.err
    ran = await instance.run("models", "test", "mine", "--json", **surroundings)
    return {each["id"]: (each["status"], f"{each['saw']} {each['fix']}") for each in ran.json["checks"]}


def bedrock(identifier: str) -> tuple[str, ...]:
    return ("--platform", "bedrock", "--identifier", identifier)


async def test_bedrock(instance: Instance) -> None:
    instance.models.play = Aws()
    where = {"AWS_BEDROCK_RUNTIME_ENDPOINT": instance.models.url.removesuffix("/v1")}
    found = await looked_at(instance, *bedrock("eu.anthropic.claude-x"), **where)
    assert found["model_reachable"][0] == "skip"
    assert found["model_served"] == ("ok", "mine is served as eu.anthropic.claude-x. ")
    assert found["model_answers"][0] == "ok"
    assert "mine answered 'one + two'" in found["model_answers"][1]


async def test_bedrock_without_the_model(instance: Instance) -> None:
    instance.models.play = Aws()
    where = {"AWS_BEDROCK_RUNTIME_ENDPOINT": instance.models.url.removesuffix("/v1")}
    status, words = (await looked_at(instance, *bedrock("meta.llama9"), **where))["model_served"]
    assert status == "fail"
    assert "AWS Bedrock serves meta.llama3-1-8b-instruct-v1:0, eu.anthropic.claude-x" in words


async def test_bedrock_that_may_not_be_looked_at_may_still_be_asked(instance: Instance) -> None:
    async def play(peer: Peer) -> None:
        await refuse(peer, 403, "AccessDeniedException", "is not authorized to perform: bedrock:ListFoundationModels")

    aws = Aws()

    async def both(peer: Peer) -> None:
        aws.play = play if peer.method == "GET" else None
        await aws(peer)

    instance.models.play = both
    where = {"AWS_BEDROCK_RUNTIME_ENDPOINT": instance.models.url.removesuffix("/v1")}
    found = await looked_at(instance, *bedrock("eu.anthropic.claude-x"), **where)
    assert found["model_served"][0] == "ok"
    assert "may not list models" in found["model_served"][1]
    assert found["model_answers"][0] == "ok"


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "AWS does not accept the credentials"),
        ({"AWS_ACCESS_KEY_ID": "", "HOME": "/nonexistent"}, "No AWS credentials are configured"),
        ({"AWS_REGION_NAME": ""}, "No AWS region is set"),
    ],
)
async def test_bedrock_with_what_is_lacking(instance: Instance, environment: dict[str, str], words: str) -> None:
    instance.models.play = Aws()
    where = {"AWS_BEDROCK_RUNTIME_ENDPOINT": instance.models.url.removesuffix("/v1")}
    status, said = (await looked_at(instance, *bedrock("eu.anthropic.claude-x"), **where, **environment))[
        "model_served"
    ]
    assert status == "fail"
    assert words in said


async def test_azure(instance: Instance) -> None:
    async def play(peer: Peer) -> None:
        if peer.headers.get("api-key") != "good":
            await peer.document({"error": {"code": "401"}}, 401)
        elif peer.method == "GET":
            await peer.document({"data": [{"id": "gpt-4o"}]})
        else:
            await peer.document(document("chat", "yes"))

    instance.models.play = play
    endpoint = instance.models.url.removesuffix("/v1")
    given: Any = ("--platform", "azure", "--endpoint", endpoint, "--identifier", "mine", "--api-key-env", "AZURE_KEY")
    found = await looked_at(instance, *given)
    assert found["model_reachable"][0] == "ok"
    assert found["model_served"][0] == "ok"
    assert "does not list deployments" in found["model_served"][1]
    assert "answered 'yes'" in found["model_answers"][1]
    await instance.run("models", "remove", "mine", "--force")
    status, words = (await looked_at(instance, *given, AZURE_KEY="bad"))["model_served"]
    assert status == "fail"
    assert "--api-key-env" in words


async def test_anthropic(instance: Instance) -> None:
    async def play(peer: Peer) -> None:
        if peer.headers.get("x-api-key") != "sk-ant":
            await peer.document({"type": "error"}, 401)
        elif peer.target == "/v1/models/claude-x":
            await peer.document({"id": "claude-x-20260101"})
        elif peer.method == "GET":
            await peer.document({"data": [{"id": "claude-x-20260101"}]})
        else:
            await peer.document({"content": [{"type": "text", "text": "yes"}], "stop_reason": "end_turn"})

    instance.models.play = play
    given: Any = ("--platform", "anthropic", "--endpoint", instance.models.url, "--identifier", "claude-x")
    found = await looked_at(instance, *given, "--api-key-env", "ANTHROPIC_KEY")
    assert found["model_served"] == ("ok", "mine is served as claude-x. ")
    assert "answered 'yes'" in found["model_answers"][1]

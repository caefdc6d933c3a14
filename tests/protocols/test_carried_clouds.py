"""Models in clouds that GitLab's requests carry: the operator's credentials go to the cloud, whatever a body names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from clouds import ACCESS, REGION, SECRET, Aws, Entra, model_of
from house import eventually, opened
from script import ModelServer, Peer, document
from ways import BEFORE

from homeport.access import SCOPES
from homeport.domain.models import Caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from house import House
    from wire import Answer

GITLAB = "a-gitlab-instance"


class KnowsGitLab:
    """Takes one text for the credential of a GitLab instance."""

    def verify(self, token: str, headers: Collection[tuple[bytes, bytes]]) -> Caller | None:
        """The instance, or nobody."""
        del headers
        return Caller(subject="gitlab", kind="instance", scopes=frozenset(SCOPES)) if token == GITLAB else None


@pytest.fixture
async def gateway() -> AsyncIterator[House]:
    """A gateway that calls what bodies name."""
    async with opened(verifiers=[KnowsGitLab()], trust_body_endpoints=True) as house:
        yield house
        await eventually(house.quiet)


@pytest.fixture
async def evil() -> AsyncIterator[ModelServer]:
    """Whoever a body names besides."""
    async with ModelServer().listening() as found:
        yield found


@pytest.fixture
def aws(gateway: House, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """The operator's AWS."""
    found = Aws()
    gateway.models.play = found
    monkeypatch.setenv("AWS_BEDROCK_RUNTIME_ENDPOINT", gateway.models.url.removesuffix("/v1"))
    monkeypatch.setenv("AWS_REGION_NAME", REGION)
    for name in ("AWS_BEARER_TOKEN_BEDROCK", "AWS_PROFILE", "HOMEPORT_AWS_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    return found


async def complete(house: House, **model: str) -> Answer:
    file = {"file_name": "a.py", "content_above_cursor": BEFORE, "content_below_cursor": ""}
    carried = {"provider": "openai", "name": "claude_3", **model}
    component: Any = {"type": "code_editor_generation", "payload": {**file, "stream": False}}
    return await house.post(
        "/v4/code/suggestions", {"prompt_components": [component], "model_metadata": carried}, GITLAB
    )


async def test_bedrock_drops_the_endpoint_and_uses_the_operators_credentials(
    gateway: House, aws: Aws, evil: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    for key in ("", "dummy_key"):
        answer = await complete(gateway, endpoint=evil.url, api_key=key, identifier="bedrock/eu.anthropic.claude-x:0")
        assert answer.status == 200, answer.body
        assert answer.json["choices"][0]["delta" if "delta" in answer.json["choices"][0] else "text"]
    assert evil.heard == []
    assert [model_of(peer) for peer in gateway.models.heard] == ["eu.anthropic.claude-x:0"] * 2
    assert aws.seen == ["bedrock"] * 2


async def test_bedrock_without_an_operators_credentials_is_no_5xx(
    gateway: House, aws: Aws, evil: ModelServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    answer = await complete(gateway, endpoint=evil.url, api_key="sk-x", identifier="bedrock/anthropic.claude")
    assert 400 <= answer.status < 500
    assert b"No AWS credentials are configured" in answer.body
    assert evil.heard == gateway.models.heard == aws.seen == []


async def test_azure_gets_the_key_of_the_body(gateway: House, evil: ModelServer) -> None:
    async def play(peer: Peer) -> None:
        await peer.document(document("chat", "pass"))

    evil.play = play
    answer = await complete(gateway, endpoint=evil.url.removesuffix("/v1"), api_key="az-key", identifier="azure/dep")
    assert answer.status == 200, answer.body
    (call,) = evil.heard
    assert (call.target, call.headers["api-key"], call.json["model"]) == (
        "/openai/v1/chat/completions",
        "az-key",
        "dep",
    )


async def test_no_token_of_the_operator_goes_where_a_body_says(
    gateway: House, evil: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    entra = Entra()

    async def play(peer: Peer) -> None:
        await entra(peer)

    gateway.models.play = play
    monkeypatch.setenv("HOMEPORT_AZURE_AUTH", "managed_identity")
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", gateway.models.url)
    answer = await complete(gateway, endpoint=evil.url, identifier="azure/dep")
    assert 400 <= answer.status < 500
    assert b"go nowhere else" in answer.body
    assert evil.heard == gateway.models.heard == entra.given == []

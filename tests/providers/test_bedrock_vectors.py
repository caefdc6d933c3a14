"""Embeddings of Bedrock: what InvokeModel is asked for each vendor, and what becomes of its answers."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from clouds import ACCESS, REGION, SECRET, Aws, model_of, refuse

from homeport.domain.errors import (
    BadRequest,
    PromptTooLong,
    UpstreamError,
    UpstreamMalformed,
    UpstreamOverloaded,
    UpstreamTimeout,
)
from homeport.domain.models import Limits, Model
from homeport.domain.prompts import Prompt
from homeport.providers.bedrock import AT_ONCE, PROVIDER

if TYPE_CHECKING:
    from script import ModelServer, Peer

    from homeport.domain.streams import Chunk
    from homeport.kit.upstream_http import HttpUpstream

pytestmark = pytest.mark.usefixtures("no_cloud")
TITAN, COHERE = "amazon.titan-embed-text-v2:0", "eu.cohere.embed-v4:0"
LIMITS = Limits(first_token_s=5, idle_s=5, total_s=5)


def vector_of(text: str) -> list[float]:
    return [float(len(text)), 0.5]


@pytest.fixture
def aws(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """An account whose Bedrock makes vectors as both vendors do."""

    async def play(peer: Peer) -> None:
        if "titan" in model_of(peer):
            text = peer.json["inputText"]
            found: Any = {"embedding": vector_of(text), "embeddingsByType": {"float": vector_of(text)}}
            await peer.document(found | {"inputTextTokenCount": len(text)})
            return
        vectors = [vector_of(text) for text in peer.json["texts"]]
        found = {"embeddings": vectors, "response_type": "embeddings_floats"}
        await peer.document(found, x_amzn_bedrock_input_token_count=str(2 * len(vectors)))

    found = Aws(play=play)
    server.play = found
    monkeypatch.setenv("AWS_BEDROCK_RUNTIME_ENDPOINT", server.url.removesuffix("/v1"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION_NAME", REGION)
    return found


async def embed(upstream: HttpUpstream, identifier: str, given: object, **more: Any) -> Chunk:
    """The one chunk of an answer."""
    options = more.pop("options", {})
    model = Model(name="mine", platform="bedrock", identifier=identifier, limits=LIMITS, options=options)
    prompt = Prompt(kind="embed", extra={"input": given, **more})
    (chunk,) = [chunk async for chunk in PROVIDER.generate(upstream, model, prompt)]
    return chunk


def vectors(chunk: Chunk) -> list[Any]:
    found = json.loads(chunk.wire)
    assert found["object"] == "list"
    assert [each["index"] for each in found["data"]] == list(range(len(found["data"])))
    return [each["embedding"] for each in found["data"]]


async def test_titan_is_asked_text_by_text(server: ModelServer, upstream: HttpUpstream, aws: Aws) -> None:
    texts = ["x" * length for length in range(1, 3 * AT_ONCE)]
    chunk = await embed(upstream, TITAN, texts, dimensions=256)
    assert vectors(chunk) == [vector_of(text) for text in texts]
    assert chunk.usage is not None
    assert (chunk.usage.prompt_tokens, chunk.usage.completion_tokens) == (sum(map(len, texts)), 0)
    assert len(server.heard) == len(aws.seen) == len(texts)
    assert len({id(peer.writer) for peer in server.heard}) <= AT_ONCE
    bodies = sorted((peer.json for peer in server.heard), key=lambda body: len(body["inputText"]))
    assert bodies == [{"inputText": text, "dimensions": 256} for text in texts]
    assert {peer.target for peer in server.heard} == {f"/model/{quote(TITAN, safe='')}/invoke"}


async def test_cohere_is_asked_ninety_six_at_a_time(server: ModelServer, upstream: HttpUpstream, aws: Aws) -> None:
    del aws
    texts = ["x" * length for length in range(1, 101)]
    chunk = await embed(upstream, COHERE, texts)
    assert vectors(chunk) == [vector_of(text) for text in texts]
    assert chunk.usage is not None
    assert chunk.usage.prompt_tokens == 200
    first, second = sorted((peer.json for peer in server.heard), key=lambda body: len(body["texts"][0]))
    assert first == {"texts": texts[:96], "input_type": "search_document", "truncate": "NONE"}
    assert second["texts"] == texts[96:]
    await embed(upstream, COHERE, "q", dimensions=512, options={"input_type": "search_query"})
    assert server.heard[-1].json == {
        "texts": ["q"],
        "input_type": "search_query",
        "truncate": "NONE",
        "output_dimension": 512,
    }


async def test_in_base64_and_by_type(upstream: HttpUpstream, aws: Aws) -> None:
    async def play(peer: Peer) -> None:
        await peer.document({"embeddings": {"float": [[0.5, -0.25]]}, "response_type": "embeddings_by_type"})

    aws.play = play
    chunk = await embed(upstream, COHERE, ["q"], encoding_format="base64")
    assert vectors(chunk) == ["AAAAPwAAgL4="]
    assert chunk.usage is not None
    assert chunk.usage.prompt_tokens == 0


@pytest.mark.parametrize(
    ("identifier", "given", "said"),
    [
        ("anthropic.claude-x", "q", "not known to embed"),
        ("arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc", "q", "An ARN has to name"),
        (TITAN, [1, 2, 3], "texts, not tokens"),
        (TITAN, [[1], [2]], "texts, not tokens"),
    ],
)
async def test_what_cannot_be_embedded(
    upstream: HttpUpstream, aws: Aws, identifier: str, given: object, said: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        await embed(upstream, identifier, given)
    assert said in str(caught.value)
    assert not aws.seen


@pytest.mark.parametrize(
    ("identifier", "body"),
    [
        (TITAN, {}),
        (TITAN, {"embedding": []}),
        (TITAN, {"embedding": "AAAA"}),
        (COHERE, {"embeddings": [[1.0]]}),
        (COHERE, {"embeddings": {"int8": [[1], [2]]}}),
        (COHERE, {"embeddings": [None, None]}),
        (COHERE, {"embeddings": None}),
    ],
)
async def test_answers_that_are_no_embeddings(upstream: HttpUpstream, aws: Aws, identifier: str, body: Any) -> None:
    aws.play = lambda peer: peer.document(body)
    with pytest.raises(UpstreamMalformed, match="a document without embeddings"):
        await embed(upstream, identifier, ["a", "b"])


@pytest.mark.parametrize(
    ("status", "kind", "text", "error"),
    [
        (400, "ValidationException", "Too many input tokens. Max input tokens: 8192", PromptTooLong),
        (400, "ValidationException", "#/texts/0: expected maxLength: 2048, actual: 9000", PromptTooLong),
        (429, "ThrottlingException", "Too many requests", UpstreamOverloaded),
    ],
)
async def test_refusals(
    upstream: HttpUpstream, aws: Aws, status: int, kind: str, text: str, error: type[UpstreamError]
) -> None:
    """The first one ends the others."""
    aws.play = lambda peer: refuse(peer, status, kind, text)
    with pytest.raises(error):
        await embed(upstream, TITAN, ["a", "b", "c"])


async def test_all_of_it_has_the_time_of_one_answer(
    upstream: HttpUpstream, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_peer: Peer) -> None:
        await asyncio.Event().wait()

    aws.play = hang
    monkeypatch.setitem(globals(), "LIMITS", Limits(first_token_s=5, idle_s=5, total_s=0.1))
    with pytest.raises(UpstreamTimeout):
        await embed(upstream, TITAN, ["a", "b"])

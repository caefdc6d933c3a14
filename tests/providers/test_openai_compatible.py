"""What an OpenAI-compatible server is asked, and how its answers and refusals are read."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from script import DONE, ModelServer, document, event, piece, stream, usage_event

from homeport.domain.errors import (
    BadRequest,
    UpstreamError,
    UpstreamMalformed,
    UpstreamOverloaded,
    UpstreamRefused,
    UpstreamRejected,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from homeport.domain.models import Limits, Model, Secret
from homeport.domain.prompts import Prompt
from homeport.domain.requests import Message, Sampling
from homeport.providers.openai import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from script import Peer

    from homeport.domain.streams import Chunk
    from homeport.kit.upstream_http import HttpUpstream

    Ask = Callable[[Prompt], Awaitable[list[Chunk]]]

TEXT = Prompt(kind="text", text="a = ")
CHAT = Prompt(kind="chat", messages=(Message(role="user", content="q"),))


@pytest.fixture
def model(server: ModelServer) -> Model:
    return Model(
        name="mine",
        platform="openai",
        endpoint=server.url + "/",
        identifier="org/served",
        key=Secret("sk-1"),
        limits=Limits(first_token_s=1, idle_s=1, total_s=3),
    )


@pytest.fixture
def ask(upstream: HttpUpstream, model: Model) -> Ask:
    async def asked(prompt: Prompt) -> list[Chunk]:
        return [chunk async for chunk in PROVIDER.generate(upstream, model, prompt)]

    return asked


def plays(server: ModelServer, *parts: bytes) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.events(parts)
        await peer.end()

    server.play = play


async def test_text_is_asked_for_at_completions(server: ModelServer, ask: Ask) -> None:
    await ask(TEXT)
    (peer,) = server.heard
    assert (peer.method, peer.target) == ("POST", "/v1/completions")
    assert peer.json == {"model": "org/served", "stream": False, "prompt": "a = "}
    assert peer.headers["authorization"] == "Bearer sk-1"


async def test_chat_is_asked_for_at_chat_completions(server: ModelServer, ask: Ask) -> None:
    await ask(CHAT)
    (peer,) = server.heard
    assert peer.target == "/v1/chat/completions"
    assert peer.json == {"model": "org/served", "stream": False, "messages": [{"role": "user", "content": "q"}]}


async def test_options_and_extras(server: ModelServer, ask: Ask) -> None:
    sampling = Sampling(max_tokens=5, temperature=0.0, top_p=0.5, seed=0, stop=("a", "b"))
    extra = {"n": 2, "model": "steered", "stream": False, "prompt": "steered", "max_tokens": 10**9}
    await ask(Prompt(kind="text", text="x", sampling=sampling, extra=extra, stream=True))
    assert server.heard[0].json == {
        "model": "org/served",
        "stream": True,
        "prompt": "x",
        "max_tokens": 5,
        "temperature": 0.0,
        "top_p": 0.5,
        "seed": 0,
        "stop": ["a", "b"],
        "n": 2,
        "stream_options": {"include_usage": True},
    }


async def test_no_identifier_and_no_key(server: ModelServer, upstream: HttpUpstream) -> None:
    bare = Model(name="bare", platform="openai", endpoint=server.url)
    assert [chunk.text async for chunk in PROVIDER.generate(upstream, bare, TEXT)] == ["one + two"]
    assert server.heard[0].json["model"] == "bare"
    assert "authorization" not in server.heard[0].headers


@pytest.mark.parametrize("prompt", [TEXT, CHAT], ids=["text", "chat"])
async def test_document(ask: Ask, prompt: Prompt) -> None:
    (chunk,) = await ask(prompt)
    assert (chunk.text, chunk.finish, chunk.wire) == ("one + two", "stop", b"")
    assert chunk.usage is not None
    assert (chunk.usage.prompt_tokens, chunk.usage.completion_tokens, chunk.usage.total_tokens) == (11, 3, 14)


@pytest.mark.parametrize(
    ("choice", "text", "finish"),
    [
        ({"message": {"content": None, "tool_calls": []}}, "", "stop"),
        ({"message": {}}, "", "stop"),
        ({"message": {"content": ""}, "finish_reason": "length"}, "", "length"),
        ({"message": {"content": "x"}, "finish_reason": None}, "x", "stop"),
    ],
)
async def test_odd_but_proper_documents(server: ModelServer, ask: Ask, choice: Any, text: str, finish: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.document({"choices": [choice]})

    server.play = play
    (chunk,) = await ask(CHAT)
    assert (chunk.text, chunk.finish, chunk.usage) == (text, finish, None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "x",
        None,
        {"choices": []},
        {"choices": None},
        {"choices": "x"},
        {"choices": [None]},
        {"choices": [{}]},
        {"choices": [{"message": None}]},
        {"choices": [{"message": {"content": 5}}]},
        {"choices": [{"message": {"content": [{"text": "x"}]}}]},
        {"choices": {"0": {}}},
        b"",
        b"{",
        b"\xff",
        b'{"choices":[{"message":{"content":"\\ud800"}}]}',
        b"data: {}\n\n",
    ],
    ids=repr,
)
async def test_improper_documents(server: ModelServer, ask: Ask, body: Any) -> None:
    async def play(peer: Peer) -> None:
        await peer.document(body)

    server.play = play
    with pytest.raises(UpstreamMalformed, match="'mine'"):
        await ask(CHAT)


@pytest.mark.parametrize("prompt", [TEXT, CHAT], ids=["text", "chat"])
async def test_stream(ask: Ask, prompt: Prompt) -> None:
    chunks = await ask(prompt._replace(stream=True))
    assert [chunk.text for chunk in chunks] == ["one", " + ", "two", "", ""]
    assert [chunk.finish for chunk in chunks] == [None, None, None, "stop", None]
    assert chunks[-1].usage is not None


async def test_a_connection_serves_stream_after_stream(server: ModelServer, ask: Ask) -> None:
    for relay in (False, True):
        for _ in range(3):
            await ask(CHAT._replace(stream=True, relay=relay))
            await ask(CHAT._replace(relay=relay))
    assert len({id(peer.writer) for peer in server.heard}) == 1


async def test_an_end_that_comes_a_little_later_keeps_the_connection(server: ModelServer, ask: Ask) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.events(stream("chat", ["a"]))
        await asyncio.sleep(0.01)
        await peer.end()

    server.play = play
    for relay in (False, True, False, True):
        await ask(CHAT._replace(stream=True, relay=relay))
    assert len({id(peer.writer) for peer in server.heard}) == 1


@pytest.mark.parametrize("stop_after", [1, 2])
async def test_a_listener_who_leaves_cuts_the_connection(
    server: ModelServer, upstream: HttpUpstream, model: Model, stop_after: int
) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        while not peer.closed.is_set():
            await peer.chunk(piece("chat", "x"))
            await asyncio.sleep(0.001)

    server.play = play
    for relay in (False, True):
        chunks = PROVIDER.generate(upstream, model, Prompt(kind="chat", stream=True, relay=relay))
        for _ in range(stop_after):
            await anext(chunks)
        await chunks.aclose()
        await asyncio.wait_for(server.heard[-1].closed.wait(), 5)


async def test_numbers_that_json_cannot_carry(ask: Ask, server: ModelServer) -> None:
    for value in (2**64, -(2**63) - 1, {"deep": [2**70]}):
        with pytest.raises(BadRequest, match="JSON cannot carry"):
            await ask(Prompt(kind="chat", raw_messages=({"role": "user", "x": value},)))
    assert not server.heard


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, b"", UpstreamRefused, "--api-key-env"),
        (403, b"", UpstreamRefused, "--api-key-env"),
        (404, b"", UpstreamRefused, "`/v1`"),
        (404, b"", UpstreamRefused, "'org/served'"),
        (301, b"", UpstreamRefused, "Redirects are never followed"),
        (500, b"secret words", UpstreamRefused, "model server's log"),
        (201, b"{}", UpstreamRefused, "HTTP 201"),
        (400, b"This model's maximum context length is 8192 tokens", UpstreamRejected, "do not fit its context window"),
        (400, b"prompt is too long", UpstreamRejected, "do not fit"),
        (400, b"the request exceeds max_model_len", UpstreamRejected, "do not fit"),
        (
            400,
            b'"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
            UpstreamRejected,
            "it takes no tools (vLLM does when started with --enable-auto-tool-choice",
        ),
        (400, b"no chat template defined", UpstreamRejected, "it has no chat template"),
        (422, b"secret words", UpstreamRejected, "rejected the request"),
        (413, b"", UpstreamRejected, "HTTP 413"),
        (429, b"", UpstreamOverloaded, "overloaded (HTTP 429)"),
        (503, b"", UpstreamOverloaded, "overloaded"),
        (529, b"", UpstreamOverloaded, "overloaded"),
    ],
)
async def test_refusals_are_explained(
    server: ModelServer, ask: Ask, status: int, body: bytes, kind: type[UpstreamError], words: str
) -> None:
    async def play(peer: Peer) -> None:
        await peer.document(body, status, Retry_After=9)

    server.play = play
    with pytest.raises(kind) as refusal:
        await ask(CHAT)
    assert words in str(refusal.value)
    assert "'mine'" in str(refusal.value)
    assert "secret words" not in str(refusal.value)
    assert isinstance(refusal.value, UpstreamRefused)
    assert refusal.value.upstream_status == status
    assert refusal.value.retry_after_s == (9 if kind is UpstreamOverloaded else None)


async def test_a_stream_that_is_none(server: ModelServer, ask: Ask) -> None:
    for relay in (False, True):
        prompt = Prompt(kind="chat", stream=True, relay=relay)
        plays(server, b'{"choices":[{"message":{"content":"not streamed"}}]}')
        with pytest.raises(UpstreamMalformed, match="not a stream of events"):
            await ask(prompt)
        plays(server)
        with pytest.raises(UpstreamMalformed):
            await ask(prompt)
        plays(server, piece("chat", "one"))
        with pytest.raises(UpstreamTruncated):
            await ask(prompt)
        plays(server, event({"error": {"message": "secret words"}}), DONE)
        with pytest.raises(UpstreamError, match="in the middle") as refusal:
            await ask(prompt)
        assert "secret words" not in str(refusal.value)


NAMES = {"index": 0, "delta": {"content": '"finish_reason":"stop"'}, "finish_reason": None}
UNMARKED: dict[str, tuple[list[bytes], list[bytes]]] = {
    "events": ([piece("chat", "a"), piece("chat", "", "stop")], []),
    "usage behind": ([piece("chat", "a"), piece("chat", "", "length"), usage_event()], [usage_event()]),
    "all at once": ([b"".join([piece("chat", "a"), piece("chat", "b", "stop"), usage_event()])], [usage_event()]),
    "no line end": ([piece("chat", "a"), piece("chat", "b", "stop").rstrip()], []),
    "cut in the middle": ([piece("chat", "a")[:9], piece("chat", "a")[9:] + piece("chat", "b", "stop")], []),
}
UNFINISHED: dict[str, list[bytes]] = {
    "no reason": [piece("chat", "a")],
    "a text that speaks of it": [event({"choices": [NAMES]})],
    "half an event": [piece("chat", "a"), piece("chat", "b", "stop")[:-9]],
}


@pytest.mark.parametrize("name", UNMARKED)
async def test_a_finished_answer_needs_no_end_mark(server: ModelServer, ask: Ask, name: str) -> None:
    parts, unasked = UNMARKED[name]
    plays(server, *parts)
    read = await ask(CHAT._replace(stream=True))
    assert [chunk.finish for chunk in read if chunk.finish]
    relayed = await ask(CHAT._replace(stream=True, relay=True))
    sent = b"".join(chunk.wire for chunk in relayed)
    told = b"".join(parts).rstrip() + b"\n\n"
    for each in unasked:
        told = told.replace(each, b"")
    assert sent == told + DONE
    assert bool(relayed[-1].usage) is bool(unasked)


@pytest.mark.parametrize("name", UNFINISHED)
async def test_an_answer_that_did_not_finish_broke_off(server: ModelServer, ask: Ask, name: str) -> None:
    plays(server, *UNFINISHED[name])
    for relay in (False, True):
        with pytest.raises((UpstreamTruncated, UpstreamMalformed)):
            await ask(CHAT._replace(stream=True, relay=relay))


async def test_relay_ignores_what_is_not_its_own(server: ModelServer, ask: Ask) -> None:
    parts = stream("chat", ["a"])
    plays(server, b"".join(parts[:-1]), parts[-1])
    chunks = await ask(Prompt(kind="chat", stream=True, relay=True))
    assert b"".join(chunk.wire for chunk in chunks) == b"".join([parts[0], parts[1], parts[3]])
    assert chunks[-1].usage is not None
    assert [chunk.text for chunk in chunks] == [""] * len(chunks)


async def test_document_for_a_relay(ask: Ask) -> None:
    (chunk,) = await ask(Prompt(kind="chat", relay=True))
    assert json.loads(chunk.wire) == document("chat", "one + two")


async def test_served(server: ModelServer, upstream: HttpUpstream, model: Model) -> None:
    assert await PROVIDER.served(upstream, model) == ["served"]
    (peer,) = server.heard
    assert (peer.method, peer.target, peer.body) == ("GET", "/v1/models", b"")
    assert peer.headers["authorization"] == "Bearer sk-1"


@pytest.mark.parametrize(
    "body", [{}, [], {"data": None}, {"data": [{}]}, {"data": ["x"]}, {"data": 5}, b"<html>"], ids=repr
)
async def test_served_by_who_does_not_say(server: ModelServer, upstream: HttpUpstream, model: Model, body: Any) -> None:
    async def play(peer: Peer) -> None:
        await peer.document(body)

    server.play = play
    with pytest.raises(UpstreamMalformed):
        await PROVIDER.served(upstream, model)


async def test_nobody_there(upstream: HttpUpstream) -> None:
    gone = Model(name="gone", platform="openai", endpoint="http://127.0.0.1:1/v1")
    with pytest.raises(UpstreamUnreachable, match="homeport models test gone"):
        await PROVIDER.served(upstream, gone)

"""Anthropic's Messages format: what is asked, and how its answers, streams and refusals are read."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from clouds import Played

from homeport.domain.errors import (
    UpstreamError,
    UpstreamMalformed,
    UpstreamOverloaded,
    UpstreamRefused,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamTruncated,
)
from homeport.domain.models import Limits, Model, Secret
from homeport.domain.prompts import Prompt
from homeport.domain.requests import Message, Sampling
from homeport.providers.anthropic import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from script import ModelServer, Peer

    from homeport.domain.streams import Chunk
    from homeport.kit.upstream import Upstream
    from homeport.kit.upstream_http import HttpUpstream

    Ask = Callable[..., Awaitable[list[Chunk]]]

pytestmark = pytest.mark.usefixtures("no_cloud")
CHAT = Prompt(
    kind="chat",
    messages=(Message(role="system", content="Be brief."), Message(role="user", content="q")),
    sampling=Sampling(max_tokens=5, temperature=1.5, top_p=1.0, stop=("END", "\n\n")),
)
STREAM = CHAT._replace(stream=True)


def event(data: dict[str, Any]) -> bytes:
    """A server-sent event, as Anthropic writes it."""
    return f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode()


def delta(text: str) -> bytes:
    return event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})


def ending(reason: str = "end_turn") -> list[bytes]:
    return [
        event({"type": "content_block_stop", "index": 0}),
        event({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 3}}),
        event({"type": "message_stop"}),
    ]


USAGE = {"input_tokens": 7, "cache_creation_input_tokens": 1, "cache_read_input_tokens": 3, "output_tokens": 1}
BEGIN = [
    event({"type": "message_start", "message": {"id": "m", "role": "assistant", "content": [], "usage": USAGE}}),
    event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    event({"type": "ping"}),
]
EVENTS = [*BEGIN, *map(delta, ("one", " + ", "two")), *ending()]
WHOLE = b"".join(EVENTS)


def answer(reason: str = "end_turn", *more: Any) -> dict[str, Any]:
    content = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "one + two"}, *more]
    usage = USAGE | {"output_tokens": 3}
    return {"id": "m", "type": "message", "content": content, "stop_reason": reason, "usage": usage}


@pytest.fixture
def claude(server: ModelServer) -> ModelServer:
    async def play(peer: Peer) -> None:
        if peer.method == "GET":
            await served(peer)
        elif peer.json["stream"]:
            await peer.head()
            await peer.events(EVENTS)
            await peer.end()
        else:
            await peer.document(answer())

    server.play = play
    return server


async def served(peer: Peer) -> None:
    if peer.target == "/v1/models?limit=1000":
        await peer.document({"data": [{"id": "claude-sonnet-4-5-20250929"}], "has_more": False})
    elif peer.target == "/v1/models/claude-sonnet-4-5":
        await peer.document({"id": "claude-sonnet-4-5-20250929"})
    else:
        await peer.document({"type": "error", "error": {"type": "not_found_error", "message": "canary"}}, 404)


@pytest.fixture
def model(claude: ModelServer) -> Model:
    return Model(
        name="mine",
        platform="anthropic",
        endpoint=claude.url,
        identifier="claude-sonnet-4-5",
        key=Secret("sk-ant"),
        limits=Limits(first_token_s=1, idle_s=1, total_s=3, output_tokens=100),
    )


@pytest.fixture
def ask(upstream: HttpUpstream, model: Model) -> Ask:
    async def asked(prompt: Prompt, **changes: Any) -> list[Chunk]:
        return [chunk async for chunk in PROVIDER.generate(upstream, replace(model, **changes), prompt)]

    return asked


async def heard(upstream: Upstream, model: Model, prompt: Prompt = STREAM) -> list[Chunk]:
    return [chunk async for chunk in PROVIDER.generate(upstream, model, prompt)]


async def test_a_document(claude: ModelServer, ask: Ask) -> None:
    text, end = await ask(CHAT)
    assert (text.text, end.finish) == ("one + two", "stop")
    assert end.usage is not None
    assert (end.usage.prompt_tokens, end.usage.completion_tokens) == (11, 3)
    (peer,) = claude.heard
    assert (peer.method, peer.target) == ("POST", "/v1/messages")
    assert (peer.headers["x-api-key"], peer.headers["anthropic-version"]) == ("sk-ant", "2023-06-01")
    assert "authorization" not in peer.headers
    assert peer.json == {
        "model": "claude-sonnet-4-5",
        "stream": False,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]}],
        "max_tokens": 5,
        "temperature": 1.0,
        "stop_sequences": ["END"],
    }


async def test_what_is_a_must_is_always_sent(claude: ModelServer, ask: Ask) -> None:
    await ask(Prompt(kind="text", text="a", extra={"top_k": 4}), identifier="", key=Secret())
    assert claude.heard[0].json == {
        "model": "mine",
        "stream": False,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}],
        "max_tokens": 100,
        "top_k": 4,
    }
    assert "x-api-key" not in claude.heard[0].headers


@pytest.mark.parametrize("tail", ["", "/", "/v1", "/v1/"])
async def test_the_endpoint_may_end_before_v1(claude: ModelServer, ask: Ask, tail: str) -> None:
    await ask(CHAT, endpoint=claude.url.removesuffix("/v1") + tail)
    assert claude.heard[0].target == "/v1/messages"


async def test_options(claude: ModelServer, ask: Ask) -> None:
    await ask(CHAT, options={"auth": "bearer", "version": "2024-01-01"})
    assert claude.heard[0].headers["authorization"] == "Bearer sk-ant"
    assert claude.heard[0].headers["anthropic-version"] == "2024-01-01"
    assert "x-api-key" not in claude.heard[0].headers


async def test_a_stream(ask: Ask) -> None:
    chunks = await ask(STREAM)
    assert [chunk.text for chunk in chunks] == ["one", " + ", "two", ""]
    assert chunks[-1].finish == "stop"
    assert chunks[-1].usage is not None
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (11, 3)


async def test_a_connection_serves_stream_after_stream(claude: ModelServer, ask: Ask) -> None:
    for _ in range(3):
        await ask(STREAM)
        await ask(CHAT)
    assert len({id(peer.writer) for peer in claude.heard}) == 1


async def test_however_the_bytes_arrive(model: Model) -> None:
    expected = await heard(Played(WHOLE), model)
    for size in (1, 2, 7, 64):
        parts = [WHOLE[at : at + size] for at in range(0, len(WHOLE), size)]
        assert await heard(Played(*parts), model) == expected


async def test_cut_at_every_byte_it_never_looks_complete(model: Model) -> None:
    end = len(WHOLE) - 2
    for at in range(len(WHOLE) + 1):
        for cut in (True, False):
            if at >= end:
                assert (await heard(Played(WHOLE[:at], cut=cut and at < end), model))[-1].finish == "stop"
                continue
            with pytest.raises((UpstreamTruncated, UpstreamMalformed)):
                await heard(Played(WHOLE[:at], cut=cut), model)


@pytest.mark.parametrize(
    "data",
    [
        b'{"content": []}',
        b"",
        b"data: {\n\n",
        b"data: []\n\n",
        event({"type": "content_block_delta"}),
        event({"type": "content_block_delta", "delta": {"type": "text_delta"}}),
        event({"type": "content_block_delta", "delta": {"type": "text_delta", "text": 7}}),
        event({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": {}}}),
        event({"type": "content_block_delta", "index": [], "delta": {"type": "input_json_delta", "partial_json": ""}}),
        event({"type": "message_delta"}),
        event({"type": "error"}),
    ],
    ids=repr,
)
async def test_what_is_no_stream(model: Model, data: bytes) -> None:
    with pytest.raises(UpstreamMalformed, match="'mine'"):
        await heard(Played(data), model)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"content": [{}]}', b'{"content": null}'], ids=repr)
async def test_improper_documents(model: Model, body: bytes) -> None:
    with pytest.raises(UpstreamMalformed, match="'mine'"):
        await heard(Played(body), model, CHAT)


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("overloaded_error", UpstreamOverloaded, "HTTP 529"),
        ("rate_limit_error", UpstreamOverloaded, "HTTP 429"),
        ("api_error", UpstreamError, "failed in the middle"),
        ("something_new", UpstreamError, "failed in the middle"),
    ],
)
async def test_errors_in_a_stream(model: Model, kind: str, error: type[UpstreamError], words: str) -> None:
    broken = event({"type": "error", "error": {"type": kind, "message": "canary"}})
    for before in (b"", b"".join(EVENTS[:5])):
        with pytest.raises(error) as caught:
            await heard(Played(before + broken), model)
        assert words in str(caught.value)
        assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "said", "error", "words"),
    [
        (400, "prompt is too long: 210000 tokens > 200000 maximum", UpstreamRejected, "context window"),
        (400, "Your credit balance is too low", UpstreamRejected, "no credit left"),
        (400, "canary", UpstreamRejected, "rejected the request"),
        (401, "invalid x-api-key", UpstreamRefused, "--api-key-env"),
        (403, "canary", UpstreamRefused, "--api-key-env"),
        (404, "model: x", UpstreamRefused, "served as 'claude-sonnet-4-5'"),
        (413, "canary", UpstreamRejected, "HTTP 413"),
        (429, "canary", UpstreamOverloaded, "HTTP 429"),
        (500, "canary", UpstreamRefused, "HTTP 500"),
        (529, "canary", UpstreamOverloaded, "HTTP 529"),
    ],
)
async def test_refusals_are_explained(
    claude: ModelServer, ask: Ask, status: int, said: str, error: type[UpstreamRefused], words: str
) -> None:
    async def play(peer: Peer) -> None:
        body = {"type": "error", "error": {"type": "x", "message": f"{said} canary"}}
        await peer.document(body, status, Retry_After=9)

    claude.play = play
    for prompt in (CHAT, STREAM):
        with pytest.raises(error) as caught:
            await ask(prompt)
        assert words in str(caught.value)
        assert "canary" not in str(caught.value)
        assert caught.value.retry_after_s == (9 if error is UpstreamOverloaded else None)


async def test_newer_models_take_no_temperature(claude: ModelServer, ask: Ask) -> None:
    async def play(peer: Peer) -> None:
        if "temperature" in peer.json:
            error = {"type": "invalid_request_error", "message": "`temperature` is deprecated for this model."}
            await peer.document({"type": "error", "error": error}, 400)
        else:
            await peer.document(answer())

    claude.play = play
    for _ in range(2):
        assert (await ask(CHAT))[0].text == "one + two"
    assert len(claude.heard) == 3


async def test_an_answer_that_was_begun(claude: ModelServer, ask: Ask) -> None:
    """Older models go on from there; newer ones refuse, and are asked without it."""
    begun = CHAT._replace(messages=(*CHAT.messages, Message(role="assistant", content="Sure: \n")))
    await ask(begun)
    assert claude.heard[0].json["messages"][-1] == {"role": "assistant", "content": [{"type": "text", "text": "Sure:"}]}

    async def play(peer: Peer) -> None:
        if peer.json["messages"][-1]["role"] == "assistant":
            error = {"type": "x", "message": "This model does not support assistant message prefill."}
            await peer.document({"type": "error", "error": error}, 400)
        else:
            await peer.document(answer())

    claude.play = play
    assert (await ask(begun))[0].text == "one + two"
    assert claude.heard[-1].json["messages"][-1]["role"] == "user"


TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
CALL = {"id": "t1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
WITH_TOOLS = Prompt(
    kind="chat",
    relay=True,
    extra={"tools": TOOLS},
    raw_messages=(
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]},
        {"role": "assistant", "content": "x", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "t1", "content": [{"type": "text", "text": "2"}]},
    ),
)


async def test_tools_and_images(claude: ModelServer, ask: Ask) -> None:
    await ask(WITH_TOOLS)
    body = claude.heard[0].json
    assert body["tools"] == [{"name": "add", "description": "", "input_schema": {"type": "object"}}]
    assert body["tool_choice"] == {"type": "auto"}
    source = {"type": "base64", "media_type": "image/png", "data": "AA=="}
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "image", "source": source}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "x"},
                {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "2"}]},
    ]
    await ask(
        WITH_TOOLS._replace(extra={"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "add"}}})
    )
    assert claude.heard[1].json["tool_choice"] == {"type": "tool", "name": "add"}


async def test_tool_calls_reach_clients_of_openai_s_format(model: Model) -> None:
    use = {"type": "tool_use", "id": "t2", "name": "add", "input": {}}
    arguments = {"type": "input_json_delta", "partial_json": '{"a":2}'}
    parts = [
        *BEGIN,
        delta("Let me see."),
        event({"type": "content_block_start", "index": 1, "content_block": use}),
        event({"type": "content_block_delta", "index": 1, "delta": arguments}),
        *ending("tool_use"),
    ]
    chunks = await heard(Played(b"".join(parts)), model, WITH_TOOLS._replace(stream=True))
    found = [
        json.loads(line[6:]) for line in b"".join(chunk.wire for chunk in chunks).splitlines() if line[6:7] == b"{"
    ]
    deltas = [each["choices"][0]["delta"] for each in found]
    assert deltas[1]["tool_calls"][0]["function"] == {"name": "add", "arguments": ""}
    assert deltas[2]["tool_calls"][0] == {"index": 0, "function": {"arguments": '{"a":2}'}}
    assert found[-1]["choices"][0]["finish_reason"] == "tool_calls"
    whole = json.dumps(answer("tool_use", use | {"input": {"a": 2}})).encode()
    (chunk,) = await heard(Played(whole), model, WITH_TOOLS)
    message = json.loads(chunk.wire)["choices"][0]["message"]
    assert message["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a":2}'}


async def test_a_refusal_of_the_model_is_said(model: Model) -> None:
    cases = (
        (CHAT, json.dumps(answer("refusal")).encode()),
        (STREAM, b"".join([*BEGIN, delta("a"), *ending("refusal")])),
    )
    for prompt, data in cases:
        with pytest.raises(UpstreamRejected, match="A safety classifier stopped the answer"):
            await heard(Played(data), model, prompt)
        chunks = await heard(Played(data), model, prompt._replace(relay=True))
        assert chunks[-1].finish == "content_filter"


@pytest.mark.parametrize(
    ("reason", "finish"), [("max_tokens", "length"), ("stop_sequence", "stop"), ("pause_turn", "stop")]
)
async def test_reasons_to_stop(model: Model, reason: str, finish: str) -> None:
    for prompt, data in ((CHAT, json.dumps(answer(reason)).encode()), (STREAM, b"".join([*BEGIN, *ending(reason)]))):
        assert (await heard(Played(data), model, prompt))[-1].finish == finish


async def hang(peer: Peer) -> None:
    await peer.hang()


async def begin_then_hang(peer: Peer) -> None:
    await peer.head()
    await peer.events(EVENTS[:5])
    await peer.hang()


@pytest.mark.parametrize("play", [hang, begin_then_hang])
async def test_silence_and_leaving(claude: ModelServer, ask: Ask, play: Callable[[Peer], Awaitable[None]]) -> None:
    claude.play = play
    with pytest.raises(UpstreamTimeout):
        await ask(STREAM, limits=Limits(first_token_s=0.2, idle_s=0.2, total_s=3))
    task = asyncio.create_task(ask(STREAM, limits=Limits()))
    peer = await claude.next(2)
    await asyncio.sleep(0.01)
    task.cancel()
    left = time.perf_counter()
    await asyncio.wait_for(peer.closed.wait(), 5)
    assert peer.closed_at - left < 5


async def test_served(claude: ModelServer, upstream: HttpUpstream, model: Model) -> None:
    assert await PROVIDER.served(upstream, model) == ["claude-sonnet-4-5-20250929", "claude-sonnet-4-5"]
    unknown = replace(model, identifier="claude/none")
    assert await PROVIDER.served(upstream, unknown) == ["claude-sonnet-4-5-20250929"]
    assert claude.heard[-1].target == "/v1/models/claude%2Fnone"
    with pytest.raises(UpstreamMalformed):
        await PROVIDER.served(Played(b'{"data": [1]}'), model)

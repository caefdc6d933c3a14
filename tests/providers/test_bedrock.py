"""What Bedrock is asked, and how its answers, its binary streams and its refusals are read."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from clouds import (
    ACCESS,
    EVENT_STREAM,
    REGION,
    SECRET,
    WORDS,
    Aws,
    Played,
    converse,
    converse_stream,
    delta,
    exception,
    frame,
    message,
    model_of,
    refuse,
)

from homeport.domain.errors import (
    BadConfiguration,
    BadRequest,
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
from homeport.providers import Unlisted
from homeport.providers.bedrock import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from script import ModelServer, Peer

    from homeport.domain.streams import Chunk
    from homeport.kit.upstream import Upstream
    from homeport.kit.upstream_http import HttpUpstream

    Ask = Callable[..., Awaitable[list[Chunk]]]

pytestmark = pytest.mark.usefixtures("no_cloud")
IDENTIFIER = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
CHAT = Prompt(
    kind="chat",
    messages=(Message(role="system", content="Be brief."), Message(role="user", content="q")),
    sampling=Sampling(max_tokens=5, temperature=0.0, top_p=0.5, stop=("END", "\n\n")),
)
STREAM = CHAT._replace(stream=True)
WHOLE = b"".join(converse_stream())


@pytest.fixture
def aws(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """An account whose Bedrock is at the scripted server."""
    found = Aws()
    server.play = found
    monkeypatch.setenv("AWS_BEDROCK_RUNTIME_ENDPOINT", server.url.removesuffix("/v1"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION_NAME", REGION)
    return found


@pytest.fixture
def model(aws: Aws) -> Model:
    del aws
    return Model(
        name="mine",
        platform="bedrock",
        identifier=IDENTIFIER,
        limits=Limits(first_token_s=1, idle_s=1, total_s=3, output_tokens=100),
    )


@pytest.fixture
def ask(upstream: HttpUpstream, model: Model) -> Ask:
    async def asked(prompt: Prompt, **changes: Any) -> list[Chunk]:
        return [chunk async for chunk in PROVIDER.generate(upstream, replace(model, **changes), prompt)]

    return asked


def played(*parts: bytes, **more: Any) -> Played:
    return Played(*parts, **more)


async def heard(upstream: Upstream, model: Model, prompt: Prompt = STREAM) -> list[Chunk]:
    return [chunk async for chunk in PROVIDER.generate(upstream, model, prompt)]


async def test_a_document(server: ModelServer, ask: Ask) -> None:
    text, end = await ask(CHAT)
    assert (text.text, end.finish) == ("one + two", "stop")
    assert end.usage is not None
    assert (end.usage.prompt_tokens, end.usage.completion_tokens) == (11, 3)
    (peer,) = server.heard
    assert (peer.method, peer.target) == ("POST", f"/model/{quote(IDENTIFIER, safe='')}/converse")
    assert "%3A0" in peer.target
    assert peer.json == {
        "messages": [{"role": "user", "content": [{"text": "q"}]}],
        "system": [{"text": "Be brief."}],
        "inferenceConfig": {"maxTokens": 5, "temperature": 0.0, "topP": 0.5, "stopSequences": ["END"]},
    }
    ours = {"x-request-id", "x-homeport-via"}
    assert set(peer.headers) - ours == {
        "host",
        "accept-encoding",
        "content-type",
        "content-length",
        "x-amz-date",
        "authorization",
    }
    signed = "SignedHeaders=content-type;host;x-amz-date"
    assert f"/{REGION}/bedrock/aws4_request, {signed}, " in peer.headers["authorization"]


async def test_a_stream(server: ModelServer, ask: Ask) -> None:
    chunks = await ask(STREAM)
    assert [chunk.text for chunk in chunks] == [*WORDS, "", ""]
    assert [chunk.finish for chunk in chunks] == [None, None, None, "stop", None]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 14
    assert server.heard[0].target.endswith("/converse-stream")


async def test_a_connection_serves_stream_after_stream(server: ModelServer, ask: Ask) -> None:
    for _ in range(3):
        await ask(STREAM)
        await ask(CHAT)
    assert len({id(peer.writer) for peer in server.heard}) == 1


@pytest.mark.parametrize(
    "identifier",
    [
        "meta.llama3-1-8b-instruct-v1:0",
        "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/a1b2",
        "arn:aws:bedrock:eu-central-1:123456789012:provisioned-model/x y%z",
    ],
)
async def test_identifiers_survive_the_address_and_the_signature(
    server: ModelServer, ask: Ask, identifier: str
) -> None:
    assert await ask(CHAT, identifier=identifier)
    (peer,) = server.heard
    assert model_of(peer) == identifier
    assert peer.target.count("/") == 3


async def test_awkward_text_survives(ask: Ask, aws: Aws) -> None:
    words = ["é", "漢字", "\U0001f680", "\u2028", '"\\', "\ttab", "\0"]

    async def play(peer: Peer) -> None:
        await peer.head(200, EVENT_STREAM)
        for at in range(0, len(whole := b"".join(converse_stream(words))), 7):
            await peer.chunk(whole[at : at + 7])
        await peer.end()

    aws.play = play
    assert "".join(chunk.text for chunk in await ask(STREAM)) == "".join(words)


async def test_cut_at_every_byte_it_never_looks_complete(model: Model) -> None:
    """Whether the body ends there properly or not; only the usage, which comes last, may be missing."""
    stop = len(WHOLE) - len(converse_stream()[-1])
    for at in range(len(WHOLE)):
        for cut in (True, False):
            if not cut and at == stop:
                continue
            with pytest.raises((UpstreamTruncated, UpstreamMalformed)):
                await heard(played(WHOLE[:at], cut=cut), model)
    assert [chunk.text for chunk in await heard(played(WHOLE[:stop]), model)] == [*WORDS, ""]


async def test_however_the_bytes_arrive(model: Model) -> None:
    expected = await heard(played(WHOLE), model)
    for size in (1, 2, 3, 11, 12, 13, 97):
        parts = [WHOLE[at : at + size] for at in range(0, len(WHOLE), size)]
        assert await heard(played(*parts), model) == expected


async def test_damage_anywhere_is_noticed(model: Model) -> None:
    for at in range(len(WHOLE)):
        bad = WHOLE[:at] + bytes([WHOLE[at] ^ 0x10]) + WHOLE[at + 1 :]
        with pytest.raises((UpstreamMalformed, UpstreamTruncated)):
            await heard(played(bad), model)


@pytest.mark.parametrize(
    "data",
    [
        b"data: {}\n\ndata: {}\n\n",
        b"<html></html>",
        b"\0" * 12,
        message("contentBlockDelta", {}),
        message("contentBlockDelta", {"delta": None}),
        message("messageStop", {}),
        message("contentBlockStart", {"start": {"toolUse": {}}}),
        frame({":message-type": "event", ":event-type": "contentBlockDelta"}, b"{"),
        frame({":message-type": "event", ":event-type": "contentBlockDelta"}, b"[]"),
    ],
    ids=repr,
)
async def test_what_is_no_stream(model: Model, data: bytes) -> None:
    with pytest.raises(UpstreamMalformed, match="'mine'"):
        await heard(played(data), model)


async def test_events_that_nobody_knows_are_passed_over(model: Model) -> None:
    unknown = message("futureEvent", {"x": 1}) + message(
        "contentBlockDelta", {"delta": {"reasoningContent": {"text": "h"}}}
    )
    assert "".join(chunk.text for chunk in await heard(played(unknown + WHOLE), model)) == "one + two"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        {},
        {"output": {}},
        {"output": {"message": {"content": None}}},
        {"output": None, "stopReason": 1},
    ],
    ids=repr,
)
async def test_improper_documents(model: Model, body: Any) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(UpstreamMalformed, match="'mine'"):
        await heard(played(data), model, CHAT)


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("throttlingException", UpstreamOverloaded, "overloaded (HTTP 429)"),
        ("serviceUnavailableException", UpstreamOverloaded, "overloaded (HTTP 503)"),
        ("modelStreamErrorException", UpstreamError, "failed in the middle"),
        ("internalServerException", UpstreamError, "failed in the middle"),
        ("ModelTimeoutException", UpstreamTimeout, "took too long"),
        ("validationException", UpstreamRejected, "in the middle"),
        ("somethingNew", UpstreamError, "failed in the middle"),
    ],
)
@pytest.mark.parametrize("before", [b"", converse_stream()[0] + delta("a")], ids=["first", "later"])
async def test_exceptions_in_a_stream(
    model: Model, kind: str, error: type[UpstreamError], words: str, before: bytes
) -> None:
    with pytest.raises(error) as caught:
        await heard(played(before + exception(kind)), model)
    assert words in str(caught.value)
    assert "canary" not in str(caught.value)


async def test_an_error_message_of_the_framing_itself(model: Model) -> None:
    broken = frame({":message-type": "error", ":error-code": "500", ":error-message": "canary"}, b"")
    with pytest.raises(UpstreamError, match="failed in the middle"):
        await heard(played(broken), model)


@pytest.mark.parametrize(
    ("status", "kind", "said", "error", "words"),
    [
        (
            403,
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
            UpstreamRefused,
            "Request access",
        ),
        (
            403,
            "AccessDeniedException",
            "User: arn is not authorized to perform: bedrock:InvokeModel",
            UpstreamRefused,
            "bedrock:InvokeModelWithResponseStream",
        ),
        (
            403,
            "UnrecognizedClientException",
            "The security token is invalid.",
            UpstreamRefused,
            "does not accept the credentials",
        ),
        (403, "ExpiredTokenException", "expired", UpstreamRefused, "not expired"),
        (403, "InvalidSignatureException", "Signature expired: 1 is now earlier than 2", UpstreamRefused, "clock"),
        (400, "ValidationException", "The provided model identifier is invalid.", UpstreamRejected, "in eu-central-1"),
        (
            400,
            "ValidationException",
            "Invocation of model ID x with on-demand throughput isn't supported. Retry.",
            UpstreamRejected,
            "inference profile",
        ),
        (400, "ValidationException", "Input is too long for requested model.", UpstreamRejected, "context window"),
        (400, "ValidationException", "canary", UpstreamRejected, "rejected the request"),
        (
            404,
            "ResourceNotFoundException",
            "This model version has reached the end of its life.",
            UpstreamRefused,
            "spelt as Bedrock",
        ),
        (408, "ModelTimeoutException", "canary", UpstreamTimeout, "took too long"),
        (424, "ModelErrorException", "canary", UpstreamRefused, "HTTP 424"),
        (429, "ThrottlingException", "Too many tokens", UpstreamOverloaded, "HTTP 429"),
        (429, "ModelNotReadyException", "canary", UpstreamOverloaded, "HTTP 429"),
        (400, "ServiceQuotaExceededException", "canary", UpstreamOverloaded, "HTTP 429"),
        (500, "InternalServerException", "canary", UpstreamRefused, "HTTP 500"),
        (503, "ServiceUnavailableException", "canary", UpstreamOverloaded, "HTTP 503"),
        (302, "", "", UpstreamRefused, "Redirects are never followed"),
    ],
)
async def test_refusals_are_explained(  # noqa: PLR0913, PLR0917 (a table)
    ask: Ask, aws: Aws, status: int, kind: str, said: str, error: type[UpstreamRefused], words: str
) -> None:
    async def play(peer: Peer) -> None:
        await refuse(peer, status, kind, f"{said} canary", Retry_After=9)

    aws.play = play
    for prompt in (CHAT, STREAM):
        with pytest.raises(error) as caught:
            await ask(prompt)
        assert words in str(caught.value)
        assert "'mine'" in str(caught.value)
        assert "canary" not in str(caught.value)
        if error is UpstreamOverloaded:
            assert caught.value.retry_after_s == 9


# what is said


def converse_body(server: ModelServer) -> Any:
    return server.heard[-1].json


async def test_turns_alternate_begin_with_the_user_and_hold_no_blank_text(server: ModelServer, ask: Ask) -> None:
    said = (
        ("system", "one"),
        ("assistant", "hello"),
        ("user", "a"),
        ("user", "  \n"),
        ("user", [{"type": "text", "text": "b"}, {"type": "text", "text": " "}]),
        ("developer", [{"type": "text", "text": "two"}]),
        ("assistant", "c"),
        ("assistant", None),
        ("user", "d"),
    )
    await ask(Prompt(kind="chat", raw_messages=tuple({"role": role, "content": content} for role, content in said)))
    body = converse_body(server)
    assert body["system"] == [{"text": "one\n\ntwo"}]
    assert body["messages"] == [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
        {"role": "assistant", "content": [{"text": "c"}]},
        {"role": "user", "content": [{"text": "d"}]},
    ]
    assert body["inferenceConfig"] == {}


async def test_text_to_continue_is_what_the_user_says(server: ModelServer, ask: Ask) -> None:
    await ask(Prompt(kind="text", text="def f(", sampling=Sampling(temperature=1.7, top_p=1.0)))
    assert converse_body(server)["messages"] == [{"role": "user", "content": [{"text": "def f("}]}]
    assert converse_body(server)["inferenceConfig"] == {"temperature": 1.0}


def user(part: Any) -> Any:
    """A conversation of one part."""
    return {"raw_messages": ({"role": "user", "content": [part]},)}


def calling(call: Any) -> Any:
    """A conversation in which the assistant asked for a tool."""
    return {"raw_messages": ({"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": [call]})}


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"extra": {"n": 2}}, "n"),
        ({"extra": {"logprobs": True}}, "logprobs"),
        ({"extra": {"response_format": {"type": "json_object"}}}, "response_format"),
        ({"extra": {"tools": [{"type": "web"}]}, "text": "q", "messages": CHAT.messages}, "tools"),
        ({"raw_messages": ({"role": "assistant", "content": "x"},)}, "messages"),
        ({"raw_messages": ({"role": "system", "content": "x"},)}, "messages"),
        (user({"type": "input_audio"}), "messages"),
        (user({"type": "image_url", "image_url": {"url": "http://x"}}), "messages"),
        (user({"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AA=="}}), "messages"),
        (calling({"id": "1"}), "messages"),
        (calling({"id": "1", "function": {"name": "f", "arguments": "{"}}), "messages"),
    ],
)
async def test_what_it_cannot_do_is_said(server: ModelServer, ask: Ask, changes: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        await ask(Prompt(kind="chat", **changes))
    assert caught.value.param == param
    assert not server.heard


async def test_harmless_options_are_passed_over(server: ModelServer, ask: Ask) -> None:
    extra = {"n": 1, "logprobs": False, "response_format": {"type": "text"}, "frequency_penalty": 0.1, "logit_bias": {}}
    await ask(CHAT._replace(extra=extra))
    assert set(converse_body(server)) == {"messages", "system", "inferenceConfig"}


TOOLS = [{"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}}]
USED = {"id": "t1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
WITH_TOOLS = Prompt(
    kind="chat",
    relay=True,
    usage=True,
    extra={"tools": TOOLS, "tool_choice": "required"},
    raw_messages=(
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "q"},
                {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,AA=="}},
            ],
        },
        {"role": "assistant", "content": None, "tool_calls": [USED]},
        {"role": "tool", "tool_call_id": "t1", "content": "2"},
    ),
)


async def test_tools_and_images_are_asked_for_as_converse_has_them(server: ModelServer, ask: Ask) -> None:
    await ask(WITH_TOOLS)
    body = converse_body(server)
    assert body["toolConfig"] == {
        "tools": [{"toolSpec": {"name": "add", "description": "Adds.", "inputSchema": {"json": {"type": "object"}}}}],
        "toolChoice": {"any": {}},
    }
    assert body["messages"] == [
        {"role": "user", "content": [{"text": "q"}, {"image": {"format": "jpeg", "source": {"bytes": "AA=="}}}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t1", "name": "add", "input": {"a": 1}}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "2"}]}}]},
    ]
    named = {"type": "function", "function": {"name": "add"}}
    await ask(WITH_TOOLS._replace(extra={"tools": TOOLS, "tool_choice": named}))
    assert converse_body(server)["toolConfig"]["toolChoice"] == {"tool": {"name": "add"}}
    none = {"tools": TOOLS, "tool_choice": "none"}
    await ask(CHAT._replace(extra=none))
    assert "toolConfig" not in converse_body(server)
    # turns in which tools were used are refused without them
    await ask(WITH_TOOLS._replace(extra=none))
    assert "toolChoice" not in converse_body(server)["toolConfig"]


TOOL_STREAM = [
    message("messageStart", {"role": "assistant"}),
    delta("Let me see."),
    message("contentBlockStart", {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t2", "name": "add"}}}),
    message("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '{"a"'}}}),
    message("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": ":2}"}}}),
    message("contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t3", "name": "sub"}}}),
    message("messageStop", {"stopReason": "tool_use"}),
    message("metadata", {"usage": {"inputTokens": 2, "outputTokens": 3}}),
]


async def test_tool_calls_reach_clients_of_openai_s_format(model: Model) -> None:
    chunks = await heard(played(b"".join(TOOL_STREAM)), model, WITH_TOOLS._replace(stream=True))
    lines = b"".join(chunk.wire for chunk in chunks).decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    events = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    assert {event["object"] for event in events} == {"chat.completion.chunk"}
    deltas = [event["choices"][0]["delta"] for event in events[:-1]]
    assert deltas[0] == {"role": "assistant", "content": "Let me see."}
    function = {"name": "add", "arguments": ""}
    assert deltas[1] == {"tool_calls": [{"index": 0, "id": "t2", "type": "function", "function": function}]}
    assert [each["tool_calls"][0] for each in deltas[2:4]] == [
        {"index": 0, "function": {"arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": ":2}"}},
    ]
    assert (deltas[4]["tool_calls"][0]["index"], deltas[4]["tool_calls"][0]["id"]) == (1, "t3")
    assert events[-2]["choices"] == [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]
    assert events[-1]["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    assert chunks[-1].usage is not None


async def test_tool_calls_in_a_document(model: Model) -> None:
    answer = converse(["Let me see."], "tool_use")
    answer["output"]["message"]["content"].append({"toolUse": {"toolUseId": "t2", "name": "add", "input": {"a": 2}}})
    (chunk,) = await heard(played(json.dumps(answer).encode()), model, WITH_TOOLS)
    body = json.loads(chunk.wire)
    assert body["choices"][0]["finish_reason"] == chunk.finish == "tool_calls"
    assert body["choices"][0]["message"] == {
        "role": "assistant",
        "content": "Let me see.",
        "tool_calls": [{"id": "t2", "type": "function", "function": {"name": "add", "arguments": '{"a":2}'}}],
    }
    assert body["usage"]["total_tokens"] == 14


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("max_tokens", "length"), ("stop_sequence", "stop"), ("model_context_window_exceeded", "length"), ("new", "stop")],
)
async def test_reasons_to_stop(model: Model, reason: str, finish: str) -> None:
    for prompt, data in (
        (CHAT, json.dumps(converse(stop=reason)).encode()),
        (STREAM, b"".join(converse_stream(stop=reason))),
    ):
        assert [chunk.finish for chunk in await heard(played(data), model, prompt) if chunk.finish] == [finish]


@pytest.mark.parametrize("reason", ["guardrail_intervened", "content_filtered"])
async def test_a_filter_is_said(model: Model, reason: str) -> None:
    for prompt, data in (
        (CHAT, json.dumps(converse(stop=reason)).encode()),
        (STREAM, b"".join(converse_stream(stop=reason))),
    ):
        with pytest.raises(
            UpstreamRejected, match=r"(A guardrail of Bedrock|Bedrock's content filter) stopped the answer"
        ):
            await heard(played(data), model, prompt)
        chunks = await heard(played(data), model, prompt._replace(relay=True))
        assert [chunk.finish for chunk in chunks if chunk.finish] == ["content_filter"]


async def test_guardrails(server: ModelServer, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    async def guardrail(**options: str) -> Any:
        await ask(CHAT, options=options)
        return converse_body(server).get("guardrailConfig")

    assert await guardrail() is None
    monkeypatch.setenv(
        "AIGW_BEDROCK_GUARDRAIL_CONFIG", '{"guardrailIdentifier": "g0", "guardrailVersion": 2, "trace": "enabled"}'
    )
    assert await guardrail() == {"guardrailIdentifier": "g0", "guardrailVersion": "2"}
    monkeypatch.setenv("HOMEPORT_BEDROCK_GUARDRAIL", "g1")
    assert await guardrail() == {"guardrailIdentifier": "g1", "guardrailVersion": "DRAFT"}
    assert await guardrail(guardrail="g2", guardrail_version="3") == {
        "guardrailIdentifier": "g2",
        "guardrailVersion": "3",
    }


@pytest.mark.parametrize("given", ["g1", "[]", "{}", '{"guardrailIdentifier": "g"}'])
async def test_a_guardrail_that_cannot_be_read_is_not_passed_over(
    server: ModelServer, ask: Ask, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("AIGW_BEDROCK_GUARDRAIL_CONFIG", given)
    with pytest.raises(BadConfiguration, match="AIGW_BEDROCK_GUARDRAIL_CONFIG"):
        await ask(CHAT)
    assert not server.heard


# what a model does not take


@pytest.mark.parametrize(
    ("said", "gone"),
    [
        ("The model returned the following errors: `temperature` is deprecated for this model.", {"temperature"}),
        ("`temperature` and `top_p` cannot both be specified for this model. Please use only one.", {"topP"}),
        ("This model doesn't support the stopSequences field. Remove stopSequences and try again.", {"stopSequences"}),
    ],
)
async def test_an_option_that_is_refused_is_left_out_from_then_on(
    server: ModelServer, ask: Ask, aws: Aws, said: str, gone: set[str]
) -> None:
    async def play(peer: Peer) -> None:
        if gone & set(peer.json["inferenceConfig"]):
            await refuse(peer, 400, "ValidationException", said)
        else:
            await peer.document(converse())

    aws.play = play
    for _ in range(2):
        assert (await ask(CHAT))[0].text == "one + two"
    assert len(server.heard) == 3
    assert {"maxTokens", "temperature", "topP", "stopSequences"} - set(converse_body(server)["inferenceConfig"]) == gone


async def test_a_model_that_refuses_for_ever_is_not_asked_for_ever(server: ModelServer, ask: Ask, aws: Aws) -> None:
    async def play(peer: Peer) -> None:
        await refuse(peer, 400, "ValidationException", "`temperature` is not supported")

    aws.play = play
    for _ in range(2):
        with pytest.raises(UpstreamRejected):
            await ask(CHAT)
    assert len(server.heard) == 3


async def test_refusals_belong_to_the_time_for_a_whole_answer(ask: Ask, aws: Aws) -> None:
    async def play(peer: Peer) -> None:
        await asyncio.sleep(0.3)
        await refuse(peer, 400, "ValidationException", "`temperature` is not supported")
        aws.play = silent

    async def silent(peer: Peer) -> None:
        await peer.hang()

    aws.play = play
    began = time.perf_counter()
    with pytest.raises(UpstreamTimeout):
        await ask(CHAT, limits=Limits(total_s=0.6))
    assert time.perf_counter() - began < 1.0


async def test_a_model_without_system_messages_and_streams(server: ModelServer, ask: Ask, aws: Aws) -> None:
    async def play(peer: Peer) -> None:
        if "system" in peer.json:
            await refuse(
                peer, 400, "ValidationException", "This model doesn't support system messages. Try again without."
            )
        elif peer.target.endswith("-stream"):
            await refuse(peer, 400, "ValidationException", "The model is unsupported for streaming.")
        else:
            await peer.document(converse())

    aws.play = play
    assert "".join(chunk.text for chunk in await ask(STREAM)) == "one + two"
    assert converse_body(server)["messages"] == [{"role": "user", "content": [{"text": "Be brief."}, {"text": "q"}]}]
    assert len(server.heard) == 3


# what hangs, and who leaves


async def hang(peer: Peer) -> None:
    await peer.hang()


async def head_then_hang(peer: Peer) -> None:
    await peer.head(200, EVENT_STREAM)
    await peer.hang()


async def half_an_event_then_hang(peer: Peer) -> None:
    await peer.head(200, EVENT_STREAM)
    await peer.chunk(WHOLE[:300])
    await peer.hang()


@pytest.mark.parametrize("play", [hang, head_then_hang, half_an_event_then_hang])
async def test_silence_has_a_limit(ask: Ask, aws: Aws, play: Callable[[Peer], Awaitable[None]]) -> None:
    aws.play = play
    with pytest.raises(UpstreamTimeout):
        await ask(STREAM, limits=Limits(first_token_s=0.2, idle_s=0.2, total_s=3))


@pytest.mark.parametrize("play", [hang, head_then_hang, half_an_event_then_hang])
async def test_who_leaves_cuts_the_connection(
    server: ModelServer, upstream: HttpUpstream, model: Model, aws: Aws, play: Callable[[Peer], Awaitable[None]]
) -> None:
    aws.play = play
    prompts = (STREAM, CHAT) if play is hang else (STREAM,)
    for number, prompt in enumerate(prompts, 1):
        patient = replace(model, limits=Limits(first_token_s=30, idle_s=30, total_s=60))
        task = asyncio.create_task(heard(upstream, patient, prompt))
        peer = await server.next(number)
        await asyncio.sleep(0.01)
        task.cancel()
        left = time.perf_counter()
        await asyncio.wait_for(peer.closed.wait(), 5)
        assert peer.closed_at - left < 5


async def test_who_stops_listening_cuts_the_connection(
    server: ModelServer, upstream: HttpUpstream, model: Model, aws: Aws
) -> None:
    async def play(peer: Peer) -> None:
        await peer.head(200, EVENT_STREAM)
        while not peer.closed.is_set():
            await peer.chunk(delta("x"))
            await asyncio.sleep(0.001)

    aws.play = play
    chunks = PROVIDER.generate(upstream, model, STREAM)
    assert (await anext(chunks)).text == "x"
    await chunks.aclose()
    await asyncio.wait_for(server.heard[-1].closed.wait(), 5)


# what is served


async def test_served(server: ModelServer, upstream: HttpUpstream, model: Model) -> None:
    names = await PROVIDER.served(upstream, model)
    assert names == ["meta.llama3-1-8b-instruct-v1:0", "eu.anthropic.claude-x", "arn:aws:bedrock:p/1"]
    assert [(peer.method, peer.target) for peer in server.heard] == [
        ("GET", "/foundation-models"),
        ("GET", "/inference-profiles?maxResults=1000"),
    ]


async def test_an_arn_that_is_not_listed_may_be_served(upstream: HttpUpstream, model: Model) -> None:
    with pytest.raises(Unlisted, match="does not list"):
        await PROVIDER.served(upstream, replace(model, identifier="arn:aws:bedrock:eu:1:provisioned-model/x"))


@pytest.mark.parametrize(
    ("status", "kind", "said", "error"),
    [
        (403, "AccessDeniedException", "is not authorized to perform: bedrock:ListFoundationModels", Unlisted),
        (404, "UnknownOperationException", "", Unlisted),
        (403, "UnrecognizedClientException", "", UpstreamRefused),
        (500, "InternalServerException", "", UpstreamRefused),
    ],
)
async def test_served_to_who_may_not_look(  # noqa: PLR0913, PLR0917 (a table)
    upstream: HttpUpstream, model: Model, aws: Aws, status: int, kind: str, said: str, error: type[UpstreamError]
) -> None:
    async def play(peer: Peer) -> None:
        await refuse(peer, status, kind, said)

    aws.play = play
    with pytest.raises(error):
        await PROVIDER.served(upstream, model)


async def test_served_by_who_does_not_say(upstream: HttpUpstream, model: Model, aws: Aws) -> None:
    async def play(peer: Peer) -> None:
        await peer.document({"modelSummaries": None})

    aws.play = play
    with pytest.raises(UpstreamMalformed):
        await PROVIDER.served(upstream, model)


# where it is


async def test_without_a_region_nobody_is_asked(server: ModelServer, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION_NAME")
    with pytest.raises(BadConfiguration, match="AWS_REGION_NAME"):
        await ask(CHAT)
    for wrong in ("evil.example/#", "eu-central-1.evil.com", "EU-CENTRAL-1"):
        monkeypatch.setenv("AWS_REGION_NAME", wrong)
        with pytest.raises(BadConfiguration, match="variable AWS_REGION_NAME"):
            await ask(CHAT)
    assert not server.heard
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.delenv("AWS_REGION_NAME")
    await ask(CHAT)
    assert "/us-east-1/bedrock/" in server.heard[0].headers["authorization"]
    await ask(CHAT, options={"region": "ap-southeast-2"})
    assert "/ap-southeast-2/bedrock/" in server.heard[1].headers["authorization"]


@pytest.mark.parametrize(
    ("region", "host", "control"),
    [
        ("eu-central-1", "bedrock-runtime.eu-central-1.amazonaws.com", "bedrock.eu-central-1.amazonaws.com"),
        ("us-gov-west-1", "bedrock-runtime.us-gov-west-1.amazonaws.com", "bedrock.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "bedrock-runtime.cn-north-1.amazonaws.com.cn", "bedrock.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "bedrock-runtime.eusc-de-east-1.amazonaws.eu", "bedrock.eusc-de-east-1.amazonaws.eu"),
    ],
)
async def test_aws_s_own_addresses(
    model: Model, monkeypatch: pytest.MonkeyPatch, region: str, host: str, control: str
) -> None:
    monkeypatch.delenv("AWS_BEDROCK_RUNTIME_ENDPOINT")
    monkeypatch.setenv("AWS_REGION_NAME", region)
    asked = played(json.dumps(converse()).encode())
    await heard(asked, model, CHAT)
    assert asked.calls[0].url.startswith(f"https://{host}/model/")
    listing = played(b'{"modelSummaries": [], "inferenceProfileSummaries": []}')
    await PROVIDER.served(listing, model)
    assert [call.url.split("/")[2] for call in listing.calls] == [control] * 2


async def test_a_key_of_the_model_s_own_goes_to_its_endpoint(server: ModelServer, ask: Ask, aws: Aws) -> None:
    aws.known["AKIAOTHERXXXXXXXXXXX"] = type(aws.known[ACCESS])("AKIAOTHERXXXXXXXXXXX", "s/e+c", "tok")
    aws.bearers.add("bedrock-api-key-x")
    endpoint = server.url.removesuffix("/v1")
    for key in ("AKIAOTHERXXXXXXXXXXX:s/e+c:tok", "bedrock-api-key-x"):
        assert await ask(CHAT, endpoint=f"{endpoint}/", key=Secret(key))
    assert server.heard[0].headers["x-amz-security-token"] == "tok"
    assert server.heard[1].headers["authorization"] == "Bearer bedrock-api-key-x"
    assert "x-amz-date" not in server.heard[1].headers

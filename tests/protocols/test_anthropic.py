"""Anthropic's Messages API: its own Python client against the running server, and what goes over the wire."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from deltas import call, plays
from house import KEY, TOKEN, WORDS, eventually
from later import Later
from script import piece, stream
from ways import named_events

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import anthropic
    from house import House
    from script import Peer
else:
    anthropic = Later("anthropic")

ASKED: Any = [{"role": "user", "content": "What is a mutex?"}]
WEATHER: Any = {
    "name": "weather",
    "description": "Tells the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture
async def client(house: House) -> AsyncIterator[anthropic.AsyncAnthropic]:
    """A client that does not hide failures behind retries."""
    async with anthropic.AsyncAnthropic(
        base_url=f"http://127.0.0.1:{house.port}", api_key=TOKEN, max_retries=0
    ) as found:
        yield found


@pytest.mark.proves("anthropic-python", "chat")
async def test_message(client: anthropic.AsyncAnthropic, house: House) -> None:
    answer = await client.messages.create(model=WORDS, max_tokens=50, messages=ASKED, system="Be brief.")
    assert answer.content[0].type == "text"
    assert answer.content[0].text == "one + two"
    assert (answer.stop_reason, answer.role, answer.model) == ("end_turn", "assistant", WORDS)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 3)
    (peer,) = house.models.heard
    assert peer.json["messages"] == [{"role": "system", "content": "Be brief."}, *ASKED]
    assert peer.json["max_tokens"] == 50
    assert answer._request_id == (await house.record())["correlation_id"]  # noqa: SLF001 (the SDK's documented name)


@pytest.mark.proves("anthropic-python", "streaming")
async def test_stream_as_the_sdk_reads_it(client: anthropic.AsyncAnthropic) -> None:
    async with client.messages.stream(model=WORDS, max_tokens=50, messages=ASKED) as answer:
        assert [text async for text in answer.text_stream] == ["one", " + ", "two"]
        whole = await answer.get_final_message()
    assert whole.stop_reason == "end_turn"
    assert (whole.usage.input_tokens, whole.usage.output_tokens) == (11, 3)


async def test_events_of_a_stream(house: House) -> None:
    body = {"model": WORDS, "max_tokens": 50, "messages": ASKED, "stream": True}
    found = named_events((await house.post("/v1/messages", body)).body)
    assert [name for name, _ in found] == [
        *("message_start", "ping", "content_block_start"),
        *["content_block_delta"] * 3,
        *("content_block_stop", "message_delta", "message_stop"),
    ]
    assert all(data["type"] == name for name, data in found)
    start = found[0][1]["message"]
    assert start["content"] == []
    assert 3 < start["usage"]["input_tokens"] < 20
    assert found[-2][1] == {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {
            "input_tokens": 11,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 3,
        },
    }


CALLS = (
    {"role": "assistant", "content": "Let me "},
    {"content": "look."},
    call(0, "weather"),
    call(0, arguments='{"city":'),
    call(0, arguments=' "Oslo"}'),
    call(1, "weather", '{"city": "Rome"}'),
)


@pytest.mark.proves("anthropic-python", "tools")
@pytest.mark.parametrize("streams", [True, False], ids=["stream", "whole"])
async def test_tools_there_and_back(client: anthropic.AsyncAnthropic, house: House, *, streams: bool) -> None:
    plays(house, *CALLS, finish="tool_calls")
    wanted: Any = {
        "model": WORDS,
        "max_tokens": 50,
        "tools": [WEATHER],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
    }
    if streams:
        async with client.messages.stream(messages=ASKED, **wanted) as answer:
            said = await answer.get_final_message()
    else:
        said = await client.messages.create(messages=ASKED, **wanted)
    assert said.stop_reason == "tool_use"
    assert [block.type for block in said.content] == ["text", "tool_use", "tool_use"]
    uses: Any = said.content[1:]
    assert [(use.name, use.input) for use in uses] == [("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"})]
    heard = house.models.heard[0].json
    assert heard["tool_choice"] == "required"
    assert heard["parallel_tool_calls"] is False
    assert heard["tools"][0]["function"]["parameters"] == WEATHER["input_schema"]
    results: Any = [
        {"type": "tool_result", "tool_use_id": uses[0].id, "content": [{"type": "text", "text": "rain"}]},
        {"type": "tool_result", "tool_use_id": uses[1].id, "content": "no such city", "is_error": True},
        {"type": "text", "text": "And now?"},
    ]
    house.models.play = house.models.behave
    turns: Any = [*ASKED, {"role": "assistant", "content": said.content}, {"role": "user", "content": results}]
    await client.messages.create(messages=turns, **wanted)
    sent = house.models.heard[1].json["messages"]
    assert sent[1]["content"] == "Let me look."
    assert [each["id"] for each in sent[1]["tool_calls"]] == ["call_0", "call_1"]
    assert [orjson.loads(each["function"]["arguments"]) for each in sent[1]["tool_calls"]] == [
        {"city": "Oslo"},
        {"city": "Rome"},
    ]
    assert sent[2:] == [
        {"role": "tool", "tool_call_id": "call_0", "content": "rain"},
        {"role": "tool", "tool_call_id": "call_1", "content": "The tool failed:\nno such city"},
        {"role": "user", "content": "And now?"},
    ]


async def test_calls_that_come_entangled_are_told_one_after_the_other(house: House) -> None:
    plays(house, call(0, "weather", '{"city":'), call(1, "weather", '{"city": "Rome"}'), call(0, arguments='"Oslo"}'))
    body = {"model": WORDS, "max_tokens": 50, "messages": ASKED, "stream": True, "tools": [WEATHER]}
    found = named_events((await house.post("/v1/messages", body)).body)
    places = [(name.removeprefix("content_block_"), data["index"]) for name, data in found if "index" in data]
    assert places == [("start", 0), ("delta", 0), ("delta", 0), ("stop", 0), ("start", 1), ("delta", 1), ("stop", 1)]
    assert found[-2][1]["delta"]["stop_reason"] == "tool_use"


@pytest.mark.proves("anthropic-python", "thinking")
@pytest.mark.parametrize("streams", [True, False], ids=["stream", "whole"])
async def test_thoughts_are_shown_to_who_asked_and_go_back(
    client: anthropic.AsyncAnthropic, house: House, *, streams: bool
) -> None:
    plays(house, {"reasoning_content": "Hm, "}, {"reasoning_content": "locks."}, {"content": "A lock."})
    wanted: Any = {"model": WORDS, "max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    if streams:
        async with client.messages.stream(messages=ASKED, **wanted) as answer:
            said = await answer.get_final_message()
    else:
        said = await client.messages.create(messages=ASKED, **wanted)
    assert [block.type for block in said.content] == ["thinking", "text"]
    assert said.content[0].type == "thinking"
    assert said.content[0].thinking == "Hm, locks."
    assert said.content[0].signature
    foreign = {"type": "thinking", "thinking": "of another model", "signature": "x"}
    turns: Any = [*ASKED, {"role": "assistant", "content": [foreign, *said.content]}, *ASKED]
    await client.messages.create(messages=turns, **wanted)
    assert house.models.heard[1].json["messages"][1] == {
        "role": "assistant",
        "content": "A lock.",
        "reasoning_content": "Hm, locks.",
    }


async def test_thoughts_that_nobody_asked_for_are_pings(house: House) -> None:
    plays(house, *[{"reasoning": "hm"}] * 70, {"content": "A lock."})
    body = {"model": WORDS, "max_tokens": 50, "messages": ASKED, "stream": True}
    names = [name for name, _ in named_events((await house.post("/v1/messages", body)).body)]
    assert names[:4] == ["message_start", "ping", "ping", "ping"]
    assert names.count("content_block_start") == 1
    answer = await house.post("/v1/messages", {**body, "stream": False})
    assert [block["type"] for block in answer.json["content"]] == ["text"]


async def test_system_blocks_and_pictures(house: House) -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    cached = {"cache_control": {"type": "ephemeral"}}
    result = {"type": "tool_result", "tool_use_id": "c1", "content": [picture], **cached}
    body = {
        "model": WORDS,
        "max_tokens": 5,
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cch=abc"},
            {"type": "text", "text": "One.", **cached},
            {"type": "text", "text": "Two."},
        ],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "See", **cached}, picture]},
            {"role": "user", "content": "and this"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "look", "input": {}}]},
            {"role": "user", "content": [result]},
        ],
    }
    answer = await house.post("/v1/messages", body)
    assert answer.status == 200
    system, user, assistant, tool, shown = house.models.heard[0].json["messages"]
    url = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    assert system == {"role": "system", "content": "One.\n\nTwo."}
    assert user["content"] == [{"type": "text", "text": "See"}, url, {"type": "text", "text": "and this"}]
    assert assistant["tool_calls"][0]["function"] == {"name": "look", "arguments": "{}"}
    assert tool["content"] == "The result is the picture that follows."
    assert shown == {"role": "user", "content": [url]}


@pytest.mark.parametrize(
    ("finish", "choice", "reason"),
    [
        ("stop", {}, ("end_turn", None)),
        ("length", {}, ("max_tokens", None)),
        ("content_filter", {}, ("refusal", None)),
        ("stop", {"stop_reason": "END"}, ("stop_sequence", "END")),
    ],
)
@pytest.mark.parametrize("streams", [True, False], ids=["stream", "whole"])
async def test_why_it_ended(house: House, finish: str, choice: Any, reason: Any, *, streams: bool) -> None:
    plays(house, {"content": "A lock."}, finish=finish, **choice)
    body = {"model": WORDS, "max_tokens": 50, "messages": ASKED, "stop_sequences": ["END"], "stream": streams}
    answer = await house.post("/v1/messages", body)
    told = named_events(answer.body)[-2][1]["delta"] if streams else answer.json
    assert (told["stop_reason"], told["stop_sequence"]) == reason
    assert house.models.heard[0].json["stop"] == ["END"]


async def test_options_without_effect_are_named(house: House) -> None:
    body = {
        "model": WORDS,
        "max_tokens": 5,
        "messages": ASKED,
        "service_tier": "auto",
        "context_management": {"edits": []},
        "bad\r\nname": 1,
        "metadata": {"user_id": "u"},
    }
    answer = await house.post("/v1/messages", body, anthropic_beta="x", anthropic_version="2023-06-01")
    assert answer.header("x-homeport-ignored") == "service_tier, context_management"
    assert "anthropic-beta" not in house.models.heard[0].headers


REFUSED: Any = [
    ({"mcp_servers": [{"type": "url"}]}, "mcp_servers asks for what runs at Anthropic"),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "web_search_20250305"),
    ({"tools": [{"name": "x"}]}, "needs a name and an input_schema"),
    ({"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "url"}}]}]}, "'document'"),
    ({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file"}}]}]}, "base64 or url"),
    ({"messages": []}, "messages"),
    ({"temperature": 3}, "temperature"),
]


@pytest.mark.parametrize(("change", "told"), REFUSED)
async def test_what_is_refused(client: anthropic.AsyncAnthropic, change: Any, told: str) -> None:
    wanted: Any = {"model": WORDS, "max_tokens": 5, "messages": ASKED, "extra_body": change}
    with pytest.raises(anthropic.BadRequestError, match=told) as refusal:
        await client.messages.create(**wanted)
    assert refusal.value.body["error"]["type"] == "invalid_request_error"  # type: ignore[index,call-overload]


@pytest.mark.proves("anthropic-python", "refusals")
async def test_errors_are_the_sdks_own(client: anthropic.AsyncAnthropic, house: House) -> None:
    with pytest.raises(anthropic.NotFoundError, match=r"Registered models: .*words-model") as unknown:
        await client.messages.create(model="claude-9", max_tokens=5, messages=ASKED)
    assert unknown.value.request_id in str(unknown.value)
    with pytest.raises(anthropic.AuthenticationError):
        await client.with_options(api_key="hp_wrong").messages.create(model=WORDS, max_tokens=5, messages=ASKED)
    narrow = house.admit(scopes=frozenset({"complete_code"}))
    with pytest.raises(anthropic.PermissionDeniedError, match="duo_chat"):
        await client.with_options(api_key=narrow).messages.create(model=WORDS, max_tokens=5, messages=ASKED)


@pytest.mark.parametrize(
    ("status", "said", "kind", "name"),
    [
        (500, "x", "InternalServerError", "api_error"),
        (400, "maximum context length", "BadRequestError", "invalid_request_error"),
        (503, "x", "InternalServerError", "overloaded_error"),
    ],
)
async def test_model_server_that_refuses(
    client: anthropic.AsyncAnthropic, house: House, status: int, said: str, kind: str, name: str
) -> None:
    async def play(peer: Peer) -> None:
        await peer.document({"error": {"message": said}}, status)

    house.models.play = play
    for wanted in ({}, {"stream": True}):
        with pytest.raises(getattr(anthropic, kind)) as refusal:
            await client.messages.create(model=WORDS, max_tokens=5, messages=ASKED, **wanted)  # type: ignore[call-overload]
        assert refusal.value.body["error"]["type"] == name
    if "context" in said:
        # what Claude Code looks for before it makes a conversation shorter
        assert "prompt is too long" in str(refusal.value)


async def test_stream_that_breaks(client: anthropic.AsyncAnthropic, house: House) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece("chat", "one"))
        peer.reset()

    house.models.play = play
    with pytest.raises(anthropic.APIStatusError, match="broke off"):
        async with client.messages.stream(model=WORDS, max_tokens=5, messages=ASKED) as answer:
            await answer.get_final_message()


@pytest.mark.proves("anthropic-python", "cancellation")
async def test_client_that_leaves(client: anthropic.AsyncAnthropic, house: House) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece("chat", "one"))
        await peer.hang()

    house.models.play = play
    async with client.messages.stream(model=WORDS, max_tokens=5, messages=ASKED) as answer:
        async for _ in answer.text_stream:
            break
    assert (await house.record())["outcome"] == "client_closed"
    await eventually(house.models.heard[0].closed.is_set)


async def test_both_ways_to_send_a_token(house: House) -> None:
    body = {"model": "chat", "max_tokens": 5, "messages": ASKED}
    assert (await house.post("/v1/messages", body, token="", x_api_key=TOKEN)).status == 200
    assert (await house.post("/v1/messages?beta=true", body, token=TOKEN)).status == 200
    refused = await house.post("/v1/messages", body, token="")
    assert (refused.status, refused.json["type"], refused.json["error"]["type"]) == (
        401,
        "error",
        "authentication_error",
    )


@pytest.mark.proves("anthropic-python", "model list")
async def test_models_in_anthropics_shape(client: anthropic.AsyncAnthropic) -> None:
    models = [model async for model in client.models.list()]
    assert [model.id for model in models] == ["fim-model", "prefix-model", "words-model"]
    assert {model.type for model in models} == {"model"}
    assert (await client.models.retrieve(WORDS)).display_name == WORDS


async def test_aliases(house: House) -> None:
    words = house.snapshot.models[WORDS]
    other = house.model("other", options={"aliases": "claude-haiku-*, gpt-5"})
    house.snapshot = house.snapshot.with_models(replace(words, options={"aliases": "claude-*"}), other)
    for asked, served in (("claude-opus-4-7", WORDS), ("claude-haiku-4-5", "other"), ("gpt-5", "other")):
        answer = await house.post("/v1/messages", {"model": asked, "max_tokens": 5, "messages": ASKED})
        assert answer.json["model"] == served
    house.snapshot = house.snapshot.with_models(replace(other, enabled=False))
    answer = await house.post("/v1/messages", {"model": "claude-haiku-4-5", "max_tokens": 5, "messages": ASKED})
    assert answer.json["model"] == WORDS


async def test_counting_by_estimate(client: anthropic.AsyncAnthropic, house: House) -> None:
    async def play(peer: Peer) -> None:
        await peer.document({"error": "not found"}, 404)

    house.models.play = play
    for _ in range(2):
        answer = await client.messages.with_raw_response.count_tokens(
            model=WORDS, messages=[{"role": "user", "content": "word " * 640}], system="x"
        )
        assert answer.headers["x-homeport-token-count"] == "estimated"
        assert 900 < (await answer.parse()).input_tokens < 1100
    assert [peer.target for peer in house.models.heard] == ["/tokenize"]


@pytest.mark.proves("anthropic-python", "token counting")
async def test_counting_by_vllm(client: anthropic.AsyncAnthropic, house: House) -> None:
    async def play(peer: Peer) -> None:
        await peer.document({"count": 77, "max_model_len": 4096, "tokens": []})

    house.models.play = play
    house.app.door.bench.measures._countless.clear()  # noqa: SLF001 (another test's server could not count)
    answer = await client.messages.with_raw_response.count_tokens(model=WORDS, messages=ASKED, tools=[WEATHER])
    assert (answer.headers["x-homeport-token-count"], (await answer.parse()).input_tokens) == ("counted", 77)
    asked = house.models.heard[0].json
    assert asked["messages"] == ASKED
    assert asked["tools"][0]["function"]["name"] == "weather"


async def test_counting_by_llama_cpp(client: anthropic.AsyncAnthropic, house: House) -> None:
    async def play(peer: Peer) -> None:
        if peer.target == "/apply-template":
            await peer.document({"prompt": "<user>What is a mutex?"})
        else:
            await peer.document({"tokens": [1] * len(peer.json.get("content", "").split())})

    house.models.play = play
    house.app.door.bench.measures._countless.clear()  # noqa: SLF001 (as above)
    answer = await client.messages.with_raw_response.count_tokens(model=WORDS, messages=ASKED)
    assert (answer.headers["x-homeport-token-count"], (await answer.parse()).input_tokens) == ("counted", 4)


def native(house: House) -> None:
    """The chat model's server speaks Anthropic's format."""
    words = replace(house.snapshot.models[WORDS], platform="anthropic", endpoint=house.models.url)
    house.snapshot = house.snapshot.with_models(words)


MESSAGE = {
    "id": "msg_up",
    "type": "message",
    "role": "assistant",
    "model": "served",
    "content": [{"type": "text", "text": "A lock."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 4},
}


def frame(kind: str, **data: Any) -> bytes:
    """One event as Anthropic writes it."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps({"type": kind, **data}))


EVENTS = [
    frame("message_start", message={**MESSAGE, "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}}),
    frame("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}),
    frame("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "EqQB"}),
    frame("content_block_stop", index=0),
    frame("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 4}),
    frame("message_stop"),
]


async def test_a_server_of_the_same_format_gets_and_gives_the_same_bytes(house: House) -> None:
    native(house)
    whole, all_of_it = orjson.dumps(MESSAGE), b"".join(EVENTS)

    async def play(peer: Peer) -> None:
        if peer.json["stream"]:
            await peer.head()
            await peer.events(all_of_it[at : at + 50] for at in range(0, len(all_of_it), 50))
            await peer.end()
        else:
            await peer.document(whole)

    house.models.play = play
    turns = [*ASKED, {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "EqQB"}]}]
    cached = [{"type": "text", "text": "Brief.", "cache_control": {"type": "ephemeral"}}]
    body = {"model": WORDS, "max_tokens": 9999, "messages": turns, "system": cached, "service_tier": "auto"}
    answer = await house.post("/v1/messages", {**body, "stream": False})
    assert answer.body == whole
    answer = await house.post("/v1/messages", {**body, "stream": True})
    assert answer.body == all_of_it
    first = house.models.heard[0]
    assert first.target == "/v1/messages"
    assert first.headers["x-api-key"] == KEY
    own = {"model": f"served-{WORDS}", "max_tokens": 4096, "stream": False}
    assert first.json == {"messages": turns, "system": cached, **own}
    assert [(each["prompt_tokens"], each["answer_tokens"]) for each in house.records()] == [(9, 4), (9, 4)]


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([EVENTS[0], b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'], "overloaded"),
        (EVENTS[:2], "broke off"),
        ([b"<html>log in</html>"], "not a stream of events"),
        ([b""], "no stream of events"),
    ],
)
async def test_a_server_of_the_same_format_that_fails(house: House, parts: list[bytes], told: str) -> None:
    native(house)

    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.events(part for part in parts if part)
        await peer.end()

    house.models.play = play
    answer = await house.post("/v1/messages", {"model": WORDS, "max_tokens": 5, "messages": ASKED, "stream": True})
    said = named_events(answer.body)[-1][1] if answer.status == 200 else answer.json
    assert said["type"] == "error"
    assert told in said["error"]["message"]


async def test_counting_by_a_server_of_the_same_format(client: anthropic.AsyncAnthropic, house: House) -> None:
    native(house)
    house.app.door.bench.measures._countless.clear()  # noqa: SLF001 (as above)

    async def play(peer: Peer) -> None:
        await peer.document({"input_tokens": 12})

    house.models.play = play
    assert (await client.messages.count_tokens(model=WORDS, messages=ASKED)).input_tokens == 12
    (peer,) = house.models.heard
    assert peer.target == "/v1/messages/count_tokens"
    assert peer.json == {"model": f"served-{WORDS}", "messages": ASKED}


async def test_tools_of_a_chat_client_come_in_parts_from_anywhere(house: House) -> None:
    """A model server that streams plain text serves Anthropic's clients just so."""
    house.models.words = ["é", "漢字", "\U0001f680"]
    whole = b"".join(stream("chat", house.models.words))

    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.events(whole[at : at + 7] for at in range(0, len(whole), 7))
        await peer.end()

    house.models.play = play
    body = {"model": WORDS, "max_tokens": 5, "messages": ASKED, "stream": True}
    found = named_events((await house.post("/v1/messages", body)).body)
    texts = [data["delta"]["text"] for name, data in found if name == "content_block_delta"]
    assert texts == house.models.words

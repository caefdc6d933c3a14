"""OpenAI's Responses: its own Python client against the running server, and what goes over the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from deltas import call, plays
from house import TOKEN, WORDS, eventually, opened
from later import Later
from script import piece
from ways import named_events

from homeport.protocols._kept import ALL_BYTES, EACH, Kept, Shelf

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import openai
    from house import House
    from script import Peer
else:
    openai = Later("openai")

PATH = "/v1/responses"
QUESTION = "What is a mutex?"
WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": True,
}
PATCH: Any = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Changes files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
}


@pytest.fixture
async def client(house: House) -> AsyncIterator[openai.AsyncOpenAI]:
    """A client that does not hide failures behind retries."""
    async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{house.port}/v1", api_key=TOKEN, max_retries=0) as found:
        yield found


async def test_response(client: openai.AsyncOpenAI, house: House) -> None:
    answer = await client.responses.create(
        model=WORDS, input=QUESTION, instructions="Be brief.", max_output_tokens=50, temperature=0.5
    )
    assert (answer.output_text, answer.status, answer.model) == ("one + two", "completed", WORDS)
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (11, 3, 14)
    heard = house.models.heard[0].json
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
    assert (heard["messages"], heard["max_tokens"], heard["temperature"]) == (said, 50, 0.5)


async def test_events_of_a_stream(client: openai.AsyncOpenAI, house: House) -> None:
    async with client.responses.stream(model=WORDS, input=QUESTION) as answer:
        events = [event async for event in answer]
        final = await answer.get_final_response()
    assert final.output_text == "one + two"
    found = named_events((await house.post(PATH, {"model": WORDS, "input": QUESTION, "stream": True})).body)
    assert [name for name, _ in found] == [
        *("response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"),
        *["response.output_text.delta"] * 3,
        *("response.output_text.done", "response.content_part.done", "response.output_item.done"),
        "response.completed",
    ]
    assert [data["sequence_number"] for _, data in found] == list(range(len(found)))
    assert len(events) == len(found)
    assert {data["response"]["id"] for _, data in found if "response" in data} == {found[0][1]["response"]["id"]}
    assert {data["item_id"] for _, data in found if "item_id" in data} == {found[2][1]["item"]["id"]}


@pytest.mark.proves("openai-python", "tools")
@pytest.mark.parametrize("streams", [True, False], ids=["stream", "whole"])
async def test_tools_there_and_back(client: openai.AsyncOpenAI, house: House, *, streams: bool) -> None:
    plays(
        house,
        {"reasoning_content": "Hm."},
        {"content": "Let me look."},
        call(0, "weather"),
        call(0, arguments='{"city": "Oslo"}'),
        call(1, "apply_patch", '{"input": "*** Begin"}'),
        call(2, "agents__close", '{"id": 1}'),
        finish="tool_calls",
    )
    group = {"type": "namespace", "name": "agents", "tools": [{"type": "function", "name": "close", "parameters": {}}]}
    wanted: Any = {
        "model": WORDS,
        "tools": [WEATHER, PATCH, group, {"type": "web_search"}],
        "tool_choice": {"type": "function", "name": "weather"},
        "parallel_tool_calls": False,
        "store": False,
    }
    if streams:
        async with client.responses.stream(input=QUESTION, **wanted) as answer:
            said = await answer.get_final_response()
    else:
        said = await client.responses.create(input=QUESTION, **wanted)
    kinds = ["reasoning", "message", "function_call", "custom_tool_call", "function_call"]
    assert [item.type for item in said.output] == kinds
    _, _, weather, patch, close = (item.to_dict() for item in said.output)
    assert (weather["name"], weather["arguments"], weather["call_id"]) == ("weather", '{"city": "Oslo"}', "call_0")
    assert (patch["name"], patch["input"]) == ("apply_patch", "*** Begin")
    assert (close["namespace"], close["name"]) == ("agents", "close")
    heard = house.models.heard[0].json
    assert [tool["function"]["name"] for tool in heard["tools"]] == ["weather", "apply_patch", "agents__close"]
    assert "lark grammar:\nstart: /.+/" in heard["tools"][1]["function"]["description"]
    assert heard["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert heard["parallel_tool_calls"] is False
    outputs: Any = [
        {"type": "function_call_output", "call_id": "call_0", "output": "rain"},
        {"type": "custom_tool_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "done"}]},
        {"type": "function_call_output", "call_id": "call_2", "output": "closed"},
    ]
    items = [{"role": "user", "content": QUESTION}, *(item.to_dict() for item in said.output), *outputs]
    house.models.play = house.models.behave
    await client.responses.create(input=items, **wanted)
    user, assistant, *results = house.models.heard[1].json["messages"]
    assert user == {"role": "user", "content": QUESTION}
    assert (assistant["content"], assistant["reasoning_content"]) == ("Let me look.", "Hm.")
    assert [(each["id"], each["function"]["name"]) for each in assistant["tool_calls"]] == [
        ("call_0", "weather"),
        ("call_1", "apply_patch"),
        ("call_2", "agents__close"),
    ]
    assert orjson.loads(assistant["tool_calls"][1]["function"]["arguments"]) == {"input": "*** Begin"}
    assert [(each["tool_call_id"], each["content"]) for each in results] == [
        ("call_0", "rain"),
        ("call_1", "done"),
        ("call_2", "closed"),
    ]


async def test_local_shell(client: openai.AsyncOpenAI, house: House) -> None:
    plays(house, call(0, "local_shell", '{"command": ["ls", "-l"]}'), finish="tool_calls")
    tools: Any = [{"type": "local_shell"}]
    said = await client.responses.create(model=WORDS, input=QUESTION, tools=tools)
    item = said.output[0].to_dict()
    assert item["type"] == "local_shell_call"
    assert item["action"] == {
        "type": "exec",
        "command": ["ls", "-l"],
        "env": {},
        "working_directory": None,
        "timeout_ms": None,
    }
    output: Any = [item, {"type": "local_shell_call_output", "id": item["call_id"], "output": "a"}]
    await client.responses.create(model=WORDS, input=[{"role": "user", "content": QUESTION}, *output], tools=tools)
    function = house.models.heard[1].json["messages"][1]["tool_calls"][0]["function"]
    assert (function["name"], orjson.loads(function["arguments"])["command"]) == ("local_shell", ["ls", "-l"])


@pytest.mark.parametrize("streams", [True, False], ids=["stream", "whole"])
async def test_going_on_from_a_kept_response(client: openai.AsyncOpenAI, house: House, *, streams: bool) -> None:
    plays(house, {"content": "Look."}, call(0, "weather", '{"city": "Oslo"}'), finish="tool_calls")
    wanted: Any = {"model": WORDS, "tools": [WEATHER], "instructions": "One."}
    if streams:
        async with client.responses.stream(input=QUESTION, **wanted) as stream:
            first = await stream.get_final_response()
    else:
        first = await client.responses.create(input=QUESTION, **wanted)
    house.models.play = house.models.behave
    output: Any = [{"type": "function_call_output", "call_id": "call_0", "output": "rain"}]
    for _ in range(2):
        second = await client.responses.create(
            input=output, previous_response_id=first.id, model=WORDS, tools=[WEATHER], instructions="Two."
        )
        heard = house.models.heard[-1].json["messages"]
        assert [message["role"] for message in heard] == ["system", "user", "assistant", "tool"]
        assert heard[0]["content"] == "Two."
        assert len(heard[2]["tool_calls"]) == 1
    assert second.previous_response_id == first.id
    again = await client.responses.retrieve(first.id)
    assert [item.id for item in again.output] == [item.id for item in first.output]
    assert (again.id, again.output_text, again.usage) == (first.id, "Look.", first.usage)
    items = await client.responses.input_items.list(second.id)
    assert [item.to_dict()["output"] for item in items.data] == ["rain"]


async def test_a_kept_response_is_its_owners_and_can_be_deleted(client: openai.AsyncOpenAI, house: House) -> None:
    answer = await client.responses.create(model=WORDS, input=QUESTION)
    with pytest.raises(openai.BadRequestError, match="is finished"):
        await client.responses.cancel(answer.id)
    bob = client.with_options(api_key=house.admit(scopes=frozenset({"duo_chat"})))
    for look in (bob.responses.retrieve, bob.responses.delete, bob.responses.cancel):
        with pytest.raises(openai.NotFoundError, match="kept 3600 s"):
            await look(answer.id)
    with pytest.raises(openai.NotFoundError) as refusal:
        await bob.responses.create(model=WORDS, input=QUESTION, previous_response_id=answer.id)
    assert refusal.value.param == "previous_response_id"
    await client.responses.delete(answer.id)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(answer.id)


async def test_what_is_not_to_be_kept_is_not(client: openai.AsyncOpenAI) -> None:
    answer = await client.responses.create(model=WORDS, input=QUESTION, store=False)
    assert answer.to_dict()["store"] is False
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(answer.id)


async def test_a_server_that_keeps_nothing() -> None:
    async with opened(responses_s=0) as house:
        answer = await house.post(PATH, {"model": WORDS, "input": QUESTION, "store": True})
        assert (answer.json["store"], answer.header("x-homeport-ignored")) == (False, "store")
        refused = await house.post(PATH, {"model": WORDS, "input": QUESTION, "previous_response_id": "resp_1"})
        assert refused.status == 404
        assert "kept not at all" in refused.json["error"]["message"]


def test_a_shelf_is_bounded() -> None:
    now = [0.0]
    shelf = Shelf(10, lambda: now[0])
    ada, bob = ("", "personal", "ada"), ("", "personal", "bob")
    kept = Kept(b"", (), ())
    shelf.put(bob, "b", kept, 1)
    for number in range(EACH + 1):
        shelf.put(ada, str(number), kept, 1)
    assert [shelf.get(ada, name) for name in ("0", "1")] == [None, kept]
    assert shelf.get(bob, "b") is kept
    shelf.put(ada, "big", kept, ALL_BYTES)
    assert shelf.get(bob, "b") is None
    assert shelf.get(ada, "1") is None
    now[0] = 10
    assert shelf.get(ada, "big") is None
    shelf.put(bob, "c", kept, 1)
    assert shelf.drop(ada, "big") is False
    assert shelf.drop(bob, "c") is True


async def test_text_in_a_form(client: openai.AsyncOpenAI, house: House) -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    form: Any = {"format": {"type": "json_schema", "name": "x", "schema": schema, "strict": True}}
    await client.responses.create(model=WORDS, input=QUESTION, text=form, reasoning={"effort": "low"})
    heard = house.models.heard[0].json
    own = {"name": "x", "schema": schema, "strict": True}
    assert heard["response_format"] == {"type": "json_schema", "json_schema": own}
    assert heard["reasoning_effort"] == "low"


async def test_roles_and_pictures(house: House) -> None:
    items = [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Rules."}]},
        {"type": "message", "role": "developer", "content": "Skills."},
        {"role": "user", "content": "Where?"},
        {"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,aGk="}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Here."}]},
        {"role": "developer", "content": "Reminder."},
    ]
    await house.post(PATH, {"model": WORDS, "input": items, "instructions": "Base."})
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    assert house.models.heard[0].json["messages"] == [
        {"role": "system", "content": "Base.\n\nRules.\n\nSkills."},
        {"role": "user", "content": [{"type": "text", "text": "Where?"}, picture]},
        {"role": "assistant", "content": "Here."},
        {"role": "user", "content": "Reminder."},
    ]


async def test_an_answer_that_is_cut_off(client: openai.AsyncOpenAI, house: House) -> None:
    plays(house, {"content": "A lock"}, finish="length")
    answer = await client.responses.create(model=WORDS, input=QUESTION)
    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"
    found = named_events((await house.post(PATH, {"model": WORDS, "input": QUESTION, "stream": True})).body)
    assert found[-1][0] == "response.incomplete"


REFUSED: Any = [
    ({"background": True}, "background"),
    ({"conversation": "conv_1"}, "conversation"),
    ({"prompt": {"id": "p"}}, "prompt"),
    ({"tools": [{"type": "file_search"}]}, "'file_search' runs on OpenAI's servers"),
    ({"tools": [{"type": "function"}]}, "needs a name"),
    ({"tool_choice": {"type": "mcp"}, "tools": [WEATHER]}, "'mcp'"),
    ({"input": []}, "input is empty"),
    ({"input": [{"type": "item_reference", "id": "x"}]}, "'item_reference'"),
    ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "x"}]}]}, "'input_file'"),
    ({"input": [{"type": "function_call", "name": "x"}]}, "call_id"),
    ({"temperature": 3}, "temperature"),
]


@pytest.mark.parametrize(("change", "told"), REFUSED)
async def test_what_is_refused(client: openai.AsyncOpenAI, change: Any, told: str) -> None:
    with pytest.raises(openai.BadRequestError, match=told):
        await client.responses.create(model=WORDS, input=QUESTION, extra_body=change)


async def test_options_without_effect_are_named(house: House) -> None:
    body = {
        "model": WORDS,
        "input": QUESTION,
        "tools": [{"type": "web_search"}],
        "max_tool_calls": 3,
        "top_logprobs": 2,
        "metadata": {"a": "b"},
        "include": ["reasoning.encrypted_content"],
    }
    answer = await house.post(PATH, body)
    assert answer.header("x-homeport-ignored") == "max_tool_calls, top_logprobs, tools.web_search"
    assert answer.json["metadata"] == {"a": "b"}
    assert "tools" not in house.models.heard[0].json


async def test_errors_are_the_sdks_own(client: openai.AsyncOpenAI, house: House) -> None:
    with pytest.raises(openai.NotFoundError, match="Registered models"):
        await client.responses.create(model="gpt-9", input=QUESTION)
    with pytest.raises(openai.AuthenticationError):
        await client.with_options(api_key="hp_wrong").responses.create(model=WORDS, input=QUESTION)
    narrow = house.admit(scopes=frozenset({"complete_code"}))
    with pytest.raises(openai.PermissionDeniedError):
        await client.with_options(api_key=narrow).responses.create(model=WORDS, input=QUESTION)


async def test_stream_that_breaks(house: House, client: openai.AsyncOpenAI) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece("chat", "one"))
        peer.reset()

    house.models.play = play
    events = [event async for event in await client.responses.create(model=WORDS, input=QUESTION, stream=True)]
    last: Any = events[-1]
    assert last.type == "response.failed"
    assert last.response.error.code == "upstream_truncated"
    assert "broke off" in last.response.error.message
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(last.response.id)


@pytest.mark.proves("openai-python", "cancellation")
async def test_client_that_leaves(house: House, client: openai.AsyncOpenAI) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece("chat", "one"))
        await peer.hang()

    house.models.play = play
    stream = await client.responses.create(model=WORDS, input=QUESTION, stream=True)
    async for event in stream:
        if event.type == "response.output_text.delta":
            break
    await stream.close()
    assert (await house.record())["outcome"] == "client_closed"
    await eventually(house.models.heard[0].closed.is_set)

"""Ollama's protocol: its own Python client against the running server, and what goes over the wire."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ollama
import pytest
from deltas import call, plays
from house import FIM, TOKEN, WORDS, eventually
from script import piece
from ways import AFTER, BEFORE, MESSAGES, lines

from homeport import __version__
from homeport.domain.capabilities import Capabilities

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from house import House
    from script import Peer

PNG = "iVBORw0KGgo="
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture
async def client(house: House, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ollama.AsyncClient]:
    """A client that takes its token from where people put it."""
    monkeypatch.setenv("OLLAMA_API_KEY", TOKEN)
    async with ollama.AsyncClient(host=f"http://127.0.0.1:{house.port}", trust_env=False) as found:
        yield found


@pytest.mark.proves("ollama-python", "fill-in-the-middle")
async def test_code_around_a_cursor(client: ollama.AsyncClient, house: House) -> None:
    answer = await client.generate(
        model="code_completions", prompt=BEFORE, suffix=AFTER, options={"temperature": 0, "num_ctx": 4096}
    )
    assert (answer.response, answer.done, answer.done_reason, answer.model) == ("one + two", True, "stop", FIM)
    assert (answer.prompt_eval_count, answer.eval_count) == (11, 3)
    assert answer.total_duration == answer.eval_duration
    assert (answer.total_duration or 0) > 0
    (peer,) = house.models.heard
    assert "<|fim_prefix|>" in peer.json["prompt"]
    assert peer.json["temperature"] == 0


@pytest.mark.proves("ollama-python", "completion", "streaming")
async def test_text_is_continued_as_it_stands(client: ollama.AsyncClient, house: House) -> None:
    parts = [each async for each in await client.generate(model=FIM, prompt="a = ", raw=True, stream=True)]
    assert [each.response for each in parts] == ["one", " + ", "two", ""]
    assert [each.done for each in parts] == [False, False, False, True]
    assert parts[-1].eval_count == 3
    assert (parts[-1].total_duration or 0) > (parts[-1].prompt_eval_duration or 0) > 0
    assert house.models.heard[0].json["prompt"] == "a = "


@pytest.mark.proves("ollama-python", "chat", "streaming")
async def test_chat(client: ollama.AsyncClient, house: House) -> None:
    options = {"num_predict": 50, "top_k": 5, "repeat_penalty": 1.1, "stop": "END"}
    answer = await client.chat(model=WORDS, messages=MESSAGES, options=options, keep_alive="5m")
    assert (answer.message.role, answer.message.content, answer.done_reason) == ("assistant", "one + two", "stop")
    said = house.models.heard[0].json
    assert said["messages"] == MESSAGES
    assert (said["max_tokens"], said["top_k"], said["repetition_penalty"], said["stop"]) == (50, 5, 1.1, ["END"])
    parts = [each async for each in await client.chat(model=WORDS, messages=MESSAGES, stream=True)]
    assert "".join(each.message.content or "" for each in parts) == "one + two"
    assert parts[-1].done


async def test_one_question_with_a_system_message_and_a_picture(client: ollama.AsyncClient, house: House) -> None:
    await client.generate(model="chat", system="Be brief.", prompt="What is it?", images=[PNG], format="json")
    system, turn = house.models.heard[0].json["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    assert turn == {"role": "user", "content": [picture, {"type": "text", "text": "What is it?"}]}
    assert house.models.heard[0].json["response_format"] == {"type": "json_object"}


@pytest.mark.proves("ollama-python", "tools")
@pytest.mark.parametrize("stream", [False, True])
async def test_tools(client: ollama.AsyncClient, house: House, *, stream: bool) -> None:
    plays(
        house,
        {"content": "I look."},
        call(0, "weather", '{"city":'),
        call(0, arguments=' "Bonn"}'),
        finish="tool_calls",
    )
    asked: Any = [{"role": "user", "content": "Rain?"}]
    chat: Any = client.chat
    found = await chat(model=WORDS, messages=asked, tools=[WEATHER], stream=stream)
    parts = [each async for each in found] if stream else [found]
    (told,) = [each for part in parts for each in part.message.tool_calls or ()]
    assert (told.function.name, dict(told.function.arguments)) == ("weather", {"city": "Bonn"})
    assert "".join(each.message.content or "" for each in parts) == "I look."
    assert parts[-1].done
    result = {"role": "tool", "tool_name": "weather", "content": "Rain."}
    await client.chat(model=WORDS, messages=[*asked, {"role": "assistant", "tool_calls": [told]}, result])
    _, called, answered = house.models.heard[-1].json["messages"]
    assert called["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city":"Bonn"}'}
    assert answered == {"role": "tool", "tool_call_id": called["tool_calls"][0]["id"], "content": "Rain."}
    assert house.models.heard[0].json["tools"] == [WEATHER]


@pytest.mark.proves("ollama-python", "thinking")
async def test_thoughts_are_shown_unless_they_are_unwanted(client: ollama.AsyncClient, house: House) -> None:
    plays(house, {"reasoning_content": "Hm. "}, {"reasoning_content": "Yes."}, {"content": "A lock."})
    for think, shown in ((True, "Hm. Yes."), ("low", "Hm. Yes."), (None, "Hm. Yes."), (False, "")):
        answer = await client.chat(model=WORDS, messages=MESSAGES, think=think)
        assert (answer.message.content, answer.message.thinking or "") == ("A lock.", shown)
        parts = [each async for each in await client.generate(model=WORDS, prompt="?", think=think, stream=True)]
        assert ("".join(each.thinking or "" for each in parts), parts[-1].done) == (shown, True)
        assert "".join(each.response or "" for each in parts) == "A lock."
    assert house.models.heard[2].json["reasoning_effort"] == "low"


@pytest.mark.proves("ollama-python", "model list")
async def test_models(client: ollama.AsyncClient, house: House) -> None:
    house.snapshot = replace(house.snapshot, measured={WORDS: Capabilities(tools=True, thinks=True)})
    names = sorted(house.snapshot.models)
    assert [each.model for each in (await client.list()).models] == names
    assert [(each.model, each.context_length) for each in (await client.ps()).models] == [
        (each, 32_768) for each in names
    ]
    shown = await client.show("chat")
    assert shown.capabilities == ["completion", "insert", "tools", "thinking"]
    assert shown.details is not None
    assert shown.details.family == "general"
    assert shown.modelinfo == {"general.architecture": "general", "general.context_length": 32_768}
    assert ".Suffix" in (shown.template or "")
    assert (await client.show(f"{FIM}:latest")).modelinfo == (await client.show(FIM)).modelinfo
    assert (await house.get("/api/version")).json == {"version": __version__}


@pytest.mark.proves("ollama-python", "refusals")
async def test_refusals(client: ollama.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for ask in (client.chat, client.generate, client.show):
        with pytest.raises(ollama.ResponseError, match=f"no model 'nope'. Registered models: {FIM},") as refused:
            await ask("nope")
        assert refused.value.status_code == 404
    with pytest.raises(ollama.ResponseError, match="Templates of clients are not taken"):
        await client.generate(model=FIM, prompt="a", template="{{ .Prompt }}")
    with pytest.raises(ollama.ResponseError, match="format is not for code"):
        await client.generate(model=FIM, prompt="a", suffix="b", format="json")
    monkeypatch.delenv("OLLAMA_API_KEY")
    async with ollama.AsyncClient(host=f"http://127.0.0.1:{house.port}", trust_env=False) as stranger:
        with pytest.raises(ollama.ResponseError, match="carries no credential") as refused:
            await stranger.list()
    assert refused.value.status_code == 401
    token = house.admit(scopes=frozenset({"complete_code"}))
    answer = await house.post("/api/generate", {"model": WORDS, "prompt": "Why?"}, token)
    assert (answer.status, "lacks the scope duo_chat" in answer.json["error"]) == (403, True)
    assert (await house.post("/api/generate", {"model": FIM, "prompt": "a", "raw": True}, token)).status == 200
    assert len(house.models.heard) == 1


async def test_a_stream_that_breaks_raises(client: ollama.AsyncClient, house: House) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "one"))
        peer.writer.close()

    house.models.play = play
    parts: Any = await client.generate(model=FIM, prompt="a", suffix="b", stream=True)
    assert not (await anext(parts)).done
    with pytest.raises(ollama.ResponseError, match="correlation id"):
        await anext(parts)


@pytest.mark.proves("ollama-python", "cancellation")
async def test_leaving_ends_the_work(client: ollama.AsyncClient, house: House) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "one"))
        await peer.hang()

    house.models.play = play
    parts: Any = await client.chat(model=WORDS, messages=MESSAGES, stream=True)
    await anext(parts)
    await parts.aclose()
    await eventually(house.models.heard[0].closed.is_set)
    assert (await house.record())["outcome"] == "client_closed"


async def test_asking_a_model_to_be_ready_asks_it_nothing(client: ollama.AsyncClient, house: House) -> None:
    loaded, unloaded = await client.generate(model=WORDS), await client.chat(model=WORDS, keep_alive=0)
    assert (loaded.done_reason, loaded.response) == ("load", "")
    assert (unloaded.done_reason, unloaded.message.content) == ("unload", "")
    only_code = house.admit(scopes=frozenset({"complete_code"}))
    answer = await house.post("/api/generate", {"model": FIM}, only_code)
    assert (answer.status, [each["done_reason"] for each in lines(answer.body)]) == (200, ["load"])
    assert not house.models.heard


async def test_a_call_that_was_cut_off_and_one_that_is_no_json(house: House) -> None:
    plays(house, call(0, "weather", '{"city"'), finish="length")
    body = {"model": WORDS, "messages": MESSAGES, "tools": [WEATHER], "stream": False}
    answer = await house.post("/api/chat", body)
    assert answer.json["message"]["tool_calls"] == [{"id": "call_0", "function": {"name": "weather", "arguments": {}}}]
    assert answer.json["done_reason"] == "length"
    plays(house, call(0, "weather", '{"city"'), finish="tool_calls")
    answer = await house.post("/api/chat", body)
    assert (answer.status, answer.json["code"]) == (502, "upstream_malformed")

"""What becomes of each parameter of OpenAI's completions: exactly what the documentation says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from house import WORDS
from parameters import CHAT, MESSAGES, TEXT, TOOLS, fates
from script import DONE, event, usage_event
from ways import events

if TYPE_CHECKING:
    from house import House
    from script import Peer
    from wire import Answer

FATES = fates()
CHAT_PATH, TEXT_PATH = "/v1/chat/completions", "/v1/completions"
CALLED = {"max_completion_tokens": "max_tokens"}


def check(fate: str, name: str, value: Any, answer: Answer, peer: Peer | None) -> None:
    """Whether a parameter went the way that is said of it."""
    ignored = (answer.header("x-homeport-ignored") or "").split(", ")
    assert (name in ignored) is (fate == "ignored"), name
    if fate == "refused":
        assert (answer.status, answer.json["error"]["param"]) == (400, name)
        assert answer.json["error"]["code"] == "bad_request"
        return
    assert (answer.status, peer is not None) == (200, True), name
    said = peer.json if peer else {}
    if fate == "passed on":
        assert said[CALLED.get(name, name)] == value
    elif name not in {"model", "stream"}:
        assert name not in said


@pytest.mark.parametrize("place", ["chat", "text", "hole"])
async def test_every_parameter(house: House, place: str) -> None:
    path, plain = (CHAT_PATH, {"messages": MESSAGES}) if place == "chat" else (TEXT_PATH, {"prompt": "a"})
    plain |= {"suffix": "b"} if place == "hole" else {}
    for name, value in (CHAT if place == "chat" else TEXT).items():
        if name in plain or name == "suffix":
            continue
        house.models.heard.clear()
        answer = await house.post(path, plain | {name: value})
        fate = getattr(FATES[name], place)
        if place == "hole" and fate == "passed on" and name == "stop":
            assert house.models.heard[0].json["stop"][:1] == value
            continue
        check(fate, name, value, answer, next(iter(house.models.heard), None))


def of_anthropic(_asked: Any) -> Any:
    usage = {"input_tokens": 3, "output_tokens": 1}
    return {"content": [{"type": "text", "text": "x"}], "stop_reason": "end_turn", "usage": usage}


def of_bedrock(_asked: Any) -> Any:
    message = {"role": "assistant", "content": [{"text": "x"}]}
    return {"output": {"message": message}, "stopReason": "end_turn", "usage": {"inputTokens": 3, "outputTokens": 1}}


@pytest.mark.parametrize(("platform", "document"), [("anthropic", of_anthropic), ("bedrock", of_bedrock)])
async def test_where_models_take_turns(house: House, platform: str, document: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    options = {"region": "eu-west-1"} if platform == "bedrock" else {}
    model = replace(house.snapshot.models[WORDS], platform=platform, options=options)
    house.snapshot = house.snapshot.with_models(model)

    async def play(peer: Peer) -> None:
        await peer.document(document(peer.json))

    house.models.play = play
    for name, value in CHAT.items():
        house.models.heard.clear()
        body = {"messages": MESSAGES, name: value}
        needs_tools = name in {"tool_choice", "parallel_tool_calls"}
        answer = await house.post(CHAT_PATH, body | ({"tools": TOOLS} if needs_tools else {}))
        fate = FATES[name].turns[platform]
        assert answer.status == (400 if fate == "refused" else 200), (name, answer)
        ignored = (answer.header("x-homeport-ignored") or "").split(", ")
        assert (name in ignored) is (fate == "ignored"), name
        assert (len(house.models.heard) == 1) is (fate != "refused")


async def test_one_call_at_a_time_in_anthropics_words(house: House) -> None:
    house.snapshot = house.snapshot.with_models(replace(house.snapshot.models[WORDS], platform="anthropic"))

    async def play(peer: Peer) -> None:
        await peer.document(of_anthropic(peer.json))

    house.models.play = play
    asked = {"messages": MESSAGES, "tools": TOOLS, "parallel_tool_calls": False}
    for choice in ("auto", "required", "none"):
        await house.post(CHAT_PATH, asked | {"tool_choice": choice})
    said = [peer.json.get("tool_choice") for peer in house.models.heard]
    once = {"disable_parallel_tool_use": True}
    assert said == [{"type": "auto", **once}, {"type": "any", **once}, None]


async def test_what_azure_has_no_word_for(house: House) -> None:
    endpoint = house.models.url.removesuffix("/v1")
    azure = replace(house.snapshot.models[WORDS], platform="azure", endpoint=endpoint)
    house.snapshot = house.snapshot.with_models(azure)
    options = {"top_k": 5, "repetition_penalty": 1.1, "frequency_penalty": 0.5}
    answer = await house.post(CHAT_PATH, {"messages": MESSAGES, **options, "x_mine": 1})
    assert answer.header("x-homeport-ignored") == "x_mine, top_k, repetition_penalty"
    assert options.keys() & house.models.heard[0].json.keys() == {"frequency_penalty"}
    for name, value in (("n", 2), ("logprobs", 1)):
        refused = await house.post(TEXT_PATH, {"model": WORDS, "prompt": "a", name: value})
        assert (refused.status, refused.json["error"]["param"]) == (400, name)
    answer = await house.post(TEXT_PATH, {"model": WORDS, "prompt": "a", "frequency_penalty": 0.5, "n": 1})
    assert (answer.status, house.models.heard[-1].json["frequency_penalty"]) == (200, 0.5)


def choice(at: int, **more: Any) -> dict[str, Any]:
    return {"index": at, "finish_reason": None, "logprobs": None, **more}


@pytest.mark.parametrize("kind", ["chat", "text"])
async def test_several_answers(house: House, kind: str) -> None:
    def says(at: int, text: str) -> dict[str, Any]:
        return choice(at, **({"text": text} if kind == "text" else {"delta": {"content": text}}))

    sent = [event({"choices": [says(at, word)]}) for word in ("a", "b") for at in (1, 0)]
    sent.append(
        event({"choices": [{**says(0, ""), "finish_reason": "stop"}, {**says(1, ""), "finish_reason": "length"}]})
    )
    whole = {"choices": [{"index": at, "text": "x", "message": {"content": "x"}} for at in (0, 1)], "usage": {}}

    async def play(peer: Peer) -> None:
        if not peer.json["stream"]:
            await peer.document(whole)
            return
        await peer.head()
        await peer.events([*sent, usage_event(), DONE])
        await peer.end()

    house.models.play = play
    path, plain = (TEXT_PATH, {"prompt": "a"}) if kind == "text" else (CHAT_PATH, {"messages": MESSAGES})
    assert (await house.post(path, plain | {"n": 2})).json == whole
    answer = await house.post(path, plain | {"n": 2, "stream": True})
    assert answer.body == b"".join([*sent, DONE])
    assert [peer.json["n"] for peer in house.models.heard] == [2, 2]
    places = [each["index"] for found in events(answer.body)[:-1] for each in found["choices"]]
    assert places == [1, 0, 1, 0, 0, 1]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"modalities": ["text", "audio"]}, "modalities.1"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"stop": 7}, "stop"),
        ({"stream_options": {"include_usage": "perhaps"}}, "stream_options.include_usage"),
    ],
)
async def test_values_that_cannot_be(house: House, body: dict[str, Any], param: str) -> None:
    answer = await house.post(CHAT_PATH, {"messages": MESSAGES, **body})
    assert (answer.status, answer.json["error"]["param"]) == (400, param)
    assert not house.models.heard


async def test_empty_options_are_none(house: House) -> None:
    body = {"messages": MESSAGES, "functions": [], "audio": None, "web_search_options": None, "n": None}
    answer = await house.post(CHAT_PATH, body)
    assert answer.status == 200
    assert set(house.models.heard[0].json) == {"model", "stream", "messages"}

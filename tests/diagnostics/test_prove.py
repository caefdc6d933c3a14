"""What a model can do is found out by asking it, and a registration that says otherwise is doubted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from script import DONE, event

from homeport import families, features
from homeport.diagnostics._prove import HOLES, Hole, Trial, doubts, filled, layouts
from homeport.domain.capabilities import Capabilities, from_json
from homeport.domain.errors import UpstreamRefused
from homeport.domain.models import Limits, Model
from homeport.families import Family
from homeport.features import Feature
from homeport.features._holes import PREFIX, SUFFIX
from homeport.features._suits import suits
from homeport.kit.discover import discover
from homeport.kit.upstream_http import HttpUpstream
from homeport.providers.openai import PROVIDER

if TYPE_CHECKING:
    from script import ModelServer, Peer

FAMILIES = discover(families, Family)
FEATURES = discover(features, Feature)
QWEN = Model(name="m", platform="openai", family="qwen_coder")
HOLE = HOLES[0]


@pytest.mark.parametrize(
    ("said", "score"),
    [
        ("width * height", 1.0),
        (" width * height\n\nprint(1)", 1.0),
        ("width * height<|endoftext|>", 1.0),
        ("width * height  # the area", 0.5),
        ("height * width", 0.0),
        ("", 0.0),
        ("The answer is width * height", 0.0),
    ],
)
def test_how_well_a_hole_is_filled(said: str, score: float) -> None:
    assert filled(said, HOLE, ("<|endoftext|>",)) == score


def test_each_layout_is_tried_once_under_the_familys_own_name() -> None:
    for own in FAMILIES:
        found = layouts(FAMILIES, own)
        assert len({fim.layout for fim in found.values()}) == len(found)
        assert own in found or FAMILIES[own].fim is None


def hole_of(prompt: str) -> Hole | None:
    return next((hole for hole in HOLES if hole.before in prompt), None)


async def tried(server: ModelServer, family: str = "qwen_coder", **limits: Any) -> Capabilities:
    upstream = HttpUpstream()
    model = Model(
        name="m", platform="openai", family=family, endpoint=server.url, identifier="served", limits=Limits(**limits)
    )
    steps: list[str] = []
    try:
        trial = Trial(provider=PROVIDER, upstream=upstream, model=model, families=FAMILIES, told=steps.append)
        seen = await trial.run()
        assert len(steps) == len(set(steps)) > 3
    finally:
        await upstream.close()
    return seen


async def able(peer: Peer, server: ModelServer) -> None:
    """A model that knows Qwen's layout, chats, streams and calls tools."""
    if peer.method == "GET":
        await peer.document({"data": [{"id": "served", "max_model_len": 12_345}]})
        return
    asked = peer.json
    if "tools" in asked:
        call = {"function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}, "id": "1", "type": "function"}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        await peer.document({"choices": [{"message": message, "finish_reason": "tool_calls"}]})
    elif "prompt" in asked and not asked["stream"]:
        if "suffix" in asked:
            await peer.document({"error": {"message": "suffix is not supported"}}, 400)
            return
        hole = hole_of(asked["prompt"]) if "<|fim_middle|>" in asked["prompt"] else None
        usage = {"prompt_tokens": 2, "completion_tokens": 1}
        text = hole.wanted if hole else "something else"
        await peer.document({"choices": [{"text": text, "finish_reason": "stop"}], "usage": usage})
    else:
        await server.behave(peer)


async def test_an_able_model(server: ModelServer) -> None:
    server.play = lambda peer: able(peer, server)
    seen = await tried(server)
    assert seen.context_tokens == 12_345
    assert (seen.chat, seen.text, seen.streams, seen.tools, seen.wrapped) == (True, True, True, True, False)
    assert (seen.best_layout, seen.holes["qwen_coder"], seen.holes[PREFIX]) == ("qwen_coder", 1.0, 0.0)
    assert SUFFIX not in seen.holes
    assert "rejected the request (HTTP 400)" in seen.problems[SUFFIX]
    assert seen.first_token_s is not None
    assert doubts(QWEN, FAMILIES, seen) == []
    assert from_json(seen.as_json()) == seen


@pytest.mark.parametrize(
    ("message", "thinks"),
    [
        ({"content": "5"}, False),
        ({"content": "5", "reasoning_content": None}, False),
        ({"content": "5", "reasoning_content": "2 and 3"}, True),
        ({"content": None, "reasoning": "2 and"}, True),
        ({"content": "<think>2 and 3</think>5"}, True),
        ({"content": "2 and 3</think>5"}, True),
    ],
)
async def test_thoughts_in_the_text_or_beside_it(server: ModelServer, message: dict[str, Any], *, thinks: bool) -> None:
    async def play(peer: Peer) -> None:
        if peer.method != "POST" or "messages" not in peer.json:
            await able(peer, server)
        elif peer.json["stream"]:
            field = "reasoning_content" if thinks else "content"
            deltas: list[Any] = [{"role": "assistant", "content": ""}, {field: "one"}, {field: "two"}]
            await peer.head()
            await peer.events([event({"choices": [{"delta": delta}]}) for delta in deltas])
            await peer.events([event({"choices": [{"delta": {}, "finish_reason": "length"}]}), DONE])
            await peer.end()
        else:
            await peer.document({"choices": [{"message": message, "finish_reason": "stop"}]})

    server.play = play
    seen = await tried(server)
    assert (seen.chat, seen.thinks, seen.streams) == (True, thinks, True)
    assert seen.thought_begun is (message["content"] == "2 and 3</think>5")


@pytest.mark.parametrize(("rest", "begun"), [("is 5.\n</think>\n\n5", True), ("is 5, as ever", False)])
async def test_a_long_answer_to_a_short_question_is_waited_for(server: ModelServer, rest: str, *, begun: bool) -> None:
    """The end of a thought that the chat template began may come late."""

    async def play(peer: Peer) -> None:
        if peer.method != "POST" or "messages" not in peer.json or peer.json["stream"] or "tools" in peer.json:
            await able(peer, server)
        else:
            long = peer.json["max_tokens"] > 64
            choice = {"message": {"content": f"2 and 3 {rest if long else ''}"}, "finish_reason": "length"}
            await peer.document({"choices": [choice]})

    server.play = play
    seen = await tried(server)
    assert (seen.chat, seen.thinks, seen.thought_begun) == (True, begun, begun)


async def test_thoughts_that_come_all_at_once_are_no_stream(server: ModelServer) -> None:
    async def play(peer: Peer) -> None:
        if peer.method != "POST" or "messages" not in peer.json or not peer.json["stream"]:
            await able(peer, server)
        else:
            deltas = [{"role": "assistant", "content": ""}, {"reasoning": "one two"}]
            await peer.head()
            await peer.events([event({"choices": [{"delta": delta}]}) for delta in deltas])
            await peer.events([event({"choices": [{"delta": {}, "finish_reason": "stop"}]}), DONE])
            await peer.end()

    server.play = play
    assert (await tried(server)).streams is False


async def test_a_server_that_answers_nothing_is_measured_not(server: ModelServer) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.document({"error": {"message": "no"}}, 500)

    server.play = refuse
    with pytest.raises(UpstreamRefused, match="HTTP 500"):
        await tried(server)


async def test_a_model_that_only_streams(server: ModelServer) -> None:
    async def play(peer: Peer) -> None:
        if peer.method == "POST" and peer.json.get("stream"):
            await server.behave(peer)
        else:
            await peer.document({"error": {"message": "no"}}, 500)

    server.play = play
    seen = await tried(server)
    assert (seen.chat, seen.text, seen.streams, seen.embeds, seen.holes) == (False, False, True, False, {})
    assert set(seen.problems) >= {"chat", "text"}
    told = " ".join(doubt.told("m") for doubt in doubts(QWEN, FAMILIES, seen))
    assert "does not chat" in told
    assert "does not continue plain text" in told


async def test_a_model_that_embeds(server: ModelServer) -> None:
    async def play(peer: Peer) -> None:
        if peer.target.endswith(("/completions", "/props")):
            await peer.document({"error": {"message": "the model does not support this"}}, 400)
        else:
            await server.behave(peer)

    server.play = play
    seen = await tried(server)
    assert (seen.chat, seen.text, seen.tools, seen.embeds, seen.holes) == (False, None, None, True, {})
    assert "embeddings" not in seen.problems
    chatty = replace(seen, chat=True, embeds=None)
    suit = FEATURES["embeddings"]
    assert suits(suit, "embedding", FAMILIES["embedding"]).fit == "fully"
    assert suits(suit, "general", FAMILIES["general"], seen=seen).fit == "fully"
    assert suits(suit, "general", FAMILIES["general"]).fit == "largely"
    assert suits(suit, "general", FAMILIES["general"], seen=chatty).fit == "not"
    assert suits(suit, "qwen_coder", FAMILIES["qwen_coder"]).fit == "not"
    for key, feature in FEATURES.items():
        assert (suits(feature, "embedding", FAMILIES["embedding"]).fit == "not") is (key != "embeddings")


GOOD = Capabilities(
    chat=True, text=True, wrapped=False, streams=True, tools=True, holes={"qwen_coder": 1.0, PREFIX: 0.2}
)


BY_SUFFIX = replace(GOOD, holes={"qwen_coder": 0.33, PREFIX: 0.33, SUFFIX: 1.0})


@pytest.mark.parametrize(
    ("model", "seen", "expected"),
    [
        (QWEN, GOOD, ""),
        (replace(QWEN, family="codellama"), replace(GOOD, holes={"codellama": 0.0, "qwen_coder": 1.0}), "qwen_coder"),
        (QWEN, replace(GOOD, holes={"qwen_coder": 0.0, PREFIX: 0.3}), "does not help"),
        (replace(QWEN, family="llama3"), GOOD, "--family qwen_coder"),
        (QWEN, replace(GOOD, wrapped=True), "chat template around plain text"),
        (QWEN, replace(GOOD, chat=False), "does not chat"),
        (replace(QWEN, family="gpt"), replace(GOOD, holes={}, tools=False), "called no tool"),
        (replace(QWEN, limits=Limits(context_tokens=9999)), replace(GOOD, context_tokens=4096), "4096"),
        (replace(QWEN, family="nobody knows"), GOOD, ""),
        (QWEN, BY_SUFFIX, ""),
        (replace(QWEN, options={"fim": "layout"}), BY_SUFFIX, "--option fim=suffix"),
        (replace(QWEN, family="gpt", options={"fim": "layout"}), BY_SUFFIX, "--option fim=suffix"),
    ],
)
def test_what_contradicts_a_registration_is_said(model: Model, seen: Capabilities, expected: str) -> None:
    said = [doubt.told("m") for doubt in doubts(model, FAMILIES, seen)]
    assert (expected in " ".join(said)) if expected else said == []


def test_what_a_newer_program_stored_is_passed_over() -> None:
    assert from_json({"chat": True, "flies": True}) == Capabilities(chat=True)

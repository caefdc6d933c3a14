"""A hole is filled on every kind of backend, in the best way that the model can, and the client sees no difference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from house import FIM, WORDS
from ways import AFTER, BEFORE, events

from homeport.domain.capabilities import Capabilities

if TYPE_CHECKING:
    from house import House
    from script import Peer

LAID_OUT = f"<|fim_prefix|>{BEFORE}<|fim_suffix|>{AFTER}<|fim_middle|>"
NATIVE = {"qwen_coder": 0.3, "prefix": 0.0, "suffix": 1.0}


def backend(house: House, kind: str) -> None:
    """The model that completes code, as one kind of backend serves it."""
    model, seen = house.snapshot.models[WORDS if kind in {"words", "mute"} else FIM], {}
    if kind == "by option":
        model = replace(model, options={"fim": "suffix"})
    elif kind == "azure":
        model = replace(model, platform=kind, endpoint=house.models.url.removesuffix("/v1"))
    elif kind == "anthropic":
        model = replace(model, platform=kind)
    elif kind == "bedrock":
        model = replace(model, platform=kind, options={"region": "eu-west-1"})
    found = {
        "by proof": Capabilities(text=True, holes=NATIVE),
        "no text": Capabilities(text=False, chat=True),
        "mute": Capabilities(text=True, chat=False),
    }
    if kind in found:
        seen = {model.name: found[kind]}
    house.snapshot = replace(house.snapshot.with_models(model), measured=seen)
    house.assign("code_completions", "model", model.name)


def shown(kind: str, said: dict[str, Any]) -> bool:
    """Whether the model was shown the hole in the way that this backend has for it."""
    if kind in {"by option", "by proof"}:
        return (said["prompt"], said["suffix"]) == (BEFORE, AFTER)
    if kind == "layout":
        return said["prompt"] == LAID_OUT and "suffix" not in said
    if kind == "mute":
        return said["prompt"] == BEFORE and "suffix" not in said
    words = str(said["messages"]).replace("\\n", "\n")
    return BEFORE in words and AFTER.strip() in words and "fim_" not in words


async def in_anthropics_words(peer: Peer) -> None:
    events = [
        b'{"type":"message_start","message":{"usage":{"input_tokens":11}}}',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"one + "}}',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"two"}}',
        b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}',
        b'{"type":"message_stop"}',
    ]
    if peer.json["stream"]:
        await peer.head()
        await peer.events(b"data: " + each + b"\n\n" for each in events)
        await peer.end()
        return
    usage = {"input_tokens": 11, "output_tokens": 3}
    content = [{"type": "text", "text": "one + two"}]
    await peer.document({"content": content, "stop_reason": "end_turn", "usage": usage})


async def in_bedrocks_words(peer: Peer) -> None:
    message = {"role": "assistant", "content": [{"text": "one + two"}]}
    usage = {"inputTokens": 11, "outputTokens": 3}
    await peer.document({"output": {"message": message}, "stopReason": "end_turn", "usage": usage})


KINDS = ("by option", "by proof", "layout", "no text", "mute", "words", "azure", "anthropic")
# Bedrock streams in a framing of its own, which test_clouds speaks
CASES = [*((kind, stream) for kind in KINDS for stream in (False, True)), ("bedrock", False)]


@pytest.mark.parametrize(("kind", "stream"), CASES)
async def test_a_hole_is_filled(house: House, kind: str, *, stream: bool, monkeypatch: Any) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    backend(house, kind)
    house.models.play = {"anthropic": in_anthropics_words, "bedrock": in_bedrocks_words}.get(kind, house.models.behave)
    options = {"include_usage": True} if stream else None
    body = {"prompt": BEFORE, "suffix": AFTER, "max_tokens": 20, "stream": stream, "stream_options": options}
    answer = await house.post("/v1/completions", body | {"file_name": "add.py"})
    assert answer.status == 200, answer
    found = events(answer.body)[:-1] if stream else [answer.json]
    assert "".join(choice["text"] for each in found for choice in each["choices"]) == "one + two"
    assert found[-1]["usage"] == {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
    (peer,) = house.models.heard
    assert shown(kind, peer.json), peer.json


@pytest.mark.parametrize("kind", ["no text", "azure"])
async def test_text_without_a_suffix_goes_to_the_chat_that_there_is(house: House, kind: str) -> None:
    backend(house, kind)
    answer = await house.post("/v1/completions", {"prompt": BEFORE, "max_tokens": 20})
    assert answer.json["choices"][0]["text"] == "one + two"
    assert house.models.heard[0].json["messages"][-1] == {"role": "user", "content": BEFORE}

"""Another model answers when the first one cannot, for every way to ask, and only then."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from house import FIM, LIMITS, PREFIX, SHORT, WORDS, asking
from script import piece
from ways import ASKED, WAYS, error_text, named

from homeport.domain.errors import UpstreamUnreachable
from homeport.domain.models import FeatureSetting
from homeport.domain.requests import ChatRequest, Message
from homeport.features._route import serve

if TYPE_CHECKING:
    from house import House
    from script import Peer
    from ways import Way

CLOSED = "http://127.0.0.1:9/v1"
LISTED = ("code_completions", "code_generations", "chat")
CHAT = WAYS[0]


def fall_back(house: House, first: str, *others: str, **changes: Any) -> None:
    """Every feature is served by `first`, changed as said, then by the others."""
    house.snapshot = house.snapshot.with_models(replace(house.snapshot.models[first], **changes))
    for feature in LISTED:
        house.assign(feature, "model", first, *others)


def refuse(house: House, status: int, *models: str) -> None:
    """Let the model server refuse these models."""

    async def play(peer: Peer) -> None:
        if peer.json["model"] in {f"served-{name}" for name in models}:
            await peer.document({"error": {"message": "no"}}, status)
        else:
            await house.models.behave(peer)

    house.models.play = play


def asked(house: House) -> list[str]:
    return [peer.json["model"].removeprefix("served-") for peer in house.models.heard]


@pytest.mark.parametrize(("way", "stream"), ASKED, ids=named)
async def test_the_next_model_answers_for_one_that_is_away(house: House, way: Way, stream: bool) -> None:  # noqa: FBT001 (a case)
    fall_back(house, PREFIX, WORDS, endpoint=CLOSED)
    answer = await house.post(way.path, way.body(stream))
    assert (answer.status, asked(house)) == (200, [WORDS])
    record = await house.record()
    assert (record["outcome"], record["model"], record["fallbacks"]) == ("completed", WORDS, [PREFIX])


async def test_each_is_asked_in_its_own_way_within_its_own_window(house: House) -> None:
    limits = replace(LIMITS, context_tokens=512)
    house.snapshot = house.snapshot.with_models(house.model(FIM, family="qwen_coder", limits=limits))
    fall_back(house, WORDS, PREFIX, FIM)
    refuse(house, 500, WORDS, PREFIX)
    file = {"file_name": "a.py", "content_above_cursor": "x = 1\n" * 9000, "content_below_cursor": ""}
    assert (await house.post("/v2/code/completions", {"current_file": file})).status == 200
    words, prefix, fim = house.models.heard
    assert "messages" in words.json
    assert prefix.json["prompt"].startswith("x = 1")
    assert "<|fim_prefix|>" in fim.json["prompt"]
    assert len(fim.json["prompt"]) < 2048 < len(prefix.json["prompt"])
    assert (await house.record())["fallbacks"] == [WORDS, PREFIX]


async def test_the_answer_names_the_model_that_gave_it(house: House) -> None:
    fall_back(house, PREFIX, FIM, endpoint=CLOSED)
    answer = await house.post("/v1/completions", {"prompt": "a", "suffix": "b"})
    assert answer.json["model"] == FIM


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
async def test_a_model_server_that_refuses_is_passed_over(house: House, status: int) -> None:
    fall_back(house, WORDS, FIM)
    refuse(house, status, WORDS)
    assert (await house.post(CHAT.path, CHAT.plain)).status == 200
    assert asked(house) == [WORDS, FIM]


async def test_one_that_says_nothing_is_passed_over(house: House) -> None:
    fall_back(house, WORDS, FIM, limits=replace(LIMITS, **SHORT))

    async def play(peer: Peer) -> None:
        await (house.models.behave(peer) if peer.json["model"] == f"served-{FIM}" else peer.hang())

    house.models.play = play
    assert (await house.post(CHAT.path, CHAT.streaming)).status == 200
    assert asked(house) == [WORDS, FIM]


async def test_one_whose_seats_are_taken_is_passed_over(house: House) -> None:
    fall_back(house, WORDS, FIM, limits=replace(LIMITS, concurrency=1, queue=0))

    async def play(peer: Peer) -> None:
        await (house.models.behave(peer) if peer.json["model"] == f"served-{FIM}" else peer.hang())

    house.models.play = play
    async with house.line() as wire:
        await wire.send(asking("POST", CHAT.path, CHAT.streaming))
        await house.models.next()
        assert (await house.post(CHAT.path, CHAT.plain)).status == 200
    assert asked(house) == [WORDS, FIM]


async def test_when_none_can_the_last_says_why(house: House) -> None:
    fall_back(house, PREFIX, FIM, endpoint=CLOSED)
    refuse(house, 500, FIM)
    answer = await house.post(CHAT.path, CHAT.plain)
    assert answer.status == 502
    assert FIM in error_text(CHAT, answer)
    assert (await house.record())["fallbacks"] == [PREFIX]


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_wrong_request_is_asked_of_no_other(house: House, status: int) -> None:
    fall_back(house, WORDS, FIM)
    refuse(house, status, WORDS)
    assert (await house.post(CHAT.path, CHAT.plain)).status == 400
    assert asked(house) == [WORDS]
    assert "fallbacks" not in await house.record()


async def test_nobody_takes_over_after_the_first_piece(house: House) -> None:
    fall_back(house, WORDS, FIM)

    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece("chat", "one"))
        peer.close()

    house.models.play = play
    await house.post(CHAT.path, CHAT.streaming)
    assert asked(house) == [WORDS]
    assert (await house.record())["outcome"] == "broken"


async def test_a_model_that_was_named_or_brought_answers_alone(house: House) -> None:
    fall_back(house, PREFIX, FIM, endpoint=CLOSED)
    assert (await house.post(CHAT.path, {**CHAT.plain, "model": PREFIX})).status == 502
    bench = house.app.door.bench
    brought = house.model("brought", endpoint=CLOSED, registered=False)
    with pytest.raises(UpstreamUnreachable, match="brought"):
        await anext(serve(bench, "chat", ChatRequest(messages=(Message(role="user", content="x"),), model=brought)))
    assert asked(house) == []
    assert not any("fallbacks" in record for record in house.records())


async def test_a_connection_test_asks_one_model_alone(house: House) -> None:
    house.snapshot = house.snapshot.with_models(house.model(PREFIX, endpoint=CLOSED))
    setting = FeatureSetting(feature="code_completions", assignment="model", model=PREFIX, fallbacks=(FIM,))
    house.snapshot = replace(house.snapshot, features={**house.snapshot.features, "code_completions": setting})
    answer = await house.post("/v1/prompts/model_configuration%2Fcheck", {"inputs": {}})
    assert answer.status == 421
    assert asked(house) == []


async def test_a_disabled_fallback_is_passed_over(house: House) -> None:
    house.snapshot = house.snapshot.with_models(replace(house.snapshot.models[WORDS], enabled=False))
    fall_back(house, PREFIX, WORDS, FIM, endpoint=CLOSED)
    assert (await house.post(CHAT.path, CHAT.plain)).status == 200
    assert asked(house) == [FIM]

"""Several models serve one feature: the work is shared, a dead or slow one costs users nothing, nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from house import FIM, LIMITS, WORDS, eventually, opened
from prometheus_client import generate_latest
from script import ModelServer, piece
from ways import FILE, MESSAGES

from homeport.domain.models import FeatureSetting
from homeport.routing.budget import AT_FIRST
from homeport.routing.health import IN_A_ROW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from house import House
    from script import Peer

CHAT = {"messages": MESSAGES}
CHAT_PATH = "/v1/chat/completions"
CODE = {"current_file": FILE}
CODE_PATH = "/v2/code/completions"


@pytest.fixture
async def second() -> AsyncIterator[ModelServer]:
    """Another model server."""
    async with ModelServer().listening() as model_server:
        yield model_server


def route(house: House, second: ModelServer, feature: str = "chat", **setting: Any) -> None:
    """Two replicas of one model serve the feature."""
    house.snapshot = house.snapshot.with_models(
        house.model("one", family="qwen_coder"), house.model("two", family="qwen_coder", endpoint=second.url)
    )
    usual = {"weights": {"two": 1}}
    chosen = FeatureSetting(feature=feature, assignment="model", model="one", **(usual | setting))
    house.snapshot = replace(house.snapshot, features={**house.snapshot.features, feature: chosen})


async def refuse(peer: Peer) -> None:
    await peer.document({"error": {"message": "no"}}, 500)


async def test_the_work_is_shared(house: House, second: ModelServer) -> None:
    route(house, second, weights={"two": 3})
    for _ in range(60):
        assert (await house.post(CHAT_PATH, CHAT)).status == 200
    here, there = len(house.models.heard), len(second.heard)
    assert here + there == 60
    assert here < there
    models = {record["model"] for record in house.records()}
    assert models == {"one", "two"}


async def test_a_dead_replica_costs_nobody_an_answer_and_is_soon_left_alone(house: House, second: ModelServer) -> None:
    route(house, second)
    second.play = refuse
    for _ in range(40):
        assert (await house.post(CHAT_PATH, CHAT)).status == 200
    assert len(second.heard) <= IN_A_ROW
    left = [line for line in house.logs.lines if "left alone" in line["message"]]
    assert [line["model"] for line in left] == ["two"]
    assert "homeport_models_left_alone 1.0" in generate_latest(house.metrics.registry).decode()


async def test_a_replica_that_hangs_is_given_up_before_the_limit(house: House, second: ModelServer) -> None:
    route(house, second, feature="code_completions", weights={}, fallbacks=("two",))
    house.app.door.bench.health.answered(house.snapshot.models["two"], 0.05)

    async def hang(peer: Peer) -> None:
        await peer.hang()

    house.models.play = hang
    began = time.perf_counter()
    assert (await house.post(CODE_PATH, CODE)).status == 200
    assert time.perf_counter() - began < LIMITS.first_token_s / 2
    assert (await house.record())["fallbacks"] == ["one"]


async def test_retries_end_when_everything_fails(house: House, second: ModelServer) -> None:
    route(house, second)
    house.models.play = second.play = refuse
    answers = [await house.post(CHAT_PATH, CHAT) for _ in range(50)]
    assert {answer.status for answer in answers} == {502}
    assert len(house.models.heard) + len(second.heard) <= 50 * 1.2 + AT_FIRST


async def test_it_is_tried_again_as_soon_as_it_says_what_it_serves(house: House, second: ModelServer) -> None:
    route(house, second, weights={}, fallbacks=("two",))
    house.models.play = refuse
    for _ in range(IN_A_ROW):
        await house.post(CHAT_PATH, CHAT)
    health, model = house.app.door.bench.health, house.snapshot.models["one"]
    assert not health.allows(model)
    house.models.play = house.models.behave
    health.recovered(model)
    assert (await house.post(CHAT_PATH, CHAT)).status == 200
    assert (await house.record(IN_A_ROW + 1))["model"] == "one"


async def test_one_conversation_stays_with_one_model(house: House, second: ModelServer) -> None:
    route(house, second, sticky=True)
    for question in range(8):
        talk = [{"role": "user", "content": f"Question {question}"}]
        seen = set()
        for turn in range(5):
            assert (await house.post(CHAT_PATH, {"messages": talk})).status == 200
            seen.add((await house.record(question * 5 + turn + 1))["model"])
            talk = [*talk, {"role": "assistant", "content": "a"}, {"role": "user", "content": "more"}]
        assert len(seen) == 1
    assert house.models.heard
    assert second.heard


async def test_what_a_shadow_says_or_does_touches_nobody(house: House, second: ModelServer) -> None:
    route(house, second, weights={}, shadow="two")
    for play in (second.behave, refuse, _hang):
        second.play = play
        began = time.perf_counter()
        answer = await house.post(CHAT_PATH, CHAT)
        assert answer.status == 200
        assert time.perf_counter() - began < 2
    await eventually(lambda: len(second.heard) == 3)
    assert {peer.headers["x-request-id"] for peer in second.heard} == {
        record["correlation_id"] for record in house.records()
    }
    shadows = house.app.door.bench.shadows
    assert (shadows.asked, shadows.failed) == (3, 1)
    assert [record["model"] for record in house.records()] == ["one"] * 3
    await shadows.close()
    assert house.quiet()


async def _hang(peer: Peer) -> None:
    await peer.hang()


async def test_retry_after_is_respected(house: House, second: ModelServer) -> None:
    route(house, second, weights={}, fallbacks=("two",))

    async def busy(peer: Peer) -> None:
        await peer.document({"error": {"message": "later"}}, 429, Retry_After=30)

    house.models.play = busy
    for _ in range(5):
        assert (await house.post(CHAT_PATH, CHAT)).status == 200
    assert len(house.models.heard) == 1
    assert 25 < house.app.door.bench.health.back_in(house.snapshot.models["one"]) <= 30


async def test_the_whole_answer_is_bounded_however_many_are_asked(house: House, second: ModelServer) -> None:
    route(house, second, weights={}, fallbacks=("two",))
    brief = replace(LIMITS, total_s=0.5)
    house.snapshot = house.snapshot.with_models(
        *(replace(house.snapshot.models[name], limits=brief) for name in ("one", "two"))
    )

    async def drip(peer: Peer) -> None:
        await asyncio.sleep(0.3)
        await refuse(peer)

    house.models.play, second.play = drip, _hang
    began = time.perf_counter()
    assert (await house.post(CHAT_PATH, CHAT)).status == 504
    assert time.perf_counter() - began < 1.0


async def test_completions_give_way_to_chat(house: House) -> None:
    limits = replace(LIMITS, concurrency=1, queue=2)
    house.snapshot = house.snapshot.with_models(house.model(FIM, family="qwen_coder", limits=limits))
    house.assign("chat", "model", FIM)
    release = asyncio.Event()

    async def slow(peer: Peer) -> None:
        await release.wait()
        await house.models.behave(peer)

    house.models.play = slow
    async with contextlib.AsyncExitStack() as stack:
        first = asyncio.create_task(house.post(CHAT_PATH, CHAT))
        await eventually(lambda: house.models.heard)
        code = asyncio.create_task(house.post(CODE_PATH, CODE))
        await eventually(lambda: house.capacity.queued() == 1)
        chats = [asyncio.create_task(house.post(CHAT_PATH, CHAT)) for _ in range(2)]
        shed = await code
        assert shed.header("retry-after") == "1"
        assert shed.status in {429, 503}
        release.set()
        assert [(await task).status for task in (first, *chats)] == [200, 200, 200]
        del stack


async def test_a_broken_stream_counts_against_its_server(house: House, second: ModelServer) -> None:
    route(house, second, weights={}, fallbacks=("two",))

    async def breaks(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece("chat", "one"))
        peer.close()

    house.models.play = breaks
    for _ in range(IN_A_ROW):
        await house.post(CHAT_PATH, {**CHAT, "stream": True})
    assert not house.app.door.bench.health.allows(house.snapshot.models["one"])
    assert (await house.post(CHAT_PATH, CHAT)).status == 200
    assert (await house.record(IN_A_ROW + 1))["model"] == "two"


async def test_servers_that_failed_are_asked_what_they_serve(second: ModelServer) -> None:
    async with opened() as house:
        from homeport.features._probe import probe  # noqa: PLC0415 (beside its only use)
        from homeport.providers.openai import PROVIDER  # noqa: PLC0415 (the same)

        route(house, second)
        bench, model = house.app.door.bench, house.snapshot.models["two"]
        for _ in range(IN_A_ROW):
            bench.health.failed(model)

        async def served(model: Any) -> Any:
            return await PROVIDER.served(house.transport, model)

        task = asyncio.create_task(probe(bench, {"openai": served}))
        await eventually(lambda: bench.health.allows(model))
        task.cancel()
        assert [peer.target for peer in second.heard] == ["/v1/models"]
        assert not [peer for peer in house.models.heard if peer.target == "/v1/models"]
        assert WORDS in house.snapshot.models

"""Several models serve one feature: the work is shared, a dead or slow one costs users nothing, nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from house import FIM, LIMITS, asking, eventually
from prometheus_client import generate_latest
from script import ModelServer, piece
from ways import FILE, MESSAGES

from homeport.domain.models import FeatureSetting, Model
from homeport.features import _probe, _turn
from homeport.features._turn import LEAST_S
from homeport.providers.openai import PROVIDER
from homeport.routing.budget import AT_FIRST, SHARE
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


async def test_retry_after_is_respected_whatever_the_server_tells_a_probe(house: House, second: ModelServer) -> None:
    route(house, second, weights={}, fallbacks=("two",))

    async def busy(peer: Peer) -> None:
        await peer.document({"error": {"message": "later"}}, 429, Retry_After=30)

    house.models.play = busy
    async with probing(house):
        for _ in range(5):
            assert (await house.post(CHAT_PATH, CHAT)).status == 200
        await eventually(lambda: len(house.models.listed) >= 3)
        assert (await house.post(CHAT_PATH, CHAT)).status == 200
    assert len(house.models.heard) == 1
    assert 25 < house.app.door.bench.health.back_in(house.snapshot.models["one"]) <= 30


@pytest.mark.parametrize(
    ("date", "until", "passed"),
    [
        ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:07 GMT", "7"),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 09:28:07 GMT", "60"),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:00:00 GMT", "0"),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 41 Oct 2026 07:28:00 GMT", None),
        ("", "Wed, 21 Oct 2099 07:28:00 GMT", "60"),
    ],
)
async def test_a_date_to_come_back_at(house: House, date: str, until: str, passed: str | None) -> None:
    async def play(peer: Peer) -> None:
        head = f"HTTP/1.1 503 x\r\nDate: {date}\r\nRetry-After: {until}\r\nContent-Length: 2\r\n\r\n{{}}"
        await peer.write(head.encode())

    house.models.play = play
    answer = await house.post(CHAT_PATH, CHAT)
    assert (answer.status, answer.header("retry-after")) == (503, passed)


async def test_a_model_that_serves_alone_is_not_asked_while_its_retry_after_lasts(house: House) -> None:
    async def play(peer: Peer) -> None:
        await peer.document({"error": {"message": "later"}}, 503, Retry_After=20)

    health = house.app.door.bench.health
    now = [time.monotonic()]
    health._clock = lambda: now[0]  # noqa: SLF001 (20 s are too long for a test)
    try:
        house.models.play = play
        first, second = await house.post(CHAT_PATH, CHAT), await house.post(CHAT_PATH, CHAT)
        assert "is overloaded (HTTP 503)" in first.json["error"]["message"]
        assert "asked to be left alone for 20 s more (HTTP 503, Retry-After)" in second.json["error"]["message"]
        assert [(each.status, each.header("retry-after")) for each in (first, second)] == [(503, "20")] * 2
        house.models.play = house.models.behave
        now[0] += 12.5
        assert (await house.post(CHAT_PATH, CHAT)).header("retry-after") == "8"
        assert len(house.models.heard) == 1
        now[0] += 8
        assert (await house.post(CHAT_PATH, CHAT)).status == 200
        assert len(house.models.heard) == 2
    finally:
        health._clock = time.monotonic  # noqa: SLF001 (the same)


async def test_who_waits_for_a_seat_is_told_when_the_model_asks_for_a_pause(house: House) -> None:
    house.limit(concurrency=1)
    release = asyncio.Event()

    async def play(peer: Peer) -> None:
        await release.wait()
        await peer.document({"error": {"message": "later"}}, 429, Retry_After=30)

    house.models.play = play
    asked = [asyncio.create_task(house.post(CHAT_PATH, CHAT)) for _ in range(3)]
    await eventually(lambda: house.capacity.queued() == 2)
    release.set()
    assert [(await each).header("retry-after") for each in asked] == ["30"] * 3
    assert len(house.models.heard) == 1


def patient(house: House) -> None:
    """Both may take long to begin; of the second one it is known that it is fast."""
    limits = replace(LIMITS, first_token_s=20, idle_s=20, total_s=60)
    house.snapshot = house.snapshot.with_models(
        *(replace(house.snapshot.models[name], limits=limits) for name in ("one", "two"))
    )
    house.app.door.bench.health.answered(house.snapshot.models["two"], 0.05)


def delayed(server: ModelServer, seconds: float) -> Any:
    async def play(peer: Peer) -> None:
        await asyncio.sleep(seconds)
        await server.behave(peer)

    return play


async def test_a_faster_fallback_does_not_push_a_slower_model_out(house: House, second: ModelServer) -> None:
    route(house, second, weights={}, fallbacks=("two",))
    patient(house)
    house.models.play = delayed(house.models, 1.3)
    for _ in range(3):
        assert (await house.post(CHAT_PATH, {**CHAT, "stream": True})).status == 200
    assert [record["model"] for record in house.records()] == ["one"] * 3


async def test_many_at_once_at_a_slow_model_are_all_answered(house: House, second: ModelServer) -> None:
    route(house, second, weights={}, fallbacks=("two",))
    patient(house)
    house.app.door.bench.health.answered(house.snapshot.models["one"], 0.1)
    house.models.play = delayed(house.models, 1.5)
    answers = await asyncio.gather(*(house.post(CHAT_PATH, {**CHAT, "stream": True}) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert len(house.models.heard) <= 20
    assert len(second.heard) <= 20


async def test_a_fallback_that_is_being_tried_serves_everybody_who_needs_it(house: House, second: ModelServer) -> None:
    route(house, second, weights={}, fallbacks=("two",))
    bench, two = house.app.door.bench, house.snapshot.models["two"]
    for _ in range(IN_A_ROW):
        bench.health.failed(two)
    bench.health.probed(two, answers=False)
    bench.health.probed(two, answers=True)
    for _ in range(100):
        bench.budget.asked("chat")
    house.models.play, second.play = refuse, delayed(second, 0.3)
    answers = []
    for _ in range(6):
        answers.append(asyncio.create_task(house.post(CHAT_PATH, CHAT)))
        await asyncio.sleep(0.02)
    assert [(await answer).status for answer in answers] == [200] * 6


def half_open(house: House, name: str = "one") -> Any:
    """The health of a server that failed and may be tried now."""
    health, model = house.app.door.bench.health, house.snapshot.models[name]
    for _ in range(IN_A_ROW):
        health.failed(model)
    health.probed(model, answers=False)
    health.probed(model, answers=True)
    return health


async def test_a_trial_that_tells_nothing_blocks_nobody(house: House, second: ModelServer) -> None:
    route(house, second, weights={}, fallbacks=("two",))
    health, one = half_open(house), house.snapshot.models["one"]
    house.models.play = _hang
    assert (await house.post(CHAT_PATH, CHAT)).status == 200
    await eventually(lambda: house.models.heard)
    assert health.is_tried(one)
    await house.app.door.bench.shadows.close()
    await asyncio.wait_for(house.models.heard[0].closed.wait(), 1)
    assert health.is_due(one)


async def test_a_trial_of_a_server_that_hangs_costs_nobody_a_moment(house: House, second: ModelServer) -> None:
    route(house, second, weights={}, fallbacks=("two",))
    half_open(house)
    house.models.play = _hang
    copied = house.app.door.bench.shadows.asked
    took = [await seconds(house.post(CHAT_PATH, {**CHAT, "stream": True})) for _ in range(5)]
    assert max(took) < 0.8
    assert len(house.models.heard) == 1
    assert house.app.door.bench.shadows.asked == copied
    await house.app.door.bench.shadows.close()


async def test_a_trial_that_a_server_answers_brings_it_back(house: House, second: ModelServer) -> None:
    route(house, second, weights={}, fallbacks=("two",))
    health, one = half_open(house), house.snapshot.models["one"]
    assert (await house.post(CHAT_PATH, CHAT)).status == 200
    await eventually(lambda: health.state(one) == (True, False))
    assert (await house.post(CHAT_PATH, CHAT)).status == 200
    assert [record["model"] for record in house.records()] == ["two", "one"]
    tried = next(line for line in house.logs.lines if line["message"] == "model tried")
    assert (tried["tried"], tried["outcome"]) == ("one", "completed")


async def seconds(request: Any) -> float:
    """How long a request took that was served."""
    began = time.perf_counter()
    assert (await request).status == 200
    return time.perf_counter() - began


HURRIED = [
    ("code_completions", CODE_PATH, CODE),
    ("code_completions", CODE_PATH, {**CODE, "stream": True}),
    ("chat", CHAT_PATH, {**CHAT, "stream": True}),
]


@pytest.mark.parametrize(("feature", "path", "body"), HURRIED)
@pytest.mark.parametrize("hanging", [1, 2])
async def test_servers_that_hang_hold_nobody_who_can_go_elsewhere(
    house: House, second: ModelServer, feature: str, path: str, body: Any, hanging: int
) -> None:
    """Without a single retry left: first one, then all of the pool, with a fallback behind them."""
    async with ModelServer().listening() as third:
        route(house, second, feature=feature, fallbacks=("spare",))
        house.snapshot = house.snapshot.with_models(house.model("spare", family="qwen_coder", endpoint=third.url))
        house.limit(first_token_s=30, idle_s=30, total_s=60, concurrency=4)
        bench = house.app.door.bench
        for model in house.snapshot.models.values():
            bench.health.answered(model, 0.05, completion=feature == "code_completions")
        bench.budget._left[feature] = -100.0  # noqa: SLF001 (a long bad time)
        house.models.play = _hang
        if hanging == 2:
            second.play = _hang
        took = await asyncio.gather(*(seconds(house.post(path, body)) for _ in range(16)))
        abandoned = [*house.models.heard, *(second.heard if hanging == 2 else ())]
        assert 0 < len(abandoned) <= 16 * hanging
        for peer in abandoned:
            await asyncio.wait_for(peer.closed.wait(), 1)
        assert max(took) < hanging * LEAST_S + 2
        assert not bench.health.allows(house.snapshot.models["one"])


async def test_who_waits_for_a_whole_answer_goes_elsewhere_when_its_server_is_not_there(
    house: House, second: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_turn, "UNKNOWN_S", (0.2, 0.2))
    monkeypatch.setattr(_probe, "WITHIN_S", 0.2)
    route(house, second, weights={}, fallbacks=("two",))
    house.models.play = _hang
    house.models.catalogue = _hang
    async with probing(house):
        took = await asyncio.gather(*(seconds(house.post(CHAT_PATH, CHAT)) for _ in range(5)))
    assert max(took) < 3
    assert {record["model"] for record in house.records()} == {"two"}


async def test_who_waits_for_a_whole_answer_stays_while_its_server_is_there(
    house: House, second: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_turn, "UNKNOWN_S", (0.1, 0.1))
    route(house, second, weights={}, fallbacks=("two",))
    house.models.play = delayed(house.models, 0.6)
    async with probing(house):
        assert (await house.post(CHAT_PATH, CHAT)).status == 200
    assert house.models.listed
    assert not second.heard


async def test_who_waits_for_a_whole_answer_goes_elsewhere_when_its_server_only_says_what_it_serves(
    house: House, second: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its API answers and generation hangs: it is asked for one token, once at a time, and does not give it."""
    monkeypatch.setattr(_turn, "UNKNOWN_S", (0.1, 0.1))
    monkeypatch.setattr(_probe, "TOKEN_S", 0.3)
    route(house, second, weights={}, fallbacks=("two",))
    house.models.play = _hang
    async with probing(house):
        took = await asyncio.gather(*(seconds(house.post(CHAT_PATH, CHAT)) for _ in range(5)))
    assert max(took) < 3
    assert {record["model"] for record in house.records()} == {"two"}
    tokens = [peer.json for peer in house.models.heard if peer.json.get("max_tokens") == 1]
    assert {each["messages"][0]["content"] for each in tokens} == {"Hi"}
    assert len(tokens) <= 2  # the next one, where somebody came to wait just as the first was given up
    assert not house.app.door.bench.health.allows(house.snapshot.models["one"])


async def test_a_long_answer_is_waited_for_while_its_server_gives_tokens(
    house: House, second: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_turn, "UNKNOWN_S", (0.1, 0.1))
    monkeypatch.setattr(_probe, "TOKEN_S", 0.3)
    route(house, second, weights={}, fallbacks=("two",))
    slow = delayed(house.models, 1.0)

    async def play(peer: Peer) -> None:
        await (house.models.behave if peer.json.get("max_tokens") == 1 else slow)(peer)

    house.models.play = play
    async with probing(house):
        assert (await house.post(CHAT_PATH, CHAT)).status == 200
    assert [peer for peer in house.models.heard if peer.json.get("max_tokens") == 1]
    assert not second.heard


async def test_a_shadow_ends_when_its_client_leaves(house: House, second: ModelServer) -> None:
    route(house, second, weights={}, shadow="two")
    house.models.play = second.play = _hang
    async with house.line() as wire:
        await wire.send(asking("POST", CHAT_PATH, CHAT))
        await eventually(lambda: house.models.heard and second.heard)
    await asyncio.wait_for(second.heard[0].closed.wait(), 1)
    await eventually(lambda: not house.app.door.bench.shadows._tasks)  # noqa: SLF001 (what is under way)


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


async def test_servers_that_failed_are_asked_what_they_serve(house: House, second: ModelServer) -> None:
    route(house, second)
    bench, model = house.app.door.bench, house.snapshot.models["two"]
    for _ in range(IN_A_ROW):
        bench.health.failed(model)
    second.play = refuse
    async with probing(house):
        await eventually(lambda: len(second.heard) >= 2)
        assert not bench.health.allows(model)
        second.play = second.behave
        await eventually(lambda: bench.health.allows(model))
    assert {peer.target for peer in second.heard} == {"/v1/models"}
    assert not house.models.heard


async def test_whatever_one_server_does_the_others_are_looked_at(house: House, second: ModelServer) -> None:
    route(house, second)
    bench = house.app.door.bench
    models = [house.snapshot.models[name] for name in ("one", "two")]
    for model in models * IN_A_ROW:
        bench.health.failed(model)
    looked: list[str] = []

    async def served(model: Model) -> object:
        looked.append(model.name)
        if model.name == "one":
            raise RuntimeError
        return ()

    async with probing(house, served):
        await eventually(lambda: looked.count("two") >= 2)
    errors = [line for line in house.logs.lines if line["level"] == "error"]
    assert {line["model"] for line in errors} == {"one"}
    house.logs.lines.clear()


@contextlib.asynccontextmanager
async def probing(house: House, served: Any = None) -> AsyncIterator[None]:
    """The probe runs, and often."""
    ask = served or partial(PROVIDER.served, house.transport)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_probe, "EVERY_S", 0.02)
        task = asyncio.create_task(_probe.probe(house.app.door.bench, {"openai": ask}))
        try:
            yield
        finally:
            task.cancel()


async def test_what_goes_out_again_on_a_new_connection_is_a_retry(house: House) -> None:
    """A server that answers once on each connection gets a fifth more than what came, and what was saved up."""
    used: set[int] = set()

    async def once(peer: Peer) -> None:
        if id(peer.writer) in used:
            peer.close()
        else:
            used.add(id(peer.writer))
            await house.models.behave(peer)

    house.models.play = once
    came = 60
    found = [(await house.post(CHAT_PATH, CHAT)).status for _ in range(came)]
    assert set(found) == {200, 502}
    again = len(house.models.heard) - came
    assert 10 <= again <= came * SHARE + AT_FIRST

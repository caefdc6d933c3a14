"""SIGTERM: no new requests, open ones finish in time or are told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from house import asking, eventually, opened
from script import piece, stream
from ways import ASKED, TOLD, WAYS, ended, error_text, last_failure, lines, sse, streamed_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from house import House
    from script import Peer
    from ways import Way
    from wire import Answer, Line


@pytest.fixture
async def stopping() -> AsyncIterator[House]:
    """A house that gives its guests half a second."""
    async with opened(drain_s=0.4) as house:
        house.limit(first_token_s=30, idle_s=30, total_s=60, queue_s=30)
        yield house


async def begun(house: House, stack: contextlib.AsyncExitStack, asked: list[tuple[Way, bool]]) -> list[Line]:
    """A connection for each request, which the model server has heard."""
    found = []
    for way, stream_ in asked:
        wire = await stack.enter_async_context(house.line())
        await wire.send(asking("POST", way.path, way.body(stream_)))
        found.append(wire)
    await house.models.next(len(asked))
    return found


async def test_open_requests_finish_in_time(stopping: House) -> None:
    go_on = asyncio.Event()

    async def play(peer: Peer) -> None:
        if peer.json["stream"]:
            await peer.head()
            await peer.chunk(piece(peer.kind, "one"))
            await go_on.wait()
            await peer.events(stream(peer.kind, [" + ", "two"]))
            await peer.end()
        else:
            await go_on.wait()
            await stopping.models.behave(peer)

    stopping.models.play = play
    async with contextlib.AsyncExitStack() as stack:
        wires = await begun(stopping, stack, ASKED)
        idle = await stack.enter_async_context(stopping.line())
        await eventually(lambda: len(stopping.server.server_state.connections) == len(ASKED) + 1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert await idle.closed()
        with pytest.raises(ConnectionRefusedError):
            await stopping.get("/v1/models")
        go_on.set()
        for (way, stream_), wire in zip(ASKED, wires, strict=True):
            answer = await wire.answer()
            assert (answer.status, answer.whole) == (200, True)
            if stream_:
                assert ended(way, answer)
                assert streamed_text(way, answer.body) == "one + two"
        await stopping.stopped
    assert [record["outcome"] for record in stopping.records()] == ["completed"] * len(ASKED)
    assert not [line for line in stopping.logs.lines if line["level"] in {"error", "critical"}]


async def test_longer_ones_are_told(stopping: House, caplog: pytest.LogCaptureFixture) -> None:
    async def play(peer: Peer) -> None:
        if peer.json["stream"]:
            await peer.head()
            await peer.chunk(piece(peer.kind, "one"))
        await peer.hang()

    stopping.models.play = play
    async with contextlib.AsyncExitStack() as stack:
        wires = await begun(stopping, stack, ASKED)
        started = asyncio.get_running_loop().time()
        os.kill(os.getpid(), signal.SIGTERM)
        for (way, stream_), wire in zip(ASKED, wires, strict=True):
            answer = await wire.answer()
            if stream_:
                check_told(way, answer)
            else:
                assert (answer.status, answer.header("retry-after")) == (503, "1")
                assert "Homeport is stopping" in error_text(way, answer)
        await stopping.stopped
        assert asyncio.get_running_loop().time() - started < 0.4 + 2
    assert {record["error_code"] for record in stopping.records()} == {"unavailable"}
    assert [record.levelname for record in caplog.records if record.name == "uvicorn.error"] == ["WARNING"]
    assert len(stopping.records()) == len(ASKED)
    await eventually(lambda: all(peer.closed.is_set() for peer in stopping.models.heard))


def check_told(way: Way, answer: Answer) -> None:
    assert answer.status == 200
    assert streamed_text(way, answer.body) == "one"
    assert answer.whole is (way.style == "lines")
    assert way.style == "lines" or not ended(way, answer)
    if way.style == "lines":
        assert lines(answer.body)[-1]["data"]["retryable"] is True
    if way.style == "sse":
        assert sse(answer.body)[-1][1]["code"] == "unavailable"
    if way.style in TOLD:
        assert last_failure(way, answer.body)[1] == "unavailable"


async def test_when_it_has_stopped_everybody_was_told(stopping: House) -> None:
    """What is not done by then never is: the process ends."""

    async def play(peer: Peer) -> None:
        await peer.hang()

    stopping.models.play = play
    async with contextlib.AsyncExitStack() as stack:
        await begun(stopping, stack, ASKED)
        os.kill(os.getpid(), signal.SIGTERM)
        await stopping.stopped
        assert not stopping.server.server_state.tasks
        assert len(stopping.records()) == len(ASKED)


async def test_those_in_the_queue_are_told(stopping: House) -> None:
    async def play(peer: Peer) -> None:
        await peer.hang()

    stopping.models.play = play
    stopping.limit(concurrency=1)
    way: Any = WAYS[0]
    async with contextlib.AsyncExitStack() as stack:
        await begun(stopping, stack, [(way, False)])
        waiting = asyncio.create_task(stopping.post(way.path, way.plain))
        await eventually(lambda: stopping.capacity.queued() == 1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert (await waiting).status == 503
        await stopping.stopped
    assert len(stopping.models.heard) == 1
    assert len(stopping.records()) == 2

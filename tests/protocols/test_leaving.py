"""A client that leaves ends the work for it at once, whatever is being done, and whoever leaves, leaves one line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from blackhole import black_hole, connecting_to
from departures import ENDS, PATIENT, hang, leave
from house import FIM, WORDS, asking, eventually
from script import piece
from script import stream as whole_stream
from ways import ASKED, STREAMED, WAYS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from house import House
    from script import Peer
    from ways import Way

MOST_S = 5.0
"""A tenth of what would end a request anyway, and much for a busy machine; it takes milliseconds."""
each_end = pytest.mark.parametrize("end", ENDS)


@pytest.fixture
def patient(house: House) -> House:
    """A house whose own limits never interfere."""
    house.limit(**PATIENT)
    return house


async def gone(house: House, phase: str, number: int) -> None:
    """The request has its one line, which says when the client left; its seat is free."""
    await eventually(house.quiet)
    record = house.records()[number]
    assert (record["outcome"], record["phase"]) == ("client_closed", phase)
    assert record["status_code"] == (200 if phase == "streaming" else 499)
    assert len(house.records()) == number + 1
    assert not [line for line in house.logs.lines if line["logger"] != "api.access"]


async def head_then_hang(peer: Peer) -> None:
    await peer.head()
    await peer.hang()


async def piece_then_hang(peer: Peer) -> None:
    await peer.head()
    await peer.chunk(piece(peer.kind, "one"))
    await peer.hang()


async def half_a_document(peer: Peer) -> None:
    await peer.head(200, "application/json", content_length=1000)
    await peer.write(b'{"choices": [')
    await peer.hang()


async def talk_on(peer: Peer) -> None:
    await peer.head()
    while not peer.closed.is_set():
        await peer.chunk(piece(peer.kind, "one\n"))
        await asyncio.sleep(0.001)


CASES: dict[str, tuple[Callable[[Peer], Awaitable[None]], str, tuple[bool, ...]]] = {
    "before the head": (hang, "waiting", (False, True)),
    "before the first token": (head_then_hang, "waiting", (False, True)),
    "in a document": (half_a_document, "waiting", (False,)),
    "after the first token": (piece_then_hang, "streaming", (True,)),
    "in a busy stream": (talk_on, "streaming", (True,)),
}


@each_end
@pytest.mark.parametrize("case", CASES)
async def test_upstream_is_closed_when_the_client_leaves(
    patient: House, case: str, end: str, record_property: Any
) -> None:
    patient.models.play, phase, kinds = CASES[case]
    took: list[float] = []
    for number, (way, stream) in enumerate((way, stream) for way, stream in ASKED if stream in kinds):
        async with patient.line() as wire:
            await wire.send(asking("POST", way.path, way.body(stream)))
            peer = await patient.models.next(number + 1)
            if phase == "streaming":
                await wire.head()
                await wire.chunk()
            await asyncio.sleep(0.002)
            left = leave(wire, end)
            await asyncio.wait_for(peer.closed.wait(), MOST_S)
        took.append(peer.closed_at - left)
        await gone(patient, phase, number)
    record_property("slowest_ms", round(max(took) * 1000, 2))
    assert max(took) < MOST_S


@pytest.mark.parametrize("size", [60_000, 300_000, 1_000_000, 4_000_000])
@pytest.mark.parametrize("case", ["before the head", "after the first token"])
async def test_long_request_does_not_hide_that_its_client_leaves(patient: House, case: str, size: int) -> None:
    """Reading, which pauses while a long body waits to be taken, goes on once it is whole."""
    patient.models.play, phase, kinds = CASES[case]
    asked = [(way, stream) for way, stream in ASKED if stream in kinds]
    for number, (way, stream) in enumerate((*asked[:2], *asked[-1:])):
        body = json.dumps(way.body(stream)).encode()
        async with patient.line() as wire:
            await wire.send(asking("POST", way.path, body.ljust(size)))
            peer = await patient.models.next(number + 1)
            if phase == "streaming":
                await wire.head()
                await wire.chunk()
            leave(wire, ENDS[number])
            await asyncio.wait_for(peer.closed.wait(), MOST_S)
        await gone(patient, phase, number)


@each_end
async def test_leaving_the_queue(patient: House, end: str) -> None:
    patient.limit(concurrency=1)
    patient.models.play = hang
    async with contextlib.AsyncExitStack() as stack:
        for model, way in (("fim-model", WAYS[2]), ("words-model", WAYS[0])):
            seated = await stack.enter_async_context(patient.line())
            await seated.send(asking("POST", way.path, way.plain | {"model": model}))
        await patient.models.next(2)
        # text without a suffix is served by the model of code completion too
        for way, stream in ASKED:
            async with patient.line() as wire:
                await wire.send(asking("POST", way.path, way.body(stream)))
                await eventually(lambda: patient.capacity.queued() == 1)
                left = leave(wire, end)
                await eventually(lambda: patient.capacity.queued() == 0)
                assert time.perf_counter() - left < MOST_S
        await eventually(lambda: len(patient.records()) == len(ASKED))
        assert {(each["outcome"], each["phase"], each["queued"]) for each in patient.records()} == {
            ("client_closed", "waiting", 1)
        }
        assert len(patient.models.heard) == 2
        assert patient.capacity.running(patient.snapshot.models[FIM]) == 1
        assert patient.capacity.running(patient.snapshot.models[WORDS]) == 1


@each_end
async def test_leaving_while_connecting(patient: House, end: str) -> None:
    with black_hole() as port:
        idle = connecting_to(port)
        lead_to(patient, f"http://127.0.0.1:{port}/v1")
        for number, (way, stream) in enumerate(ASKED[::2]):
            async with patient.line() as wire:
                await wire.send(asking("POST", way.path, way.body(stream)))
                await eventually(lambda: patient.asked == number + 1)  # noqa: B023 (awaited before the next round)
                await eventually(lambda: connecting_to(port) == idle + 1)
                left = leave(wire, end)
                await eventually(lambda: connecting_to(port) == idle)
                assert time.perf_counter() - left < MOST_S
            await gone(patient, "waiting", number)


def lead_to(house: House, endpoint: str) -> None:
    """Let every model be at another address."""
    models = house.snapshot.models.values()
    house.snapshot = house.snapshot.with_models(*(replace(each, endpoint=endpoint) for each in models))


@each_end
async def test_leaving_in_the_handshake(patient: House, end: str) -> None:
    """A model server that takes the connection and says nothing to the offer of TLS."""
    silent = Silent()
    listener = await asyncio.get_running_loop().create_server(lambda: silent, "127.0.0.1", 0)
    async with listener:
        lead_to(patient, f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1")
        for number, (way, stream) in enumerate(ASKED[::4]):
            async with patient.line() as wire:
                await wire.send(asking("POST", way.path, way.body(stream)))
                await asyncio.wait_for(silent.offered.wait(), 5)
                left = leave(wire, end)
                await asyncio.wait_for(silent.gone.wait(), MOST_S)
                assert time.perf_counter() - left < MOST_S
            await gone(patient, "waiting", number)
            silent.offered.clear()
            silent.gone.clear()


class Silent(asyncio.Protocol):
    """The side of a connection that never answers."""

    def __init__(self) -> None:
        self.offered, self.gone = asyncio.Event(), asyncio.Event()

    def data_received(self, data: bytes) -> None:
        assert data.startswith(b"\x16\x03")  # a handshake
        self.offered.set()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.gone.set()


@each_end
async def test_leaving_while_a_name_is_looked_up(patient: House, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    class Loop:
        """The loop, but for name servers that do not answer."""

        def __getattr__(self, name: str) -> Any:
            return getattr(asyncio.get_running_loop(), name)

        async def getaddrinfo(self, *_: Any, **__: Any) -> None:
            asked.set()
            await answered.wait()

    monkeypatch.setattr(patient.transport, "_loop", Loop())
    lead_to(patient, "http://models.example/v1")
    for number, (way, stream) in enumerate(ASKED[::4]):
        async with patient.line() as wire:
            await wire.send(asking("POST", way.path, way.body(stream)))
            await asyncio.wait_for(asked.wait(), 5)
            left = leave(wire, end)
            await eventually(patient.quiet)
            assert time.perf_counter() - left < MOST_S
        await gone(patient, "waiting", number)
        asked.clear()


@each_end
async def test_leaving_in_the_middle_of_the_body(patient: House, end: str) -> None:
    for number, (way, stream) in enumerate(ASKED):
        body = json.dumps(way.body(stream)).encode()
        async with patient.line() as wire:
            await wire.send(asking("POST", way.path, body)[:-5])
            await eventually(lambda: patient.asked == number + 1)  # noqa: B023 (awaited before the next round)
            leave(wire, end)
        await gone(patient, "admitting", number)
    assert not patient.models.heard


@each_end
async def test_leaving_with_more_requests_under_way(patient: House, end: str) -> None:
    """What a client sent ahead does not hide that it left, and is never begun."""
    patient.models.play = hang
    way = WAYS[0]
    async with patient.line() as wire:
        await wire.send(asking("POST", way.path, way.plain) * 3)
        peer = await patient.models.next()
        leave(wire, end)
        await asyncio.wait_for(peer.closed.wait(), MOST_S)
    await gone(patient, "waiting", 0)
    assert len(patient.models.heard) == 1


async def test_leaving_just_after_the_end_is_no_leaving(patient: House) -> None:
    for way, stream in ASKED:
        await patient.post(way.path, way.body(stream))
    await eventually(patient.quiet)
    assert {record["outcome"] for record in patient.records()} == {"completed"}


@each_end
@pytest.mark.parametrize("marked", [True, False], ids=["after the end mark", "before it"])
async def test_leaving_with_the_whole_answer_is_no_leaving(patient: House, end: str, *, marked: bool) -> None:
    """Editors close at the end mark, while the model server's connection is still read to its end."""

    async def play(peer: Peer) -> None:
        *most, done = whole_stream(peer.kind, ["one", "two"])
        await peer.head()
        await peer.events([*most, done] if marked else most)
        await peer.hang()

    patient.models.play = play
    for number, way in enumerate(way for way in STREAMED if way.relay):
        async with patient.line() as wire:
            await wire.send(asking("POST", way.path, way.streaming))
            await wire.head()
            seen = b""
            while (b"[DONE]" if marked else b'"stop"') not in seen:
                seen += await wire.chunk()
            leave(wire, end)
            await eventually(patient.quiet)
        record = patient.records()[number]
        assert record["outcome"] == ("completed" if marked else "client_closed")
        assert record["status_code"] == 200
        assert not marked or record["answer_tokens"] == 3


async def test_the_next_in_the_queue_gets_the_seat(patient: House) -> None:
    patient.limit(concurrency=1)
    patient.models.play = hang
    way = WAYS[0]
    async with patient.line() as first:
        await first.send(asking("POST", way.path, way.plain))
        await patient.models.next()
        patient.models.play = patient.models.behave
        waiting = asyncio.create_task(patient.post(way.path, way.plain))
        await eventually(lambda: patient.capacity.queued() == 1)
        leave(first, "reset")
        assert (await waiting).status == 200


async def test_a_full_queue_and_a_long_wait_are_said_at_once(house: House) -> None:
    house.limit(concurrency=1, queue=1, queue_s=0.3, first_token_s=30)
    house.models.play = hang
    way = WAYS[0]
    other = next(each for each in WAYS if each.name == "gitlab v4 generation")
    async with house.line() as first:
        await first.send(asking("POST", way.path, way.plain))
        await house.models.next()
        waiting = asyncio.create_task(house.post(way.path, way.plain))
        await eventually(lambda: house.capacity.queued() == 1)
        full = await house.post(other.path, other.plain)
        assert (full.status, full.header("retry-after")) == (429, "1")
        assert "1 requests already wait" in full.json["detail"][0]["msg"]
        late = await waiting
        assert (late.status, late.header("retry-after")) == (503, "1")
        assert late.json["error"]["code"] == "upstream_overloaded"
        assert "no turn came" in late.json["error"]["message"]
        assert len(house.models.heard) == 1


@pytest.fixture
def flood(patient: House) -> Iterator[House]:
    """Model servers that send as fast as they are read."""

    async def play(peer: Peer) -> None:
        await peer.head()
        event = piece(peer.kind, "x" * 1000 + "\n")
        while not peer.closed.is_set():
            await peer.chunk(event * 8)

    patient.models.play = play
    yield patient
    patient.models.play = patient.models.behave


@pytest.mark.parametrize(
    "way", [way for way in STREAMED if way.style != "sse" or "generation" in way.name], ids=lambda way: way.name
)
async def test_slow_reader_stalls_only_itself(flood: House, way: Way) -> None:
    async with flood.line(receive_buffer=4096) as wire:
        await wire.send(asking("POST", way.path, way.streaming))
        peer = await flood.models.next()
        await settled(peer)
        (connection,) = flood.server.server_state.connections
        assert connection.transport.get_write_buffer_size() < 128 * 1024
        assert sum(each._size for each in flood.transport._busy) < 64 * 1024  # noqa: SLF001 (what waits in memory)
        flood.models.play = flood.models.behave
        started = asyncio.get_running_loop().time()
        assert (await flood.post(WAYS[0].path, WAYS[0].streaming)).status == 200
        assert asyncio.get_running_loop().time() - started < 5
        leave(wire, "reset")
        await asyncio.wait_for(peer.closed.wait(), MOST_S)


async def settled(peer: Peer) -> None:
    """Wait until the model server can send no more: nobody reads it."""
    async with asyncio.timeout(30):
        while True:
            before = peer.accepted
            await asyncio.sleep(0.05)
            if before and peer.accepted == before:
                return


async def test_slow_reader_goes_on_where_it_stopped(flood: House) -> None:
    way = WAYS[0]
    async with flood.line(receive_buffer=4096) as wire:
        await wire.send(asking("POST", way.path, way.streaming))
        peer = await flood.models.next()
        await settled(peer)
        before = peer.accepted
        await wire.head()
        seen = 0
        while seen < before:
            seen += len(await wire.chunk())
        await eventually(lambda: peer.accepted > before)
        leave(wire, "fin")


async def test_nothing_is_left_after_many_leave(patient: House) -> None:
    """Tasks, connections and seats are as they were."""
    await patient.post(WAYS[0].path, WAYS[0].plain)
    await eventually(lambda: not patient.server.server_state.connections)
    before = len(asyncio.all_tasks())
    patient.models.play = talk_on
    for _ in range(3):
        async with contextlib.AsyncExitStack() as stack:
            for way in STREAMED:
                wire = await stack.enter_async_context(patient.line())
                await wire.send(asking("POST", way.path, way.streaming))
            await patient.models.next(len(STREAMED))
    await eventually(patient.quiet)
    await eventually(lambda: not patient.transport._busy)  # noqa: SLF001 (connections in use)
    await eventually(lambda: len(asyncio.all_tasks()) <= before)
    assert not patient.server.server_state.connections

"""How long the work for a client goes on after it left, for every way to ask and every phase of a request."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from blackhole import black_hole
from house import asking, eventually, opened
from script import piece
from ways import WAYS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from house import House
    from script import Peer
    from ways import Way
    from wire import Line

    Times = dict[tuple[str, str], list[float]]

SYN_SENT = 2
ENDS = ("fin", "reset", "half-close")
PATIENT = {"connect_s": 30, "first_token_s": 30, "idle_s": 30, "total_s": 60, "queue_s": 30}
PHASES = ("queued", "connecting", "waiting for the first token", "streaming", "not streamed")


async def hang(peer: Peer) -> None:
    """Say nothing."""
    await peer.hang()


async def begin(peer: Peer) -> None:
    """Say something, and no more."""
    await peer.head()
    await peer.chunk(piece(peer.kind, "one\n" * 5))
    await peer.hang()


def leave(wire: Line, end: str) -> float:
    """Go away; gives the time."""
    if end == "half-close":
        wire.writer.write_eof()
    else:
        wire.leave(reset=end == "reset")
    return time.perf_counter()


async def _gone(true: Callable[[], bool]) -> float:
    """The time at which it is so."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 (there is no event, and the exact moment is wanted)
            await asyncio.sleep(0)
    return time.perf_counter()


@contextlib.asynccontextmanager
async def _asked(house: House, way: Way, *, stream: bool) -> AsyncIterator[Line]:
    async with house.line() as wire:
        await wire.send(asking("POST", way.path, way.body(stream)))
        yield wire
    await eventually(house.quiet)


async def _at_the_server(house: House, way: Way, end: str, *, stream: bool, begun: bool) -> float:
    """From leaving to the model server's seeing its connection end."""
    house.models.play = begin if begun else hang
    house.models.heard.clear()
    async with _asked(house, way, stream=stream) as wire:
        peer = await house.models.next()
        if begun:
            await wire.head()
            await wire.chunk()
        left = leave(wire, end)
        await asyncio.wait_for(peer.closed.wait(), 30)
    return peer.closed_at - left


async def _connecting(house: House, way: Way, end: str) -> float:
    """From leaving to the end of the attempt to connect."""
    before = house.snapshot
    with black_hole() as port:
        idle, gone = _connecting_now(), f"http://127.0.0.1:{port}/v1"
        house.snapshot = before.with_models(*(replace(each, endpoint=gone) for each in before.models.values()))
        async with _asked(house, way, stream=way.streams[-1]) as wire:
            await eventually(lambda: len(_connecting_now()) == len(idle) + 1)
            (its,) = _connecting_now().items() - idle.items()
            left = leave(wire, end)
            took = await _gone(lambda: _what_is(its[0]) != its[1]) - left
    house.snapshot = before
    return took


def _what_is(descriptor: str) -> str:
    """What a descriptor of this process stands for; empty for none."""
    with contextlib.suppress(OSError):
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    return ""


def _connecting_now() -> dict[str, str]:
    """Descriptors of this process's sockets that try to connect; the kernel's own list takes too long to read."""
    return {
        name: what
        for name in os.listdir("/proc/self/fd")  # noqa: PTH208 (names)
        if (what := _what_is(name)).startswith("socket:") and _state(int(name)) == SYN_SENT
    }


def _state(descriptor: int) -> int:
    """The state of a TCP connection; -1 for other sockets."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as sock:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return -1


async def _queued(house: House, way: Way, end: str) -> float:
    """From leaving to the place in the queue's being free."""
    house.models.play = hang
    house.models.heard.clear()
    before = house.snapshot
    house.limit(concurrency=1)
    request = asking("POST", way.path, way.body(way.streams[-1]))
    async with house.line() as seated, house.line() as wire:
        await seated.send(request)
        await house.models.next()
        await wire.send(request)
        await eventually(lambda: house.capacity.queued() == 1)
        left = leave(wire, end)
        took = await _gone(lambda: house.capacity.queued() == 0) - left
    await eventually(house.quiet)
    house.snapshot = before
    return took


def _phases(house: House, way: Way) -> dict[str, Callable[[str], Awaitable[float]]]:
    """How each phase is measured; not everyone has all."""
    server = {
        "waiting for the first token": (True, False),
        "streaming": (True, True),
        "not streamed": (False, False),
    }
    found: dict[str, Callable[[str], Awaitable[float]]] = {
        "queued": lambda end: _queued(house, way, end),
        "connecting": lambda end: _connecting(house, way, end),
    }
    for phase, (stream, begun) in server.items():
        if stream in way.streams:
            found[phase] = lambda end, s=stream, b=begun: _at_the_server(house, way, end, stream=s, begun=b)
    return found


async def measure(rounds: int) -> Times:
    """Seconds for each way and phase; the client leaves now with a FIN, now with a reset, now by half."""
    times: Times = {}
    async with opened() as house:
        house.limit(**PATIENT)
        for number in range(rounds):
            for way in WAYS:
                for phase, take in _phases(house, way).items():
                    times.setdefault((way.name, phase), []).append(await take(ENDS[number % 3]))
            house.records()
            house.asked = 0
            house.logs.lines.clear()
    return times


def percentile(times: list[float], share: float) -> float:
    """The nearest rank, in milliseconds."""
    return sorted(times)[math.ceil(len(times) * share) - 1] * 1000


def table(times: Times) -> str:
    """What was measured, in Markdown: p50 / p99 / max in milliseconds."""
    head = [f"| way to ask | {' | '.join(PHASES)} |", f"| --- |{' --- |' * len(PHASES)}"]
    names = dict.fromkeys(name for name, _ in times)
    everyone = {phase: [t for (_, p), each in times.items() if p == phase for t in each] for phase in PHASES}
    rows = [[name, *(_cell(times.get((name, phase), [])) for phase in PHASES)] for name in names]
    rows.append(["**all**", *(_cell(everyone[phase]) for phase in PHASES)])
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])


def _cell(times: list[float]) -> str:
    if not times:
        return "-"
    return f"{percentile(times, 0.5):.1f} / {percentile(times, 0.99):.1f} / {max(times) * 1000:.1f}"

"""Many clients at once in front of model servers that fail at random: what may happen, and what is left afterwards.

Everything that can be wrong is drawn with a seed: what a server does (`faults.py`), which clients leave and when,
and which ask for what cannot be. Two replicas and a fallback serve every feature.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faults import AFTER, ALL, CANARY, EARLY, LATE, huge_chunk, late
from house import LIMITS, asking, eventually, opened
from script import ModelServer
from ways import ASKED, WAYS, ended, error_text, lines, text_of
from wire import PATIENCE_S

from homeport.domain.models import FeatureSetting
from homeport.routing.budget import AT_FIRST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from faults import Play
    from house import House
    from script import Peer
    from ways import Way
    from wire import Answer, Line

FEATURES = ("chat", "code_completions", "code_generations")
FINE = frozenset(("one + two", ALL))
"""Texts of whole answers; those that break off begin otherwise."""
REFUSALS = frozenset((400, 421, 429, 502, 503, 504))
"""Statuses that tell of a model server's failure in any protocol; an answer of 500 would be a bug."""
MOODS = (0.1, 0.5, 0.9)
"""How often a server fails, for some time."""
MOOD_LASTS = 100
LEAVING, WRONG = 0.25, 0.1
"""Shares of clients that leave, and of those whose request cannot be served."""
MB = 2**20
AMPLIFICATION = 1.2
GROWTH_MB = 8.0
"""So much more memory may the second half of the faults take than the first: the allocator's own coming and going."""
WARM = 2000
"""Faults after which the first half has seen everything once."""
BRIEF = replace(
    LIMITS, connect_s=0.4, first_token_s=0.4, idle_s=0.4, total_s=4.0, queue_s=1.0, concurrency=12, queue=12
)


@dataclass(kw_only=True)
class Report:
    """What was done, and what came of it."""

    seed: int
    clients: int
    requests: int = 0
    """That Homeport took in."""
    served: int = 0
    """Of them, those that were meant for a model server."""
    attempts: int = 0
    """That the model servers heard."""
    injected: Counter[str] = field(default_factory=Counter)
    """Faults, by who was at fault: a server early, late or after its answer; a client that left; a wrong request."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """From the lines of the log."""
    seen: Counter[str] = field(default_factory=Counter)
    """What clients that stayed got."""
    seconds: float = 0.0
    recovered_s: float = 0.0
    """Until every way to ask was served again, once the servers behaved."""
    before: dict[str, int] = field(default_factory=dict)
    """Descriptors, tasks and connections before the first fault …"""
    left: dict[str, int] = field(default_factory=dict)
    """… and after the last."""
    memory_mb: tuple[float, float] = (0.0, 0.0)
    """Half way, and at the end."""

    @property
    def injections(self) -> int:
        """All faults."""
        return sum(self.injected.values())

    @property
    def amplification(self) -> float:
        """Requests that went out for each that came in; what the budget has at first is not counted."""
        return max(0.0, self.attempts - AT_FIRST * len(FEATURES)) / self.served


class Storm:
    """One run."""

    def __init__(self, house: House, servers: list[ModelServer], goal: int, report: Report) -> None:
        self.house, self.servers, self.goal, self.report = house, servers, goal, report
        self.random = random.Random(report.seed)  # noqa: S311 (to be repeated, not to be secret)
        self.problems: list[str] = []
        self._half = 0.0

    def furnish(self) -> None:
        """Two replicas and a fallback for every feature."""
        names = ("one", "two", "spare")
        models = [
            self.house.model(name, family="qwen_coder", endpoint=server.url, limits=BRIEF)
            for name, server in zip(names, self.servers, strict=True)
        ]
        route = {"assignment": "model", "model": "one", "weights": {"two": 1}, "fallbacks": ("spare",)}
        settings = {name: FeatureSetting(feature=name, **route) for name in FEATURES}
        self.house.snapshot = replace(
            self.house.snapshot, models={model.name: model for model in models}, features=settings
        )
        for server in self.servers:
            server.play = self._mood(server)

    def _mood(self, server: ModelServer) -> Play:
        """A server that fails now often, now rarely."""
        state = {"left": 0, "share": 0.0}

        async def play(peer: Peer) -> None:
            self.report.attempts += 1
            if not state["left"]:
                state.update(left=MOOD_LASTS, share=self.random.choice(MOODS))
            state["left"] -= 1
            if self.random.random() < state["share"]:
                await self._fault(peer)
            else:
                await server.behave(peer)

        return play

    async def _fault(self, peer: Peer) -> None:
        kinds: dict[str, list[tuple[str, Play]]] = {
            "early": [(name, play) for name, (play, _) in EARLY.items()] + [("huge chunk", huge_chunk)],
            "late": [(name, late(name)) for name in LATE] if peer.json["stream"] else [],
            "after": list(AFTER.items()),
        }
        kind = self.random.choice([name for name, plays in kinds.items() if plays])
        self.report.injected[kind] += 1
        await self.random.choice(kinds[kind])[1](peer)

    async def blow(self) -> None:
        """Until there were enough faults; raises the first thing that must not be."""
        async with asyncio.TaskGroup() as clients:
            for _ in range(self.report.clients):
                clients.create_task(self._client())
            clients.create_task(self._watch())

    async def _client(self) -> None:
        while self.report.injections < self.goal:
            way, stream = self.random.choice(ASKED)
            draw = self.random.random()
            if draw < WRONG:
                await self._wrong(way)
            elif draw < WRONG + LEAVING:
                await self._leave(way, stream=stream)
            else:
                await self._stay(way, stream=stream)

    async def _watch(self) -> None:
        """Take in the log as it grows, and the memory half way."""
        while self.report.injections < self.goal:
            await asyncio.sleep(0.2)
            self.drain()
            if not self._half and self.report.injections > self.goal / 2:
                self._half = memory_mb()

    async def _stay(self, way: Way, *, stream: bool) -> None:
        self.report.served += 1
        answer = await self.house.post(way.path, way.body(stream))
        self.report.seen[self._judge(way, answer, stream=stream)] += 1

    def _judge(self, way: Way, answer: Answer, *, stream: bool) -> str:
        """What a client that stayed takes its answer for; raises AssertionError for what must not be."""
        said = answer.body.decode()
        assert CANARY not in said, said
        if answer.status != 200:
            assert answer.status in REFUSALS, (way.name, answer)
            assert answer.whole, (way.name, answer)
            assert str(answer.header("x-request-id")) in error_text(way, answer)
            return f"error {answer.status}"
        if way.style == "lines" and lines(answer.body)[-1]["type"] == "error":
            return "told in the stream"
        if not answer.whole:
            assert way.style == "raw" or not ended(way, answer), (way.name, answer)
            return "visibly broken"
        assert not stream or ended(way, answer), (way.name, answer)
        text = text_of(way, answer, stream=stream)
        assert text in FINE, (way.name, text)
        return "whole"

    async def _leave(self, way: Way, *, stream: bool) -> None:
        """Go away at some time, somehow."""
        self.report.injected["left"] += 1
        end = self.random.choice(("fin", "reset", "half-close"))
        async with self.house.line() as wire:
            if await self._until(wire, asking("POST", way.path, way.body(stream))):
                self.report.served += 1
            if end == "half-close":
                wire.writer.write_eof()
                with contextlib.suppress(ConnectionError):
                    await asyncio.wait_for(wire.reader.read(), PATIENCE_S)
            else:
                wire.leave(reset=end == "reset")

    async def _until(self, wire: Line, request: bytes) -> bool:
        """Wait until some time in a request's life; whether it was sent whole."""
        when = self.random.choice(("in its body", "at once", "soon", "with the head", "with the first piece"))
        if when == "in its body":
            await wire.send(request[: -self.random.randint(1, 20)])
            return False
        await wire.send(request)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            if when == "soon":
                await asyncio.sleep(self.random.random() / 10)
            elif when != "at once":
                await wire.head()
                await (wire.reader.read(1) if when == "with the first piece" else asyncio.sleep(0))
        return True

    async def _wrong(self, way: Way) -> None:
        """Ask for what cannot be: that is the caller's mistake, whatever the servers do."""
        self.report.injected["wrong"] += 1
        body = json.dumps(way.plain).encode()
        answer: Answer = await self.random.choice(
            (
                lambda: self.house.post(way.path, body[:-1]),
                lambda: self.house.post(way.path, body, token="hp_wrong"),
                lambda: self.house.post(way.path, b"[" * 1000),
                lambda: self.house.post(way.path, b"\xff" + body),
                lambda: self.house.post(way.path, b"7"),
                lambda: self.house.post("/nowhere" + way.path, body),
                lambda: self.house.ask("DELETE", way.path),
                lambda: self.house.post(way.path, body, Content_Encoding="gzip"),
                lambda: self.house.post(way.path, body, Content_Length="99999999"),
            )
        )()
        assert 400 <= answer.status < 500, (way.name, answer)
        self.report.seen["told a mistake"] += 1

    def drain(self) -> None:
        """Count the lines of the log, and forget them."""
        records = self.house.records()
        self.report.requests += len(records)
        self.house.asked -= len(records)
        self.report.outcomes.update(record["outcome"] for record in records)
        assert len({record["correlation_id"] for record in records}) == len(records)
        logged = self.house.logs.lines
        self.problems += [str(line) for line in logged if line["level"] in {"error", "critical"}]
        logged.clear()
        for server in self.servers:
            server.heard[:] = [peer for peer in server.heard if not peer.closed.is_set()]

    async def calm(self) -> None:
        """Wait until nothing goes on, and take in what is left; then let the servers behave."""
        await eventually(self.house.quiet)
        self.drain()
        self.report.memory_mb = (self._half or memory_mb(), memory_mb())
        for server in self.servers:
            server.play = server.behave
        began = time.perf_counter()
        for way in WAYS:
            await eventually(_served(self.house, way))
        self.report.recovered_s = time.perf_counter() - began
        drop_kept(self.house)
        with contextlib.suppress(TimeoutError):
            await eventually(lambda: no_more(counted(self.house), self.report.before), seconds=15)


def _served(house: House, way: Way) -> Callable[[], bool]:
    """Whether a request is answered now; each look asks once."""
    state: dict[str, Any] = {"task": None}

    def look() -> bool:
        task = state["task"]
        if task is None or (task.done() and task.result().status != 200):
            state["task"] = asyncio.get_running_loop().create_task(house.post(way.path, way.plain))
            return False
        return bool(task.done())

    return look


def memory_mb() -> float:
    """Resident memory of this process, which holds Homeport, its clients and the model servers."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB


def counted(house: House) -> dict[str, int]:
    """What must be as it was."""
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 (a count, nothing of each)
        "tasks": len(asyncio.all_tasks()),
        "connections of clients": len(house.server.server_state.connections),
        "connections to servers": len(house.transport._busy),  # noqa: SLF001 (connections in use)
        "seats": sum(house.capacity.running(model) for model in house.snapshot.models.values()),
        "in the queue": house.capacity.queued(),
    }


def drop_kept(house: House) -> None:
    """Close the connections that are kept for a next request, sooner than after their four seconds."""
    for wires in house.transport._idle.values():  # noqa: SLF001 (they are nobody's)
        for wire in wires:
            wire.transport.abort()
    house.transport._idle.clear()  # noqa: SLF001 (the same)


def no_more(left: dict[str, int], before: dict[str, int]) -> bool:
    """Whether nothing is left over; what others had open before may have gone meanwhile."""
    return all(count <= before[what] for what, count in left.items())


@contextlib.asynccontextmanager
async def _rooms() -> AsyncIterator[tuple[House, list[ModelServer]]]:
    async with opened() as house, contextlib.AsyncExitStack() as stack:
        more = [await stack.enter_async_context(ModelServer().listening()) for _ in range(2)]
        yield house, [house.models, *more]


async def storm(injections: int, *, clients: int = 48, seed: int = 1) -> Report:
    """So many faults; raises AssertionError, TimeoutError or a group of them for what must not be."""
    report = Report(seed=seed, clients=clients)
    unhandled: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unhandled.append(str(context)))
    async with _rooms() as (house, servers):
        run = Storm(house, servers, injections, report)
        run.furnish()
        await house.post(WAYS[0].path, WAYS[0].plain)
        report.attempts = report.served = 0
        report.injected.clear()
        await _settled(house, servers)
        gc.collect()
        report.before = counted(house)
        began = time.perf_counter()
        await run.blow()
        report.seconds = time.perf_counter() - began
        await run.calm()
        report.left = counted(house)
    assert not run.problems, run.problems[:3]
    assert not unhandled, unhandled[:3]
    return report


async def _settled(house: House, servers: list[ModelServer]) -> None:
    await eventually(house.quiet)
    drop_kept(house)
    await eventually(lambda: not house.server.server_state.connections)
    await eventually(lambda: not any(server._tasks for server in servers))  # noqa: SLF001 (the other ends of those)


def verdict(report: Report) -> list[str]:
    """What is not as it should be."""
    half, end = report.memory_mb
    warm = report.injections >= WARM
    checks = {
        f"amplification {report.amplification:.2f}": report.amplification <= AMPLIFICATION,
        f"memory grew by {end - half:.1f} MB": end - half <= GROWTH_MB or not warm,
        f"left over: {report.left}, before: {report.before}": no_more(report.left, report.before),
        f"recovered after {report.recovered_s:.1f} s": report.recovered_s <= 5,
    }
    return [what for what, good in checks.items() if not good]

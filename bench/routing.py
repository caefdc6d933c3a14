"""What routing, limits and health cost: CPU of one code completion with and without them, taken in turns.

    .venv/bin/python bench/routing.py

Three ways through the same endpoint of one process, on the request that the benchmark sends: straight to the model;
as Homeport serves one model (a seat, its health, its Retry-After); and as it serves a route of three models with a
fallback. The answer comes from memory: no sockets, no HTTP server, so that what is added has as little as possible
to hide behind. Rounds take the ways in turn; told are medians of the rounds, and ratios within a round with the 95 %
confidence interval of their median (bootstrap).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import random
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import machine
import uvloop
from targets import HERE
from typing_extensions import override

from homeport import app
from homeport.access import tokens
from homeport.access.gate import Gate
from homeport.domain.models import FeatureSetting, Model, Snapshot, Token
from homeport.features._capacity import Capacity
from homeport.kit.logs import Logs
from homeport.kit.metrics import Metrics
from homeport.kit.settings import load
from homeport.kit.upstream import Reply, Upstream
from homeport.protocols import _endpoint
from homeport.routing.health import Health, Pause

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from homeport.domain.streams import Chunks
    from homeport.features import Workbench
    from homeport.kit.upstream import Call

PATH, FEATURE = "/v2/code/completions", "code_completions"
ANSWER = (
    b'{"choices":[{"text":"return a + b","finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":5}}'
)
ROUNDS, TIMES = 400, 25
SAMPLES = 2000
LIMIT, OK = 1.10, 200
PEPPER, TOKEN = b"p" * 32, tokens.mint()


class Way(NamedTuple):
    """A way through the endpoint."""

    name: str
    bench: Workbench
    serve: Callable[..., Chunks]


class Canned(Upstream):
    """Answers at once, from memory."""

    @override
    async def open(self, call: Call) -> Reply:
        return _Whole()

    @override
    async def close(self) -> None:
        pass


class _Whole(Reply):
    status = 200

    @override
    def header(self, name: str) -> str:
        return ""

    @override
    async def read(self, limit: int) -> bytes:
        return ANSWER

    @override
    async def part(self) -> bytes:
        return b""

    @override
    def close(self) -> None:
        pass


class _Free:
    """A seat that is always free."""

    async def __aenter__(self) -> float:
        return 0.0

    async def __aexit__(self, *_: object) -> None:
        pass


class NoCapacity(Capacity):
    """Nobody is counted."""

    @override
    def seat(self, model: Model, *, gives_way: bool = False) -> Any:
        return _FREE


class NoHealth(Health):
    """Nothing is learned."""

    @override
    def pause(self, model: Model) -> Pause | None:
        return None

    @override
    def answered(self, model: Model, first_s: float = 0.0, *, completion: bool = False) -> None:
        pass


_FREE = _Free()


def straight(bench: Workbench, feature: str, wanted: Any) -> Chunks:  # noqa: ANN401 (as `serve`)
    """Without looking who else there is."""
    return bench.features[feature].run(bench, wanted)


def snapshot(*, route: bool) -> Snapshot:
    """Four models, of which one or all serve completions."""
    models = {
        name: Model(name=name, platform="openai", family="qwen_coder", endpoint="http://127.0.0.1:1/v1")
        for name in ("one", "two", "three", "spare")
    }
    setting = FeatureSetting(feature=FEATURE, assignment="model", model="one")
    if route:
        setting = replace(setting, weights={"one": 1, "two": 1, "three": 1}, fallbacks=("spare",))
    row = Token(name="t", owner="bench", scopes=frozenset({"complete_code"}))
    return Snapshot(models=models, features={FEATURE: setting}, tokens={tokens.digest(PEPPER, TOKEN): row})


def ways(bench: Workbench) -> list[Way]:
    """The three, with what each of them needs of its own."""
    plain, routed = snapshot(route=False), snapshot(route=True)
    usual = _endpoint.serve
    alone = replace(bench, snapshot=lambda: plain, capacity=Capacity(), health=Health())
    several = replace(alone, snapshot=lambda: routed, capacity=Capacity(), health=Health(), shares={})
    return [
        Way("straight", replace(alone, capacity=NoCapacity(), health=NoHealth()), straight),
        Way("one model", alone, usual),
        Way("a route of four", several, usual),
    ]


async def answered(message: dict[str, Any]) -> None:
    """A client that takes everything and wants an answer."""
    if message.get("status", OK) != OK:
        print(f"the answer was {message}")
        raise SystemExit(1)


async def measure(folder: Path, rounds: int, times: int) -> list[list[float]]:
    """Microseconds of CPU of one request, by round and way."""
    sys.set_asyncgen_hooks(firstiter=None)  # as the server does
    settings = load(metrics_port=-1, data_dir=folder)
    gate = Gate(lambda: snapshot(route=False), PEPPER)
    parts = app.Parts(snapshot=lambda: snapshot(route=False), gate=gate)
    made = app.build(settings, parts, Canned(), Metrics(), Logs(level="INFO", as_json=True, file=folder / "log"))
    known = snapshot(route=False)
    made.door.gate = Gate(lambda: known, PEPPER)
    taken = ways(made.door.bench)
    asked = json.loads((HERE / "requests" / "code.json").read_bytes())
    # the feature's setting decides, not the request
    body = json.dumps({name: value for name, value in asked.items() if not name.startswith("model_")}).encode()
    found: list[list[float]] = []
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)  # as the server does
    for number in range(rounds + 1):
        costs = [0.0] * len(taken)
        for at in sorted(range(len(taken)), key=lambda way: (way + number) % len(taken)):
            costs[at] = await cost(made, taken[at], body, times)
        if number:  # the first one warms up
            found.append(costs)
    return found


async def cost(made: app.Homeport, way: Way, body: bytes, times: int) -> float:
    """Microseconds of CPU of one request, among as many at once as under load."""
    made.door.bench, _endpoint.serve = way.bench, way.serve
    endpoint = made.routes[PATH]
    headers = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {TOKEN}".encode())]
    scope = {"type": "http", "method": "POST", "path": PATH, "query_string": b"", "http_version": "1.1"}
    scope |= {"headers": headers, "client": ("127.0.0.1", 1)}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    began = time.thread_time_ns()
    await asyncio.gather(*(endpoint(dict(scope), receive, answered) for _ in range(times)))
    spent = (time.thread_time_ns() - began) / times / 1000
    made.door.book.settle()
    return spent


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The median and the 95 % confidence interval of it."""
    draw = random.Random(0)  # noqa: S311 (no secret, and the same figures from the same rounds)
    found = sorted(median(draw.choices(values, k=len(values))) for _ in range(SAMPLES))
    return median(values), found[SAMPLES // 40], found[-SAMPLES // 40]


def table(found: Sequence[Sequence[float]], names: Sequence[str]) -> str:
    """The figures as Markdown."""
    lines = ["| way | µs CPU | of the straight way | 95 % |", "| --- | --- | --- | --- |"]
    for at, name in enumerate(names):
        middle, low, high = interval([costs[at] / costs[0] for costs in found])
        cpu = median(costs[at] for costs in found)
        lines.append(f"| {name} | {cpu:.1f} | {middle:.3f} | {low:.3f} to {high:.3f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and tell; status 1 when a way costs more than a tenth."""
    parser = argparse.ArgumentParser(prog="bench/routing.py", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--times", type=int, default=TIMES, help="requests of each way in a round")
    asked = parser.parse_args()
    os.sched_setaffinity(0, {machine.cores()[0]})
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.suppress(KeyboardInterrupt),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        screen, sys.stderr = sys.stderr, (Path(folder) / "screen").open("w")
        found = runner.run(measure(Path(folder), asked.rounds, asked.times))
        sys.stderr = screen
    print(table(found, ("straight", "one model", "a route of four")))
    print(f"\n{machine.describe()}; load average {machine.load_average()}; {asked.rounds} rounds of {asked.times}")
    over = any(interval([costs[at] / costs[0] for costs in found])[0] > LIMIT for at in (1, 2))
    raise SystemExit(int(over))


if __name__ == "__main__":
    main()

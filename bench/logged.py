"""A request log full of made-up requests: thirty days of two thousand people, written past the program in big bites.

Everything that the program would have written is there: kinds, requests, sums of hours and days. What fails, fails
with one of four hundred texts; everybody has a few languages; a few people ask most of it.
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import asyncpg
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex

from homeport.domain.entries import Entry, Phases, Traits
from homeport.store.log_rows import DAY, HOUR, Draft, Row, Rows
from homeport.store.log_sums import days, of_what_is_there
from homeport.store.log_tables import endings, kinds, origins, requests, usage, usage_kinds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Table

DAYS, USERS, TEAMS, DIFFERENT, BITE = 30, 2_000, 100, 200_000, 20_000
FEATURES = ("code_completions", "code_completions", "code_completions", "code_generations", "chat", "chat_explain_code")
MODELS = ("coder-7b", "coder-32b", "chat-70b", "small", "experimental")
LANGUAGES = ("python", "go", "ruby", "typescript", "rust", "java", "c", "cpp", "kotlin", "sql", "yaml", "markdown")
CLIENTS = ("vscode", "jetbrains", "neovim", "gitlab-language-server", "OpenAI")
ERRORS = ("upstream_timeout", "upstream_unreachable", "upstream_overloaded", "bad_request", "prompt_too_long")
FAILING, LEAVING, RARE = 0.03, 0.12, 0.0005
TEXTS = 400
CHANCE = random.Random(6)  # noqa: S311 (made-up requests, the same each time)


STARTS = f"SELECT DISTINCT span, start FROM {usage.name}"  # noqa: S608 (a table of ours)


DAYS_OF_HOURS = f"INSERT INTO {usage.name} {days(usage.name)}"


class Person:
    """Somebody who asks: with one editor, in a few languages."""

    def __init__(self, number: int) -> None:
        self.name, self.team = f"user{number}", f"team{number % TEAMS}"
        self.token = f"{self.name}-laptop"
        self.client = CHANCE.choice(CLIENTS)
        self.languages = CHANCE.sample(LANGUAGES, 3)

    def asks(self, *, failing: float = FAILING) -> Traits:
        """The traits of one request, which fails with this chance."""
        feature, roll = CHANCE.choice(FEATURES), CHANCE.random()
        code = feature.startswith("code")
        model = MODELS[4] if roll < RARE else CHANCE.choice(MODELS[:2] if code else MODELS[2:4])
        language = CHANCE.choice(self.languages) if code else ""
        names = (
            self.name,
            self.team,
            self.token,
            self.client,
            "OpenAI completions",
            feature,
            model,
            "openai",
            "qwen_coder",
        )
        return Traits(*names, language, *_ending(model, failing))


def _ending(model: str, failing: float) -> tuple[int, str, str, str]:
    roll = CHANCE.random()
    if roll < failing:
        case = CHANCE.randrange(TEXTS)
        return 502, "rejected", ERRORS[case % len(ERRORS)], f"The model {model} did not answer: case {case}."
    return (499, "client_closed", "", "") if roll < failing + LEAVING else (200, "completed", "", "")


def somebody(people: list[Person]) -> Person:
    """A person, a few of them most of the time."""
    return people[min(int(CHANCE.paretovariate(1.1)) * 3 + CHANCE.randrange(3), USERS) - 1]


def entry(people: list[Person], number: int, at: float) -> Entry:
    """A made-up request."""
    took = int(CHANCE.lognormvariate(12.8, 0.8))
    phases = Phases(took, 240, 0, 600, 0, took // 3, took - 300)
    who = somebody(people).asks()
    return Entry(at, name(number), who, phases, CHANCE.randrange(4000), CHANCE.randrange(120), 9000, 700)


def name(number: int) -> str:
    """An id as clients make them: in no order."""
    return hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest()


class Filling:
    """The rows of all tables, in bites; sums of an hour when it is over."""

    def __init__(self, people: list[Person], rows: int, end: float) -> None:
        """`rows` requests, the last of which ended at `end` (Unix seconds)."""
        self._people, self._rows, self._end = people, rows, end
        self._usual = [entry(people, 0, 0) for _ in range(min(rows, DIFFERENT))]
        self.kinds: dict[int, Row] = {}
        self._sums: dict[Row, list[int]] = {}
        self._known = Rows()
        self._written: set[tuple[str, int]] = set()

    def bites(self) -> Iterator[dict[Table, list[Row]]]:
        """What goes into each table."""
        for start in range(0, self._rows, BITE):
            yield self._bite(range(start, min(start + BITE, self._rows)))
        yield {usage: [(*key, *each) for key, each in self._sums.items()], kinds: list(self.kinds.values())}

    def _at(self, number: int) -> float:
        return self._end - (self._rows - number) * (DAYS * DAY / self._rows)

    def _bite(self, numbers: range) -> dict[Table, list[Row]]:
        draft, usual = Draft(), self._usual
        self._known.add(draft, (self._made(number, usual) for number in numbers))
        batch = draft.batch()
        for each in batch.kinds:
            found = self.kinds.get(each[0])
            self.kinds[each[0]] = each if found is None else (*found[:2], *each[2:])
        found: dict[Table, list[Row]] = {requests: batch.requests, usage: self._over(batch.usage, self._at(numbers[0]))}
        for table, rows in ((origins, batch.origins), (endings, batch.endings), (usage_kinds, batch.usage_kinds)):
            found[table] = [each for each in rows if (table.name, each[0]) not in self._written]
            self._written.update((table.name, each[0]) for each in found[table])
        return found

    def _over(self, rows: list[Row], at: float) -> list[Row]:
        """Add up sums; gives those of the hours that are over before this moment."""
        for span, start, kind, *sums in rows:
            found = self._sums.setdefault((span, start, kind), [0] * len(sums))
            added, longest = map(int.__add__, found[:-2], sums[:-2]), map(max, found[-2:], sums[-2:])
            found[:] = [*added, *longest]
        over = [key for key in self._sums if key[1] + HOUR <= at]
        return [(*key, *self._sums.pop(key)) for key in over]

    def _made(self, number: int, usual: list[Entry]) -> Entry:
        found = usual[CHANCE.randrange(len(usual))]
        if found.traits.error:  # so many texts that hardly two are alike
            found = found._replace(traits=somebody(self._people).asks(failing=1.0))
        return found._replace(correlation_id=name(number), at=self._at(number))


def fill_sqlite(path: str, filling: Filling) -> None:
    """Write everything into a log that was just made; indexes are made at the end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -200000"):
            file.execute(f"PRAGMA {pragma}")
        for index in requests.indexes:
            file.execute(f"DROP INDEX {index.name}")
        for bite in filling.bites():
            file.execute("BEGIN")
            for table, rows in bite.items():
                marks = ", ".join("?" * len(table.columns))
                file.executemany(f"INSERT INTO {table.name} VALUES ({marks})", rows)  # noqa: S608 (its own tables)
            file.execute("COMMIT")
        for index in requests.indexes:
            file.execute(str(CreateIndex(index).compile(dialect=sqlite.dialect())))
        file.execute(DAYS_OF_HOURS)
        for start in file.execute(STARTS).fetchall():
            file.execute(of_what_is_there(*start))
        file.execute("PRAGMA journal_mode = DELETE")


async def fill_postgres(url: str, filling: Filling) -> None:
    """The same by COPY."""
    server = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        for index in requests.indexes:
            await server.execute(f"DROP INDEX {index.name}")
        for bite in filling.bites():
            for table, rows in bite.items():
                await server.copy_records_to_table(table.name, records=rows, columns=[each.name for each in table.c])
        for index in requests.indexes:
            await server.execute(str(CreateIndex(index).compile(dialect=postgresql.dialect())))
        await server.execute(DAYS_OF_HOURS)
        for start in await server.fetch(STARTS):
            await server.execute(of_what_is_there(*start))
        await server.execute("VACUUM ANALYZE")  # which it does by itself within minutes
    finally:
        await server.close()

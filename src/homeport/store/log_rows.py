"""Finished requests as rows: what is written of a batch, made without waiting for anything."""

from __future__ import annotations

import secrets
from bisect import bisect_left
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import BigInteger, Integer, SmallInteger

from homeport.domain.entries import EXAMINER, Report
from homeport.store.log_tables import BOUNDS_MS, COUNTED, ENDING, LONGEST, ORIGIN, SUMS, USAGE_TRAITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Table

    from homeport.domain.entries import Content, Entry, Offered, Traits

Row = tuple[Any, ...]

SPREAD = 1024
"""Numbers within one microsecond: each process has one of them, so that those of several do not meet."""
HOUR, DAY, WEEK = 3600, 86_400, 7 * 86_400
SPANS = 0x7FFF
LAST = 2**63 - 1
"""The largest number that databases hold."""
KNOWN = 50_000
"""Kinds whose numbers are kept at hand."""
TEXTS = 2_000
"""Different texts of errors that one process writes down; of further ones only the code is kept."""
CLIENTS, MODELS = 300, 1_000
"""Names that callers may make up: as many as are told apart."""
OTHER = "other"
TEXT = 200
ERROR = 500
BUCKETS = len(BOUNDS_MS) + 1


class Batch(NamedTuple):
    """Rows of several requests, for each table; in the order of their keys, so that writers do not block each other.

    Kinds come before what they refer to: who tidies up keeps new kinds away until what none refers to is gone.
    """

    kinds: list[Row]
    origins: list[Row]
    endings: list[Row]
    requests: list[Row]
    contents: list[Row]
    contexts: list[Row]
    reports: list[Row]
    usage_kinds: list[Row]
    usage: list[Row]


class Known(NamedTuple):
    """What is written of the traits of requests, by number."""

    kind: int
    origin: Row
    ending: Row
    use: Row


def known(traits: Traits) -> Known:
    """The rows of these traits, as far as a database can hold them."""
    origin = tuple(storable(getattr(traits, name)) for name in ORIGIN)
    how = tuple(storable(getattr(traits, name)) for name in ENDING)
    ending = (*how, traits.status, storable(traits.error, ERROR))
    use = tuple(storable(getattr(traits, name)) for name in USAGE_TRAITS)
    kind = number(*origin, *map(str, ending))
    return Known(kind, (number(*origin), *origin), (number(*map(str, ending)), *ending), (number(*use), *use))


def number(*parts: str) -> int:
    """A number of 63 bits for these texts."""
    return int.from_bytes(blake2b("\0".join(parts).encode(), digest_size=8).digest(), "big") >> 1


def key(correlation_id: str, at: float, span: int = WEEK) -> int:
    """Under which an id is looked up: a digest behind the week, so that what is written together lies together.

    A digest alone would make each row change a page of its own; behind the day, an id would be on one of many pages.
    """
    return (int(at) // span & SPANS) << 48 | number(correlation_id) & (1 << 48) - 1


def keys(correlation_id: str, since: float, until: float, span: int = WEEK) -> list[int]:
    """Those that an id may have between two moments."""
    return [key(correlation_id, each * span, span) for each in range(int(since) // span, int(until) // span + 1)]


def moment_of(row: int) -> float:
    """When the request with this number ended, in Unix seconds."""
    return row / SPREAD / 1e6


def first_of(at: float) -> int:
    """The lowest number of a request that ended then or later; of a moment that no number has, the nearest one."""
    return min(max(int(at * 1e6) * SPREAD, 0), LAST)


class Rows:
    """Makes rows of entries; remembers the numbers of kinds, and which names are taken."""

    def __init__(self) -> None:
        self._place = secrets.randbelow(SPREAD)
        self._last = 0
        self._kinds: dict[Traits, Known] = {}
        self.met_new = True
        """Whether there was a kind of request that was not known."""
        self._taken: dict[str, set[str]] = {"client": set(), "model": set(), "error": set()}

    def add(self, draft: Draft, entries: Iterable[Entry | Report]) -> None:
        """Put these into a batch."""
        for entry in entries:
            if isinstance(entry, Report):
                self._tell(draft, entry)
                continue
            kind = self._known(entry.traits)
            row, same = self._next(entry.at), key(entry.correlation_id, entry.at)
            draft.saw(kind, row)
            draft.requests.append((row, kind.kind, same, entry.correlation_id, *_figures(entry)))
            if entry.content is not None:
                draft.contents.append(_said(row, entry.content))
            if entry.context:
                draft.contexts.append((row, _files(entry.context)))
            if entry.traits.client != EXAMINER:
                _count(draft.sums(entry.at, kind.use), entry)
            for each in entry.offered:
                self._offer(draft, entry, each)

    def _next(self, at: float) -> int:
        """The number of a request: later ones have larger ones."""
        self._last = max(first_of(at) + self._place, self._last + SPREAD)
        return self._last

    def _known(self, traits: Traits) -> Known:
        found = self._kinds.get(traits)
        if found is None:
            if len(self._kinds) >= KNOWN:
                self._kinds.clear()
            found = self._kinds[traits] = self._made(traits)
            self.met_new = True
        return found

    def _made(self, traits: Traits) -> Known:
        return known(
            traits._replace(
                client=self._name("client", traits.client, CLIENTS, OTHER),
                model=self._name("model", traits.model, MODELS, OTHER),
                team=lines_within(traits.team),
                error=self._name("error", traits.error, TEXTS, "", ERROR),
            )
        )

    def _name(self, what: str, name: str, most: int, other: str, size: int = TEXT) -> str:
        """The name, if it has a place among those that are told apart."""
        taken, name = self._taken[what], name[:size]
        if name in taken or not name:
            return name
        if len(taken) >= most:
            return other
        taken.add(name)
        return name

    def _offer(self, draft: Draft, entry: Entry, each: Offered) -> None:
        """What an editor reports belongs to the model and language that it names; it is no request."""
        named = entry.traits._replace(model=each.model, language=each.language)
        self._offered(draft, entry.at, named, each.offered, each.accepted)

    def _tell(self, draft: Draft, report: Report) -> None:
        draft.reports.append(
            (self._next(report.at), key(report.correlation_id, report.at), report.correlation_id, report.what)
        )
        self._offered(draft, report.at, report.traits, report.offered, report.accepted)

    def _offered(self, draft: Draft, at: float, traits: Traits, offered: int, accepted: int) -> None:
        found = draft.sums(at, self._known(traits._replace(outcome="", error_code="")).use)
        found[4] += offered
        found[5] += accepted


class Draft:
    """The rows of a batch while it is made."""

    def __init__(self) -> None:
        self.requests: list[Row] = []
        self.contents: list[Row] = []
        self.contexts: list[Row] = []
        self.reports: list[Row] = []
        self._used: dict[int, Row] = {}
        self._kinds: dict[int, list[Any]] = {}
        self._origins: dict[int, Row] = {}
        self._endings: dict[int, Row] = {}
        self._sums: dict[tuple[int, int, int], list[int]] = {}

    def saw(self, kind: Known, row: int) -> None:
        """A request of this kind."""
        found = self._kinds.get(kind.kind)
        if found is not None:
            found[2] = row
            return
        self._kinds[kind.kind] = [kind.kind, row, row, kind.origin[0], kind.ending[0]]
        self._origins[kind.origin[0]] = kind.origin
        self._endings[kind.ending[0]] = kind.ending

    def sums(self, at: float, use: Row) -> list[int]:
        """The sums of the hour to be added to."""
        self._used[use[0]] = use
        key = HOUR, int(at) // HOUR * HOUR, use[0]
        found = self._sums.get(key)
        if found is None:
            found = self._sums[key] = [0] * len(COUNTED)
        return found

    def batch(self) -> Batch:
        """Everything, in order."""
        return Batch(*self.parts())

    def parts(self) -> Iterator[list[Any]]:
        """The parts of a batch, each of which takes a moment."""
        yield [tuple(each) for each in _in_order(self._kinds)]
        yield _in_order(self._origins)
        yield _in_order(self._endings)
        yield from (self.requests, self.contents, self.contexts, self.reports)
        yield _in_order(self._used)
        yield [(*key, *each) for key, each in sorted(self._sums.items())]


def _in_order(rows: Mapping[int, Any]) -> list[Any]:
    return [rows[key] for key in sorted(rows)]


def _figures(entry: Entry) -> Row:
    return (
        *entry.phases,
        entry.prompt_tokens,
        entry.answer_tokens,
        entry.received,
        entry.sent,
        storable(entry.attempts, 0),
        int(entry.estimated),
    )


def _files(context: Sequence[tuple[str, int]]) -> str:
    """Names of files, which callers choose, and their sizes."""
    return orjson.dumps([(storable(name), size) for name, size in context]).decode()


def _count(found: list[int], entry: Entry) -> None:
    took, first = entry.phases.took, entry.phases.first
    found[0] += 1
    found[1] += entry.prompt_tokens
    found[2] += entry.answer_tokens
    found[3] += took
    if entry.estimated:
        found[6] += entry.prompt_tokens + entry.answer_tokens
    found[len(SUMS) + bisect_left(BOUNDS_MS, took / 1000)] += 1
    if first:
        found[len(SUMS) + BUCKETS + bisect_left(BOUNDS_MS, first / 1000)] += 1
    found[-2:] = max(found[-2], took), max(found[-1], first)


def _said(row: int, content: Content) -> Row:
    exchanges = orjson.dumps([each._asdict() for each in content.exchanges]).decode()
    texts = [storable(text, 0) for text in (content.path, content.body, content.answer, exchanges)]
    return row, sum(map(len, texts)), *texts


def lines_within(text: str, most: int = TEXT) -> str:
    """As many whole lines as have room."""
    return text if len(text) <= most else text[: most + 1].rpartition("\n")[0][:most]


def storable(text: str, most: int = TEXT) -> str:
    """Without what a database refuses (NUL, half a surrogate pair), and cut at `most` characters unless that is 0."""
    text = text[:most] if most else text
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def insert(table: Table, on_conflict: str, *, dialect: str = "sqlite") -> str:
    """The statement that adds rows, as `as_sent` gives them: a list of rows, or a list for each column."""
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    given = f"VALUES ({', '.join('?' * len(table.columns))})"
    rows = f"SELECT * FROM {unnested(table)}" if dialect == "postgresql" else given  # noqa: S608 (our own names)
    return f"INSERT INTO {table.name} ({names}) {rows} ON CONFLICT {on_conflict}"


def as_sent(rows: list[Row], dialect: str) -> Any:  # noqa: ANN401 (as drivers want them)
    """Rows as that statement takes them."""
    return tuple(map(list, zip(*rows, strict=True))) if dialect == "postgresql" else rows


def unnested(table: Table) -> str:
    """A list for each column as rows, in PostgreSQL's words."""
    types = [_TYPES.get(type(column.type), "text") for column in table.columns]
    return f"unnest({', '.join(f'${number}::{name}[]' for number, name in enumerate(types, 1))})"


_TYPES: dict[type[Any], str] = {BigInteger: "bigint", Integer: "integer", SmallInteger: "smallint"}


def adding(table: Table, key: str, names: Sequence[str]) -> str:
    """What becomes of sums that are there already."""
    return f"({key}) DO UPDATE SET {', '.join(f'{name} = {_together(table.name, name)}' for name in names)}"


def _together(table: str, name: str) -> str:
    old, new = f"{table}.{name}", f"excluded.{name}"
    return f"CASE WHEN {old} > {new} THEN {old} ELSE {new} END" if name in LONGEST else f"{old} + {new}"


def summed(name: str, of: str = "") -> str:
    """What is told of several rows."""
    return f"{'MAX' if name in LONGEST else 'SUM'}({of}{name})"

"""Sums of requests: by hour or day, and by who asked, for what, in which language, of which model."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import BigInteger, case, cast, func, literal, select

from homeport.store.log_endings import ended_as
from homeport.store.log_rows import DAY, HOUR
from homeport.store.log_search import in_team
from homeport.store.log_sums import TRAITS
from homeport.store.log_tables import BOUNDS_MS, COUNTED, ENDS, FIRST, LONGEST, TOOK, UNKNOWN, sums, usage, usage_kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select, Table
    from sqlalchemy.ext.asyncio import AsyncConnection

BY = TRAITS
"""What sums may be told apart by."""
NARROWED = ("who", "feature", "model", "language")
IN_HOURS_S = 3 * DAY
"""A time up to this long is summed by hours, a longer one by days."""
MOST = 1_000
PLAIN = (
    *("requests", "failed", "cancelled", "refused", "prompt_tokens", "answer_tokens", "offered", "accepted"),
    "estimated",
)
AT_ONCE = 150
"""Rows that are worked on without letting others have their turn."""
TEXTS = 20_000
"""Different lists of teams that are summed up; each person has one."""
COUNTS = (*PLAIN, *TOOK, *FIRST, *LONGEST)
BEYOND_MS = BOUNDS_MS[-1]
"""What is told of a percentile in a histogram's last bucket, which has no end: no request need have taken longer."""


class Asked(NamedTuple):
    """Which sums; what is empty does not matter."""

    since: float
    """Unix seconds; taken to the beginning of its hour, or of its day where the time is long."""
    until: float
    by: str = ""
    """One of `BY`; empty for one sum of everything."""
    over_time: bool = False
    """One for each hour or day."""
    who: str = ""
    team: str = ""
    feature: str = ""
    model: str = ""
    language: str = ""
    of_features: bool = False
    """Only what came to a feature: no wrong paths, unknown tokens and looks at the server itself."""
    first: int = 0
    """How many of the largest are left out."""
    most: int = MOST
    """How many come then."""
    names: tuple[str, ...] = ()
    """Only those that are called so, where sums are told apart."""

    @property
    def span(self) -> int:
        """The seconds that are summed together."""
        return HOUR if self.until - self.since <= IN_HOURS_S else DAY


class Used(NamedTuple):
    """Sums of the requests that have something in common."""

    name: str
    start: int
    """Unix seconds; 0 where there is one sum for the whole time."""
    requests: int
    failed: int
    """Those in which a feature or its model did not do its part."""
    cancelled: int
    """Those whose client left."""
    refused: int
    """Those that the caller has to mend: a wrong path or token, a form that is none, too many at once."""
    prompt_tokens: int
    answer_tokens: int
    offered: int
    """Suggestions of which editors told what became of them."""
    accepted: int
    estimated: int
    """Those of the tokens that nobody counted: they are guessed from what was sent."""
    took_ms: tuple[int, int, int]
    """The median, the 95th and the 99th percentile of how long requests took, from a histogram; 0 for none."""
    first_ms: tuple[int, int, int]
    """The same of the time until the first piece of the answer."""

    @property
    def served(self) -> int:
        """Those that were not refused."""
        return self.requests - self.refused


async def usage_rows(connection: AsyncConnection, asked: Asked) -> Sequence[Any]:
    """The sums as the database gives them."""
    trait = _alone(asked)
    wanted = _of_all(asked) if trait is None else _of_one(asked, trait)
    return list(await connection.execute(wanted))


async def names_of(connection: AsyncConnection, asked: Asked) -> list[str]:
    """What the sums are called that are asked for, the largest first; not of teams."""
    trait = _alone(asked)
    wanted = _of_all(asked, []) if trait is None else _part(asked, _largest(asked, trait))
    return list(await connection.scalars(wanted))


def _alone(asked: Asked) -> str | None:
    """The one trait that is asked about, empty for none; or None where there are several."""
    traits = {name for name in (*NARROWED, "team") if getattr(asked, name)} | ({asked.by} if asked.by else set())
    traits |= {"feature"} if asked.of_features else set()
    return None if len(traits) > 1 else next(iter(traits), "")


def _of_one(asked: Asked, trait: str) -> Select[Any]:
    """From the sums by one trait alone, which are few."""
    wanted = _grouped(asked, sums, sums.c.name, _sums_of_one()).where(*_narrowed(asked, trait))
    if not asked.by or asked.by == "team" or asked.over_time or asked.names:
        return _part(asked, wanted)
    # who they are first: of all others, the histograms need not be read
    named = _part(asked, _largest(asked, trait)).subquery()
    return wanted.where(sums.c.name.in_(select(named.c.name)))


def _largest(asked: Asked, trait: str) -> Select[Any]:
    """The names of the sums by one trait."""
    named = _grouped(asked, sums, sums.c.name, []).with_only_columns(sums.c.name)
    return named.where(*_narrowed(asked, trait))


def _narrowed(asked: Asked, trait: str) -> list[ColumnElement[bool]]:
    value = getattr(asked, trait) if trait in (*NARROWED, "team") else ""
    narrowed = [sums.c.trait == trait, *([_is(sums.c.name, trait, value)] if value else [])]
    narrowed += [sums.c.name != ""] if asked.of_features else []
    return [*narrowed, sums.c.name.in_(asked.names)] if asked.names else narrowed


def _of_all(asked: Asked, counts: Sequence[Any] | None = None) -> Select[Any]:
    named = usage_kinds.c[asked.by] if asked.by else literal("")
    wanted = _grouped(asked, usage, named, _sums_of_all() if counts is None else counts)
    narrowed = [
        _is(usage_kinds.c[name], name, value) for name in (*NARROWED, "team") if (value := getattr(asked, name))
    ]
    narrowed += [usage_kinds.c.feature != ""] if asked.of_features else []
    narrowed += [named.in_(asked.names)] if asked.names else []
    # each hour and each kind by its name: the key of the table leads to their rows, past those of others
    times = select(sums.c.start).where(sums.c.span == asked.span, sums.c.trait == "", *_in_time(asked, sums))
    kinds = select(usage_kinds.c.id).where(*narrowed)
    wanted = wanted.where(usage.c.start.in_(times), usage.c.kind.in_(kinds))
    return _part(asked, wanted.join_from(usage, usage_kinds, usage_kinds.c.id == usage.c.kind))


def _in_time(asked: Asked, table: Table) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    since = int(asked.since) // asked.span * asked.span
    return table.c.start >= since, table.c.start < int(asked.until)


def _part(asked: Asked, wanted: Select[Any]) -> Select[Any]:
    """Those that are asked for; of teams all, as each text may name several."""
    return wanted.limit(TEXTS) if asked.by == "team" else wanted.offset(asked.first).limit(asked.most)


def _is(column: ColumnElement[str], trait: str, value: str) -> ColumnElement[bool]:
    return in_team(column, value) if trait == "team" else column == value


def _grouped(asked: Asked, table: Table, named: ColumnElement[str], counts: Sequence[Any]) -> Select[Any]:
    """Sums of a table's rows of the time that is asked about, in groups of a name or a time."""
    name = named if asked.by else literal("")
    start = table.c.start if asked.over_time else literal(0)
    wanted = select(name.label("name"), start.label("start"), *counts).where(
        table.c.span == asked.span, *_in_time(asked, table)
    )
    groups = [group for group, used in ((name, bool(asked.by)), (start, asked.over_time)) if used]
    if not groups:
        return wanted
    by_size = start if asked.over_time else func.sum(table.c.requests).desc()
    return wanted.group_by(*groups).order_by(by_size, name)


@cache
def _sums_of_one() -> Sequence[Any]:
    """What is summed, made once: there are forty of them."""
    return [_sum(name, sums.c[name]) for name in (*COUNTED, *ENDS)]


@cache
def _sums_of_all() -> Sequence[Any]:
    ended = ((name, case((ended_as(usage_kinds, each), usage.c.requests), else_=0)) for name, each in ENDS.items())
    return [*(_sum(name, usage.c[name]) for name in COUNTED), *(_sum(*each) for each in ended)]


def _sum(name: str, counted: ColumnElement[int]) -> Any:  # noqa: ANN401 (a labelled sum)
    of_all = func.max if name in LONGEST else func.sum
    return cast(of_all(counted), BigInteger).label(name)


async def usage_of(connection: AsyncConnection, asked: Asked) -> list[Used]:
    """The sums, the largest first, or over time the earliest first.

    By team: who was in several counts in each of them, so that these sums may be more than the whole.
    """
    rows = [row for row in await usage_rows(connection, asked) if row.requests is not None]
    # estimating the percentiles of a thousand people takes long enough for others to notice
    return await asyncio.to_thread(_told, rows, asked) if len(rows) > AT_ONCE else _told(rows, asked)


def _told(rows: Sequence[Any], asked: Asked) -> list[Used]:
    if asked.by != "team":
        return [_used(_sums(row)) for row in rows]
    return [_used(each) for each in _by_team(rows, asked.team)[asked.first : asked.first + asked.most]]


class Sums(NamedTuple):
    """A row of `usage_rows`."""

    name: str
    start: int
    counts: dict[str, int]


def _sums(row: Any) -> Sums:  # noqa: ANN401 (a row of `usage_rows`)
    name, start, *counts = row
    return Sums(name, start, dict(zip((*COUNTED, *ENDS), counts, strict=True)))


def _by_team(rows: Sequence[Any], only: str) -> list[Sums]:
    """The sums of each team, whose name is a line of some rows' names; the largest first, then by time."""
    found: dict[tuple[int, str], Counter[str]] = {}
    for row in rows:
        for name in row.name.split("\n"):
            if not only or name == only:
                _join(found.setdefault((row.start, name), Counter()), _sums(row).counts)
    made = [Sums(name, start, dict.fromkeys(COUNTS, 0) | counts) for (start, name), counts in found.items()]
    return sorted(made, key=lambda each: (each.start, -each.counts["requests"], each.name))


def _join(kept: Counter[str], counts: dict[str, int]) -> None:
    most = {name: max(kept[name], counts[name]) for name in LONGEST}
    kept.update(counts)
    dict.update(kept, most)


def _used(found: Sums) -> Used:
    counts = found.counts
    return Used(
        name=found.name,
        start=found.start,
        **{name: counts[name] for name in PLAIN},
        took_ms=_percentiles([counts[name] for name in TOOK], counts["took_most"]),
        first_ms=_percentiles([counts[name] for name in FIRST], counts["first_most"]),
    )


def _percentiles(counts: Sequence[int], most: int) -> tuple[int, int, int]:
    upto = list(accumulate(counts))
    return _within(upto, 0.5, most), _within(upto, 0.95, most), _within(upto, 0.99, most)


def percentile(counts: Sequence[int], share: float, most: int = UNKNOWN) -> int:
    """Milliseconds within which this share of a histogram lies, interpolated in its bucket; `BEYOND_MS` at most.

    The last bucket with something in it ends with the longest of all (`most`, in microseconds).
    """
    return _within(list(accumulate(counts)), share, most)


def _within(upto: Sequence[int], share: float, most: int) -> int:
    """`upto`: how many are in a bucket and those before it."""
    if not upto[-1]:
        return 0
    wanted = share * upto[-1]
    at = bisect_left(upto, wanted)
    before, low = (upto[at - 1], BOUNDS_MS[at - 1]) if at else (0, 0)
    high = min(BOUNDS_MS[at] if at < len(BOUNDS_MS) else BEYOND_MS, most / 1000)
    return round(low + (high - low) * (wanted - before) / (upto[at] - before))


COLUMNS = (
    "start",
    *PLAIN,
    *("took_p50_ms", "took_p95_ms", "took_p99_ms", "first_p50_ms", "first_p95_ms", "first_p99_ms"),
)
"""What stands in a table beside the name."""


def flat(used: Used) -> list[str | int]:
    """Sums as cells of a table; a spreadsheet shall not take a name for a formula."""
    name = f"'{used.name}" if used.name.startswith(("=", "+", "-", "@", "\t", "\r")) else used.name
    return [name, used.start, *(getattr(used, each) for each in PLAIN), *used.took_ms, *used.first_ms]

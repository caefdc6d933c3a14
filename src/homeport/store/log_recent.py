"""What happened lately, for charts: the last hour by the minute, the last day by the hour."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import case, cast, func, select
from sqlalchemy.types import BigInteger

from homeport.domain.entries import EXAMINER, FAILED, REFUSED
from homeport.store.log_endings import ended_as
from homeport.store.log_rows import HOUR, SPREAD, first_of
from homeport.store.log_tables import FIRST, endings, kinds, origins, requests, sums
from homeport.store.log_usage import percentile
from homeport.store.records import Point

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

MINUTE_S = 60
MINUTES, HOURS = 60, 24
SETTLED_S = 360
"""After so long a minute is written down, also where the database was away for a while."""
_FINE, _COARSE = 10_000, 100_000
"""Microseconds to which times are rounded below a second, and beyond."""
_A_SECOND = 1_000_000


async def last_hour(connection: AsyncConnection, now: float, known: dict[int, Point]) -> list[Point]:
    """One point for each minute, the oldest first; the last is not over yet. `now`: seconds since 1970.

    `known` keeps the minutes that nothing is added to any longer, by when they began: those are read once.
    """
    first = (int(now) // MINUTE_S - MINUTES + 1) * MINUTE_S
    starts = range(first, first + MINUTES * MINUTE_S, MINUTE_S)
    missing = [start for start in starts if start not in known]
    fresh = await _minutes(connection, missing[0], now)
    found = [known.get(each.at, each) for each in fresh]
    known.clear()
    known.update({each.at: each for each in found if each.at <= now - SETTLED_S})
    return found


async def _minutes(connection: AsyncConnection, since: int, now: float) -> list[Point]:
    minute = (requests.c.id // (SPREAD * MINUTE_S * 1_000_000)).label("minute")
    first = requests.c.first
    rounded = case((first < _A_SECOND, (first + _FINE - 1) // _FINE * _FINE), else_=first // _COARSE * _COARSE)
    failed = case((ended_as(endings, FAILED), 1), else_=0)
    asked = (
        select(minute, failed.label("bad"), rounded.label("rounded"), func.count())
        .join_from(requests, kinds, kinds.c.id == requests.c.kind)
        .join(origins, origins.c.id == kinds.c.origin)
        .join(endings, endings.c.id == kinds.c.ending)
        .where(requests.c.id >= first_of(since), origins.c.feature != "", origins.c.client != EXAMINER)
        .where(~ended_as(endings, REFUSED))
        .group_by("minute", "bad", "rounded")
    )
    counted: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for number, bad, took, count in await connection.execute(asked):
        counted[number].append((took, bad, count))
    last = int(now) // MINUTE_S
    return [_of_minute(number, counted.get(number, ())) for number in range(last - MINUTES + 1, last + 1)]


def _of_minute(number: int, rows: Sequence[tuple[int, int, int]]) -> Point:
    """From times to the first token (microseconds; 0 for none), whether it failed, and how many of each there were."""
    firsts = sorted((took, count) for took, _, count in rows if took)
    failed = sum(count for _, bad, count in rows if bad)
    median, p95 = _rank(firsts, 0.5), _rank(firsts, 0.95)
    return Point(number * MINUTE_S, sum(count for *_, count in rows), failed, median, p95)


def _rank(firsts: Sequence[tuple[int, int]], share: float) -> float | None:
    """The nearest rank, in ms."""
    wanted, seen = math.ceil(sum(count for _, count in firsts) * share), 0
    for took, count in firsts:
        seen += count
        if seen >= wanted:
            return took / 1000
    return None


async def last_day(connection: AsyncConnection, now: float) -> list[Point]:
    """The same for each hour, from the sums that are kept of it."""
    last = int(now) // HOUR * HOUR
    counts = [cast(func.sum(sums.c[name]), BigInteger) for name in ("failed", "requests", "refused", *FIRST)]
    wanted = (sums.c.span == HOUR, sums.c.trait == "feature", sums.c.start > last - HOURS * HOUR, sums.c.name != "")
    most = func.max(sums.c.first_most)
    asked = select(sums.c.start, most, *counts).where(*wanted).group_by(sums.c.start)
    found = {row[0]: _point(*row) for row in await connection.execute(asked)}
    starts = range(last - (HOURS - 1) * HOUR, last + HOUR, HOUR)
    return [found.get(start, Point(start)) for start in starts]


def _point(start: int, most: int, failed: int, asked: int, refused: int, *firsts: int) -> Point:
    began = any(firsts)
    return Point(
        start,
        asked - refused,
        failed,
        percentile(firsts, 0.5, most) if began else None,
        percentile(firsts, 0.95, most) if began else None,
    )

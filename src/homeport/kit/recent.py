"""What happened in the last day, by the minute: counts and times to the first token, in memory and within a bound."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

MINUTE_S = 60
KEPT = 24 * 60
"""Minutes that are remembered."""
FINENESS = 8
"""Bins for each factor of e: a time is known to within 6 %."""


class Point(NamedTuple):
    """A while, and what happened in it."""

    at: int
    """When it began, in seconds since 1970."""
    requests: int = 0
    failed: int = 0
    median_ms: float | None = None
    """Time to the first token; None where no answer began."""
    p95_ms: float | None = None


class _Minute:
    """One minute's counts; `firsts` counts times by their bin."""

    __slots__ = ("failed", "firsts", "requests")

    def __init__(self) -> None:
        self.requests = self.failed = 0
        self.firsts: dict[int, int] = {}


class Recent:
    """Counts requests as they end; a minute that nothing happened in costs nothing."""

    def __init__(self) -> None:
        self._minutes: dict[int, _Minute] = {}

    def add(self, at: float, *, failed: bool, first_s: float | None, count: int = 1) -> None:
        """Count a request that ended `at` (seconds since 1970) and whose answer began after `first_s`, or several."""
        number = int(at) // MINUTE_S
        minute = self._minutes.get(number)
        if minute is None:
            self._minutes = {each: kept for each, kept in self._minutes.items() if each > number - KEPT}
            minute = self._minutes[number] = _Minute()
        minute.requests += count
        minute.failed += count * failed
        if first_s is not None:
            bin_ = int(math.log1p(first_s * 1000) * FINENESS)
            minute.firsts[bin_] = minute.firsts.get(bin_, 0) + count

    def points(self, until: float, minutes: int, step: int) -> list[Point]:
        """The last `minutes` before `until`, `step` of them to a point, the oldest first; the last is not over yet."""
        last = int(until) // MINUTE_S // step * step
        return [self._point(first, step) for first in range(last - minutes + step, last + step, step)]

    def _point(self, first: int, step: int) -> Point:
        of_it = [each for number in range(first, first + step) if (each := self._minutes.get(number))]
        firsts = _merged(each.firsts for each in of_it)
        failed = sum(each.failed for each in of_it)
        requests = sum(each.requests for each in of_it)
        return Point(first * MINUTE_S, requests, failed, _quantile(firsts, 0.5), _quantile(firsts, 0.95))


def _merged(counts: Iterable[dict[int, int]]) -> dict[int, int]:
    found: dict[int, int] = {}
    for each in counts:
        for bin_, count in each.items():
            found[bin_] = found.get(bin_, 0) + count
    return found


def _quantile(firsts: dict[int, int], share: float) -> float | None:
    """The nearest rank, in ms."""
    wanted, seen = math.ceil(sum(firsts.values()) * share), 0
    for bin_ in sorted(firsts):
        seen += firsts[bin_]
        if seen >= wanted:
            return round(math.expm1((bin_ + 0.5) / FINENESS), 1)
    return None


def total(points: Iterable[Point]) -> tuple[int, int]:
    """Requests, and how many of them failed."""
    counted = [(each.requests, each.failed) for each in points]
    return sum(one for one, _ in counted), sum(one for _, one in counted)

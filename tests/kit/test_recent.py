"""What is remembered of the last day, by the minute."""

from __future__ import annotations

import pytest

from homeport.kit.recent import KEPT, MINUTE_S, Point, Recent, total

NOON = 1_795_737_600


def test_minutes_are_counted_apart() -> None:
    recent = Recent()
    recent.add(NOON + 1, failed=False, first_s=0.1)
    recent.add(NOON + 59, failed=True, first_s=None)
    recent.add(NOON + 61, failed=False, first_s=0.2)
    before, one, two = recent.points(NOON + 90, 3, 1)
    assert before == Point(NOON - 60)
    assert (one.at, one.requests, one.failed) == (NOON, 2, 1)
    assert (two.at, two.requests, two.failed) == (NOON + 60, 1, 0)
    assert total([before, one, two]) == (3, 1)


def test_times_are_known_within_six_in_a_hundred() -> None:
    recent = Recent()
    for ms in range(1, 101):
        recent.add(NOON, failed=False, first_s=ms / 100)
    [point] = recent.points(NOON, 1, 1)
    assert point.median_ms == pytest.approx(500, rel=0.07)
    assert point.p95_ms == pytest.approx(950, rel=0.07)


def test_points_of_several_minutes_begin_at_round_ones() -> None:
    recent = Recent()
    for minute in range(30):
        recent.add(NOON + minute * MINUTE_S, failed=False, first_s=0.05)
    points = recent.points(NOON + 29 * MINUTE_S, KEPT, 15)
    assert len(points) == 96
    assert [each.at % 900 for each in points] == [0] * 96
    assert [each.requests for each in points[-3:]] == [0, 15, 15]
    assert points[-1].median_ms == pytest.approx(50, rel=0.07)


def test_no_more_than_a_day_is_kept() -> None:
    recent = Recent()
    for minute in range(KEPT + 100):
        recent.add(NOON + minute * MINUTE_S, failed=False, first_s=None)
    assert len(recent._minutes) == KEPT  # noqa: SLF001 (what is bounded)
    # a clock that was set back does no harm
    recent.add(NOON, failed=False, first_s=0.0)
    assert total(recent.points(NOON + (KEPT + 99) * MINUTE_S, KEPT, 1)) == (KEPT, 0)

"""A small storm; `bench/chaos.py` makes big ones."""

from __future__ import annotations

from chaos import storm, verdict
from departures import PHASES, measure, table


async def test_a_storm_leaves_nothing_behind() -> None:
    """Every answer is whole or visibly broken, every request has one line, nothing is left, callers get no 5xx."""
    report = await storm(500, clients=24, seed=20)
    assert verdict(report) == []
    assert report.injections >= 500
    assert min(report.injected[kind] for kind in ("early", "late", "after", "left", "wrong")) > 10
    assert report.seen["whole"] > report.seen["visibly broken"] > 0


async def test_who_leaves_in_any_phase_is_noticed_at_once() -> None:
    """In milliseconds (`bench/cancellation.py` measures them); the bound is for a machine that does much else."""
    times = await measure(1)
    assert {phase for _, phase in times} == set(PHASES)
    assert max(max(each) for each in times.values()) < 5
    assert table(times).count("\n") == len({way for way, _ in times}) + 2

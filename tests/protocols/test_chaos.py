"""A small storm; `bench/chaos.py` makes big ones."""

from __future__ import annotations

from chaos import storm, verdict


async def test_a_storm_leaves_nothing_behind() -> None:
    """Every answer is whole or visibly broken, every request has one line, nothing is left, callers get no 5xx."""
    report = await storm(500, clients=24, seed=20)
    assert verdict(report) == []
    assert report.injections >= 500
    assert min(report.injected[kind] for kind in ("early", "late", "after", "left", "wrong")) > 10
    assert report.seen["whole"] > report.seen["visibly broken"] > 0

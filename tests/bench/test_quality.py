"""What cleaning makes of sloppy answers, on our own code: a floor under the figures that are documented."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOLES = 100
FLOORS = {
    "clean": 0.98,
    "runs_on": 0.9,
    "rest_again": 0.75,
    "lines_below_again": 0.85,
    "sentinel": 0.85,
    "leading_sentinel": 0.9,
    "fenced": 0.98,
    "lines_above_again": 0.8,
    "snippet_again": 0.75,
    "stuck": 0.9,
    "cut_short": 0.9,
    "thinks": 0.98,
    "comment_header": 0.98,
    "own_heading": 0.97,
    "other_line_ends": 0.98,
}


@pytest.fixture(autouse=True)
def _bench_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))


def test_sloppy_answers_are_recovered() -> None:
    from quality import measure, sources  # noqa: PLC0415 (on the path only within a test)

    # code about the marks of models has them in it, and an answer that begins with one is none
    about = {"codetext", "families"}
    rooms = [each for each in (ROOT / "src" / "homeport").iterdir() if each.is_dir() and each.name not in about]
    texts = sources(sorted(rooms))
    tallies = measure({"python": texts["python"]}, HOLES, "")
    shares = {name: found["python"].good / found["python"].tried for name, found in tallies.items() if found}
    low = {name: shares[name] for name, floor in FLOORS.items() if shares[name] < floor}
    assert not low
    assert min(found["python"].tried for found in tallies.values()) >= 3

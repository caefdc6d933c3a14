"""What the benchmark computes, without running any load."""

from __future__ import annotations

from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture(autouse=True)
def _bench_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))


def test_a_ratio_is_taken_between_runs_of_the_same_round() -> None:
    from arithmetic import ratios  # noqa: PLC0415 (on the path only within a test)

    found = ratios({1: 10.0, 2: 30.0, 3: 50.0}, {1: 1.0, 2: 10.0})
    assert found is not None
    assert (found.median, found.low, found.high, found.rounds) == (6.5, 3.0, 10.0, 2)


def test_nothing_measured_is_no_figure() -> None:
    from arithmetic import ratios, spread  # noqa: PLC0415 (on the path only within a test)

    assert spread([]) is None
    assert ratios({1: 1.0}, {2: 1.0}) is None


@pytest.mark.parametrize(
    ("value", "outcome"), [(11.0, "held"), (11.1, "over"), (22.0, "over"), (22.1, "broken"), (None, "not measured")]
)
def test_a_budget_breaks_beyond_twice_its_limit(value: float | None, outcome: str) -> None:
    from arithmetic import Budget  # noqa: PLC0415 (on the path only within a test)

    assert Budget(figure="f", what="w", limit=11, unit="x").outcome(value, slack=2) == outcome


@pytest.mark.parametrize(("value", "outcome"), [(40.0, "held"), (39.0, "over"), (19.0, "broken")])
def test_a_floor_breaks_below_half_of_it(value: float, outcome: str) -> None:
    from arithmetic import Budget  # noqa: PLC0415 (on the path only within a test)

    assert Budget(figure="f", what="w", limit=40, unit="x", at_least=True).outcome(value, slack=2) == outcome


def test_a_run_with_unfinished_streams_is_never_a_good_one() -> None:
    from report import verdict  # noqa: PLC0415 (on the path only within a test)
    from scenarios import Run  # noqa: PLC0415 (on the path only within a test)

    run = Run(scenario="st_10k", target="homeport", round=1, start_s=0, idle_mb=0, load={"good": 9, "unfinished": 1})
    assert run.faults == "1 unfinished"
    assert verdict([run], {}, slack=2) == 1
    assert verdict([Run(scenario="st_10k", target="homeport", round=1, start_s=0, idle_mb=0)], {}, slack=2) == 0


def test_the_token_of_the_benchmark_is_one() -> None:
    from targets import TOKEN  # noqa: PLC0415 (on the path only within a test)

    from homeport.access import tokens  # noqa: PLC0415 (beside the other)

    assert tokens.well_formed(TOKEN)

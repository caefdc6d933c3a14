"""What the benchmark computes, without running any load."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

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


def _run(**known: Any) -> Any:
    from scenarios import Run  # noqa: PLC0415 (on the path only within a test)

    load = {"good": 100, "events": 1000, "seconds": 1.0}
    return Run(
        **{"scenario": "ns_sat", "target": "homeport", "round": 0, "start_s": 1, "idle_mb": 50, "load": load, **known}
    )


def _record(*runs: Any) -> Any:
    from report import Record  # noqa: PLC0415 (on the path only within a test)

    said = "said"
    return Record(
        when=said, commit=said, machine=said, versions={}, load_before=said, load_after=said, command=said, runs=runs
    )


def test_a_run_with_unfinished_streams_fails_and_does_not_count() -> None:
    import report  # noqa: PLC0415 (on the path only within a test)

    cheap = _run(cpu_us=10.0, load={"good": 10, "unfinished": 90, "seconds": 1.0})
    record = _record(cheap, _run(round=1, cpu_us=5000.0))
    assert report.failures(record) == ["homeport, ns_sat: 90 unfinished"]
    assert report.by_round(record, "homeport", "request_us") == {1: 50.0}
    assert report.failures(_record(_run(cpu_us=5000.0))) == []


def test_a_missed_budget_is_told_with_what_was_measured() -> None:
    import report  # noqa: PLC0415 (on the path only within a test)

    record = _record(_run(cpu_us=34_000.0), _run(target="nginx", cpu_us=1000.0))
    assert report.failures(record) == ["CPU per completion, not streamed: 34.0 x nginx, budget 11"]


def test_a_disturbed_run_counts_only_where_there_is_no_quieter_one() -> None:
    import report  # noqa: PLC0415 (on the path only within a test)

    disturbed, quiet = _run(cpu_us=100.0, others=0.5), _run(round=1, cpu_us=200.0)
    for runs, expected in (((disturbed, quiet), 2.0), ((disturbed,), 1.0)):
        found = report.figure(_record(*runs), "homeport", "request_us")
        assert found is not None
        assert (found.median, found.rounds) == (expected, 1)


def test_neighbours_of_disturbed_rounds_are_compared_rather_than_none() -> None:
    import report  # noqa: PLC0415 (on the path only within a test)

    ours = [_run(cpu_us=100.0, others=0.5), _run(round=1, cpu_us=200.0)]
    nginx = [_run(target="nginx", cpu_us=50.0), _run(target="nginx", round=1, cpu_us=50.0, others=0.5)]
    found = report.times_nginx(_record(*ours, *nginx), "homeport", "request_us")
    assert found is not None
    assert (found.low, found.high) == (2.0, 4.0)


def test_the_page_shows_every_server_and_every_budget() -> None:
    import report  # noqa: PLC0415 (on the path only within a test)
    from arithmetic import BUDGETS  # noqa: PLC0415 (on the path only within a test)

    page = report.page(_record(_run(cpu_us=5000.0), _run(target="nginx", cpu_us=1000.0)))
    assert "| homeport | 50.0 | 5.00 | 100 |" in page
    assert all(f"| {budget.what} | " in page for budget in BUDGETS)


def test_waits_for_the_embedded_model_have_budgets() -> None:
    import report  # noqa: PLC0415 (on the path only within a test)

    record = _record(_run(cpu_us=5000.0))
    waited = replace(record, embedded={"restart_s": [2.0, 2.5, 9.0], "first_token_s": [0.4, 1.9, 2.0]})
    page = report.page(waited)
    assert "| restart of `homeport up` with the embedded model | ≤ 3.00 s | 2.50 (2.00-9.00) | held |" in page
    assert "`up`" in page
    assert "`up`" not in report.page(record)
    assert report.failures(waited) == ["first token of the embedded model: 1.90 s, budget 0.6"]
    assert report.Record.read(waited.json()).embedded == waited.embedded


def test_a_profile_tells_a_function_from_what_it_calls() -> None:
    from profiles import shares  # noqa: PLC0415 (on the path only within a test)

    stacks = ["Runner.run (a);serve (b) 3", "Runner.run (a);serve (b);send (c) 1", "_worker (d) 96"]
    assert shares(stacks) == [("serve (b)", 0.75, 1.0), ("send (c)", 0.25, 0.25)]


def test_the_token_of_the_benchmark_is_one() -> None:
    from targets import TOKEN  # noqa: PLC0415 (on the path only within a test)

    from homeport.access import tokens  # noqa: PLC0415 (beside the other)

    assert tokens.well_formed(TOKEN)


def test_turns_that_share_a_start_count_it_once() -> None:
    import report  # noqa: PLC0415 (on the path only within a test)

    record = _record(_run(), _run(round=1), _run(scenario="code_sat"), _run(round=5, start_s=2))
    assert sorted(report.by_round(record, "homeport", "start_s").values()) == [1, 2]

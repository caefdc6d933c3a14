"""From runs to figures, a table for the terminal and a page for the documentation."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import machine
from arithmetic import BUDGETS, Spread, differences, ratios, spread
from scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scenarios import Run

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "benchmarks.md"
STREAMED = ("st_10k", "clean_10k", "st_500")


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What surrounded the runs."""

    before: str
    after: str
    took_s: float
    versions: Mapping[str, str]


def cost(run: Run) -> float:
    """CPU microseconds per good answer, or per event of a stream; 0 where nothing was counted."""
    count = run.load.get("events" if run.scenario in STREAMED else "good", 0)
    return run.cpu_us / count if count else 0.0


def p50_ms(run: Run) -> float:
    """The median latency in milliseconds."""
    return float(run.load.get("latency_us", {}).get("p50", 0)) / 1000


def _by_round(runs: Iterable[Run], scenario: str, target: str, figure: Callable[[Run], float]) -> dict[int, float]:
    return {run.round: figure(run) for run in runs if (run.scenario, run.target) == (scenario, target)}


def figures(runs: Sequence[Run]) -> dict[str, Spread | None]:
    """What the budgets speak of, and what stands beside it."""

    def of(scenario: str, target: str, figure: Callable[[Run], float] = cost) -> dict[int, float]:
        return _by_round(runs, scenario, target, figure)

    started = [run for run in runs if run.scenario == "start" and run.target == "homeport"]
    return {
        "request_nginx": ratios(of("ns_sat", "homeport"), of("ns_sat", "nginx")),
        "code_nginx": ratios(of("code_sat", "homeport"), of("ns_sat", "nginx")),
        "chunk_nginx": ratios(of("st_10k", "homeport"), of("st_10k", "nginx")),
        "clean_nginx": ratios(of("clean_10k", "homeport"), of("clean_10k", "nginx")),
        "litellm_request": ratios(of("ns_sat", "litellm"), of("ns_sat", "homeport")),
        "litellm_chunk": ratios(of("st_10k", "litellm"), of("st_10k", "homeport")),
        "portkey_request": ratios(of("ns_sat", "portkey"), of("ns_sat", "homeport")),
        "portkey_chunk": ratios(of("st_10k", "portkey"), of("st_10k", "homeport")),
        "added_p50_ms": differences(of("ns_50", "homeport", p50_ms), of("ns_50", "direct", p50_ms)),
        "start_s": spread(run.start_s for run in started),
        "idle_mb": spread(run.idle_mb for run in started),
        "slow_mb": spread(of("st_500", "homeport", lambda run: run.peak_mb).values()),
    }


BESIDE = {
    "code_nginx": "CPU per `/v2/code/completions` answer, prompt built and answer cleaned (x nginx relaying a chat)",
    "clean_nginx": "CPU per chunk of a cleaned completion stream (x nginx)",
    "portkey_request": "Portkey's CPU per completion (x Homeport)",
    "portkey_chunk": "Portkey's CPU per chunk (x Homeport)",
}


def line(run: Run) -> str:
    """One run in a line, as it happens."""
    good = run.load.get("good", "")
    faults = f"  FAULTS: {run.faults}" if run.faults else ""
    noise = f"  (others took {run.others:.0%} of the core)" if run.others > 0.1 else ""
    return (
        f"{run.round} {run.scenario:<9} {run.target:<9} {cost(run):9.1f} us  {p50_ms(run):8.2f} ms  "
        f"{run.peak_mb or run.idle_mb:6.1f} MB  start {run.start_s:5.2f} s  good {good}{faults}{noise}"
    )


def _shown(value: Spread | None) -> str:
    if value is None:
        return "not measured"
    return f"{value.median:.2f} ({value.low:.2f} to {value.high:.2f}, {value.rounds} rounds)"


def _budget_rows(found: Mapping[str, Spread | None], slack: float = 2.0) -> list[tuple[str, str, str, str]]:
    rows = []
    for budget in BUDGETS:
        value = found.get(budget.figure)
        sign = ">=" if budget.at_least else "<="
        outcome = budget.outcome(value.median if value else None, slack=slack)
        rows.append((budget.what, f"{sign} {budget.limit:g} {budget.unit}", _shown(value), outcome))
    return rows


def text(runs: Sequence[Run], found: Mapping[str, Spread | None], around: Around) -> str:
    """The result for a terminal."""
    rows = [("what", "budget", "measured", ""), *_budget_rows(found)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += ["", *(f"{what}: {_shown(found.get(name))}" for name, what in BESIDE.items() if found.get(name))]
    lines += [f"FAULTS in {run.scenario} {run.target} round {run.round}: {run.faults}" for run in runs if run.faults]
    lines += ["", f"{machine.describe()}; load before {around.before}, after {around.after}; {around.took_s:.0f} s"]
    return "\n".join(lines)


def verdict(runs: Sequence[Run], found: Mapping[str, Spread | None], *, slack: float) -> int:
    """1 when a figure is beyond `slack` times its budget, or when Homeport or its measure did not answer well."""
    broken = [row for row in _budget_rows(found, slack) if row[3] == "broken"]
    faulty = [run for run in runs if run.faults and run.target in {"homeport", "nginx", "direct"}]
    return 1 if broken or faulty else 0


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows), ""]


def _raw_rows(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        groups[run.scenario, run.target].append(run)
    rows = []
    for (scenario, target), group in groups.items():
        faults = ", ".join(sorted({run.faults for run in group if run.faults})) or "none"
        costs, latency = spread(map(cost, group)), spread(map(p50_ms, group))
        memory = spread(run.peak_mb or run.idle_mb for run in group)
        cells = (f"{each.median:.1f}" if each and each.median else "" for each in (costs, latency, memory))
        rows.append((scenario, target, *cells, f"{group[0].start_s:.2f}", str(len(group)), faults))
    return rows


def write(runs: Sequence[Run], found: Mapping[str, Spread | None], around: Around) -> Path:
    """Write the documentation's page; gives its path."""
    versions = ", ".join(f"{name} {version}".strip() for name, version in around.versions.items() if version)
    lines = [
        "# Benchmarks",
        "",
        "What Homeport costs beside nginx, LiteLLM and Portkey, measured by the program in `bench/`.",
        "Ratios are the point: absolute figures move with the machine.",
        "",
        f"Measured {datetime.now(UTC):%Y-%m-%d} at commit `{_commit()}` on {machine.describe()};",
        f"load average before {around.before}, after {around.after}; {versions}.",
        "",
        "Homeport ran its gateway role in one process, with token authentication, the request log and metrics on.",
        "",
        "## Budgets",
        "",
        *_table(("What", "Budget", "Measured: median (range)", ""), _budget_rows(found)),
        "Beside them:",
        "",
        *_table(("What", "Measured"), [(what, _shown(found.get(name))) for name, what in BESIDE.items()]),
        "## Every scenario",
        "",
        *_table(("Name", "What"), [(each.name, each.what) for each in SCENARIOS]),
        *_table(
            ("Scenario", "Target", "CPU µs per answer or chunk", "p50 ms", "MB", "start s", "rounds", "faults"),
            _raw_rows(runs),
        ),
        "## How to read this",
        "",
        "- A ratio is taken between runs of the same round, then the median over rounds.",
        "- A run with bad, failed or unfinished answers looks cheap; look at the faults first.",
        "- LiteLLM saturates at some tens of requests a second on one core: its latencies are the queue.",
        "- Two cores, loopback, no TLS, no real model. nginx authenticates nobody and logs nothing here.",
        "",
        "## How to repeat it",
        "",
        "```",
        "make bench          # this page",
        "make bench-quick    # direct, nginx and Homeport in under two minutes",
        "make peers          # installs LiteLLM and Portkey for comparison, into bench/.peers",
        "```",
        "",
    ]
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text("\n".join(lines))
    return PAGE

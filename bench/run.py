"""Measures what Homeport adds, next to nginx and others, on this machine.

    .venv/bin/python bench/run.py --quick           some 100 s; fails beyond twice a budget
    .venv/bin/python bench/run.py --full            some 12 minutes; writes docs/reference/benchmarks.md
    .venv/bin/python bench/run.py --only homeport nginx --rounds 3 --json runs.json

Each run has its own fresh server on core 0; load and upstream share core 1. Within a round the
targets take turns in every scenario, and a ratio is taken only between runs of the same round.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import machine
import report
import scenarios
from scenarios import SCENARIOS, Run, Scenario
from servers import CannotMeasure, serving, upstream
from targets import BUILD, Target, targets

QUICK = ("direct", "nginx", "homeport")
QUICK_SLACK = 2.0
SLOW_SCENARIOS = ("ns_sat", "st_10k", "st_500", "start")
"""What a slow target takes part in."""


def main() -> int:
    """Measure, print, and say by the exit code whether the budgets were kept."""
    options = _options()
    chosen = _present(options.only or (QUICK if options.quick else None))
    (BUILD / "logs").mkdir(parents=True, exist_ok=True)
    (BUILD / "nginx").mkdir(exist_ok=True)
    before, began = machine.load_average(), time.monotonic()
    try:
        runs = _measure(chosen, rounds=options.rounds or (1 if options.quick else 4))
    except CannotMeasure as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    took = time.monotonic() - began
    if options.json:
        Path(options.json).write_text(json.dumps([asdict(run) for run in runs], indent=1))
    around = report.Around(before=before, after=machine.load_average(), took_s=took, versions=_versions(chosen))
    figures = report.figures(runs)
    print(report.text(runs, figures, around))
    if options.full:
        print(f"Written to {report.write(runs, figures, around)}.")
    return report.verdict(runs, figures, slack=QUICK_SLACK)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="direct, nginx and Homeport, one round")
    parser.add_argument("--full", action="store_true", help="everyone; write the documentation's page")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these targets only")
    parser.add_argument("--rounds", type=int, help="rounds for the fast targets (4; quick: 1)")
    parser.add_argument("--json", metavar="FILE", help="write every run to FILE")
    return parser.parse_args()


def _present(names: tuple[str, ...] | None) -> list[Target]:
    chosen = []
    for target in targets():
        if names and target.name not in names:
            continue
        if target.present:
            chosen.append(target)
        else:
            print(f"{target.name} is left out; install it with: {target.install}", file=sys.stderr)
    return chosen


def _versions(chosen: list[Target]) -> dict[str, str]:
    return {target.name: target.version() for target in chosen}


def _measure(chosen: list[Target], *, rounds: int) -> list[Run]:
    cores = machine.cores()
    runs: list[Run] = []
    with upstream(cores[1]) as upstream_pid:
        for number in range(1, rounds + 1):
            for scenario in SCENARIOS:
                for target in chosen:
                    if not _takes_part(target, scenario, number):
                        continue
                    runs.append(_one(scenario, target, number, upstream_pid, cores))
                    print(report.line(runs[-1]), file=sys.stderr, flush=True)
    return runs


def _takes_part(target: Target, scenario: Scenario, number: int) -> bool:
    if scenario.only and target.name not in scenario.only:
        return False
    if not target.command and not scenario.load:
        return False
    slow_out = target.slow and (number > 2 or scenario.name not in SLOW_SCENARIOS)
    return number <= scenario.most_rounds and not slow_out


def _one(scenario: Scenario, target: Target, number: int, upstream_pid: int, cores: tuple[int, int]) -> Run:
    question = scenarios.body(scenarios.SCENARIOS[0])
    with serving(target, upstream_pid=upstream_pid, core=cores[0], body=question) as server:
        return scenarios.run(scenario, server, number=number, cores=cores)


if __name__ == "__main__":
    sys.exit(main())

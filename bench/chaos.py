"""Injects faults into model servers, clients and requests at random, and tells what came of it.

    .venv/bin/python bench/chaos.py --injections 5000

It ends with status 1 where something is not as docs/reference/reliability.md promises.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from pages import here, put, quiet

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "_kit"))

from chaos import Report, storm, verdict

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="bench/chaos.py", description=__doc__.partition("\n")[0])
    parser.add_argument("--injections", type=int, default=5000, help="faults (5000)")
    parser.add_argument("--clients", type=int, default=48, help="clients at once (48)")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn (1)")
    parser.add_argument("--write", action="store_true", help="into docs/reference/reliability.md")
    return parser.parse_args(given)


def _each(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def told(report: Report) -> str:
    """The report as lines of a table."""
    half, end = report.memory_mb
    rows = {
        "when, where": here(),
        "faults": f"{report.injections:,}: {_each(report.injected)}",
        "requests, each with one line in the log": f"{report.requests:,} in {report.seconds:.0f} s",
        "their outcomes": _each(report.outcomes),
        "what clients that stayed got": _each(report.seen),
        "requests to model servers for each that came": f"{report.amplification:.2f}",
        "memory half way, at the end": f"{half:.0f} MB, {end:.0f} MB",
        "before": ", ".join(f"{name} {count}" for name, count in report.before.items()),
        "after": ", ".join(f"{name} {count}" for name, count in report.left.items()),
        "all served again after": f"{report.recovered_s * 1000:.0f} ms",
    }
    return "\n".join(("| what | figure |", "| --- | --- |", *(f"| {name} | {text} |" for name, text in rows.items())))


def main(given: Sequence[str]) -> int:
    """0: all as promised; 1: not."""
    asked = arguments(given)
    with quiet():
        report = uvloop.run(storm(asked.injections, clients=asked.clients, seed=asked.seed))
    print(told(report))
    if asked.write:
        put("chaos", f"`bench/chaos.py {' '.join(given)}`:\n\n{told(report)}")
    for problem in (problems := verdict(report)):
        print(f"FAILED: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

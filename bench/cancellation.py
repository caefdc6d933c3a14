"""Measures how soon the work for a client that left ends, for every way to ask and every phase.

    .venv/bin/python bench/cancellation.py --rounds 100

It ends with status 1 where that takes longer than docs/reference/reliability.md promises.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from pages import here, put, quiet

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "_kit"))

from departures import measure, percentile, table

if TYPE_CHECKING:
    from collections.abc import Sequence

P99_MS, MOST_MS = 150, 500


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="bench/cancellation.py", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=100, help="clients that leave, for each way and phase (100)")
    parser.add_argument("--write", action="store_true", help="into docs/reference/reliability.md")
    return parser.parse_args(given)


def main(given: Sequence[str]) -> int:
    """0: all as promised; 1: not."""
    asked = arguments(given)
    with quiet():
        times = uvloop.run(measure(asked.rounds))
    text = f"{here()}; {sum(map(len, times.values())):,} clients.\n\n{table(times)}"
    print(text)
    if asked.write:
        put("cancellation", f"`bench/cancellation.py {' '.join(given)}`, {text}")
    slow = {key for key, each in times.items() if percentile(each, 0.99) > P99_MS or max(each) * 1000 > MOST_MS}
    for way, phase in slow:
        print(f"FAILED: {way}, {phase}")
    return 1 if slow else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

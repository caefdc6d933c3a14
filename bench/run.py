"""Measures Homeport beside a direct connection, nginx, LiteLLM and Portkey; see docs/reference/benchmarks.md."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shlex
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import embedded
import gitlab
import machine
import profiles
import report
from report import Record
from rich.console import Console
from scenarios import SCENARIOS, body, run
from servers import CannotMeasure, serving, upstream
from targets import BUILD, HERE, targets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from scenarios import Run, Scenario
    from servers import Server
    from targets import Target

PAGE = HERE.parent / "docs" / "reference" / "benchmarks.md"
SLOW_ROUNDS = 2
QUICK = ("ns_sat", "code_sat", "ns_50", "st_10k", "clean_10k", "st_500")
FULL = ("ns_sat", "code_sat", "ns_50", "st_10k", "clean_10k", "st_first", "st_500", embedded.SCENARIO)


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="bench/run.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="direct, nginx, homeport; two rounds; the default")
    parser.add_argument(
        "--full", action="store_true", help="all that is installed; writes docs/reference/benchmarks.md"
    )
    parser.add_argument("--rounds", type=int, default=0, help="rounds (2 for --quick, 4 for --full)")
    parser.add_argument("--only", default="", metavar="NAMES", help="these servers, separated by commas")
    parser.add_argument("--scenarios", default="", metavar="NAMES", help="these scenarios, separated by commas")
    parser.add_argument("--json", type=Path, help="write the record with all runs to this file")
    parser.add_argument(
        "--read", type=Path, help="show a record instead of measuring; with --full, write the page from it"
    )
    parser.add_argument("--profile", action="store_true", help="profile homeport instead of measuring")
    return parser.parse_args(given)


def _chosen(names: str, default: Sequence[str], known: Sequence[str]) -> list[str]:
    wanted = [name.strip() for name in names.split(",") if name.strip()] or list(default)
    if strange := [name for name in wanted if name not in known]:
        msg = f"Unknown: {', '.join(strange)}. Known: {', '.join(known)}."
        raise CannotMeasure(msg)
    return wanted


def _chosen_targets(asked: argparse.Namespace) -> list[Target]:
    known = {target.name: target for target in targets()}
    default = list(known) if asked.full else list(report.OURS)
    return [known[name] for name in _chosen(asked.only, default, list(known))]


def _chosen_scenarios(asked: argparse.Namespace) -> list[Scenario]:
    known = {scenario.name: scenario for scenario in SCENARIOS}
    return [known[name] for name in _chosen(asked.scenarios, FULL if asked.full else QUICK, list(known))]


@contextmanager
def _alone() -> Iterator[None]:
    """One benchmark at a time, with its programs built and its folders there."""
    for folder in ("logs", "homeport", "nginx"):
        (BUILD / folder).mkdir(parents=True, exist_ok=True)
    if not (BUILD / "upstream").exists() or not (BUILD / "load").exists():
        msg = "The load generator is not built. Run: sh bench/setup.sh"
        raise CannotMeasure(msg)
    with (BUILD / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = "Another benchmark runs in this checkout. Wait for it: two at once measure each other."
            raise CannotMeasure(msg) from None
        yield


def _takes_part(target: Target, scenario: Scenario, number: int, *, quick: bool) -> bool:
    """Whether a target runs in a scenario in this round; a quick benchmark leaves out what no budget needs."""
    if scenario.only and target.name not in scenario.only:
        return False
    if target.name == "direct" and (scenario.name == "st_500" or (quick and scenario.name != "ns_50")):
        return False
    if quick and scenario.name == "st_500":
        return number == 0 and target.name == "homeport"
    return number < (min(scenario.most_rounds, SLOW_ROUNDS) if target.slow else scenario.most_rounds)


def _turns(
    who: Sequence[Target], what: Sequence[Scenario], number: int, *, quick: bool
) -> Iterator[tuple[Scenario, Target]]:
    """A round's runs in their order: neighbours differ by server alone, and each other round goes backwards."""
    for scenario in what:
        for target in who if number % 2 == 0 else who[::-1]:
            if _takes_part(target, scenario, number, quick=quick):
                yield scenario, target


def _tell(done: Run, console: Console) -> None:
    said = f"good {done.load['good']}, {done.cpu_us / 1e6:.2f} s CPU" if done.load else f"start {done.start_s:.2f} s"
    faults = f", {done.faults}" if done.faults else ""
    console.print(f"round {done.round + 1}  {done.scenario:<9} {done.target:<9} {said}{faults}", highlight=False)


@dataclass(slots=True)
class _Stand:
    """Where runs take place: the cores, the upstream, and until when disturbed runs may be repeated."""

    cores: tuple[int, int]
    upstream_pid: int
    repeats_until: float
    console: Console

    def settle(self, who: Sequence[Target]) -> None:
        """Start everybody once, uncounted: what is compiled at the first start is compiled."""
        for target in who:
            with self.serving(target):
                pass

    def serving(self, target: Target) -> AbstractContextManager[Server]:
        """A server, started."""
        return serving(target, upstream_pid=self.upstream_pid, core=self.cores[0], body=body(SCENARIOS[0]))

    def once(self, scenario: Scenario, target: Target, number: int) -> Run:
        """One run against a server started for it."""
        with self.serving(target) as server:
            done = run(scenario, server, number=number, cores=self.cores)
        _tell(done, self.console)
        return done

    def abreast(self, turns: Sequence[tuple[Scenario, Target]], number: int) -> Iterator[Run]:
        """A round in which all servers run at once and take short turns, each other time backwards."""
        who = {target.name: target for _, target in turns}
        with ExitStack() as stack:
            servers = {name: stack.enter_context(self.serving(target)) for name, target in who.items()}
            slices = max((scenario.slices for scenario, _ in turns), default=0)
            for turn in range(slices):
                for scenario, target in turns if turn % 2 == 0 else turns[::-1]:
                    at, server = number * slices + turn, servers[target.name]
                    done = run(scenario, server, number=at, cores=self.cores, warm=turn == 0)
                    _tell(done, self.console)
                    yield done

    def round(self, turns: Sequence[tuple[Scenario, Target]], number: int) -> Iterator[Run]:
        """All runs of a round: first the short turns; a server that is slow takes its own alone."""
        yield from self.abreast([(s, target) for s, target in turns if s.slices > 1 and not target.slow], number)
        for scenario, target in turns:
            if target.slow or scenario.slices == 1:
                yield self.calm(scenario, target, number * scenario.slices)

    def calm(self, scenario: Scenario, target: Target, number: int) -> Run:
        """One run, taken again where other programs disturbed it; the calmer of the two."""
        done = self.once(scenario, target, number)
        if not done.disturbed or time.monotonic() > self.repeats_until:
            return done
        return min(done, self.once(scenario, target, number), key=lambda each: each.others)


def _runs(asked: argparse.Namespace, present: Sequence[Target], console: Console) -> list[Run]:
    """All runs, in their order."""
    rounds, spare_s = (asked.rounds or 4, 300) if asked.full else (asked.rounds or 2, 50)
    cores, what = machine.cores(), _chosen_scenarios(asked)
    os.sched_setaffinity(0, {cores[1]})
    with gitlab.issuing(), upstream(cores[1]) as pid:
        stand = _Stand(cores, pid, time.monotonic() + spare_s, console)
        stand.settle(present)
        turns = (list(_turns(present, what, number, quick=not asked.full)) for number in range(rounds))
        return [done for number, each in enumerate(turns) for done in stand.round(each, number)]


def measure(asked: argparse.Namespace, console: Console) -> Record:
    """All runs, and what surrounded them."""
    who, before = _chosen_targets(asked), machine.load_average()
    present = [target for target in who if target.present]
    alone = embedded.SCENARIO in {scenario.name for scenario in _chosen_scenarios(asked)}
    waits = embedded.measure(console) if alone else {}
    runs = _runs(asked, present, console)
    return Record(
        when=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        commit=machine.said("git", "-C", HERE, "describe", "--always", "--dirty", "--abbrev=12"),
        machine=machine.describe(),
        versions={"Python": sys.version.split()[0]} | {t.name: t.version() for t in present if t.version()},
        load_before=before,
        load_after=machine.load_average(),
        command=shlex.join(["bench/run.py", *sys.argv[1:]]),
        runs=runs,
        absent={target.name: target.install for target in who if not target.present},
        embedded=waits,
    )


def _measured(asked: argparse.Namespace, console: Console) -> Record:
    if asked.read:
        try:
            return Record.read(json.loads(asked.read.read_text()))
        except (OSError, ValueError, TypeError, KeyError) as error:
            msg = f"{asked.read} is no record that --json wrote ({error}). Measure one with: bench/run.py --json FILE"
            raise CannotMeasure(msg) from error
    with _alone():
        return measure(asked, console)


def main(given: Sequence[str]) -> int:
    """0: measured and good; 1: a budget is broken or Homeport had faults; 2: could not measure."""
    asked, console = arguments(given), Console(stderr=True)
    try:
        if asked.profile:
            with _alone():
                return profiles.profile(next(t for t in targets() if t.name == "homeport"), console)
        record = _measured(asked, console)
    except CannotMeasure as reason:
        console.print(str(reason), markup=False, soft_wrap=True)
        return 2
    report.show(record, Console(width=None if sys.stdout.isatty() else 140))
    if asked.json:
        asked.json.write_text(json.dumps(record.json(), indent=1))
    if asked.full:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(report.page(record))
    for failure in (failed := report.failures(record)):
        console.print(f"FAILED: {failure}", markup=False, soft_wrap=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

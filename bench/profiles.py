"""Where Homeport's CPU goes: a sampling profiler beside the busiest scenarios. Such runs are no measurements."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import gitlab
import machine
from scenarios import SCENARIOS, body, run
from servers import CannotMeasure, serving, upstream
from targets import BUILD

if TYPE_CHECKING:
    from rich.console import Console
    from targets import Target

SCENES = ("ns_sat", "code_sat", "st_10k", "clean_10k")
SECONDS = "2"
LOOP = "Runner.run"
"""In every stack of the thread that asyncio.Runner runs; its own share is the loop itself, waiting included."""
LOG = BUILD / "logs" / "profiler.log"


def _py_spy() -> str | None:
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy")


def _recorder(pid: int, name: str) -> tuple[list[str], Path]:
    """The command that samples a process for a while, and the file that it writes."""
    if spy := _py_spy():
        file = BUILD / f"profile-{name}.txt"
        options = ["--function", "--format", "raw", "--rate", "500", "--duration", SECONDS]
        return [spy, "record", *options, "--output", str(file), "--pid", str(pid)], file
    if perf := shutil.which("perf"):
        file = BUILD / f"profile-{name}.perf"
        return [perf, "record", "-q", "-F", "1999", "-o", str(file), "-p", str(pid), "--", "sleep", SECONDS], file
    msg = "Neither py-spy nor perf is here. Install one: pip install py-spy, or apt-get install linux-perf"
    raise CannotMeasure(msg)


def shares(lines: list[str]) -> list[tuple[str, float, float]]:
    """Function, own share and share with what it calls, most of its own first, from py-spy's "frame;frame count".

    Of the event loop's thread only: the others wait, and a sampler cannot always tell.
    """
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in (line for line in lines if LOOP in line):
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        own[frames[-1]] += int(count)
        for frame in set(frames):
            within[frame] += int(count)
    total = own.total() or 1
    return [(frame, count / total, within[frame] / total) for frame, count in own.most_common()]


def _told(file: Path) -> str:
    if not file.exists():
        return f"The profiler wrote nothing; see {LOG}."
    if file.suffix == ".perf":
        options = ["--stdio", "--no-children", "--sort", "dso,symbol", "--percent-limit", "1"]
        command = ["perf", "report", "-i", str(file), *options]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = shares(file.read_text().splitlines())[:30]
    return "\n".join(["   own  within", *(f"{own:6.1%} {within:7.1%}  {frame}" for frame, own, within in found)])


def profile(target: Target, console: Console) -> int:
    """Sample each busy scenario once and print what took the time."""
    cores, known = machine.cores(), {scenario.name: scenario for scenario in SCENARIOS}
    with gitlab.issuing(), upstream(cores[1]) as pid:
        for name in SCENES:
            with serving(target, upstream_pid=pid, core=cores[0], body=body(SCENARIOS[0])) as server:
                command, file = _recorder(server.pid, name)
                with LOG.open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log):
                    run(known[name], server, number=0, cores=cores)
            console.print(f"{name}: {file}\n{_told(file)}", markup=False, highlight=False, soft_wrap=True)
    return 0

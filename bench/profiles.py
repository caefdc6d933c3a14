"""Where Homeport's CPU goes: a sampling profiler beside the busiest scenarios. Such runs are no measurements."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import machine
from scenarios import SCENARIOS, body, run
from servers import CannotMeasure, serving, upstream
from targets import BUILD

if TYPE_CHECKING:
    from rich.console import Console
    from targets import Target

SCENES = ("ns_sat", "code_sat", "st_10k", "clean_10k")
SECONDS = "2"


def _py_spy() -> str | None:
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy")


def _recorder(pid: int, name: str) -> tuple[list[str], Path]:
    """The command that samples a process for a while, and the file that it writes."""
    if spy := _py_spy():
        file = BUILD / f"profile-{name}.txt"
        options = ["--native", "--format", "raw", "--rate", "500", "--duration", SECONDS, "--nonblocking"]
        return [spy, "record", *options, "--output", str(file), "--pid", str(pid)], file
    if perf := shutil.which("perf"):
        file = BUILD / f"profile-{name}.perf"
        return [perf, "record", "-q", "-F", "1999", "-o", str(file), "-p", str(pid), "--", "sleep", SECONDS], file
    msg = "Neither py-spy nor perf is here. Install one: pip install py-spy, or apt-get install linux-perf"
    raise CannotMeasure(msg)


def self_times(lines: list[str]) -> list[tuple[str, int]]:
    """Samples by innermost frame, most first, from py-spy's raw format: "frame;frame;frame count"."""
    counts: dict[str, int] = {}
    for line in lines:
        stack, _, count = line.rpartition(" ")
        frame = stack.rpartition(";")[2]
        counts[frame] = counts.get(frame, 0) + int(count)
    return sorted(counts.items(), key=lambda item: -item[1])


def _told(file: Path) -> str:
    if file.suffix == ".perf":
        perf = [
            "perf",
            "report",
            "-i",
            str(file),
            "--stdio",
            "--no-children",
            "--sort",
            "dso,symbol",
            "--percent-limit",
            "1",
        ]
        return subprocess.run(perf, capture_output=True, text=True, check=False).stdout
    counts = self_times(file.read_text().splitlines())
    total = sum(count for _, count in counts) or 1
    return "\n".join(f"{count / total:6.1%}  {frame}" for frame, count in counts[:40])


def profile(target: Target, console: Console) -> int:
    """Sample each busy scenario once and print what took the time."""
    cores, known = machine.cores(), {scenario.name: scenario for scenario in SCENARIOS}
    with upstream(cores[1]) as pid:
        for name in SCENES:
            with serving(target, upstream_pid=pid, core=cores[0], body=body(SCENARIOS[0])) as server:
                command, file = _recorder(server.pid, name)
                with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
                    run(known[name], server, number=0, cores=cores)
            console.print(f"{name}: {file}\n{_told(file)}", markup=False, highlight=False)
    return 0

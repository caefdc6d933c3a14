"""What the kernel knows about a process tree and about this machine."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from contextlib import suppress
from pathlib import Path

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
GONE = (FileNotFoundError, ProcessLookupError)


def cores() -> tuple[int, int]:
    """The core for the server under test and the one for load and upstream; the same where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[min(1, len(usable) - 1)]


def tree(pid: int) -> list[int]:
    """A process and all its descendants that are alive."""
    found = [pid]
    with suppress(*GONE):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            with suppress(*GONE):
                for child in children.read_text().split():
                    found += tree(int(child))
    return found


def _own_ns(pid: int) -> int:
    """CPU time of all threads of a process, those that ended included.

    The id of another process's CPU clock is (~pid << 3) | 2 on Linux (include/linux/posix-timers_types.h);
    the clock counts the nanoseconds that /proc/<pid>/task/*/schedstat shows for living threads.
    """
    return time.clock_gettime_ns((~pid << 3) | 2)


def _ended_children_ns(pid: int) -> int:
    """CPU time of waited-for children: fields 16 and 17 of /proc/<pid>/stat (proc(5)), in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) * 1_000_000_000 // CLOCK_TICKS


def cpu_ns(pid: int) -> int:
    """CPU nanoseconds that a process tree has used so far."""
    total = 0
    for each in tree(pid):
        with suppress(*GONE, OSError):
            total += _own_ns(each) + _ended_children_ns(each)
    return total


def pss_mb(pid: int) -> float:
    """Proportional set size of a process tree, in MB (10^6 bytes)."""
    total = 0
    for each in tree(pid):
        with suppress(*GONE):
            for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total / 1e6


def busy_s(core: int) -> float:
    """Seconds that a core was busy since boot, with whatever (proc(5), /proc/stat); stolen time counts."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, ticks[:8])
            return (user + nice + system + irq + softirq + steal) / CLOCK_TICKS
    return 0.0


def load_average() -> str:
    """The three load averages."""
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def describe() -> str:
    """One line about this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({_cpu_name()}), {memory:.0f} GiB, {platform.system()} {platform.release()}"


def said(*command: str | Path) -> str:
    """First line of what a command prints, or an empty string."""
    try:
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout or done.stderr).strip().partition("\n")[0]

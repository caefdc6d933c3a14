"""Starts Homeport as a newcomer would, tries it, and writes down what was seen: python tools/transcript.py.

The words of the model differ from machine to machine, so this runs when somebody wants it and not in
`make check`; cog puts the result (docs/guides/transcript.txt) into the README.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "docs" / "guides" / "transcript.txt"
READY = "Ctrl-C"
START_S = 120
PLACE = "src/homeport/domain/wording.py:28:5"


@contextmanager
def homeport_up(data: Path) -> Iterator[list[str]]:
    """A fresh Homeport; gives the lines that it prints until it is ready."""
    environ = os.environ | {
        "HOMEPORT_DATA_DIR": str(data),
        "HOMEPORT_METRICS_PORT": "-1",
        "NO_COLOR": "1",
        "COLUMNS": "100",
    }
    running = subprocess.Popen(
        [ROOT / ".venv/bin/homeport", "up"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    signal.alarm(START_S)
    lines: list[str] = []
    for line in running.stdout or ():
        lines.append(line.rstrip())
        if READY in line:
            break
    signal.alarm(0)
    try:
        yield lines
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(30)


def run(command: str, data: Path) -> str:
    """What a command typed by a person prints."""
    environ = os.environ | {
        "HOMEPORT_DATA_DIR": str(data),
        "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}",
        "NO_COLOR": "1",
        "COLUMNS": "100",
    }
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command}\nended with {done.returncode}: {done.stderr}")
    return done.stdout.rstrip()

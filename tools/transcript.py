"""Starts Homeport as a newcomer would, tries what it says, and writes down what was seen.

    .venv/bin/python tools/transcript.py && make docs

A model's words differ from machine to machine, so this runs when somebody wants it and not in
`make check`. The result, docs/guides/transcript.txt, is put into the README from there.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "docs" / "guides" / "transcript.txt"
READY = "Ctrl-C"
START_S, STOP_S = 120, 30
SHOWN = ("Complete code", "Chat", "Complete a file, as an editor would")
"""Of what the welcome suggests, what is tried."""


def surroundings(data: Path) -> Mapping[str, str]:
    """A newcomer's environment: nothing configured, the program on the path."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HOMEPORT_", "AIGW_"))}
    path = f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"
    told = {"HOMEPORT_DATA_DIR": str(data), "HOMEPORT_METRICS_PORT": "-1", "NO_COLOR": "1", "COLUMNS": "96"}
    return clean | told | {"PATH": path}


@contextmanager
def homeport_up(data: Path) -> Iterator[list[str]]:
    """A fresh Homeport on a free port; gives the lines that it prints until it is ready."""
    command = [ROOT / ".venv/bin/homeport", "up", "--port", "0"]
    running = subprocess.Popen(
        command, cwd=ROOT, env=surroundings(data), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield until_ready(running)
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=STOP_S)


def until_ready(running: subprocess.Popen[str]) -> list[str]:
    """What was printed up to the last line of the welcome."""
    signal.alarm(START_S)
    lines = []
    for line in running.stdout or ():
        lines.append(line.rstrip())
        if line.startswith(READY):
            signal.alarm(0)
            return lines
    sys.exit("homeport up ended before it was ready:\n" + "\n".join(lines))


def suggested(lines: list[str]) -> Iterator[str]:
    """The commands that the welcome tells to try, each as one text."""
    for title in SHOWN:
        start = lines.index(title) + 1
        yield "\n".join(lines[start : lines.index("", start)])


def run(command: str, data: Path) -> str:
    """What a command prints for the person who typed it."""
    quiet = re.sub(r"\bcurl ", "curl -sS ", command, count=1)
    done = subprocess.run(
        ["bash", "-c", quiet], cwd=ROOT, env=surroundings(data), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{command}\nended with {done.returncode}: {done.stderr}")
    return done.stdout.rstrip()


def transcript() -> str:
    """The whole visit, with this machine's folder, port and token taken out."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / ".homeport"
        with homeport_up(data) as lines:
            welcome = lines[: lines.index(SHOWN[0])]
            visits = [f"$ {command}\n{run(command, data)}" for command in suggested(lines)]
        text = "\n\n".join(("$ make up\n" + "\n".join(welcome).strip(), *visits))
    return tidy(text, folder)


def tidy(text: str, folder: str) -> str:
    """What every machine would show alike."""
    text = re.sub(r"HOMEPORT_DATA_DIR=\S+ ", "", text).replace(f"{folder}/", "")
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:5050", text)
    return re.sub(r"\bhp[a-z]*[_-]\w{8,}", "hp_…", text)


if __name__ == "__main__":
    RESULT.write_text(transcript() + "\n")
    print(RESULT.read_text())

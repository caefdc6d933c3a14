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
START_S, STOP_S, WIDEST = 120, 30, 440
ASK = """curl -s http://127.0.0.1:5050/v1/completions -H "Authorization: Bearer $(cat .homeport/token)" \\
    -H 'Content-Type: application/json' \\
    -d '{"prompt": "%s",
         "suffix": "%s"}'"""
HOLE = (
    "class Stack:\\n    def __init__(self):\\n        self.items = []\\n\\n    def pop(self):\\n        ",
    "\\n\\n    def size(self):\\n        return len(self.items)\\n",
)
CHAT = """curl -s http://127.0.0.1:5050/v1/chat/completions -H "Authorization: Bearer $(cat .homeport/token)" \\
    -H 'Content-Type: application/json' \\
    -d '{"messages": [{"role": "user", "content": "What is a mutex? One sentence."}]}'"""
FILE, LINE = "src/homeport/domain/prompts.py", "return len(content)"
"""Where code is completed as an editor would: at the start of this line."""


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


def commands() -> Iterator[str]:
    """What a newcomer tries."""
    yield ASK % HOLE
    yield CHAT
    lines = (ROOT / FILE).read_text().splitlines()
    number, line = next((number, line) for number, line in enumerate(lines, 1) if line.strip() == LINE)
    yield f"homeport complete {FILE}:{number}:{line.index(LINE) + 1}"


def run(command: str, data: Path, url: str) -> str:
    """What a command prints for the person who typed it."""
    here = command.replace("http://127.0.0.1:5050", url).replace(".homeport/token", f"{data}/token")
    done = subprocess.run(
        ["bash", "-c", here], cwd=ROOT, env=surroundings(data), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{command}\nended with {done.returncode}: {done.stderr}")
    lines = done.stdout.rstrip().splitlines()
    return "\n".join(line if len(line) <= WIDEST else f"{line[:WIDEST]} …" for line in lines)


def transcript() -> str:
    """The whole visit, with this machine's folder, port and token taken out."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / ".homeport"
        with homeport_up(data) as lines:
            url = re.findall(r"http://127\.0\.0\.1:\d+", "\n".join(lines))[0]
            visits = [f"$ {command}\n{run(command, data, url)}" for command in commands()]
        welcome = "\n".join(lines[: lines.index("Complete code")]).strip()
        return "\n\n".join((f"$ make up\n{tidy(welcome, folder, url)}", *visits))


def tidy(text: str, folder: str, url: str) -> str:
    """What every machine would show alike, in a frame that fits again."""
    text = text.replace(f"{folder}/", "").replace(url, "http://127.0.0.1:5050")
    text = re.sub(r"\bhp_\w{8,}", "hp_…", text)
    inside = [line.strip("│ ") for line in text.splitlines() if line.startswith("│")]
    width = max(map(len, inside)) + 4
    return "\n".join(framed(line, width) for line in text.splitlines())


def framed(line: str, width: int) -> str:
    """A line of the welcome's frame at its new width."""
    if line.startswith(("╭", "╰")):
        return f"{line[0]}{line.strip('╭╮╰╯─').center(width, '─')}{line[-1]}"
    if line.startswith("│"):
        return f"│{line[1:-1].rstrip().ljust(width)}│"
    return line


if __name__ == "__main__":
    RESULT.write_text(transcript() + "\n")
    print(RESULT.read_text())

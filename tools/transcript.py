"""Starts Homeport as a newcomer would, tries what it says to try, and writes down what was seen.

    .venv/bin/python tools/transcript.py && make docs

It runs `make up` in a fresh checkout whose packages are installed already, then exactly the commands
that are printed there. Nothing is cut; only this machine's folder, port and token are taken out. A
model's words differ from machine to machine, so this runs when somebody wants it and not in `make
check`; tests/test_transcript.py says when what is printed has changed since. The result,
docs/guides/transcript.txt, is put into the README from there.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "docs" / "guides" / "transcript.txt"
READY, FRAME = "Ctrl-C", "╰"
START_S, STOP_S = 120, 30
PORT, TOKEN, CODE = 5050, "hp_…", "code=…"
INSTALLED = (
    "requirements/run.txt",
    "requirements/dev.txt",
    "requirements/uv.txt",
    "pyproject.toml",
    "tools/install.sh",
)
"""What `make` looks at to see whether packages must be installed."""


@contextmanager
def checkout() -> Iterator[Path]:
    """A fresh checkout with the packages of this one."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "homeport"
        subprocess.run(["git", "clone", "-q", ROOT, place], check=True)
        (place / ".venv").symlink_to(ROOT / ".venv")
        for name in INSTALLED:
            os.utime(place / name, (0, 0))
        yield place


def surroundings(port: int) -> Mapping[str, str]:
    """A newcomer's environment: nothing configured but the port, where the usual one is taken."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HOMEPORT_", "AIGW_"))}
    path = ":".join(each for each in os.environ["PATH"].split(":") if not (Path(each) / "homeport").exists())
    told = {"HOMEPORT_METRICS_PORT": "-1", "NO_COLOR": "1", "COLUMNS": "96", "PATH": path}
    return clean | told | ({} if port == PORT else {"HOMEPORT_PORT": str(port)})


def free_port() -> int:
    """The usual port, or any other where somebody has that one."""
    for port in (PORT, 0):
        with closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    sys.exit("There is no free port.")


@contextmanager
def up(place: Path, port: int) -> Iterator[list[str]]:
    """`make up`; gives the lines that it prints until it is ready."""
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
    running: subprocess.Popen[str] = subprocess.Popen(["make", "up"], cwd=place, env=surroundings(port), **pipe)  # type: ignore[call-overload]  # options as a dictionary
    try:
        yield until_ready(running)
    finally:
        os.killpg(running.pid, signal.SIGINT)
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
    sys.exit("make up ended before it was ready:\n" + "\n".join(lines))


def parts(lines: list[str]) -> tuple[str, list[str]]:
    """The steps with the panel and the link to sign in, and the commands that are printed below under a title each."""
    end = next(number for number, line in enumerate(lines) if line.startswith(FRAME)) + 1
    blocks = "\n".join(lines[end:]).strip().split("\n\n")
    links = [block for block in blocks if block.partition("\n")[2].startswith("http")]
    commands = (block.partition("\n")[2] for block in blocks if block not in links)
    seen = "\n".join(lines[:end]).strip()
    return "\n\n".join((seen, *links)), [each for each in commands if each and not each.startswith("export")]


def run(command: str, place: Path, port: int) -> str:
    """What a command prints for the person who copied it."""
    done = subprocess.run(
        ["bash", "-c", command], cwd=place, env=surroundings(port), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{command}\nended with {done.returncode}: {done.stderr}")
    return done.stdout.rstrip()


def transcript() -> str:
    """The whole visit, as it would have been in any folder."""
    port = free_port()
    with checkout() as place, up(place, port) as lines:
        seen, commands = parts(lines)
        visits = [f"$ {command}\n{run(command, place, port)}" for command in commands]
    return tidy("\n\n".join((f"$ make up\n{seen}", *visits)), place, port)


def tidy(text: str, place: Path, port: int) -> str:
    """What every machine would show alike, in a frame that fits again."""
    text = text.replace(f"{place}/", "").replace(f"127.0.0.1:{port}", f"127.0.0.1:{PORT}")
    text = re.sub(r"\bhp_\w{8,}", TOKEN, text)
    text = re.sub(r"\bcode=[\w-]{8,}", CODE, text)
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

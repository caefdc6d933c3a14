"""The data directory, claimed by one server at a time; what the server leaves there for other commands."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import stat
from typing import TYPE_CHECKING, Any

from homeport.domain.errors import HomeportError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEAST_FREE = 50 * 1024 * 1024
"""Bytes that must be free to start."""
LOCK, RUN, TOKEN = "lock", "run.json", "token"
"""Files: held while a server runs, where it listens, and what the command line sends to it."""
NOTE = "data directory: "
"""How the note of an error begins that says which directory it was about."""


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """The directory, made if missing, for this process alone; raises HomeportError or OSError."""
    _prepare(folder)
    with (folder / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _taken(folder) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        with told(folder):
            yield


@contextlib.contextmanager
def told(folder: Path) -> Iterator[None]:
    """Whatever goes wrong inside knows which data directory it was about."""
    try:
        yield
    except Exception as error:
        error.add_note(f"{NOTE}{folder}")
        raise


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        saw = f"The data directory {folder} is a file."
        raise HomeportError(saw, "Move it away, or set HOMEPORT_DATA_DIR to a directory.") from None
    except OSError as error:
        saw = f"The data directory {folder} cannot be made: {error.strerror}."
        raise HomeportError(saw, "Set HOMEPORT_DATA_DIR to a directory that this user may write.") from error
    if not writable(folder):
        saw = f"The data directory {folder} cannot be written."
        raise HomeportError(saw, "Give this user the right to write it, or set HOMEPORT_DATA_DIR to another one.")
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE:
        saw = f"Only {free // 1024**2} MiB are free under {folder}; Homeport needs {LEAST_FREE // 1024**2}."
        raise HomeportError(saw, "Free some space, or set HOMEPORT_DATA_DIR to a larger disk.")


def writable(folder: Path) -> bool:
    """Whether a file can be made there: asked by making one, for rights alone do not tell."""
    probe = folder / f".probe.{os.getpid()}"
    try:
        probe.touch(mode=0o600)
        probe.unlink()
    except OSError:
        return False
    return True


def _taken(folder: Path) -> HomeportError:
    pid, url = _holder(folder), running(folder).get("url", "")
    saw = f"Homeport is already running from this data directory (pid {pid}){f' at {url}' if url else ''}."
    return HomeportError(saw, f"Use that one, stop it with `kill {pid}`, or choose another with --data-dir.")


def _holder(folder: Path) -> str:
    return (folder / LOCK).read_text().strip() or "unknown"


def running(folder: Path) -> dict[str, Any]:
    """What the server that runs from here wrote down: `url`, `pid` and where its metrics are; empty without one."""
    try:
        found = json.loads((folder / RUN).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def kept_token(folder: Path) -> str:
    """The token that was made for the command line, or an empty text."""
    try:
        return (folder / TOKEN).read_text().strip()
    except OSError:
        return ""


def keep_token(folder: Path, token: str) -> Path:
    """Write the token where only this user can read it."""
    file = folder / TOKEN
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR), "w") as out:
        out.write(f"{token}\n")
    return file

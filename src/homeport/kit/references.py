"""Secrets said by where they are: `env:VAR` in this server's environment, `file:PATH` on its disk."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

AGAIN_S = 5.0
"""So long a file's content is used before it is read again."""
MOST = 256
_LONGEST = 16 * 1024
_ENV = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
_FILE = re.compile(r"file:(/.+)")
_OURS = ("HOMEPORT_", "AIGW_", "AWS_", "AZURE_")
"""What these variables hold has a place where it goes, and goes nowhere else."""
_read: dict[str, tuple[float, str]] = {}


def is_reference(text: str) -> bool:
    """Whether it says where something is, rather than what it is."""
    return text.startswith(("env:", "file:"))


def check(text: str) -> None:
    """Raise ValueError for a reference that cannot be one."""
    variable = _ENV.fullmatch(text)
    if not variable and not _FILE.fullmatch(text):
        msg = "a reference is env:VARIABLE or file:/absolute/path"
        raise ValueError(msg)
    if variable and variable[1].startswith(_OURS):
        msg = f"{variable[1]} is Homeport's own or a cloud's, and is sent to nobody: use a variable of another name"
        raise ValueError(msg)


def resolve(text: str) -> str:
    """What is there now; raises ValueError that says what is missing, and shows nothing of the secret."""
    check(text)
    kind, _, place = text.partition(":")
    value = os.environ.get(place, "") if kind == "env" else _content(place)
    if not value:
        msg = f"the variable {place} is not set" if kind == "env" else f"the file {place} is empty"
        raise ValueError(msg)
    if not value.isprintable() or len(value) > _LONGEST:
        msg = f"what {place} holds is not one line of text"
        raise ValueError(msg)
    return value


def _content(path: str) -> str:
    now = time.monotonic()
    found = _read.get(path)
    if found is not None and now < found[0] + AGAIN_S:
        return found[1]
    try:
        with Path(path).open(encoding="utf-8") as file:
            value = file.read(_LONGEST + 1).strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"the file {path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}"
        raise ValueError(msg) from error
    if len(_read) >= MOST:
        _read.clear()
    _read[path] = now, value
    return value

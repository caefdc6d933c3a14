"""Measured figures in a page of the documentation, between markers."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import machine

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "reliability.md"


def here() -> str:
    """When and where."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine.describe()}"


def put(name: str, text: str, page: Path = PAGE) -> None:
    """Write what was measured into the page; raises ValueError where it has no place for it."""
    before, begin, rest = page.read_text().partition(f"<!-- {name}: measured -->\n")
    _, end, after = rest.partition(f"<!-- {name}: end -->")
    if not end:
        msg = f"{page} has no place for {name}"
        raise ValueError(msg)
    page.write_text(f"{before}{begin}{text}\n{end}{after}")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Thousands of lines of the log are read by the program, not on a terminal."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 (a device)
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)

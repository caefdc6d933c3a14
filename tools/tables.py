"""Tables in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOTHING = "*(none yet)*"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, or a word that says there is nothing to list."""
    lines = [" | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows]
    if not lines:
        return NOTHING
    top = [" | ".join(heads), " | ".join("---" for _ in heads)]
    return "\n".join(f"| {line} |" for line in (*top, *lines))

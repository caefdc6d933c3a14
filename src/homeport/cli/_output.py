"""Results on standard output, everything else on standard error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


def note(text: str) -> None:
    """Something for the person in front of it: progress, a warning, the next step."""
    click.echo(text, err=True)


def warn(text: str) -> None:
    """A note that should not be overlooked."""
    note(f"{click.style('warning:', fg='yellow', bold=True)} {text}")


def result(value: Any, *, as_json: bool, people: Callable[[], str]) -> None:  # noqa: ANN401 (any JSON document)
    """Print a result: the document for programs, or its text for people."""
    click.echo(document(value) if as_json else people())


def document(value: Any) -> str:  # noqa: ANN401 (any JSON document)
    """A JSON document; times and paths become texts, everything else must be JSON already."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:  # noqa: ANN401 (whatever json does not know)
    if isinstance(value, frozenset | set):
        return sorted(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns under a head, aligned by spaces and never cut, so that `grep` and `awk` can read them."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(head, *texts, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in texts]
    title = "  ".join(name.ljust(width) for name, width in zip(head, widths, strict=True)).rstrip()
    return "\n".join([click.style(title, bold=True), *lines])


def sheet(pairs: Iterable[tuple[str, object]]) -> str:
    """Names and values of one thing."""
    known = [(name, str(value)) for name, value in pairs]
    width = max(len(name) for name, _value in known)
    return "\n".join(f"{click.style(name.ljust(width), bold=True)}  {value}" for name, value in known)


def seconds(value: float) -> str:
    """A duration as people read it."""
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"

"""`homeport docs`: the documentation that chat searches."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homeport.cli._command import LOOK_AFTER, Group, json_option
from homeport.cli._output import note, result, seconds
from homeport.cli._session import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from homeport.domain.passages import Passage
    from homeport.store.docs_build import Built

SHOWN = 5
"""Files left out that are named; the rest is counted."""
OPENING = 300
"""Characters of a passage that people are shown."""


@click.group(
    "docs",
    cls=Group,
    section=LOOK_AFTER,
    examples=("homeport docs index /srv/docs", 'homeport docs search "set up a runner"'),
)
def command() -> None:
    """Index a folder of Markdown, for chat to answer from."""


@command.command(
    "index",
    examples=(
        "homeport docs index /srv/gitlab/doc --base-url https://gitlab.example/help",
        "homeport docs index handbook --output /var/lib/homeport/docs.db --json",
    ),
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Where to write it.  [default: docs.db]"
)
@click.option("--base-url", default="", help="Where people read the same files; answers then name the page.")
@json_option
def index(*, folder: Path, output: Path | None, base_url: str, as_json: bool) -> None:
    """Read every Markdown file below DIR and write the index that chat searches.

    A running server takes the new one with its next search. Where the index is: HOMEPORT_DOCS_INDEX, else
    docs.db in the data directory.
    """
    from homeport.store.docs_build import build  # noqa: PLC0415 (loads structlog)

    file = output or load().docs_file
    with _progress() as on_file:
        built = build(folder, file, base_url=base_url, on_file=on_file)
    result({**asdict(built), "file": str(file.absolute())}, as_json=as_json, people=lambda: _said(built))
    _tell("Left out", built.left_out)
    _tell("Not UTF-8, read as Windows-1252", built.guessed)


@command.command("search", examples=('homeport docs search "set up a runner"', "homeport docs search --json backup"))
@click.argument("question", metavar="QUERY")
@click.option("--limit", type=click.IntRange(1, 20), default=4, show_default=True, help="The most passages to show.")
@json_option
def search(*, question: str, limit: int, as_json: bool) -> None:
    """Show what chat would be given for a question."""
    from homeport.domain.errors import BadConfiguration  # noqa: PLC0415 (only this command needs it)
    from homeport.store.docs_index import search as find  # noqa: PLC0415 (loads structlog)

    file = load().docs_file
    try:
        found = find(file, question, limit)
    except FileNotFoundError as error:
        saw = f"There is no documentation index at {file}."
        raise BadConfiguration(saw, "Make one: homeport docs index DIR.") from error
    result([asdict(each) for each in found], as_json=as_json, people=lambda: _listed(found))
    if not found:
        note("Nothing in the index has any of these words.")


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, where somebody looks at it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415 (rich)

    from homeport.cli._steps import screen  # noqa: PLC0415 (loads rich)

    out = screen()
    columns: tuple[Any, ...] = (TextColumn("Indexing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _said(built: Built) -> str:
    return (
        f"Indexed {built.documents:,} files as {built.passages:,} passages ({built.bytes / 2**20:.1f} MiB) "
        f"into {built.file} in {seconds(built.seconds)}."
    )


def _tell(what: str, names: list[str]) -> None:
    if names:
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        note(f"{what}: {', '.join(names[:SHOWN])}{more}.")


def _listed(found: list[Passage]) -> str:
    return "\n\n".join(
        f"{click.style(each.heading or each.title, bold=True)}  {each.url or each.file}\n{_opening(each.text)}"
        for each in found
    )


def _opening(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= OPENING else f"{flat[:OPENING].rstrip()}…"

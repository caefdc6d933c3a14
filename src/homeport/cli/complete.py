"""`homeport complete`: a completion as an editor would ask for it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from typing_extensions import override

from homeport.cli._command import USE, Command, json_option
from homeport.cli._output import note
from homeport.cli._session import load

if TYPE_CHECKING:
    from homeport.cli._asking import Told

CONTEXT_CHARS = 100_000
"""Characters on either side of the cursor that are sent; the server takes what the model's window holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A place in a file: line and column count from 1, the column in characters; without one, the line's end."""

    file: Path
    line: int
    column: int | None


class Place(click.ParamType[Cursor]):
    """FILE:LINE or FILE:LINE:COLUMN."""

    name = "place"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Cursor:
        """The cursor; fails unless line and column are numbers from 1."""
        if isinstance(value, Cursor):
            return value
        name, numbers = _split(value)
        if not name or not numbers or 0 in numbers:
            self.fail(f"{value!r} is no place. Write FILE:LINE or FILE:LINE:COLUMN; both count from 1.", param, ctx)
        return Cursor(file=Path(name), line=numbers[0], column=numbers[1] if len(numbers) > 1 else None)


def _split(value: str) -> tuple[str, list[int]]:
    """The file's name, which may hold colons itself, and the one or two numbers at the end."""
    name = value
    numbers: list[int] = []
    while len(numbers) < 2:  # noqa: PLR2004 (line and column)
        rest, colon, last = name.rpartition(":")
        if not colon or not (last.isascii() and last.isdigit()):
            break
        name, numbers = rest, [int(last), *numbers]
    return name, numbers


@click.command(
    "complete",
    cls=Command,
    section=USE,
    examples=(
        "homeport complete src/app.py:12:5",
        "homeport complete src/app.py:12 --model coder",
        "homeport complete src/app.py:12:5 --json | jq -r .text",
    ),
)
@click.argument("place", metavar="FILE:LINE:COLUMN", type=Place())
@click.option("--model", default="", help="A registered model.  [default: the one that serves code_completions]")
@click.option("--max-tokens", type=click.IntRange(min=1), help="The most tokens to answer with.")
@click.option("--no-stream", is_flag=True, help="Wait for the whole answer instead of showing it as it comes.")
@json_option
def command(*, place: Cursor, model: str, max_tokens: int | None, no_stream: bool, as_json: bool) -> None:
    """Complete the code of a file at a place, as an editor would ask for it.

    LINE and COLUMN count from 1, columns in characters; without a COLUMN it is the end of the line. The
    completion goes to standard output, everything else to standard error.
    """
    from homeport.cli._asking import Question, ask, facts, trailer  # noqa: PLC0415 (loads asyncio)

    before, after = parts(place)
    body: dict[str, Any] = {
        "prompt": before[-CONTEXT_CHARS:],
        "suffix": after[:CONTEXT_CHARS],
        "file_name": place.file.name,
    }
    body |= {"model": model} if model else {}
    body |= {"max_tokens": max_tokens} if max_tokens else {}
    question = Question(path="/v1/completions", body=body, pick=lambda choice: choice.get("text") or "")
    if as_json:
        click.echo(facts(ask(load(), question, stream=not no_stream, show=_nothing)))
        return
    _show_context(before)
    told = ask(load(), question, stream=not no_stream, show=_show)
    click.echo("" if told.text.endswith("\n") or not told.text else "\n", nl=False)
    _explain_silence(told)
    trailer(told)


def parts(place: Cursor) -> tuple[str, str]:
    """The text before and after the cursor; raises UsageError when the file has no such place."""
    try:
        text = place.file.read_bytes().decode()
    except OSError as error:
        message = f"{place.file} cannot be read: {error.strerror}."
        raise click.UsageError(message) from error
    except UnicodeDecodeError as error:
        message = f"{place.file} is not UTF-8 text."
        raise click.UsageError(message) from error
    lines = text.split("\n")
    if place.line > len(lines):
        message = f"{place.file} has {len(lines)} lines; there is no line {place.line}."
        raise click.UsageError(message)
    line = lines[place.line - 1].removesuffix("\r")
    column = len(line) + 1 if place.column is None else place.column
    if column > len(line) + 1:
        message = f"Line {place.line} of {place.file} has {len(line)} characters; column {column} is beyond its end."
        raise click.UsageError(message)
    at = sum(len(each) + 1 for each in lines[: place.line - 1]) + column - 1
    return text[:at], text[at:]


def _show_context(before: str) -> None:
    """On a terminal, the line up to the cursor, dimmed, so that the completion is read where it belongs."""
    if sys.stdout.isatty():
        click.secho(before.rpartition("\n")[2], nl=False, dim=True)


def _show(piece: str) -> None:
    click.secho(piece, nl=False, bold=True)


def _nothing(_piece: str) -> None:
    """Programs wait for the whole document."""


def _explain_silence(told: Told) -> None:
    if not told.text:
        note("The model has nothing to add here.")

"""`homeport replay`: a request of the log, asked again of another model."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from homeport.cli._command import LOOK_AFTER, Command, json_option
from homeport.cli._output import note, result
from homeport.cli._session import load

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command(
    "replay",
    cls=Command,
    section=LOOK_AFTER,
    examples=(
        "homeport replay 71b6df6e0779e7c1eee6325d0fa3aebe --model coder",
        "homeport replay 71b6df6e0779e7c1eee6325d0fa3aebe --model coder --json | jq -r .now.text",
    ),
)
@click.argument("id_", metavar="ID")
@click.option("--model", required=True, help="The registered model that is asked this time.")
@json_option
def command(*, id_: str, model: str, as_json: bool) -> None:
    """Ask a model what was asked in a logged request, and show what differs.

    The content of that request must have been logged (`homeport verbose on`). The running server asks; the audit
    says that somebody did.
    """
    from homeport.cli._asking import answered  # noqa: PLC0415 (loads asyncio)

    told = answered(load(), f"/api/admin/v1/replays/{quote(id_, safe='')}", {"model": model})
    result(told, as_json=as_json, people=lambda: _compared(told))
    if told["now"]["error"]:
        note(plain(told["now"]["error"]))
        raise SystemExit(1)


def _compared(told: Mapping[str, Any]) -> str:
    then, now = told["then"], told["now"]
    sides = (f"then: {then['model']}, {then['took_ms']} ms", f"now:  {now['model'] or 'nobody'}, {now['whole_ms']} ms")
    if not told["differs"]:
        return "\n".join([*sides, "", plain(now["text"]), "", "Nothing differs."])
    lines = difflib.ndiff(then["text"].splitlines(), now["text"].splitlines())
    return "\n".join([*sides, "", *(plain(line) for line in lines if not line.startswith("? "))])


def plain(text: str) -> str:
    """What a model said, without what reaches for the terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "?" for char in text)

"""`homeport chat`: a chat turn, streamed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from homeport.cli._command import USE, Command, json_option
from homeport.cli._session import load

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command(
    "chat",
    cls=Command,
    section=USE,
    examples=(
        'homeport chat "What does a mutex do? One sentence."',
        'git diff | homeport chat - --system "Write a commit message for this diff."',
        'homeport chat "Say hello" --json | jq -r .text',
    ),
)
@click.argument("text")
@click.option("--system", default="", help="What the model is told about its role, ahead of the text.")
@click.option("--model", default="", help="A registered model.  [default: the one that serves chat]")
@click.option("--max-tokens", type=click.IntRange(min=1), help="The most tokens to answer with.")
@click.option("--no-stream", is_flag=True, help="Wait for the whole answer instead of showing it as it comes.")
@json_option
def command(*, text: str, system: str, model: str, max_tokens: int | None, no_stream: bool, as_json: bool) -> None:
    """Ask a model in words and show its answer as it comes.

    A TEXT of - is read from standard input. The answer goes to standard output, everything else to
    standard error.
    """
    from homeport.cli._asking import Question, ask, facts, trailer  # noqa: PLC0415 (loads asyncio)

    asked = sys.stdin.read() if text == "-" else text
    if not asked.strip():
        message = "There is nothing to ask: the text is empty."
        raise click.UsageError(message)
    turns = [{"role": "system", "content": system}] if system else []
    body: dict[str, Any] = {"messages": [*turns, {"role": "user", "content": asked}]}
    body |= {"model": model} if model else {}
    body |= {"max_tokens": max_tokens} if max_tokens else {}
    question = Question(path="/v1/chat/completions", body=body, pick=_text)
    told = ask(load(), question, stream=not no_stream, show=_nothing if as_json else _show)
    if as_json:
        click.echo(facts(told))
        return
    click.echo("" if told.text.endswith("\n") else "\n", nl=False)
    trailer(told)


def _text(choice: Mapping[str, Any]) -> str:
    said = choice.get("delta") or choice.get("message") or {}
    return said.get("content") or ""


def _show(piece: str) -> None:
    click.echo(piece, nl=False)


def _nothing(_piece: str) -> None:
    """Programs wait for the whole document."""

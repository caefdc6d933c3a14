"""`homeport lsp`: a language server for editors."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homeport.cli._command import USE, Command, json_option

if TYPE_CHECKING:
    from homeport.lsp.options import Options

DEFAULT_URL = "http://127.0.0.1:5050"


@click.command(
    "lsp",
    cls=Command,
    section=USE,
    examples=(
        "homeport lsp --check",
        "HOMEPORT_TOKEN=hp_… homeport lsp --url https://ai.example.com --check",
        "homeport lsp --token-file ~/.config/homeport/token",
    ),
)
@click.option("--url", help=f"Where Homeport is.  [default: HOMEPORT_URL, else {DEFAULT_URL}]")
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the token in it.  [default: HOMEPORT_TOKEN]",
)
@click.option(
    "--model", default="code_completions", help="A registered model, or a feature.  [default: code_completions]"
)
@click.option(
    "--pause-ms", type=click.IntRange(0, 5000), default=75, help="Pause in fast typing to wait for.  [default: 75]"
)
@click.option(
    "--context-characters",
    type=click.IntRange(0, 200_000),
    default=24_000,
    help="Characters of other files to send along; 0 for none.  [default: 24000]",
)
@click.option(
    "--ca-file",
    type=click.Path(exists=True, path_type=Path),
    help="Certificate authorities to trust besides the system's.  [default: HOMEPORT_CA_FILE]",
)
@click.option("--check", is_flag=True, help="Ask for one completion, say whether that works, and end.")
@json_option
def command(  # noqa: PLR0913 (each is an option)
    *,
    url: str | None,
    token_file: Path | None,
    model: str,
    pause_ms: int,
    context_characters: int,
    ca_file: Path | None,
    check: bool,
    as_json: bool,
) -> None:
    """Complete code in any editor that speaks the Language Server Protocol.

    An editor starts it and talks to it on standard input and output; nobody types anything there. It
    offers inline completion (LSP 3.18; an entry of the completion menu to editors that have none), and
    the code actions explain, fix, write tests and refactor for selected code. It asks the Homeport at
    --url and nothing else. Settings for each editor: docs/guides/editors.

    The token comes from --token-file or HOMEPORT_TOKEN, or from the editor as initializationOptions
    {"token": …}. An editor may also set url, model, chatModel, pauseMs, contextCharacters, maxTokens and
    menu there; another url gets no token but the one that the editor names with it.
    """
    from homeport.lsp.options import Options, address  # noqa: PLC0415 (only this command pays for it)

    options = Options(
        url=address(url or os.environ.get("HOMEPORT_URL") or DEFAULT_URL),
        token=_token(token_file),
        model=model,
        pause_ms=pause_ms,
        context_characters=context_characters,
    )
    authorities = ca_file or (Path(named) if (named := os.environ.get("HOMEPORT_CA_FILE")) else None)
    if check or as_json:
        _check(options, authorities, as_json=as_json)
        return
    if sys.stdin.isatty():
        from homeport.cli._output import note  # noqa: PLC0415 (only a person pays for it)

        note("An editor is waited for here. Whether it would get completions: homeport lsp --check. Ctrl-C ends this.")
    from homeport.lsp.server import build  # noqa: PLC0415 (loads pygls)
    from homeport.lsp.stdio import run  # noqa: PLC0415 (the same)

    run(build(options, authorities))


def _token(file: Path | None) -> str:
    try:
        return file.read_text(encoding="utf-8").strip() if file else os.environ.get("HOMEPORT_TOKEN", "").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{file} cannot be read as a token: {type(error).__name__}."
        raise click.UsageError(message) from error


def _check(options: Options, ca_file: Path | None, *, as_json: bool) -> None:
    import asyncio  # noqa: PLC0415 (only this command pays for it)

    from homeport.cli._output import document  # noqa: PLC0415 (the same)
    from homeport.domain.errors import HomeportError  # noqa: PLC0415 (the same)
    from homeport.lsp.check import checked  # noqa: PLC0415 (the same)

    found = asyncio.run(checked(options, ca_file))
    if as_json:
        click.echo(document(found))
    elif found["ok"]:
        click.echo(f"{found['url']} completes code, in {found['took_ms']} ms: {found['text']!r}")
    else:
        raise HomeportError(found["saw"])
    if not found["ok"]:
        raise SystemExit(1)

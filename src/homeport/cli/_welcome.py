"""What `up` and `serve` say when they are ready: where it is, how to get in, what to try."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from homeport.cli._data_dir import TOKEN
from homeport.cli._first_run import FEATURES
from homeport.kit.settings import default_data_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from homeport.cli._first_run import FirstRun
    from homeport.kit.settings import Settings

_SAMPLE, _HERE = Path("src/homeport/domain/streams.py"), "return"
_CODE = f"{_HERE} self.prompt_tokens + self.completion_tokens"
"""A line of it that even a small model completes."""
_HOLE = '{"prompt": "def is_even(n):\\n    return", "suffix": "\\n\\nprint(is_even(4))\\n", "max_tokens": 24}'
_TURN = '{"messages": [{"role": "user", "content": "What does HTTP stand for?"}], "max_tokens": 64}'
_ADD = "models add coder --endpoint http://HOST:8000/v1 --identifier NAME"
"""For whoever has no model: what comes before everything else."""


def greet(screen: Console, settings: Settings, url: str, made: FirstRun, *, models: bool = True) -> None:
    """The last thing before the log: a panel with addresses, then commands ready to be copied.

    Without `models` there is nothing to ask yet: how to register one comes instead.
    """
    facts = Table.grid(padding=(0, 2))
    for name, value in _facts(settings, url, made):
        facts.add_row(f"[bold]{name}[/]", value)
    screen.print()
    screen.print(Panel(facts, title="[bold green]Homeport is running[/]", expand=False, padding=(1, 2)))
    if made.code:
        screen.print("\n[bold]Sign in[/] with this link; it works once, within an hour")
        screen.print(f"[cyan]{url}/console/sign-in?code={made.code}[/]", soft_wrap=True)
    for title, command in _to_try(settings, url) if models else _to_set_up(settings):
        screen.print(f"\n[bold]{title}[/]")
        screen.print(command, markup=False)
    if not shutil.which("homeport"):
        folder = Path(sys.argv[0]).absolute().parent
        screen.print("\n[bold]To type `homeport` alone[/], once in each terminal")
        screen.print(f'export PATH="{folder}:$PATH"', markup=False, soft_wrap=True)
    screen.print("\n[dim]Ctrl-C stops everything.[/]\n")


def _facts(settings: Settings, url: str, made: FirstRun) -> Iterator[tuple[str, str]]:
    yield "Console", f"[cyan]{url}/console[/]"
    yield "API", f"[cyan]{url}/v1[/]  as OpenAI speaks; described at /docs"
    kept = settings.data_dir / TOKEN
    if made.token:
        yield "Token", f"[yellow]{made.token}[/]\nshown this once, kept in {escape(str(kept))}"
    elif kept.exists():
        yield "Token", f"in {escape(str(kept))}"
    if made.model:
        yield "Model", f"{made.model}: a small one on this CPU, to see that everything works"
    yield "Data", escape(str(settings.data_dir))


def _to_try(settings: Settings, url: str) -> Iterator[tuple[str, str]]:
    bearer = f'-H "Authorization: Bearer $(cat {shlex.quote(str(settings.data_dir / TOKEN))})"'
    typed = "-H 'Content-Type: application/json'"
    yield "Complete code", f"curl {url}/v1/completions {bearer} {typed} \\\n  -d '{_HOLE}'"
    yield "Chat", f"curl {url}/v1/chat/completions {bearer} {typed} \\\n  -d '{_TURN}'"
    yield "Complete a file, as an editor would", f"{typed_as(settings)} complete {_place()}"


def _place() -> str:
    """Behind the word in the sample's line, where this is a checkout."""
    lines = _SAMPLE.read_text().splitlines() if _SAMPLE.exists() else []
    found = ((number, line) for number, line in enumerate(lines, 1) if line.strip() == _CODE)
    number, line = next(found, (0, ""))
    return f"{_SAMPLE}:{number}:{line.index(_HERE) + len(_HERE) + 1}" if number else "FILE:LINE:COLUMN"


def _to_set_up(settings: Settings) -> Iterator[tuple[str, str]]:
    program = typed_as(settings)
    yield "There is no model yet: register one", f"{program} {_ADD}"
    yield "Let it serve", "\n".join(f"{program} features set {feature} coder" for feature in FEATURES)
    yield "See that it works", f"{program} doctor"


def typed_as(settings: Settings) -> str:
    """How this program is called from the next terminal, so that it finds the same data directory."""
    program = "homeport" if shutil.which("homeport") else os.path.relpath(sys.argv[0])
    if default_data_dir().absolute() == settings.data_dir.absolute():
        return program
    return f"HOMEPORT_DATA_DIR={shlex.quote(str(settings.data_dir))} {program}"

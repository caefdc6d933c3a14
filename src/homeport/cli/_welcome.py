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
from homeport.kit.settings import default_data_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from homeport.cli._first_run import FirstRun
    from homeport.kit.settings import Settings

_SAMPLE = Path("src/homeport/domain/wording.py")
_HOLE = '{"prompt": "def add(a, b):\\n    return ", "suffix": "\\n\\nprint(add(1, 2))\\n", "max_tokens": 32}'
_TURN = '{"messages": [{"role": "user", "content": "What is a mutex? One sentence."}], "max_tokens": 64}'


def greet(screen: Console, settings: Settings, url: str, made: FirstRun) -> None:
    """The last thing before the log: a panel with addresses, then commands ready to be copied."""
    facts = Table.grid(padding=(0, 2))
    for name, value in _facts(settings, url, made):
        facts.add_row(f"[bold]{name}[/]", value)
    screen.print()
    screen.print(Panel(facts, title="[bold green]Homeport is running[/]", expand=False, padding=(1, 2)))
    for title, command in _to_try(settings, url):
        screen.print(f"\n[bold]{title}[/]")
        screen.print(command, markup=False)
    if not shutil.which("homeport"):
        folder = Path(sys.argv[0]).absolute().parent
        screen.print("\n[bold]To type `homeport` alone[/], once in each terminal")
        screen.print(f'export PATH="{folder}:$PATH"', markup=False, soft_wrap=True)
    screen.print("\n[dim]Ctrl-C stops everything.[/]\n")


def _facts(settings: Settings, url: str, made: FirstRun) -> Iterator[tuple[str, str]]:
    yield "Console", f"[cyan]{url}/[/]"
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
    place = f"{_SAMPLE}:28:5" if _SAMPLE.exists() else "FILE:LINE:COLUMN"
    yield "Complete a file, as an editor would", f"{typed_as(settings)} complete {place}"


def typed_as(settings: Settings) -> str:
    """How this program is called from the next terminal, so that it finds the same data directory."""
    program = "homeport" if shutil.which("homeport") else os.path.relpath(sys.argv[0])
    if default_data_dir().absolute() == settings.data_dir.absolute():
        return program
    return f"HOMEPORT_DATA_DIR={shlex.quote(str(settings.data_dir))} {program}"

"""The README shows what a newcomer sees: its commands are real, and the greeting is the one of today."""

from __future__ import annotations

import io
import re
import shlex
import sys
from pathlib import Path

import click
import pytest
from rich.console import Console

from homeport import console, protocols
from homeport.cli import main
from homeport.cli._first_run import FirstRun
from homeport.cli._welcome import greet
from homeport.console import Page
from homeport.kit.discover import discover
from homeport.kit.settings import load
from homeport.protocols import WireProtocol

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
RECORDED = (ROOT / "docs" / "guides" / "transcript.txt").read_text()
AGAIN = "Run: .venv/bin/python tools/transcript.py && make docs"
TYPED = re.findall(r"^(?:\$ )?(?:\.venv/bin/)?homeport (.*)$", README, flags=re.MULTILINE)
PATHS = {path for each in discover(protocols, WireProtocol).values() for route in each.routes for path in route.paths}


@pytest.mark.parametrize("typed", TYPED)
def test_a_command_in_the_readme_can_be_typed(typed: str) -> None:
    words = shlex.split(typed, comments=True)
    command: click.Command = main
    context = click.Context(main, info_name="homeport")
    while isinstance(command, click.Group):
        _, found, words = command.resolve_command(context, words)
        assert found is not None
        command = found
        context = command.make_context(command.name, list(words), parent=context)


def test_the_readme_types_something() -> None:
    assert len(TYPED) >= 3


def test_addresses_in_the_readme_are_served() -> None:
    asked = set(re.findall(r"http://127\.0\.0\.1:5050(/[\w/-]+)", README))
    assert {"/v1/completions", "/v1/chat/completions"} <= asked
    pages = {page.path for page in discover(console, Page).values()}
    assert {path for path in asked if path != "/v1"} <= PATHS | pages


@pytest.fixture
def greeting(monkeypatch: pytest.MonkeyPatch) -> str:
    """What `make up` says today to somebody who has nothing yet."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "argv", [".venv/bin/homeport", "up"])
    monkeypatch.delenv("HOMEPORT_DATA_DIR", raising=False)
    out = io.StringIO()
    screen = Console(file=out, width=96, soft_wrap=True, highlight=False)
    settings = load(data_dir=ROOT / ".homeport")
    greet(screen, settings, "http://127.0.0.1:5050", FirstRun(token="hp_…", model="smollm2", code="…"))
    return out.getvalue().replace(f"{ROOT}/", "")


def text_of_panel(text: str) -> list[str]:
    """The lines of the panel, whatever its width."""
    return [line.strip("│╭╮╰╯─ ") for line in text.splitlines() if line.startswith(("│", "╭", "╰"))]


def test_the_greeting_is_the_one_of_today(greeting: str) -> None:
    assert text_of_panel(RECORDED) == text_of_panel(greeting), AGAIN


def test_what_was_run_is_what_the_greeting_says(greeting: str) -> None:
    below = greeting.partition("╯")[2].strip().split("\n\n")
    printed = [block.partition("\n")[2] for block in below]
    told = [f"$ {command}" for command in printed if command and not command.startswith(("export", "http"))]
    assert "http://127.0.0.1:5050/console/sign-in?code=…" in RECORDED, AGAIN
    run = re.findall(r"^\$ (?:.*\\\n)*.*$", RECORDED, flags=re.MULTILINE)
    assert run == ["$ make up", *told], AGAIN


def test_the_readme_shows_the_whole_recording() -> None:
    assert f"```text\n{RECORDED.rstrip()}\n```" in README
    assert "…" not in RECORDED.replace("hp_…", "").replace("code=…", "")

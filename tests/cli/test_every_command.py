"""What holds for every command: help that teaches, one shape, quick to start, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest
from commands import homeport

from homeport.cli import main
from homeport.cli._command import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAVY = {"aiohttp", "alembic", "cryptography", "homeport.app", "pydantic", "pygls", "rich", "sqlalchemy", "structlog"}


def tree(words: tuple[str, ...] = (), command: click.Command = main) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for name in command.list_commands(context):
                member = command.get_command(context, name)
                assert member is not None
                yield from tree((*words, name), member)


COMMANDS = list(tree())
ALL = pytest.mark.parametrize(
    ("words", "command"), COMMANDS, ids=[" ".join(words) or "homeport" for words, _ in COMMANDS]
)


@ALL
def test_help_teaches(words: tuple[str, ...], command: click.Command) -> None:
    ran = homeport(*words, "--help")
    assert ran.code == 0
    assert not ran.err
    if words:
        assert "Examples:" in ran.out
        assert f"  homeport {' '.join(words)}" in ran.out or f" homeport {' '.join(words)}" in ran.out
    first = (command.help or "").partition("\n")[0]
    assert first.endswith((".", "models that you run yourself."))
    assert len(first) < 100


@ALL
def test_every_option_is_explained(words: tuple[str, ...], command: click.Command) -> None:
    del words
    options = [each for each in command.params if isinstance(each, click.Option)]
    assert [each.name for each in options if not each.help] == []


@ALL
def test_whatever_does_something_speaks_json(words: tuple[str, ...], command: click.Command) -> None:
    del words
    if not isinstance(command, click.Group):
        assert "--json" in [name for each in command.params for name in each.opts]


@ALL
def test_wrong_use_is_2_and_a_sentence(words: tuple[str, ...], command: click.Command) -> None:
    del command
    ran = homeport(*words, "--no-such-option")
    assert ran.code == 2
    assert ran.err.startswith("error: No such option")
    assert f"How to use it: {' '.join(('homeport', *words))} --help" in ran.err
    assert not ran.out


def test_commands_are_grouped() -> None:
    out = homeport("--help").out
    at = [out.index(f"{section}:") for section in SECTIONS]
    assert at == sorted(at)


def test_it_says_its_version() -> None:
    assert homeport("--version").out.startswith("homeport 0.")


def test_an_unknown_command() -> None:
    ran = homeport("modles")
    assert ran.code == 2
    assert "There is no command 'modles'. Did you mean 'models'?" in ran.err
    assert "Did you mean 'list'?" in homeport("models", "lsit").err


def test_without_a_command_it_shows_help() -> None:
    assert "Run it" in homeport().err + homeport().out


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, json; from homeport.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print(json.dumps(sorted(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout  # noqa: S603 (our own interpreter)
    loaded = set(json.loads(out.splitlines()[-1]))
    assert loaded & HEAVY == set()


def test_no_colour_for_pipes_and_for_those_who_do_not_want_it(data_dir: Path) -> None:
    del data_dir
    for environment in ({}, {"NO_COLOR": "1"}):
        for words in (["--help"], ["models", "list"], ["doctor"]):
            ran = homeport(*words, **environment)
            assert "\x1b" not in ran.out + ran.err


def test_wrong_settings_have_a_line_each(data_dir: Path) -> None:
    del data_dir
    ran = homeport("models", "list", HOMEPORT_PORT="x", AIGW_FASTAPI__API_PORT="99999999")
    assert ran.code == 2
    assert ran.err.splitlines() == [
        "error: 2 settings are wrong.",
        "  HOMEPORT_PORT (environment) cannot be 'x': input should be a valid integer.",
        "  AIGW_FASTAPI__API_PORT (environment) cannot be '99999999': input should be less than or equal to 65535.",
    ]


def test_a_wrong_setting_shows_no_secret(data_dir: Path) -> None:
    (data_dir.parent / "homeport.toml").write_text("jwt_signing_key = 4711\ndefault_api_key = 4711\n")
    ran = homeport("config", "show", AIGW_GITLAB_URL="https://user:4711@gitlab.test")
    assert (ran.code, len(ran.err.splitlines())) == (2, 4)
    assert "4711" not in ran.err


def test_a_network_that_is_none(data_dir: Path) -> None:
    del data_dir
    ran = homeport("config", "show", HOMEPORT_DENIED_NETWORKS="10.0.0.0/8,192.168.0.1/16")
    assert ran.code == 2
    assert "HOMEPORT_DENIED_NETWORKS" in ran.err
    assert "192.168.0.1/16 has host bits set" in ran.err


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("HOMEPORT_DENIED_NETWORKS", "foo", "write networks such as 10.0.0.0/8"),
        ("HOMEPORT_CA_FILE", "/nope", "there is no such file"),
        ("HOMEPORT_CONFIG", "/nope.toml", "there is no such file"),
        ("AIGW_LOGGING__LEVEL", "chatty", "write one of DEBUG, INFO, WARNING, ERROR"),
    ],
)
def test_settings_that_would_have_no_effect(data_dir: Path, variable: str, value: str, words: str) -> None:
    del data_dir
    ran = homeport("config", "show", **{variable: value})
    assert ran.code == 2
    assert f"{variable} (environment) cannot be {value!r}: " in ran.err
    assert words in ran.err
    assert "alue error" not in ran.err


@pytest.mark.parametrize("level", ["info", "Warning", "DEBUG", "CRITICAL", "30"])
def test_log_levels(data_dir: Path, level: str) -> None:
    del data_dir
    assert homeport("config", "show", AIGW_LOGGING__LEVEL=level).code == 0


def test_a_wrong_setting_of_the_file(data_dir: Path) -> None:
    (data_dir.parent / "homeport.toml").write_text("drain_s = 'x'\n")
    ran = homeport("config", "show")
    assert ran.code == 2
    assert "HOMEPORT_DRAIN_S (homeport.toml) cannot be 'x'" in ran.err


def test_a_file_that_is_not_toml(data_dir: Path) -> None:
    (data_dir.parent / "homeport.toml").write_text("port = \n")
    ran = homeport("config", "show")
    assert ran.code == 2
    assert "homeport.toml is not TOML" in ran.err


def test_what_nobody_expected_is_one_sentence_and_kept(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        message = "surprise"
        raise RuntimeError(message)

    monkeypatch.setattr("homeport.cli.config.load", fail)
    data_dir.mkdir()
    ran = homeport("config", "show")
    assert ran.code == 1
    assert ran.err == (
        "error: Something unexpected went wrong in Homeport (RuntimeError). "
        f"What happened is in {data_dir / 'error.log'}.\n"
    )
    assert "surprise" in (data_dir / "error.log").read_text()
    assert (data_dir / "error.log").stat().st_mode & 0o077 == 0


def test_debugging_shows_the_traceback(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del data_dir
    monkeypatch.setattr("homeport.cli.config.load", lambda: 1 / 0)
    assert "ZeroDivisionError" not in homeport("config", "show").err.partition("(")[0]
    ran = homeport("config", "show", HOMEPORT_DEBUG="1")
    assert "Traceback" in ran.err


def test_a_reader_that_leaves_is_no_error(data_dir: Path) -> None:
    del data_dir
    command = f"{sys.executable} -c 'from homeport.cli import main; main()' --help | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, env=os.environ)  # noqa: S603, S607 (a pipe, as people type it)
    assert "Traceback" not in done.stderr

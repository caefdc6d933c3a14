"""What a person is told when a command fails: what was seen and what to do, never a traceback."""

from __future__ import annotations

import errno
import os
import re
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from homeport.cli._output import document
from homeport.domain.errors import HomeportError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130
LOG = "error.log"
"""File in the data directory that keeps the tracebacks of unexpected errors."""
_FULL = {errno.ENOSPC, errno.EDQUOT}
_NOT_OURS = {errno.EACCES, errno.EPERM, errno.EROFS}


class Failure(NamedTuple):
    """What a code of a command's failure means, as the catalogue of errors shows it."""

    exit: int
    meaning: str
    mend: str


FAILURES: Mapping[str, Failure] = {
    "wrong_use": Failure(WRONG_USE, "The command was typed in a way that it does not know.", "`--help` shows how."),
    "wrong_settings": Failure(WRONG_USE, "A setting cannot be read.", "Mend the variable or the line that is named."),
    "interrupted": Failure(INTERRUPTED, "Somebody stopped the command.", "Run it again."),
    "keys_unusable": Failure(
        FAILED, "The root keys cannot be used, or do not open what is stored.", "Restore the key file from its backup."
    ),
    "system_error": Failure(
        FAILED, "The operating system refused something: a file, a port, a disk.", "Do what the sentence names."
    ),
}
"""Codes of what only commands meet; everything else has the code of its error."""


class Told(NamedTuple):
    """What is said of an error."""

    code: str
    exit: int
    lines: tuple[str, ...]


def explain(error: BaseException, *, as_json: bool = False) -> int:
    """Say what went wrong, for programs as a document on standard output too; gives the exit status."""
    if os.environ.get("HOMEPORT_DEBUG") == "1" and not isinstance(error, click.ClickException | click.exceptions.Exit):
        traceback.print_exception(error)
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return WRONG_USE
    if isinstance(error, BrokenPipeError):
        _silence()
        return FAILED
    told = _of_the_person(error) or _known(error) or _unexpected(error)
    say(*told.lines)
    if as_json:
        message, *details = told.lines
        click.echo(document({"error": {"code": told.code, "message": message, "details": details}}))
    return told.exit


def _of_the_person(error: BaseException) -> Told | None:
    """What was typed wrong, or that it was stopped."""
    if isinstance(error, click.ClickException):
        return Told("wrong_use", error.exit_code, (error.format_message(), *_how_to_use(error)))
    if isinstance(error, KeyboardInterrupt | click.exceptions.Abort):
        said = "Interrupted." if isinstance(error, KeyboardInterrupt) else "Nothing was done."
        return Told("interrupted", INTERRUPTED, (said,))
    return None


def _how_to_use(error: click.ClickException) -> Iterator[str]:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        yield f"How to use it: {context.command_path} --help"


def say(*lines: str) -> None:
    """Lines for a person, on standard error; the first begins with the word that scripts look for."""
    first, *rest = lines
    click.echo(f"{click.style('error:', fg='red', bold=True)} {first}", err=True)
    for line in rest:
        click.echo(f"  {line}", err=True)


def _known(error: BaseException) -> Told | None:
    """An error that we have words for."""
    from homeport.kit.vault import VaultError  # noqa: PLC0415 (loads cryptography)

    if isinstance(error, HomeportError):
        return Told(error.code, FAILED, (str(error),))
    if isinstance(error, VaultError):
        return Told("keys_unusable", FAILED, (str(error),))
    if isinstance(error, OSError):
        return Told("system_error", FAILED, (_of_the_system(error),))
    if isinstance(error, ValueError) and (lines := list(wrong_settings(error))):
        said = f"{len(lines)} setting{'s are' if len(lines) > 1 else ' is'} wrong."
        return Told("wrong_settings", WRONG_USE, (said, *lines))
    return None


def _of_the_system(error: OSError) -> str:
    """What the operating system refused, with the next step."""
    text = str(error.strerror or error)
    where = f" ({error.filename})" if error.filename else ""
    if "HOMEPORT_" in text:
        return text
    if error.errno in {errno.EADDRINUSE, errno.EADDRNOTAVAIL} or text.startswith("Port "):
        return f"{text} {_other_port(text)}"
    if error.errno in _FULL:
        return f"The disk is full{where}. Free some space, or set HOMEPORT_DATA_DIR to another disk."
    if error.errno in _NOT_OURS:
        advice = "Give this user the right to it, or set HOMEPORT_DATA_DIR to a directory of its own."
        return f"{text}{where}. {advice}"
    return f"{text}{where}."


def _other_port(text: str) -> str:
    """Which option takes another port, for the one that could not be had."""
    if "Permission denied" in text:
        return "Ports below 1024 need more rights; choose another one with --port."
    if "assign requested address" in text:
        return "This machine does not have that address; choose another one with --host."
    if "knows that name" in text:
        return "Write an address of this machine, as --host or in the variable that names it."
    return "Stop what uses it, or choose another port with --port."


def wrong_settings(error: ValueError) -> Iterator[str]:
    """One line per wrong setting: its name, where it came from and what is expected; none for another error."""
    problems = getattr(error, "errors", None)
    if type(error).__name__ == "TOMLDecodeError":
        yield f"{_config_file()} is not TOML: {error}."
    elif type(error).__module__.startswith("pydantic") and callable(problems):
        for problem in problems(include_url=False):
            yield _wrong_setting(problem)
    elif type(error).__module__.startswith("pydantic_settings"):
        yield f"{error}."


_CONFIDENTIAL = frozenset({"token", "database_url", "default_api_key", "jwt_signing_key", "jwt_validation_key"})


def _wrong_setting(problem: Mapping[str, Any]) -> str:
    given = str(problem["loc"][0]) if problem["loc"] else ""
    name, variable = _names(given)
    value = str(problem.get("input", ""))
    shown = "its value" if name in _CONFIDENTIAL or "@" in value else repr(value)
    message = re.sub(r", unable to parse .*|^Value error, ", "", str(problem["msg"]))
    return f"{variable} ({_place_of(name, variable)}) cannot be {shown}: {message[:1].lower()}{message[1:]}."


def _names(given: str) -> tuple[str, str]:
    """A setting's name and the variable that sets it, from the name under which it was read."""
    from homeport.kit.settings import Settings  # noqa: PLC0415 (loads pydantic)

    for name, field in Settings.model_fields.items():
        choices = [str(choice) for choice in getattr(field.validation_alias, "choices", ())]
        if given in {name, *choices}:
            upper = [choice for choice in choices if choice.isupper()] or [f"HOMEPORT_{name.upper()}"]
            ours = next((choice for choice in upper if choice.startswith("HOMEPORT_")), upper[0])
            return name, given if given in os.environ else next((n for n in upper if n in os.environ), ours)
    return given, given


def _place_of(name: str, variable: str) -> str:
    if variable in os.environ:
        return "environment"
    file = _config_file()
    return str(file) if file.is_file() and re.search(rf"(?m)^\s*{name}\s*=", file.read_text()) else "command line"


def _config_file() -> Path:
    return Path(os.environ.get("HOMEPORT_CONFIG", "homeport.toml"))


def _unexpected(error: BaseException) -> Told:
    """One sentence; the traceback goes where the operator can find it."""
    kept = _keep(error)
    where = f"What happened is in {kept}." if kept else "Run it again with HOMEPORT_DEBUG=1 to see what happened."
    said = f"Something unexpected went wrong in Homeport ({type(error).__name__}). {where}"
    return Told(HomeportError.code, FAILED, (said,))


def _keep(error: BaseException) -> Path | None:
    """Append the traceback to the log in the data directory, if there is one that can be written."""
    file = _folder(error) / LOG
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a") as out:
            out.writelines(traceback.format_exception(error))
    except OSError:
        return None
    return file


def _folder(error: BaseException) -> Path:
    """The data directory that the error says it is about, else the one of the settings."""
    from homeport.cli._data_dir import NOTE  # noqa: PLC0415 (only a failure pays for it)
    from homeport.kit.settings import default_data_dir  # noqa: PLC0415 (loads pydantic)

    noted = (note for note in getattr(error, "__notes__", ()) if note.startswith(NOTE))
    named = next(noted, "").removeprefix(NOTE) or os.environ.get("HOMEPORT_DATA_DIR")
    return Path(named or default_data_dir())


def _silence() -> None:
    """Nobody reads standard output any more: what is still buffered must not fail again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

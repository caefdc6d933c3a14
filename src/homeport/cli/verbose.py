"""`homeport verbose`: write down what is asked and answered, for a while."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from homeport.cli._command import LOOK_AFTER, Group, json_option
from homeport.cli._output import note, result
from homeport.cli._session import in_store, load, whoami
from homeport.domain.errors import NotAllowed
from homeport.domain.verbose import LONGEST_S, SETTING, until_after, until_of


@click.group(
    "verbose",
    cls=Group,
    section=LOOK_AFTER,
    examples=("homeport verbose on --minutes 15", "homeport verbose show", "homeport verbose off"),
)
def command() -> None:
    """Write down prompts and answers for a while, to find out why an answer is not what it should be.

    Code, prompts and answers of everybody go into the request log and the logs meanwhile. It ends by itself.
    """


@command.command("show", examples=("homeport verbose show",))
@json_option
def show(*, as_json: bool) -> None:
    """Say whether verbose logging is on, and until when."""
    _told(as_json=as_json)


@command.command("on", examples=("homeport verbose on", "homeport verbose on --minutes 480"))
@click.option(
    "--minutes",
    type=click.IntRange(1, LONGEST_S // 60),
    default=60,
    show_default=True,
    help="For how long; a day at most.",
)
@json_option
def on(*, minutes: int, as_json: bool) -> None:
    """Switch verbose logging on for a while."""
    if load().log_content == "never":
        raise NotAllowed("Content is never logged here.", "HOMEPORT_LOG_CONTENT says so.")
    in_store(lambda store: store.set_setting(SETTING, until_after(minutes), by=whoami()))
    _told(as_json=as_json)
    note("End it before:  homeport verbose off")


@command.command("off", examples=("homeport verbose off",))
@json_option
def off(*, as_json: bool) -> None:
    """Switch verbose logging off at once."""
    in_store(lambda store: store.set_setting(SETTING, None, by=whoami()))
    _told(as_json=as_json)


def _told(*, as_json: bool) -> None:
    until = until_of(in_store(lambda store: store.snapshot()))
    moment = datetime.fromtimestamp(until, UTC) if until else None
    said = f"Verbose logging is on until {moment:%Y-%m-%d %H:%M} UTC." if moment else "Verbose logging is off."
    result({"on": bool(until), "until": moment}, as_json=as_json, people=lambda: said)

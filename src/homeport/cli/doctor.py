"""`homeport doctor`: the whole path, hop by hop."""

from __future__ import annotations

import click

from homeport.cli._command import LOOK_AFTER, Command, json_option
from homeport.cli._session import load


@click.command(
    "doctor",
    cls=Command,
    section=LOOK_AFTER,
    examples=("homeport doctor", "homeport doctor --json", "HOMEPORT_URL=http://host:5050 homeport doctor"),
)
@json_option
def command(*, as_json: bool) -> None:
    """Ask the whole path, hop by hop; name the broken one and the fix.

    It changes nothing and prints no secret. Exit status: 0 all is well, 1 something is broken, 2 it
    works but there are warnings.
    """
    from homeport.cli import _doctor  # noqa: PLC0415 (loads the checks)
    from homeport.cli._errors import wrong_settings  # noqa: PLC0415 (only needed where settings are wrong)
    from homeport.kit.settings import Settings  # noqa: PLC0415 (loads pydantic)

    wrong: tuple[str, ...] = ()
    try:
        settings = load()
    except ValueError as error:
        settings, wrong = Settings.model_construct(), tuple(wrong_settings(error))
    raise click.exceptions.Exit(_doctor.examine(settings, wrong, as_json=as_json))

"""`homeport doctor`: the whole path, hop by hop."""

from __future__ import annotations

import click

from homeport.cli._command import LOOK_AFTER, Command, json_option
from homeport.cli._session import load


@click.command(
    "doctor",
    cls=Command,
    section=LOOK_AFTER,
    examples=(
        "homeport doctor",
        "homeport doctor --json",
        "HOMEPORT_URL=http://host:5050 homeport doctor",
        "homeport doctor --prove-egress",
        "HOMEPORT_TOKEN=… homeport doctor --gateway http://host:5052",
    ),
)
@click.option("--gateway", metavar="URL", help="Look at a gateway, with authentication on, from this machine.")
@click.option("--prove-egress", is_flag=True, help="Run a copy in a network of its own and count what would leave.")
@json_option
def command(*, gateway: str | None, prove_egress: bool, as_json: bool) -> None:
    """Ask the whole path, hop by hop; name the broken one and the fix.

    It changes nothing and prints no secret. Exit status: 0 all is well, 1 something is broken, 2 it
    works but there are warnings. A gateway is asked with HOMEPORT_TOKEN, if there is one: a token as
    GitLab sends it. It is looked at, sent to the gateway alone and never shown.

    --prove-egress (Linux) asks another question: a copy of this Homeport with its database serves in a network
    that leads nowhere, everything is asked there, and each packet to anywhere that is not configured is told.
    """
    from homeport.cli import _doctor  # noqa: PLC0415 (loads the checks)
    from homeport.cli._errors import wrong_settings  # noqa: PLC0415 (only needed where settings are wrong)
    from homeport.kit.settings import Settings  # noqa: PLC0415 (loads pydantic)

    wrong: tuple[str, ...] = ()
    if prove_egress and gateway:
        raise click.UsageError("--prove-egress runs a copy of what is on this machine: leave --gateway out.")
    try:
        settings = load(url=gateway)
    except ValueError as error:
        settings, wrong = Settings.model_construct(), tuple(wrong_settings(error))
    if prove_egress and not wrong:
        from homeport.cli import _egress  # noqa: PLC0415 (loads the store)

        raise click.exceptions.Exit(_egress.prove(settings, as_json=as_json))
    raise click.exceptions.Exit(_doctor.examine(settings, wrong, gateway=bool(gateway), as_json=as_json))

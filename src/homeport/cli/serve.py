"""`homeport serve`: the same for production, without the embedded default."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from homeport.cli._command import RUN, Command, json_option
from homeport.cli._options import listening
from homeport.cli._session import load

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    "serve",
    cls=Command,
    section=RUN,
    examples=("homeport serve", "homeport serve --host 0.0.0.0 --port 8080", "HOMEPORT_LOG_JSON=true homeport serve"),
)
@listening
@click.option(
    "--role",
    type=click.Choice(["all", "instance"]),
    default="all",
    show_default=True,
    help="What this process does; a remote gateway for `instance` comes later.",
)
@json_option
def command(*, port: int | None, host: str | None, data_dir: Path | None, role: str, as_json: bool) -> None:
    """Serve the models that are registered, for production.

    It brings the database up to date and registers nothing by itself: add models with `homeport models
    add` and make a token with `homeport tokens create`. SIGTERM and Ctrl-C stop it when open requests
    are done.
    """
    if role == "instance":
        message = "An instance with a remote gateway is not there yet. Leave --role out: one process does both."
        raise click.UsageError(message)
    from homeport.cli._serving import serve_instance  # noqa: PLC0415 (loads the whole server)

    serve_instance(load(port=port, host=host, data_dir=data_dir), as_json=as_json, first_run=False)

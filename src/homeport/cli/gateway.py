"""`homeport gateway`: the gateway alone, in place of GitLab's AI Gateway."""

from __future__ import annotations

import os

import click

from homeport.cli._command import RUN, Command, json_option
from homeport.cli._output import note
from homeport.cli._session import load


@click.command(
    "gateway",
    cls=Command,
    section=RUN,
    examples=(
        "HOMEPORT_MODELS_FILE=/etc/homeport/models.toml homeport gateway",
        "AIGW_FASTAPI__API_PORT=5052 AIGW_LOGGING__FORMAT_JSON=true homeport gateway",
    ),
)
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.  [default: 5052]")
@click.option("--host", help="Address to listen on.  [default: 0.0.0.0]")
@click.option("--models-file", type=click.Path(dir_okay=False), help="TOML file with models, features and tokens.")
@json_option
def command(*, port: int | None, host: str | None, models_file: str | None, as_json: bool) -> None:
    """Serve the gateway alone: no database, configured by AIGW_* variables.

    It takes the place of GitLab's AI Gateway: the same variables, those of a file .env in the working
    directory too, the same port, the same metrics port (8082). Models, features and tokens come from a
    file, which is read again when it changes.
    """
    from homeport.cli._dotenv import NAME, adopt  # noqa: PLC0415 (loads a parser that nobody else needs)

    adopted = adopt(os.environ)
    from homeport.cli._gateway import serve_gateway  # noqa: PLC0415 (loads the server, and settings from there)

    if adopted:
        note(f"Variables from {NAME}: {', '.join(adopted)}.")
    serve_gateway(load(gateway_port=port, gateway_host=host, models_file=models_file), as_json=as_json)

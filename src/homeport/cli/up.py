"""`homeport up`: everything on this machine, for somebody who has nothing yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from homeport.cli._command import RUN, Command, json_option
from homeport.cli._options import listening
from homeport.cli._session import load

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    "up",
    cls=Command,
    section=RUN,
    examples=("homeport up", "homeport up --port 8080", "homeport up --data-dir /srv/homeport --no-embedded"),
)
@listening
@click.option("--no-embedded", is_flag=True, help="Do not register the small model that comes with Homeport.")
@json_option
def command(*, port: int | None, host: str | None, data_dir: Path | None, no_embedded: bool, as_json: bool) -> None:
    """Start everything on this machine, a small model included.

    The first time it makes an administrator and a token, registers a small language model that runs
    on the CPU, and lets it serve code completion, generation and chat. Later it starts what is there.
    """
    from homeport.cli._serving import serve_instance  # noqa: PLC0415 (loads the whole server)
    from homeport.providers._engine import default_model  # noqa: PLC0415 (as above)

    settings = load(port=port, host=host, data_dir=data_dir)
    serve_instance(settings, as_json=as_json, first_run=True, embedded=None if no_embedded else default_model)

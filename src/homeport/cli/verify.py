"""`homeport verify`: whether one user can work with it, and why not."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from homeport.cli._command import LOOK_AFTER, Command, json_option
from homeport.cli._output import result
from homeport.cli._session import load


@click.command(
    "verify",
    cls=Command,
    section=LOOK_AFTER,
    examples=("homeport verify", "homeport verify ada", "homeport verify ada --json"),
)
@click.argument("user", required=False)
@json_option
def command(*, user: str | None, as_json: bool) -> None:
    """Verify the set-up for USER, or an administrator: address, access, health, models, features.

    Exit status 1 where anything of it fails, a model that cannot be reached included. Keys are never
    shown, only whether there is one.
    """
    from homeport.cli import _verify  # noqa: PLC0415 (loads the checks)

    found: dict[str, Any] = asyncio.run(_verify.verified(load(), user))
    result(found, as_json=as_json, people=lambda: _verify.told(found))
    raise click.exceptions.Exit(0 if found["ok"] else 1)

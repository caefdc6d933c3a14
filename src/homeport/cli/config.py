"""`homeport config`: the settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from homeport.cli._command import LOOK_AFTER, Group, json_option
from homeport.cli._output import result, table
from homeport.cli._session import load

if TYPE_CHECKING:
    from homeport.kit.settings import Settings

SECRETS = {"token", "default_api_key", "jwt_signing_key", "jwt_validation_key"}
"""Settings that are never shown."""


@click.group("config", cls=Group, section=LOOK_AFTER, examples=("homeport config show",))
def command() -> None:
    """Look at the settings that the operator decides before start."""


@command.command("show", examples=("homeport config show", "homeport config show --json"))
@click.option("--changed", is_flag=True, help="Only those that are not the default.")
@json_option
def show(*, changed: bool, as_json: bool) -> None:
    """Show each setting, its value and where it came from; secrets are masked.

    Order of growing precedence: homeport.toml, HOMEPORT_* variables, AIGW_* variables, the command line.
    """
    from homeport.kit.settings import sources  # noqa: PLC0415 (loads pydantic)

    settings = load()
    found = sources(settings, os.environ)
    rows = [
        {"setting": name, "value": shown(settings, name), "from": place}
        for name, place in found.items()
        if place != "default" or not changed
    ]
    result(
        rows,
        as_json=as_json,
        people=lambda: _listed(rows),
    )


def _listed(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "Every setting has its default."
    return table(("SETTING", "VALUE", "FROM"), [(row["setting"], _plain(row["value"]), row["from"]) for row in rows])


def shown(settings: Settings, name: str) -> Any:  # noqa: ANN401 (whatever the setting holds)
    """A setting's value as a JSON document may hold it, without what is secret in it."""
    value = getattr(settings, name)
    if value and name in SECRETS:
        return "***"
    if value and name == "database_url":
        return _without_password(value)
    return value if value is None or isinstance(value, bool | int | float) else _text(value)


def _text(value: object) -> Any:  # noqa: ANN401 (a text or a list of texts)
    return [str(each) for each in value] if isinstance(value, tuple) else str(value)


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    account, _, place = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{account.partition(':')[0]}:***@{place}", query="").geturl()


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ",".join(value) or "-"
    return "-" if value in {None, ""} else str(value).lower() if isinstance(value, bool) else str(value)

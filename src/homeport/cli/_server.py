"""Where the running server is, and how to be let in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from homeport.cli._data_dir import running

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.kit.settings import Settings


def address_of(settings: Settings) -> str:
    """The URL that was set, else that of the server that runs from the data directory, else the default one."""
    if settings.url:
        return settings.url.rstrip("/")
    noted = running(settings.data_dir).get("url")
    return str(noted) if noted else f"http://127.0.0.1:{settings.port}"


def handed_out(settings: Settings, stored: Mapping[str, str]) -> str:
    """The URL that links begin with: what counts of the operator's word and what administrators set, else the above."""
    from homeport.store.live import counting  # noqa: PLC0415 (loads pydantic)

    return counting(settings, stored).url.rstrip("/") or address_of(settings)


def is_gateway(settings: Settings) -> bool:
    """Whether the settings are a gateway's alone: none of an instance, and one that only a gateway reads."""
    if settings.token or settings.database_url or settings.data_dir.is_dir():
        return False
    of_a_gateway = (settings.gitlab_url, settings.customer_portal_url, settings.models_file, settings.default_endpoint)
    there = urlsplit(settings.url)
    return any(of_a_gateway) or settings.gateway_port in {there.port, _set_port()}


def _set_port() -> int | None:
    """The gateway's port, if a variable says it."""
    said = next(filter(None, map(os.environ.get, ("AIGW_FASTAPI__API_PORT", "HOMEPORT_GATEWAY_PORT"))), "")
    return int(said) if said.isdecimal() else None


def gateway_address(settings: Settings) -> str:
    """The URL that was set, else that at which this machine reaches its own gateway."""
    host = settings.gateway_host
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 (compared, not bound)
    return settings.url.rstrip("/") or f"http://{name}:{settings.gateway_port}"


def is_known(settings: Settings) -> bool:
    """Whether that address is more than a guess: it was set, or a server of the data directory wrote it down."""
    return bool(settings.url or running(settings.data_dir).get("url"))


def token_of(settings: Settings) -> str:
    """The token that was set, else the one kept in the data directory, else none."""
    return settings.known_token

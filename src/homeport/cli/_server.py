"""Where the running server is, and how to be let in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport.cli._data_dir import kept_token, running

if TYPE_CHECKING:
    from homeport.kit.settings import Settings


def address_of(settings: Settings) -> str:
    """The URL that was set, else that of the server that runs from the data directory, else the default one."""
    if settings.url:
        return settings.url.rstrip("/")
    noted = running(settings.data_dir).get("url")
    return str(noted) if noted else f"http://127.0.0.1:{settings.port}"


def is_known(settings: Settings) -> bool:
    """Whether that address is more than a guess: it was set, or a server of the data directory wrote it down."""
    return bool(settings.url or running(settings.data_dir).get("url"))


def token_of(settings: Settings) -> str:
    """The token that was set, else the one kept in the data directory, else none."""
    return settings.token or kept_token(settings.data_dir)

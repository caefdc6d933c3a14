"""The settings as they count, where each came from, and nothing secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from homeport.kit.settings import sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.kit.settings import Settings

SECRETS = {"token", "default_api_key", "otlp_headers", "jwt_signing_key", "jwt_validation_key"}
"""Settings that are never shown."""


class Effective(NamedTuple):
    """One setting."""

    name: str
    value: Any
    """As a JSON document may hold it."""
    place: str
    """A variable's name, homeport.toml, "command line" or "default"."""

    @property
    def plain(self) -> str:
        """The value in words."""
        if isinstance(self.value, list):
            return ",".join(self.value) or "-"
        if self.value is None or self.value == "":
            return "-"
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)


def effective(settings: Settings, environ: Mapping[str, str]) -> list[Effective]:
    """Every setting."""
    return [
        Effective(name, shown(settings, name), _place(settings, name, place))
        for name, place in sources(settings, environ).items()
    ]


def _place(settings: Settings, name: str, place: str) -> str:
    """What neither a variable nor the file set, and yet somebody did, came with the command."""
    return "command line" if place == "default" and name in settings.model_fields_set else place


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

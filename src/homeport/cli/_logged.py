"""What every server does with its logs, and what it warns of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeport import app
from homeport.cli._output import warn
from homeport.kit.logs import Logs

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from homeport.kit.settings import Settings


def logged(settings: Settings, main: Callable[[Logs], Coroutine[Any, Any, None]]) -> None:
    """Run a server with its logs."""
    logs = Logs(level=settings.log_level, as_json=settings.log_json, file=settings.log_file)
    logs.install()
    try:
        app.run(main(logs))
    finally:
        logs.close()


def warn_of_bypass(settings: Settings) -> None:
    """On every start, so that nobody forgets it."""
    if settings.auth_bypass:
        warn(
            "Authentication is switched off (HOMEPORT_AUTH_BYPASS or AIGW_AUTH__BYPASS_EXTERNAL): "
            "everyone who reaches this port has every right."
        )

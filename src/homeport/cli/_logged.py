"""What every server does with its logs, and what it warns of."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import structlog

from homeport import app
from homeport.cli._output import warn
from homeport.kit.environment import unheeded
from homeport.kit.logs import Logs

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from homeport.kit.settings import Settings

log = structlog.get_logger()


def logged(settings: Settings, main: Callable[[Logs], Coroutine[Any, Any, None]]) -> None:
    """Run a server with its logs."""
    logs = Logs(level=settings.log_level, as_json=settings.log_json, file=settings.log_file)
    logs.install()
    _say_what_is_logged(settings)
    _say_what_has_no_effect(os.environ)
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
    if settings.auth_bypass_with_header:
        warn(
            "Authentication can be switched off by any caller "
            "(HOMEPORT_AUTH_BYPASS_WITH_HEADER or AIGW_AUTH__BYPASS_EXTERNAL_WITH_HEADER): "
            "everyone who sends `Bypass-Auth: true` has every right."
        )
    if settings.auth_bypass_signature:
        warn(
            "Signatures of tokens are not checked "
            "(HOMEPORT_AUTH_BYPASS_SIGNATURE or AIGW_AUTH__BYPASS_JWT_SIGNATURE): "
            "everyone can write a token that is accepted."
        )


def _say_what_is_logged(settings: Settings) -> None:
    """On every start, so that nobody forgets it."""
    if settings.content_logged("never") == "always":
        log.warning(
            "prompts and answers are logged",
            by="HOMEPORT_LOG_CONTENT=always or AIGW_LOGGING__ENABLE_REQUEST_LOGGING",
        )


def _say_what_has_no_effect(environ: Mapping[str, str]) -> None:
    """Whoever comes from GitLab's AI Gateway brings its variables along; those that do nothing are named once."""
    found = unheeded(environ)
    if found:
        log.warning("variables that have no effect here", variables=found, see="docs/operate/environment.md")

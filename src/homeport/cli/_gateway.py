"""Running the gateway alone; nothing here may load what knows SQL."""

from __future__ import annotations

import json
import os
from functools import partial
from typing import TYPE_CHECKING

import click

from homeport import app
from homeport.cli._logged import logged, warn_of_bypass
from homeport.cli._output import note, warn

if TYPE_CHECKING:
    from homeport.kit.settings import Settings


def serve_gateway(settings: Settings, *, as_json: bool) -> None:
    """Serve until SIGINT or SIGTERM."""
    warn_of_bypass(settings)
    if not _somebody(settings):
        warn(
            "Nobody can authenticate yet. Set AIGW_GITLAB_URL to the URL of the GitLab that will call, "
            "or HOMEPORT_MODELS_FILE (or --models-file) to a file with tokens; see docs/operate/install.md."
        )
    ready = partial(_ready, as_json=as_json)
    logged(settings, lambda logs: app.run_gateway(settings, logs, ready=ready))


def _somebody(settings: Settings) -> bool:
    """Whether there is any way in."""
    bypass = settings.auth_bypass or settings.auth_bypass_with_header or settings.auth_bypass_signature
    return bool(bypass or settings.models_file or settings.gitlab_url or settings.customer_portal_url)


def _ready(url: str, *, as_json: bool) -> None:
    note(f"The gateway listens on {url}; Ctrl-C stops it.")
    if as_json:
        click.echo(json.dumps({"url": url, "pid": os.getpid()}))

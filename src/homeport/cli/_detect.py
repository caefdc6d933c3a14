"""What a model server serves, and the commands that register it."""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING

import click

from homeport.cli import _models
from homeport.cli._output import note, result, table
from homeport.domain.errors import HomeportError, UpstreamError, UpstreamRefused
from homeport.domain.models import Limits, Model, Secret
from homeport.kit.addresses import parse_networks
from homeport.kit.upstream_http import HttpUpstream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from homeport.kit.settings import Settings

KEY_REFUSED = {401, 403}
NO_SUCH_PATH = {404, 405, 501}
_PATIENCE = Limits(first_token_s=10.0, total_s=20.0)


def detect(settings: Settings, url: str, variable: str | None, file: Path | None, *, as_json: bool) -> None:
    """Print what is served at `url`; raises UpstreamError."""
    if not url.startswith(("http://", "https://")):
        message = f"{url!r} is no address. Write it like http://host:8000/v1"
        raise click.UsageError(message)
    key = _models.key_from(variable, file) or Secret()
    try:
        endpoint, names = asyncio.run(_found(settings, url.rstrip("/"), key))
    except UpstreamError as error:
        raise _of_the_server(url.rstrip("/"), error) from error
    guessed = [(name, _models.family_of(None, name)[0]) for name in names]
    found = [{"identifier": name, "family": family} for name, family in guessed]
    result(
        {"endpoint": endpoint, "models": found},
        as_json=as_json,
        people=lambda: table(("IDENTIFIER", "FAMILY"), guessed),
    )
    for name, _family in guessed:
        typed = f"--endpoint {shlex.quote(endpoint)} --identifier {shlex.quote(name)}{_with_key(variable, file)}"
        note(f"Register it:  homeport models add NAME {typed}")


def _with_key(variable: str | None, file: Path | None) -> str:
    """The option that names the key again."""
    if variable is not None:
        return f" --api-key-env {shlex.quote(variable)}"
    return "" if file is None else f" --api-key-file {shlex.quote(str(file))}"


def _of_the_server(url: str, error: UpstreamError) -> HomeportError:
    """The same words about a server that is no model yet."""
    fix = "Start it, or give its base URL, up to and including /v1 where it has one."
    if isinstance(error, UpstreamRefused) and error.upstream_status in KEY_REFUSED:
        fix = "It wants a key: name the variable that holds it with --api-key-env, or the file with --api-key-file."
    return HomeportError(error.saw.replace(f"The model {url!r}", f"The server at {url}"), fix)


async def _found(settings: Settings, url: str, key: Secret) -> tuple[str, Sequence[str]]:
    """The endpoint, with /v1 where the server answers only there, and the names that it serves."""
    upstream = HttpUpstream(denied_networks=parse_networks(settings.denied_networks), ca_file=settings.ca_file)
    served = _models.shelf_of_platforms()[_models.DEFAULT_PLATFORM].served
    model = Model(name=url, platform=_models.DEFAULT_PLATFORM, endpoint=url, key=key, limits=_PATIENCE)
    try:
        return url, await served(upstream, model)
    except UpstreamRefused as error:
        if error.upstream_status not in NO_SUCH_PATH or url.endswith("/v1"):
            raise
        below = f"{url}/v1"
        return below, await served(upstream, Model(name=url, platform=model.platform, endpoint=below, key=key))
    finally:
        await upstream.close()

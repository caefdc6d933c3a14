"""What looks odd about a registration before anybody was asked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from homeport.diagnostics import Change, Doubt
from homeport.kit import extra_headers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homeport.domain.models import Model
    from homeport.providers import Provider

OPENAI = "openai"
"""The platform whose endpoints end in `/v1`."""
HUB_OWNERS = {"openai"}
"""Prefixes of a platform that model hubs use as an owner's name too: they are left in an identifier."""
_LOCAL = {"localhost", "127.0.0.1", "::1"}


def doubts(model: Model, offer: Provider) -> Iterator[Doubt]:
    """What looks odd about it, with the remedy; none of it forbids it."""
    parts = urlsplit(model.endpoint)
    if model.platform == OPENAI:
        yield from _doubts_of_the_address(model.endpoint, parts.path.rstrip("/"))
    for name, wanted in offer.options.items():
        if wanted.needed and name not in model.options and not any(map(os.environ.get, wanted.variables)):
            said = f"The server needs {wanted.variables[0]} in its environment, or set it here"
            yield Doubt(said, Change(f"options.{name}"))
    yield from _doubts_of_the_way(model)
    if model.key and parts.scheme == "http" and parts.hostname not in _LOCAL:
        yield Doubt("The key travels unencrypted: use https if the network is not yours alone")
    if model.limits.context_tokens and model.limits.output_tokens >= model.limits.context_tokens:
        yield Doubt("The most output tokens are not less than the context window: no room is left for a prompt")


def _doubts_of_the_address(endpoint: str, path: str) -> Iterator[Doubt]:
    if path.endswith("/completions"):
        base = endpoint[: endpoint.index("/completions")].removesuffix("/chat")
        yield Doubt("The endpoint should end before /completions", Change("endpoint", base))
    elif endpoint and not path.rpartition("/")[2].startswith("v"):
        better = f"{endpoint.rstrip('/')}/v1"
        yield Doubt("The endpoint does not end in /v1, where most servers answer", Change("endpoint", better))


def _doubts_of_the_way(model: Model) -> Iterator[Doubt]:
    """What looks odd about how its server is reached; the server may run elsewhere, with other files."""
    said = model.options
    for name in ("ca_file", "client_cert_file", "client_key_file"):
        if name in said and not Path(said[name]).exists():
            yield Doubt(f"The option {name} names {said[name]}, which is not on this machine; the server must find it")
    if "client_key_file" in said and "client_cert_file" not in said:
        yield Doubt("A client key without its certificate shows nobody who we are: set the option client_cert_file")
    for header in extra_headers.in_clear(said["headers"]) if "headers" in said else ():
        yield Doubt(f"The value of the header {header} is stored in clear: write env:VARIABLE or file:/path instead")


def bare(identifier: str, offer: Provider) -> str:
    """An identifier without the prefix by which GitLab names its platform (`custom_openai/…`)."""
    prefix, slash, rest = identifier.partition("/")
    return rest if slash and rest and prefix in offer.prefixes and prefix not in HUB_OWNERS else identifier

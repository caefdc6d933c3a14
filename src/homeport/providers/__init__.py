"""Where models run. One file per kind of upstream offers one `Provider`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from homeport.domain.errors import BadConfiguration, BadRequest, UpstreamError
from homeport.kit import extra_headers, network

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from homeport.domain.models import Model
    from homeport.domain.prompts import Prompt
    from homeport.domain.streams import Chunks
    from homeport.kit.upstream import Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """Something a platform wants to know of a model besides its address, its name and its key."""

    text: str
    """A sentence for whoever registers a model."""
    values: tuple[str, ...] = ()
    """What it may be; empty for anything that has the form."""
    form: str = r".+"
    """A regular expression for the whole value …"""
    like: str = ""
    """… and an example of one, for people."""
    variables: tuple[str, ...] = ()
    """Environment variables that say it where the model does not; the first that is set."""
    default: str = ""
    needed: bool = False
    """Nothing works without it; it may be in the server's environment, which whoever registers does not see."""

    parse: Callable[[str], object] | None = None
    """Raises ValueError that says what is wrong with a value, which is not shown then: it may hold a secret."""

    def allows(self, value: str) -> bool:
        """Whether it may have this value."""
        return value in self.values if self.values else re.fullmatch(self.form, value) is not None

    def check(self, name: str, value: str) -> None:
        """Raise BadRequest for a value that it may not have."""
        if not self.allows(value):
            saw = f"The option {name} cannot be {value!r}."
            raise BadRequest(saw, f"Give {self.expected}.", param=f"options.{name}")
        try:
            if self.parse is not None:
                self.parse(value)
        except ValueError as error:
            raise BadRequest(f"The option {name} cannot be used: {error}.", param=f"options.{name}") from error

    @property
    def expected(self) -> str:
        """What it may be, in words."""
        if self.values:
            return f"one of {', '.join(self.values)}"
        return f"something like {self.like}" if self.like else f"something of the form {self.form}"


_FILE = r"/.+"
COMMON: Mapping[str, Option] = {
    "aliases": Option(
        text="Other names that clients may ask for it by, comma-separated; `*` stands for anything: `claude-*`.",
        form=r"[\w.:/@*-]+(\s*,\s*[\w.:/@*-]+)*",
        like="gpu1.example.com,10.0.0.0/8",
    ),
    "ca_file": Option(
        text="Certificate authorities (PEM, on the server) to trust besides the others.",
        form=_FILE,
        like="/etc/homeport/name.pem",
    ),
    "client_cert_file": Option(
        text="The certificate that we show (PEM, on the server), and its chain.",
        form=_FILE,
        like="/etc/homeport/name.pem",
    ),
    "client_key_file": Option(
        text="Its key, without a passphrase, where that is a file of its own.",
        form=_FILE,
        like="/etc/homeport/name.pem",
    ),
    "proxy": Option(
        text="`http://host:port` or with `https`, `user:env:VAR@` before the host if it wants that; `none` for none.",
        variables=("HOMEPORT_PROXY",),
        parse=network.check_proxy,
    ),
    "no_proxy": Option(
        text="Hosts, with all below them, addresses and networks that are reached without it, comma-separated.",
        variables=("HOMEPORT_NO_PROXY",),
        parse=network.check_no_proxy,
    ),
    "headers": Option(
        text='More headers of each request, as JSON: `{"X-Team": "blue", "X-Pass": "env:VAR"}`, or `file:/path`.',
        parse=extra_headers.parse,
    ),
}
"""Options of every platform: how its servers are reached, and how its models may be called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A kind of model server: how to ask it and how to list what it serves."""

    label: str
    generate: Callable[[Upstream, Model, Prompt], Chunks]
    served: Callable[[Upstream, Model], Awaitable[Sequence[str]]]
    """Names of the models it serves; raises Unlisted where it cannot tell."""
    window: Callable[[Upstream, Model], Awaitable[int]] | None = None
    """Tokens that a prompt and its answer may have together, as its server tells; 0 where it does not."""
    count: Callable[[Upstream, Model, Prompt], Awaitable[int]] | None = None
    """Tokens of a conversation by its server's own tokenizer; 0 where it has none to ask, or raises UpstreamError."""
    hosts: tuple[str, ...] = ()
    """Ends of host names by which its servers are known."""
    prefixes: tuple[str, ...] = ()
    """Identifier prefixes that name it, without the slash ("custom_openai")."""
    needs_endpoint: bool = True
    needs_identifier: bool = True
    text: bool = True
    """Whether it can continue plain text; without it everything is asked as chat."""
    embeds: bool = True
    """Whether its models can be asked for embeddings."""
    options: Mapping[str, Option] = field(default_factory=dict)
    """What may be said of a model in `Model.options` besides what every platform has, by name."""


class Unlisted(UpstreamError):
    """The server answered, but does not tell which models it serves; the text says why."""


def check(shelf: Mapping[str, Provider], platform: str, options: Mapping[str, str]) -> None:
    """Raise BadRequest for a platform that there is not, an option that it does not have, a value that cannot be."""
    if platform not in shelf:
        raise BadRequest(f"There is no platform {platform!r}.", f"Known: {', '.join(shelf)}.", param="platform")
    offer = shelf[platform]
    known = {**offer.options, **COMMON}
    for name, value in options.items():
        if name not in known:
            names = ", ".join(known)
            raise BadRequest(f"{offer.label} has no option {name!r}.", f"Known: {names}.", param=f"options.{name}")
        known[name].check(name, value)


def option(known: Mapping[str, Option], name: str, model: Model) -> str:
    """What the registration says, else the environment, else the default; raises BadConfiguration."""
    wanted = known[name]
    variable = next((each for each in wanted.variables if os.environ.get(each)), "")
    value = model.options.get(name) or os.environ.get(variable) or wanted.default
    if value and not wanted.allows(value):
        where = f"option {name} of the model {model.name!r}" if name in model.options else f"variable {variable}"
        raise BadConfiguration(f"The {where} cannot be what it is.", f"Give {wanted.expected}.")
    return value

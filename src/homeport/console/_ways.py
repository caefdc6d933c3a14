"""Commands in what is told, and the pages that do the same.

Rooms below know no page: they say which command mends it. Here a command is drawn as one, and the way to its page
stands behind it.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from htpy import a, code

from homeport.console import RANK
from homeport.console._texts import rich, t

if TYPE_CHECKING:
    from htpy import Node

    from homeport.console import Asked

_COMMAND = re.compile(
    r"`(homeport [^`]+|[A-Z][A-Z_]+|[A-Z][a-z]+: [^`]+)`"
    r"|(homeport [a-z]+(?: (?:'[^']*'|[^\s`,;.()']+(?:\.[^\s`,;.()']+)*))*)"
)
"""A command, a setting or a header between backquotes, or a bare command up to a sign that none has here."""


class Way(NamedTuple):
    """The page that does what a command does."""

    command: str
    """How it begins, without `homeport`."""
    address: str
    one: str = ""
    """The address that the word behind the command is appended to, where that names something there is."""


WAYS = (
    Way("models add", "/console/models/new"),
    Way("models edit", "/console/models", "/console/models/"),
    Way("models enable", "/console/models", "/console/models/"),
    Way("models test", "/console/models", "/console/models/"),
    Way("models detect", "/console/models", "/console/models/"),
    Way("models beta", "/console/settings"),
    Way("models", "/console/models"),
    Way("features set", "/console/features", "/console/features/"),
    Way("features", "/console/features"),
    Way("tokens create", "/console/tokens?new"),
    Way("tokens", "/console/tokens"),
    Way("users", "/console/people"),
    Way("teams", "/console/teams"),
    Way("sso", "/console/single-sign-on"),
    Way("config show", "/console/settings"),
    Way("doctor", "/console/health"),
)
"""The longer command before the shorter one that it begins with."""


def told_with_ways(asked: Asked, said: str) -> Node:
    """A text with its commands drawn as such, and ways to the pages that do the same for who may use them."""
    return [drawn(said), [[" ", rich("Here: {page}", page=a(href=way)[there])] for way, there in ways(asked, said)]]


def drawn(said: str) -> Node:
    """A text with its commands drawn as such."""
    pieces = _COMMAND.split(said)
    return [
        [text, code[quoted or bare] if quoted or bare else None]
        for text, quoted, bare in zip(pieces[::3], [*pieces[1::3], None], [*pieces[2::3], None], strict=True)
    ]


def ways(asked: Asked, said: str) -> list[tuple[str, str]]:
    """Addresses of pages that do what the commands in a text do, and what is there."""
    found = (_to(asked, quoted or bare) for quoted, bare in _COMMAND.findall(said))
    return list(dict.fromkeys(each for each in found if each))


def _to(asked: Asked, command: str) -> tuple[str, str] | None:
    """The address and what is there; None where no page does it, they may not use it, or it is this one."""
    way = next((each for each in WAYS if f"{command} ".startswith(f"homeport {each.command} ")), None)
    page = asked.desk.pages.get(way.address.partition("?")[0]) if way else None
    if way is None or page is None or RANK[asked.person.role] < RANK[page.change] or asked.path == page.path:
        return None
    name = _word_after(command, way.command)
    bench = asked.desk.bench
    if way.one and name in bench.features and way.command.startswith("features"):
        return way.one + name, t(bench.features[name].title)
    if way.one and name in bench.snapshot().models and way.command.startswith("models"):
        return way.one + quote(name, safe=""), name
    return way.address, t(page.title)


def _word_after(command: str, beginning: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    return next(iter(words[1 + len(beginning.split()) :]), "")

"""How each client is told where to ask. One file per client offers one `Client`; data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from homeport.console._texts import mark

ADDRESS, TOKEN, HOST, SCHEME = "@ADDRESS@", "@TOKEN@", "@HOST@", "@SCHEME@"
"""What stands in a text for this instance's address, the token, and the parts of the address."""

GROUPS = ((60, mark("Editors")), (80, mark("In a terminal")), (100, mark("In programs and web pages")))
"""What clients are shown together: those whose order is below a number and not below the one before."""


class Step(NamedTuple):
    """Something to copy, and where it goes."""

    where: str
    text: str
    kind: str = ""
    """The language of the text, by which the documentation colours it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client that speaks a protocol which this server offers."""

    label: str
    steps: tuple[Step, ...]
    scopes: frozenset[str] = frozenset()
    """What its token must be good for, all of it; empty where any token will do."""
    does: str = ""
    """What it then does here, in a few words."""
    token: bool = True
    """Whether it sends a token of ours."""
    order: int = 50
    """Its place among the others, and by it its group."""


def filled(text: str, address: str, token: str) -> str:
    """A text with the instance's address, which has nothing behind its port, and the token in it."""
    scheme, _, host = address.partition("://")
    for place, value in ((ADDRESS, address), (TOKEN, token), (HOST, host), (SCHEME, scheme)):
        text = text.replace(place, value)
    return text

"""Pages for people. One file per page offers one `Page`; the menu is the list of files."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from htpy import Renderable

    from homeport.console._desk import Desk

Role = Literal["anyone", "user", "auditor", "admin"]
"""Who a page is for; each may see what those before it may see."""
RANK: Mapping[str, int] = MappingProxyType({"anyone": 0, "user": 1, "auditor": 2, "admin": 3})


class Person(NamedTuple):
    """Who looks at a page."""

    name: str = ""
    role: Role = "anyone"
    session: bytes = b""
    """The digest of the session; empty for somebody unknown."""
    form_key: str = ""
    """What the forms of this session carry."""


class Asked(NamedTuple):
    """One request for a page."""

    desk: Desk
    person: Person
    path: str
    tail: str = ""
    """What follows the address of a page that ends in `/{name}`, percent-decoded."""
    query: Mapping[str, str] = MappingProxyType({})
    form: Mapping[str, str] = MappingProxyType({})
    lists: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    """Fields of the form that came several times, or once: every value."""
    htmx: bool = False
    """Only a part of the page is wanted."""
    client: str = ""
    """The address that the request came from."""
    secure: bool = False
    """Whether it came over TLS."""
    cookies: Mapping[str, str] = MappingProxyType({})
    correlation_id: str = ""
    """What the log calls this request."""
    address: str = ""
    """Where people reach this instance: as it was set, else as this browser did; nothing behind the port or path."""
    here: str = ""
    """Where this instance listens; never what a browser said."""
    problem: str = ""
    """What was wrong with the form, when it is shown again."""
    code: str = ""
    """The same as a stable word: an error's code."""


class Sent(NamedTuple):
    """A finished page, or the way to another one."""

    content: Renderable | str | AsyncGenerator[str, None] = ""
    """A generator is sent piece by piece, and closed when the reader leaves; it says itself what goes wrong."""
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()
    content_type: str = "text/html; charset=utf-8"


def go(address: str, *headers: tuple[bytes, bytes]) -> Sent:
    """On to another page: what a form answers when it was carried out."""
    return Sent(status=303, headers=((b"location", address.encode("ascii", "xmlcharrefreplace")), *headers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page: its address, who may see it, how it is drawn, and what its forms do."""

    path: str
    """One that ends in `/{name}` takes every address below it."""
    title: str
    see: Role
    view: Callable[[Asked], Awaitable[Any]]
    """Gives a Renderable, or a Sent."""
    acts: Mapping[str, Callable[[Asked], Awaitable[Sent]]] = field(default_factory=dict)
    """By the value of a form's `do`: carries it out and says where to go on; a HomeportError shows the page again."""
    change: Role = "admin"
    """Who may send its forms."""
    menu: str = ""
    """The part of the menu where it is listed; empty for a page that others lead to."""
    order: int = 50
    """Its place there."""

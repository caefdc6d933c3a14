"""Whom a change was asked by: the address at the other end of the connection that brought the request."""

from __future__ import annotations

from contextvars import ContextVar

LOCAL = "local"
"""No address: a command, a configuration file, or this process of its own accord."""
LENGTH = 64
"""Characters of an address that are kept; an IPv6 address with its zone has fewer."""
_peer: ContextVar[str] = ContextVar("homeport_peer", default=LOCAL)


def peer() -> str:
    """Where the request that is served came from, else `LOCAL`; never what a header says."""
    return _peer.get()


def from_peer(client: tuple[str, int] | None) -> None:
    """Serve a request of this peer, ASGI's `client` (host, port): None where its socket has no address."""
    _peer.set(client[0][:LENGTH] if client and client[0] else LOCAL)

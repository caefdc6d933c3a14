"""The one port through which Homeport reaches another server; whoever opens a reply closes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request to an upstream: URL and headers come from our configuration, built from nothing."""

    method: str = "POST"
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    connect_s: float = 3.0
    """Seconds for connecting, TLS included."""
    first_byte_s: float = 60.0
    """Seconds until the answer's head and its first byte."""
    idle_s: float = 60.0
    """Seconds that a started answer may stay silent."""
    total_s: float = 900.0
    """Seconds for everything."""


class Reply(Protocol):
    """An answer whose head has arrived."""

    status: int

    def header(self, name: str) -> str:
        """A header's value, or an empty text."""
        ...

    async def read(self, limit: int) -> bytes:
        """The whole body; raises UpstreamMalformed beyond `limit` bytes."""
        ...

    async def part(self) -> bytes:
        """The next bytes as they arrive; empty at a proper end.

        Raises UpstreamTruncated when the connection ends before the body does,
        UpstreamTimeout when it stays silent.
        """
        ...

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else cut it at once."""
        ...


class Upstream(Protocol):
    """Opens calls. Raises UpstreamUnreachable or UpstreamTimeout; HTTP errors are replies."""

    async def open(self, call: Call) -> Reply:
        """Send the request and wait for the head of the answer."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...

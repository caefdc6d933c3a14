"""The one port through which Homeport reaches another server; whoever opens a reply closes it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.kit.network import Network

Reach = Literal[
    "refused", "dns", "tls", "denied", "reset", "closed", "url", "header", "network", "proxy", "certificate", "plain"
]
Phase = Literal["connect", "first byte", "idle", "total"]


class TransportError(Exception):
    """The bytes did not travel as they should."""


class Unreachable(TransportError):
    """No answer at all: `why` is the class of failure, `detail` is for the operator.

    Of a proxy or one of our certificates the detail says all, as the end of a sentence about the server.
    """

    def __init__(self, why: Reach, detail: str = "") -> None:
        super().__init__(detail if why in {"proxy", "certificate"} else f"{why} {detail}".strip())
        self.why = why
        self.detail = detail


class UpstreamTooLate(TransportError):
    """A limit in time was passed; `phase` says which."""

    def __init__(self, phase: str) -> None:
        super().__init__(phase)
        self.phase = phase


class Truncated(TransportError):
    """The connection ended before the body did."""


class Malformed(TransportError):
    """The bytes are not HTTP."""


class TooMuch(TransportError):
    """The body is longer than the `limit` in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} bytes")
        self.limit = limit


class Call(NamedTuple):
    """A request to an upstream: URL and headers come from our configuration, built from nothing."""

    url: str
    headers: Mapping[str, str] = MappingProxyType({})
    method: str = "POST"
    body: bytes = b""
    connect_s: float = 3.0
    """Seconds for connecting, TLS included."""
    first_byte_s: float = 60.0
    """Seconds until the first byte of the answer's body."""
    idle_s: float = 60.0
    """Seconds that a started answer may stay silent."""
    total_s: float = 900.0
    """Seconds for everything."""
    metadata: bool = False
    """A cloud's metadata service may answer: only where an operator chose it as a source of credentials."""
    network: Network | None = None
    """The way there; None for the usual one."""


class Reply(Protocol):
    """An answer whose head has arrived."""

    status: int

    def header(self, name: str) -> str:
        """A header's value, or an empty text."""
        ...

    async def read(self, limit: int) -> bytes:
        """The whole body; raises TooMuch beyond `limit` bytes."""
        ...

    async def part(self) -> bytes:
        """The next bytes as they arrive; empty at a proper end.

        Raises Truncated when the connection ends before the body does and
        UpstreamTooLate when it stays silent.
        """
        ...

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else cut it at once."""
        ...


class Upstream(Protocol):
    """Opens calls; an HTTP error is a reply like any other."""

    async def open(self, call: Call) -> Reply:
        """Send the request and wait for the head; raises Unreachable or UpstreamTooLate."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...

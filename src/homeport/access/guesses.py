"""Wrong credentials by where they come from: who tries many different ones is told to wait.

Only refusals are counted, and only refusals change: a credential that is right always works, so that nobody is locked
out by others behind the same proxy or NAT. The same wrong one again (an editor whose token has expired) is no guess.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import deque

import structlog

from homeport.domain.errors import TooMany

log = structlog.get_logger()

FREE = 60
"""Different wrong credentials of one address that are answered in a row."""
EVERY_S = 6.0
"""After so many seconds one more is."""
KNOWN = 32
"""Wrong credentials of one address that are remembered, by their hash."""
ADDRESSES = 4096
"""Addresses that are remembered; the oldest goes first."""
NETWORK = 64
"""Bits of an IPv6 address that are one customer's (RFC 6177)."""


class _Source:
    """One address: how many guesses it has left, as of when, and what it tried last."""

    __slots__ = ("at", "left", "tried", "warned")

    def __init__(self, now: float) -> None:
        self.at = now
        self.left = float(FREE)
        self.tried: deque[int] = deque(maxlen=KNOWN)
        self.warned = False


class Guesses:
    """What was tried in vain, in bounded memory."""

    def __init__(self) -> None:
        self._of: dict[str, _Source] = {}

    def refused(self, address: str, credential: str, now: float | None = None) -> None:
        """Take in that a credential was wrong; raises TooMany where too many others were before.

        `now` in seconds of the monotonic clock.
        """
        now = time.monotonic() if now is None else now
        source = self._source(_origin(address), now)
        source.left, source.at = min(source.left + (now - source.at) / EVERY_S, FREE), now
        source.warned = source.warned and source.left < FREE
        digest = hash(credential)
        if digest in source.tried:
            return
        if source.left >= 1:
            source.left -= 1
            source.tried.append(digest)
            return
        if not source.warned:
            source.warned = True
            log.warning("many different wrong credentials come from one address", client_ip=address)
        raise TooMany(
            f"More than {FREE} different wrong credentials came from the address {address or 'of a local socket'}.",
            "Use one that works: that is never refused. Others are looked at again when Retry-After is over.",
            retry_after_s=math.ceil((1 - source.left) * EVERY_S),
        )

    def _source(self, origin: str, now: float) -> _Source:
        source = self._of.get(origin)
        if source is None:
            if len(self._of) >= ADDRESSES:
                del self._of[next(iter(self._of))]
            source = self._of[origin] = _Source(now)
        return source


def _origin(address: str) -> str:
    """Who an address stands for: itself, or the network of an IPv6 address."""
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(found.ipv4_mapped or ipaddress.ip_network((int(found) >> NETWORK << NETWORK, NETWORK)))

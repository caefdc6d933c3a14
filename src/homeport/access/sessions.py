"""Sessions of people who signed in: a random cookie, of which only a keyed digest is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import NamedTuple

PEPPER = "session-pepper"
"""The purpose of the key that digests are made with."""
IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
CODE_LASTS = timedelta(hours=1)
"""How long a code signs in, once."""


def mint() -> str:
    """A new cookie or code: 192 bits."""
    return secrets.token_urlsafe(24)


def digest(pepper: bytes, value: str) -> bytes:
    """What is stored of it."""
    return hmac.digest(pepper, value.encode("utf-8", "surrogatepass"), hashlib.sha256)


def form_key(pepper: bytes, session: str) -> str:
    """What every form of a session carries: nobody else's page knows it."""
    return hmac.new(pepper, b"form\0" + session.encode(), hashlib.sha256).hexdigest()[:43]


def same(one: str, other: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


class Attempts(NamedTuple):
    """Failed sign-ins of one name or address, and until when it has to wait."""

    failed: int = 0
    until: float = 0.0


FREE = 5
LONGEST_WAIT_S = 300.0
REMEMBERED = 10_000


class Doorkeeper:
    """Slows down who guesses: after `FREE` failures each further one doubles the wait, up to five minutes."""

    def __init__(self) -> None:
        self._known: dict[str, Attempts] = {}

    def wait_s(self, keys: tuple[str, ...], now: float) -> float:
        """Seconds until the next attempt is looked at."""
        return max((self._known[key].until - now for key in keys if key in self._known), default=0.0)

    def failed(self, keys: tuple[str, ...], now: float) -> None:
        """Take in a failure."""
        for key in keys:
            count = self._known.get(key, Attempts()).failed + 1
            wait = min(2.0 ** (count - FREE), LONGEST_WAIT_S) if count >= FREE else 0.0
            self._known[key] = Attempts(count, now + wait)
        if len(self._known) > REMEMBERED:
            self._known = {key: each for key, each in self._known.items() if each.until > now}

    def forgive(self, keys: tuple[str, ...]) -> None:
        """Take in that somebody signed in."""
        for key in keys:
            self._known.pop(key, None)

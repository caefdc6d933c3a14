"""A sign-in that is under way at a provider: what the browser carries meanwhile, signed and short-lived.

Nothing is stored until the browser comes back, so a stranger who begins a million sign-ins fills nothing. Nonce and
PKCE verifier are derived from the state with a key that only this server has.
Sources: RFC 6749, section 10.12 (state); RFC 7636 (PKCE, S256); OpenID Connect Core 1.0, section 15.5.2 (nonce).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Literal, NamedTuple

import orjson

from homeport.access.keys import to_text, unpadded

LASTS_S = 600.0
"""Seconds that somebody may take at the provider."""
LONGEST = 3000
"""Characters of the cookie."""
NEXT = 500
"""Characters of the way on."""
HOME = "/console"

What = Literal["sign-in", "connect", "test"]


class Errand(NamedTuple):
    """What a browser went to the provider for."""

    state: str
    until: float
    """Unix seconds."""
    issuer: str
    what: What = "sign-in"
    next: str = HOME
    """Where to go on."""
    session: str = ""
    """The digest of the session that it was begun from, in hexadecimal; empty for a stranger."""


def begin(issuer: str, now: float, what: What = "sign-in", wanted: str = "", session: str = "") -> Errand:
    """A new one, with 192 bits of state."""
    return Errand(secrets.token_urlsafe(24), now + LASTS_S, issuer, what, inside(wanted), session)


def inside(wanted: str) -> str:
    """The way on if it stays in the console, else its first page."""
    below = wanted == HOME or wanted.startswith((HOME + "/", HOME + "?"))
    sober = wanted.isascii() and wanted.isprintable() and len(wanted) <= NEXT
    return wanted if below and sober and not set(wanted) & set('\\"<> ') and ".." not in wanted else HOME


def pack(pepper: bytes, errand: Errand) -> str:
    """The cookie's value."""
    body = to_text(orjson.dumps(list(errand)))
    return f"{body.decode()}.{_derived(pepper, 'cookie', body.decode())}"


def unpack(pepper: bytes, value: str, now: float) -> Errand | None:
    """What the cookie holds; None for one that is not ours, or too old."""
    body, _, seal = value.partition(".")
    if len(value) > LONGEST or not value.isascii() or not hmac.compare_digest(seal, _derived(pepper, "cookie", body)):
        return None
    errand = Errand(*orjson.loads(unpadded(body.encode())))
    return errand if now < errand.until else None


def nonce(pepper: bytes, errand: Errand) -> str:
    """What the ID token must repeat."""
    return _derived(pepper, "nonce", errand.state)


def verifier(pepper: bytes, errand: Errand) -> str:
    """The PKCE verifier: 43 characters."""
    return _derived(pepper, "verifier", errand.state)


def challenge(verifier: str) -> str:
    """What the provider is shown of the verifier (S256)."""
    return to_text(hashlib.sha256(verifier.encode()).digest()).decode()


def _derived(pepper: bytes, what: str, text: str) -> str:
    return to_text(hmac.digest(pepper, f"sso {what}\0{text}".encode(), hashlib.sha256)).decode()

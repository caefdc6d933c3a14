"""Tokens: a prefix that scanners can find, 30 random characters, 6 of checksum.

The layout is the one that GitHub published for its tokens ("Behind GitHub's new authentication
token formats", 2021): a mistyped or made-up token is told from a real one without asking anybody.
"""

from __future__ import annotations

import hmac
import re
import secrets
import zlib

PREFIX = "hp"
PEPPER = "pat-pepper"
"""What the instance's pepper is derived for, from its root key."""
PATTERN = r"\bhp_[0-9A-Za-z]{36}\b"
"""What a scanner for leaked secrets may look for."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM = 30
_CHECKSUM = 6
_SHAPE = re.compile(rf"[a-z]+_[0-9A-Za-z]{{{_RANDOM + _CHECKSUM}}}", re.ASCII)


def mint(prefix: str = PREFIX) -> str:
    """A new token with about 178 random bits; whoever calls this shows it once and keeps only its digest."""
    body = f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))}"
    return body + _checksum(body)


def well_formed(token: str) -> bool:
    """Whether it can be a token at all: its layout and its checksum are right."""
    return _SHAPE.fullmatch(token) is not None and token[-_CHECKSUM:] == _checksum(token[:-_CHECKSUM])


def digest(pepper: bytes, token: str) -> bytes:
    """What is stored instead of the token: HMAC-SHA-256 under the instance's pepper."""
    return hmac.digest(pepper, token.encode(), "sha256")


def seal(pepper: bytes, token: str) -> bytes:
    """The digest of a token that was made elsewhere; raises ValueError when it cannot be one of ours."""
    if not well_formed(token):
        message = "that is no Homeport token; `homeport tokens create` makes one"
        raise ValueError(message)
    return digest(pepper, token)


def hint(token: str) -> str:
    """The last four characters, to tell tokens apart in a list."""
    return token[-4:]


def _checksum(body: str) -> str:
    """CRC-32 of everything before it, in base 62."""
    rest, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits

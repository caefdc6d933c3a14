"""What the endpoints have in common that GitLab's editor extensions expect of a GitLab instance.

Source: instance and editors reference, sections 5 and 6.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import orjson

from homeport.domain.errors import BadRequest, FeatureDisabled, FeatureUnassigned, NotAuthenticated

if TYPE_CHECKING:
    from homeport.domain.errors import HomeportError
    from homeport.domain.models import Caller
    from homeport.protocols import Arrival

VERSION = "17.11.0-ee"
"""The GitLab that clients take us for: the last one in which they ask for nothing but what is served here.

From 17.2 they report what is accepted, from 17.6 they ask what may be added to a chat; 18 brings the Agent Platform.
"""
ORIGIN = ((b"x-gitlab-error-origin", b"monolith"),)
"""Tells clients that an error is the instance's own and no model's."""
OF_ITS_OWN = frozenset({401, 404, 413, 429})
CODE = ("complete_code", "generate_code")
CHAT = "duo_chat"
USABLE = frozenset({*CODE, CHAT})
"""A token with one of these is good for an editor."""
FULL, BARE = ("api", "read_api", "read_user", "ai_features"), ("read_user",)


def number(text: str) -> int:
    """A number that stands for a name wherever GitLab has one: always the same, and exact in JavaScript."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) or 1


def gid(kind: str, key: int) -> str:
    """A global id."""
    return f"gid://gitlab/{kind}/{key}"


def user_gid(caller: Caller) -> str:
    """The caller's global id."""
    return gid("User", number(caller.subject))


def scopes_of(caller: Caller) -> tuple[str, ...]:
    """In GitLab's words, what a token is good for: clients refuse one that lacks `api` or `ai_features`."""
    return FULL if caller.scopes & USABLE else BARE


def error(problem: HomeportError, correlation_id: str) -> tuple[int, bytes]:
    """GitLab's error body; a feature that is switched off is 401, as its clients expect."""
    text = f"{problem} (correlation id {correlation_id})"
    off = isinstance(problem, FeatureDisabled | FeatureUnassigned)
    code = "invalid_token" if isinstance(problem, NotAuthenticated) else problem.code
    said: dict[str, Any] = {"message": text, "error": code, "error_description": text, "correlation_id": correlation_id}
    return 401 if off else problem.status, orjson.dumps(said)


def error_headers(status: int) -> tuple[tuple[bytes, bytes], ...]:
    """Where an error comes from, where clients ask."""
    return ORIGIN if status in OF_ITS_OWN else ()


def address(url: str, arrival: Arrival) -> str:
    """The address of this instance: the configured one, else the one that the client used."""
    return url.rstrip("/") or f"http://{arrival.header(b'host')}"


def too_long(what: str, most: int) -> BadRequest:
    """The error for a text over its limit."""
    return BadRequest(f"{what} is longer than {most:,} characters.", "Send less.", param=what)

"""Tokens that an instance gives its users' editors for direct connections: one hour, code completion, nothing else.

Source: instance and editors reference, `POST /api/v4/code_suggestions/direct_access`. Such a token stands for the one
that it was asked for with: it names that one's digest, and opens nothing once that one is revoked or has expired, or
its owner is disabled. Its seal is made with a key derived from the root key, so that all replicas know it.
"""

from __future__ import annotations

import base64
import hmac
import struct
import time
from binascii import Error
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from homeport.domain.errors import NotAuthenticated

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from homeport.domain.models import Caller, Snapshot, Token

PREFIX = "hpe_"
LIFETIME_S = 3600
SCOPES = frozenset({"complete_code"})
_HEAD = struct.Struct(">Q32s")
"""When it ends, in Unix seconds, and the digest of the token that it stands for."""
_SEAL = 32
_LENGTH = len(PREFIX) + 96
"""Of 72 bytes in base64."""


class Given(NamedTuple):
    """A new token."""

    token: str
    expires_at: int
    """Unix seconds."""


class EditorTokens:
    """Makes and verifies them."""

    def __init__(self, snapshot: Callable[[], Snapshot], pepper: bytes, caller_of: Callable[[Token], Caller]) -> None:
        self._snapshot = snapshot
        self._key = hmac.digest(pepper, b"tokens of editors", "sha256")
        self._caller_of = caller_of

    def give(self, digest: bytes, now: float | None = None) -> Given | None:
        """A token for the owner of the one with this digest; None if there is no such token. `now` in Unix seconds."""
        now = time.time() if now is None else now
        row = self._valid(digest, now)
        if row is None:
            return None
        ends = now + LIFETIME_S if row.expires is None else min(now + LIFETIME_S, row.expires.timestamp())
        head = _HEAD.pack(int(ends), digest)
        return Given(PREFIX + base64.urlsafe_b64encode(head + self._seal(head)).decode(), int(ends))

    def verify(self, token: str, headers: Collection[tuple[bytes, bytes]]) -> Caller | None:
        """The owner, who may complete code with it; raises NotAuthenticated for one that has ended."""
        del headers
        head = self._head(token)
        if head is None:
            return None
        ends, digest = _HEAD.unpack(head)
        now = time.time()
        if ends <= now:
            raise NotAuthenticated("The token of this editor has expired.", "The editor asks for another by itself.")
        row = self._valid(digest, now)
        if row is None:
            saw = "The token that this editor's stands for was revoked or has expired."
            raise NotAuthenticated(saw, "Give the editor a token that is valid.")
        caller = self._caller_of(row)
        return replace(caller, kind="direct", scopes=caller.scopes & SCOPES, expires=float(ends))

    def _head(self, token: str) -> bytes | None:
        """What a token says, if it is one and its seal is ours."""
        if len(token) != _LENGTH or not token.startswith(PREFIX) or not token.isascii():
            return None
        try:
            raw = base64.b64decode(token[len(PREFIX) :], altchars=b"-_", validate=True)
        except Error:
            return None
        head, seal = raw[:-_SEAL], raw[-_SEAL:]
        return head if len(head) == _HEAD.size and hmac.compare_digest(seal, self._seal(head)) else None

    def _valid(self, digest: bytes, now: float) -> Token | None:
        row = self._snapshot().tokens.get(digest)
        if row is None or row.revoked is not None or (row.expires is not None and row.expires.timestamp() <= now):
            return None
        return row

    def _seal(self, head: bytes) -> bytes:
        return hmac.digest(self._key, head, "sha256")

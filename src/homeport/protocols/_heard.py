"""What is said in a request, kept while it runs: only where an administrator turned that on."""

from __future__ import annotations

import re
from contextlib import aclosing
from typing import TYPE_CHECKING

from homeport.domain.entries import Content
from homeport.kit.journal import MASK, heard, masked

if TYPE_CHECKING:
    from homeport.domain.entries import Exchange
    from homeport.domain.streams import Chunks

LIMIT = 200_000
"""Characters of a body or an answer that are kept; a longer body is not kept at all, since half of one is none."""


_KEY = re.compile(r'("[a-z_]{0,40}api_key"\s{0,9}:\s{0,9})"(?:[^"\\]|\\.)*"')
"""A model's key in a body: masked before the body is known to be one of ours."""


class Heard:
    """One request's content while it comes and goes."""

    def __init__(self, path: str, body: bytes, secrets: tuple[str, ...]) -> None:
        """`secrets` are masked in all of it."""
        self._path = path
        self._body = body
        self._secrets = secrets
        self._pieces: list[str] = []
        self._size = 0
        found = heard()
        # the very list that is filled later: it is empty now
        self._exchanges: list[Exchange] = [] if found is None else found

    def hide(self, secret: str) -> None:
        """Mask this, too."""
        self._secrets = (*self._secrets, secret)

    async def listening(self, chunks: Chunks) -> Chunks:
        """The chunks as they come."""
        async with aclosing(chunks):
            async for chunk in chunks:
                if self._size < LIMIT:
                    piece = chunk.text or chunk.wire.decode("utf-8", "replace")
                    self._pieces.append(piece)
                    self._size += len(piece)
                yield chunk

    def content(self) -> Content:
        """All of it, without secrets."""
        body = self._body.decode("utf-8", "replace") if len(self._body) <= LIMIT else ""
        body = _KEY.sub(rf'\1"{MASK}"', body)
        answer = "".join(self._pieces)[:LIMIT]
        body, answer = masked(body, self._secrets), masked(answer, self._secrets)
        return Content(self._path, body, answer, tuple(self._exchanges))

"""The pages of the console, at one endpoint."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from typing_extensions import override

from homeport.access import PUBLIC
from homeport.console._desk import Request
from homeport.kit.peers import from_peer
from homeport.protocols import Look, Reply, WireProtocol, _openai
from homeport.protocols._endpoint import Door, Endpoint, here, read_body

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from homeport.console._desk import Answer, Desk
    from homeport.protocols._visit import Receive, Visit

FORM_LIMIT = 1024 * 1024
"""The largest form that is read, in bytes."""


class Pages(Endpoint):
    """Every page of the console: who may see it is said by the page."""

    def __init__(self, door: Door, desk: Desk) -> None:
        look = Look(paths=("",), need=PUBLIC, look=lambda _bench: Reply(body=b""))
        protocol = WireProtocol(label="Console", routes=(look,), error=_openai.error, kept=False)
        super().__init__(door, protocol, look, "/console")
        self._desk = desk
        # what the operator said: an administrator who errs in an address would lock everybody out over plain HTTP
        self._secure = desk.settings.url.startswith("https://")

    @override
    async def _serve(self, visit: Visit, receive: Receive) -> None:
        scope = visit.scope
        from_peer(scope.get("client"))
        body = await read_body(scope["headers"], receive, FORM_LIMIT) if scope["method"] == "POST" else b""
        asked = Request(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=visit.headers,
            body=body,
            client=(scope.get("client") or ("",))[0],
            correlation_id=visit.id,
            secure=self._secure,
            here=here(scope),
        )
        answer = await self._desk.answer(asked)
        if isinstance(answer.body, bytes):
            await visit.reply(Reply(answer.body, answer.status, answer.content_type, answer.headers))
            return
        await _pass_on(visit, answer, answer.body)


async def _pass_on(visit: Visit, answer: Answer, pieces: AsyncGenerator[str, None]) -> None:
    """Send a page's answer piece by piece; a reader who leaves ends it."""
    await visit.head(answer.status, answer.content_type, answer.headers)
    visit.phase = "streaming"
    async with contextlib.aclosing(pieces):
        try:
            async for piece in pieces:
                await visit.body(piece.encode("utf-8", "replace"))
        except Exception:
            # the head was sent: the answer can only be broken off
            visit.phase = "done"
            raise
    await visit.body(b"", last=True)

"""One WebSocket as an endpoint sees it: texts in, texts out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homeport.protocols._visit import Receive, Scope, Send


class Line:
    """The connection; whoever leaves cancels the task that talks to them."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self.open = False

    async def accept(self, subprotocol: str) -> None:
        """Agree to talk, in this language where the client knows it."""
        await self._receive()
        chosen = subprotocol if subprotocol in self.scope["subprotocols"] else None
        await self._send({"type": "websocket.accept", "subprotocol": chosen, "headers": []})
        self.open = True

    async def say(self, text: str) -> None:
        """Send a text; waits while the client does not read."""
        await self._send({"type": "websocket.send", "text": text})

    async def hear(self) -> str | None:
        """The next text; an empty one for what is none, None at the end."""
        message = await self._receive()
        return message.get("text") or "" if message["type"] == "websocket.receive" else None

    async def end(self, code: int = 1000) -> None:
        """Close it, once."""
        if self.open:
            self.open = False
            await self._send({"type": "websocket.close", "code": code})

"""One WebSocket: uvicorn's, with bounds, and a clean end for a client that leaves.

As with a request, the task that serves it is cancelled at once when the connection goes away. Whoever does
not read is cut off: what waits to be sent is bounded by the transport's buffer and by `stall_s`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog
from typing_extensions import override
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from homeport.kit.server import CLIENT_LEFT, STOPPING

if TYPE_CHECKING:
    from websockets.frames import Frame
    from websockets.http11 import Request

log = structlog.get_logger()

PIECES = 64
"""Frames that one message may be cut into."""
LEAVE_S = 1.0
"""How long the other end has to say farewell, too."""
CUT_INTO_TOO_MANY = 1008


class _Quiet:
    """In place of a log of the library's own: it would write down addresses with what callers put there."""

    level = 100

    def info(self, *_told: object) -> None:
        """Say nothing."""

    debug = log = warning = info

    def error(self, text: str, *_told: object) -> None:
        """An application that breaks the rules of ASGI is a defect of ours."""
        log.error("socket misused", what=text)

    exception = error


class Socket(WebSocketsSansIOProtocol):
    """A client's WebSocket, from its handshake to its end."""

    stall_s = 30.0
    _serving: asyncio.Task[Any] | None = None

    def __init__(self, *given: Any) -> None:  # noqa: ANN401 (what uvicorn makes it with)
        super().__init__(*given)
        self.logger = _Quiet()  # type: ignore[assignment]
        self.close_timeout = LEAVE_S

    @override
    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["method"] = "GET"  # type: ignore[typeddict-unknown-key]  # as every other request has

    @override
    async def run_asgi(self) -> None:
        self._serving = asyncio.current_task()
        try:
            await self.app(self.scope, self.receive, self._sent)
        except ClientDisconnected:
            pass
        except asyncio.CancelledError:
            log.debug("socket interrupted twice")
        finally:
            if not self.handshake_complete:
                self.send_500_response()
            if self.close_timer is None:
                self.transport.close()
            # a closing transport waits for a reader who may never come
            self.loop.call_later(self.stall_s, self.transport.abort)

    async def _sent(self, message: Any) -> None:  # noqa: ANN401 (a message of ASGI)
        """Send; whoever takes nothing for `stall_s` is cut off. Raises ClientDisconnected."""
        try:
            async with asyncio.timeout(self.stall_s):
                await self.send(message)
        except TimeoutError:
            self.transport.abort()
            raise ClientDisconnected from None

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._serving is not None:
            self._serving.cancel(CLIENT_LEFT)

    @override
    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= PIECES:
            self.conn.fail(CUT_INTO_TOO_MANY, "too many pieces")
            self.handle_parser_exception()
            return
        super().handle_cont(event)

    @override
    def shutdown(self) -> None:
        """Let the application say farewell, and then end."""
        if self._serving is None or self._serving.done():
            super().shutdown()
        else:
            self.stop_keepalive()
            self._serving.cancel(STOPPING)

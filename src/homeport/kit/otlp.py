"""Sends spans to an OpenTelemetry receiver by OTLP/HTTP: in the binary form with `homeport[otel]`, else in JSON.

Source: OTLP specification 1.10, "OTLP/HTTP". JSON needs nothing installed, but some receivers take the binary form
alone. What cannot be sent waits, within a bound, then is lost and counted; nothing here holds up a request.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from homeport.kit.otlp_forms import form_of
from homeport.kit.upstream import Call, TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from homeport.kit.tracing import Span
    from homeport.kit.upstream import Upstream

log = structlog.get_logger()

PATH = "/v1/traces"
WAITING = 5_000
"""Requests whose spans may wait; beyond that the oldest are lost."""
TOGETHER_S = 1.0
"""How long spans wait for others, to be sent with them."""
AT_ONCE = 200
"""Requests whose spans are sent together."""
SLICE = 20
"""Requests encoded before others have their turn: that takes a millisecond or two."""
AGAIN_S, LONGEST_S = 1.0, 30.0
"""After how long a receiver that is away is asked again: twice as long each time, up to a bound."""
CLOSE_S = 3.0
ANSWER = 100_000
OK, RETRYABLE = 2, frozenset({429, 502, 503, 504})


class Away(Exception):
    """The receiver may take it later."""


class Exporter:
    """Takes the spans of finished requests, and sends them off."""

    def __init__(
        self, upstream: Upstream, endpoint: str, headers: Mapping[str, str], resource: Mapping[str, str]
    ) -> None:
        """`resource` says who sends."""
        self.form = form_of(resource)
        self._upstream = upstream
        self._url = address(endpoint)
        self._headers = {**headers, "Content-Type": self.form.content_type, "Accept-Encoding": "identity"}
        self._waiting: deque[Callable[[], Sequence[Span]]] = deque()
        self._batch: tuple[int, bytes] | None = None
        self._some = asyncio.Event()
        self._told = 0
        self.sent = 0
        """Requests whose spans the receiver took."""
        self.lost = 0
        """Requests whose spans nobody got."""

    def add(self, spans: Callable[[], Sequence[Span]]) -> None:
        """Have the spans of a request sent soon; they are made only then."""
        if len(self._waiting) >= WAITING:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(spans)
        if not self._some.is_set():
            self._some.set()

    @property
    def waiting(self) -> int:
        """Requests whose spans are not sent yet."""
        return len(self._waiting) + (self._batch[0] if self._batch else 0)

    async def follow(self) -> None:
        """Send what is added, until this is cancelled."""
        pause = AGAIN_S
        while True:
            await self._some.wait()
            await asyncio.sleep(TOGETHER_S)
            self._some.clear()
            try:
                await self.flush()
                pause = AGAIN_S
            except Away as error:
                self._some.set()
                log.warning("traces not sent yet", endpoint=self._url, reason=str(error), waiting=self.waiting)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_S)
            if self.lost > self._told:
                log.warning("traces were lost: the receiver did not take them", endpoint=self._url, lost=self.lost)
                self._told = self.lost

    async def flush(self) -> None:
        """Send everything that waits; raises Away when that must be tried again."""
        while self._waiting or self._batch:
            if self._batch is None:
                self._batch = await self._next()
            await self._send(*self._batch)
            self._batch = None

    async def close(self) -> None:
        """Send what waits, as far as that can be done soon."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.flush()
        except (Away, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            log.warning("traces lost at the end", endpoint=self._url, lost=self.waiting, reason=reason)

    async def _next(self) -> tuple[int, bytes]:
        """How many requests a batch is of, and its bytes."""
        taken: list[Callable[[], Sequence[Span]]] = []
        parts: list[bytes] = []
        try:
            while self._waiting and len(taken) < AT_ONCE:
                few = [self._waiting.popleft() for _ in range(min(SLICE, len(self._waiting)))]
                taken += few
                parts.append(self.form.part([span for each in few for span in each()]))
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self._waiting.extendleft(reversed(taken))
            raise
        return len(taken), self.form.whole(parts)

    async def _send(self, count: int, body: bytes) -> None:
        call = Call(self._url, self._headers, body=body, connect_s=5, first_byte_s=10, idle_s=10, total_s=20)
        try:
            reply = await self._upstream.open(call)
            try:
                said = await reply.read(ANSWER)
            finally:
                reply.close()
        except TransportError as error:
            raise Away(str(error)) from error
        if reply.status in RETRYABLE:
            raise Away(f"HTTP {reply.status}")
        if reply.status // 100 != OK:
            self.lost += count
            log.warning("the receiver refuses traces", endpoint=self._url, status=reply.status)
            return
        self.sent += count
        self._heed(said)

    def _heed(self, said: bytes) -> None:
        """Tell what the receiver did not like of a batch that it took."""
        rejected = self.form.rejected(said)
        if rejected:
            log.warning("the receiver refuses some spans", rejected=rejected)


def address(endpoint: str) -> str:
    """Where spans go: the path that OTLP says, below the endpoint, unless that says it already."""
    base = endpoint.rstrip("/")
    return base if urlsplit(base).path.endswith(PATH) else base + PATH

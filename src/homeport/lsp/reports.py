"""What became of suggestions, told to Homeport in the background, several at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Literal

from homeport.lsp.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from homeport.lsp.typed import Suggestion

What = Literal["shown", "accepted", "rejected"]
TOGETHER_S = 1.0
"""How long one waits for others."""
AT_ONCE, WAITING, KNOWN = 50, 200, 1000
"""Events in one request, events that may wait, and suggestions that are known to have been told of."""


class Reports:
    """Tells once of each suggestion that it was shown, accepted or rejected; what cannot be told is forgotten."""

    def __init__(self, send: Callable[[Sequence[tuple[str, str]]], Awaitable[None]]) -> None:
        self._send = send
        self._waiting: deque[tuple[str, str]] = deque(maxlen=WAITING)
        self._told: OrderedDict[str, set[str]] = OrderedDict()
        self._offered: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None

    def shown(self, uri: str, suggestion: Suggestion) -> None:
        """The editor got a suggestion; another one that was shown in this document was not wanted."""
        if self._offered.get(uri) != suggestion.id:
            self.left(uri)
            self._offered[uri] = suggestion.id
        self._tell("shown", suggestion.id)

    def accepted(self, request: str) -> None:
        """The suggestion that this request made was inserted; of one that was not made here nothing is told."""
        if request in self._told:
            self._tell("accepted", request)

    def left(self, uri: str) -> None:
        """What was shown last in this document is no longer: it was rejected, unless it was accepted."""
        request = self._offered.pop(uri, "")
        if request and "accepted" not in self._told.get(request, ()):
            self._tell("rejected", request)

    def _tell(self, what: What, request: str) -> None:
        told = self._told.setdefault(request, set())
        if what in told:
            return
        told.add(what)
        while len(self._told) > KNOWN:
            self._told.popitem(last=False)
        self._waiting.append((what, request))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._soon())

    async def _soon(self) -> None:
        while self._waiting:
            await asyncio.sleep(TOGETHER_S)
            await self.flush()

    async def flush(self) -> None:
        """Tell what waits."""
        while self._waiting:
            events = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            with contextlib.suppress(Trouble):
                await self._send(events)

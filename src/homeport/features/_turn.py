"""One model's turn to answer while there are others: how long it is waited for, and who pays for another try."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from homeport.domain.errors import ToolNotAvailable, UpstreamRejected, UpstreamTimeout
from homeport.kit.journal import note

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from homeport.domain.errors import UpstreamError
    from homeport.domain.models import Model
    from homeport.domain.streams import Chunk, Chunks
    from homeport.features import Workbench

COMPLETIONS = "code_completions"
"""Their answers are short: whether one is streamed or not, its first byte is awaited as impatiently."""
PATIENCE = 4.0
"""So many times as long as it or the others usually take is the first byte awaited while another can be asked …"""
LEAST_S = 1.0
"""… but at least so many seconds …"""
UNKNOWN_S = (5.0, 2.0)
"""… and at least so many when nothing is known of it; the second for completions, which nobody waits for longer."""
AGAIN_S = 0.25
"""When there was no retry left to go elsewhere, it is looked for again after so many seconds."""

NOT_BEGUN = "it did not begin to answer"

TURN: ContextVar[Turn | None] = ContextVar("homeport_turn", default=None)
"""Whose turn it is in the current request, while another model could take over."""


class Turn:
    """Enter it around one model's attempt; `others` may be asked when this one does not answer."""

    __slots__ = (
        "_before",
        "_bench",
        "_feature",
        "_hurried",
        "_left",
        "_loop",
        "_patience_s",
        "_scope",
        "_timer",
        "_told_at",
        "_trial",
        "_waiting",
        "began",
        "model",
        "others",
    )

    def __init__(self, bench: Workbench, feature: str, model: Model, others: Sequence[Model]) -> None:
        self._bench = bench
        self._feature = feature
        self.model = model
        self.others = others
        self.began = False
        """A piece of the answer was passed on."""
        self._patience_s = UNKNOWN_S[0]
        """How long its first byte is awaited before something is done …"""
        self._hurried = False
        """… which is to go elsewhere; otherwise to find out whether the server is there at all."""
        self._told_at = 0.0
        """When its health is told that it was awaited in vain once more, on the loop's clock."""
        self._left = False
        """This turn was ended in order to go elsewhere, which is paid for."""
        self._trial = False
        self._before: Turn | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._scope: asyncio.Timeout | None = None
        """What waits now and can be ended."""

    def hurry(self) -> None:
        """Wait less long for the first byte than the model's limits allow."""
        completion = self._feature == COMPLETIONS
        own = usual = self._bench.health.first_s(self.model, completion=completion)
        for other in self.others:
            usual = max(usual, self._bench.health.first_s(other, completion=completion))
        patience = max(PATIENCE * usual, LEAST_S if own else UNKNOWN_S[completion])
        self._patience_s, self._hurried = patience, True

    def __enter__(self) -> None:
        self._trial = self._bench.health.chosen(self.model)
        if self.others:
            self._before = TURN.get()
            TURN.set(self)
            self._waiting = self._bench.health.waiting(self.model)
            self._waiting.add(self._circuit_opened)

    def __exit__(self, *_: object) -> None:
        if self._trial:
            self._bench.health.released(self.model)
        if self.others:
            # not by a token: the end may come in another context than the beginning
            TURN.set(self._before)
            self._waiting.discard(self._circuit_opened)

    def may_go_on(self, error: UpstreamError) -> bool:
        """Whether another model may do better, and there is a retry left."""
        if isinstance(error, (UpstreamRejected, ToolNotAvailable)):
            return False
        if self._left or self._bench.budget.spend(self._feature):
            return True
        note(retries="spent")
        return False

    @asynccontextmanager
    async def seated(self) -> AsyncIterator[None]:
        """Around the wait for a seat. Raises UpstreamTimeout when the circuit opens."""
        try:
            async with asyncio.timeout(None) as self._scope:
                self._circuit_opened()
                yield
        except TimeoutError as error:
            raise self._gone() from error
        finally:
            self._scope = None

    async def answer(self, answer: Chunks) -> Chunks:
        """The same answer. Raises UpstreamTimeout when its first piece takes too long or the circuit opens."""
        async with aclosing(answer):
            first = await (anext(answer, None) if self.began else self._first(answer))
            if first is None:
                return
            yield first
            async for chunk in answer:
                yield chunk

    async def _first(self, answer: Chunks) -> Chunk | None:
        self._loop = asyncio.get_running_loop()
        if self._patience_s < self.model.limits.first_token_s:
            self._told_at = self._loop.time() + self._patience_s
            self._timer = self._loop.call_at(self._told_at, self._too_late if self._hurried else self._suspect)
        try:
            async with asyncio.timeout(None) as self._scope:
                self._circuit_opened()
                return await anext(answer, None)
        except TimeoutError as error:
            raise self._gone() from error
        finally:
            self._scope = None
            if self._timer is not None:
                self._timer.cancel()

    def _circuit_opened(self) -> None:
        """Go elsewhere, if the circuit is open: the load moves away from a dead server and does not multiply."""
        if self._bench.health.trouble and self._bench.health.is_shut(self.model) and self._can_go():
            self._leave()

    def _too_late(self) -> None:
        """Go elsewhere when there is a retry left for it; else look again soon.

        Until then its health is told as often as the time has passed again: that opens the circuit in the end.
        """
        if self._can_go() and self._bench.budget.spend(self._feature):
            self._leave()
            return
        now = self._loop.time()
        if now >= self._told_at:
            self._told_at = now + self._patience_s
            self._bench.health.failed(self.model, NOT_BEGUN)
        self._timer = self._loop.call_later(AGAIN_S, self._too_late)

    def _suspect(self) -> None:
        """An answer that comes as a whole may take its time: its server is only asked whether it is there."""
        self._bench.health.suspect(self.model)
        self._timer = self._loop.call_later(self._patience_s, self._suspect)

    def _can_go(self) -> bool:
        return any(self._bench.health.allows(other) for other in self.others)

    def _leave(self) -> None:
        if self._scope is not None and not self._left:
            self._left = True
            self._scope.reschedule(0)

    def _gone(self) -> UpstreamTimeout:
        return UpstreamTimeout(
            f"The model {self.model.name!r} did not begin to answer, and another one can be asked.",
            "Look at the model server: it hangs, or has too much to do.",
        )

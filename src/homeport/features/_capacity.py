"""How many requests run at a model at once, and how many may wait for their turn."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from homeport.domain.errors import UpstreamOverloaded
from homeport.kit.journal import note

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from homeport.domain.models import Model


@dataclass(slots=True)
class _Seats:
    taken: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class Capacity:
    """Seats at each model; a seat is free again the moment its request ends, however it ends."""

    def __init__(self) -> None:
        self._seats: dict[str, _Seats] = {}

    def running(self, name: str) -> int:
        """Requests that run at the model now."""
        return self._seats[name].taken if name in self._seats else 0

    def queued(self) -> int:
        """Requests that wait for any model now."""
        return sum(len(seats.waiting) for seats in self._seats.values())

    @asynccontextmanager
    async def seat(self, model: Model) -> AsyncGenerator[None, None]:
        """Hold a seat; raises UpstreamOverloaded when the queue is full or the wait too long."""
        seats = self._seats.setdefault(model.name, _Seats())
        if seats.taken >= model.limits.concurrency:
            await self._wait(seats, model)
        else:
            seats.taken += 1
        try:
            yield
        finally:
            _leave(seats)

    async def _wait(self, seats: _Seats, model: Model) -> None:
        limits = model.limits
        if len(seats.waiting) >= limits.queue:
            raise _full(model, f"{limits.queue} requests already wait for it")
        turn = asyncio.get_running_loop().create_future()
        seats.waiting.append(turn)
        note(queued=len(seats.waiting))
        try:
            async with asyncio.timeout(limits.queue_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                _leave(seats)
            else:
                seats.waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise _full(model, f"no turn came within {limits.queue_s:g} s") from error
            raise


def _leave(seats: _Seats) -> None:
    """Hand the seat to the next in the queue, or free it."""
    while seats.waiting:
        turn = seats.waiting.popleft()
        if not turn.done():
            turn.set_result(None)
            return
    seats.taken -= 1


def _full(model: Model, why: str) -> UpstreamOverloaded:
    return UpstreamOverloaded(
        f"The model {model.name!r} is at its limit of {model.limits.concurrency} requests and {why}.",
        "Try again in a moment; an administrator can raise its concurrency or add a model.",
        upstream_status=0,
        retry_after_s=1,
    )

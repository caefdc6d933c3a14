"""How many requests run at a model at once, and how many may wait for their turn."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from homeport.domain.errors import UpstreamOverloaded
from homeport.kit.journal import note

if TYPE_CHECKING:
    from homeport.domain.models import Model


MODELS = 1000
"""Models whose seats are remembered; requests may carry any number of names."""


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

    def seat(self, model: Model) -> _Seat:
        """Hold a seat in an `async with`; raises UpstreamOverloaded when the queue is full or the wait too long."""
        seats = self._seats.get(model.name)
        if seats is None:
            if len(self._seats) >= MODELS:
                self._seats = {name: each for name, each in self._seats.items() if each.taken or each.waiting}
            seats = self._seats[model.name] = _Seats()
        return _Seat(seats, model)


class _Seat:
    """A context manager of its own: one made from a generator costs four times as much."""

    __slots__ = ("_model", "_seats")

    def __init__(self, seats: _Seats, model: Model) -> None:
        self._seats = seats
        self._model = model

    async def __aenter__(self) -> None:
        seats = self._seats
        if seats.taken >= self._model.limits.concurrency:
            await _wait(seats, self._model)
        else:
            seats.taken += 1

    async def __aexit__(self, *_: object) -> None:
        _leave(self._seats)


async def _wait(seats: _Seats, model: Model) -> None:
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
            # whoever left in the same moment may have taken it out already
            with contextlib.suppress(ValueError):
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

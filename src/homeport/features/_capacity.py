"""How many requests run at a model at once, and how many may wait for their turn.

Completions give way: a developer who waits for one has typed on. They stand behind all others, for two
seconds at most, in half of the queue, and leave it when another needs the place.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from homeport.domain.errors import UpstreamOverloaded, UpstreamTimeout
from homeport.kit.journal import note

if TYPE_CHECKING:
    from homeport.domain.models import Model


MODELS = 1000
"""Models whose seats are remembered; requests may carry any number of names."""
SOON_S = 2.0
"""How long a completion waits at most."""

Turn = asyncio.Future[bool]
"""True is a seat; False says that the place in the queue was taken by somebody more urgent."""
Around = Callable[[], contextlib.AbstractAsyncContextManager[None]]


@dataclass(slots=True)
class _Seats:
    taken: int = 0
    waiting: deque[Turn] = field(default_factory=deque)
    giving_way: deque[Turn] = field(default_factory=deque)


class Capacity:
    """Seats at each model; a seat is free again the moment its request ends, however it ends."""

    def __init__(self) -> None:
        self._seats: dict[tuple[str, str], _Seats] = {}

    def running(self, model: Model) -> int:
        """Requests that run at the model now."""
        seats = self._seats.get((model.name, model.endpoint))
        return seats.taken if seats else 0

    def load(self, model: Model) -> int:
        """Requests that run at the model or wait for it."""
        seats = self._seats.get((model.name, model.endpoint))
        return seats.taken + len(seats.waiting) + len(seats.giving_way) if seats else 0

    def queued(self) -> int:
        """Requests that wait for any model now."""
        return sum(len(seats.waiting) + len(seats.giving_way) for seats in self._seats.values())

    def seat(self, model: Model, *, gives_way: bool = False, around: Around = contextlib.nullcontext) -> _Seat:
        """Hold a seat in an `async with`, which says how many seconds it took to get it.

        Raises UpstreamOverloaded when the queue is full or the wait too long, and what `around` the wait raises.
        """
        key = model.name, model.endpoint
        seats = self._seats.get(key)
        if seats is None:
            if len(self._seats) >= MODELS:
                self._seats = {
                    name: each for name, each in self._seats.items() if each.taken or each.waiting or each.giving_way
                }
            seats = self._seats[key] = _Seats()
        return _Seat(seats, model, gives_way, around)


class _Seat:
    """A context manager of its own: one made from a generator costs four times as much."""

    __slots__ = ("_around", "_gives_way", "_model", "_seats")

    def __init__(self, seats: _Seats, model: Model, gives_way: bool, around: Around) -> None:  # noqa: FBT001 (made in one place)
        self._around = around
        self._seats = seats
        self._model = model
        self._gives_way = gives_way

    async def __aenter__(self) -> float:
        seats = self._seats
        if seats.taken < self._model.limits.concurrency:
            seats.taken += 1
            return 0.0
        began = time.perf_counter()
        async with self._around():
            await (_wait_behind if self._gives_way else _wait)(seats, self._model)
        return time.perf_counter() - began

    async def __aexit__(self, *_: object) -> None:
        _leave(self._seats)


async def _wait(seats: _Seats, model: Model) -> None:
    limits = model.limits
    if len(seats.waiting) + len(seats.giving_way) >= limits.queue:
        if not seats.giving_way:
            raise _full(model, f"{limits.queue} requests already wait for it")
        _send_away(seats.giving_way.popleft())
    await _stand(seats, seats.waiting, model, min(limits.queue_s, limits.total_s))


async def _wait_behind(seats: _Seats, model: Model) -> None:
    limits = model.limits
    half = (limits.queue + 1) // 2
    if len(seats.giving_way) >= half or len(seats.waiting) + len(seats.giving_way) >= limits.queue:
        raise _full(model, f"{min(half, limits.queue)} completions already wait for it")
    await _stand(seats, seats.giving_way, model, min(limits.queue_s, limits.total_s, SOON_S))


def _send_away(turn: Turn) -> None:
    if not turn.done():
        turn.set_result(False)


async def _stand(seats: _Seats, queue: deque[Turn], model: Model, seconds: float) -> None:
    """Wait in this queue for a seat."""
    turn: Turn = asyncio.get_running_loop().create_future()
    queue.append(turn)
    note(queued=len(seats.waiting) + len(seats.giving_way))
    try:
        async with asyncio.timeout(seconds):
            seated = await turn
    except BaseException as error:
        if turn.done() and not turn.cancelled() and turn.result():
            _leave(seats)
        # whoever left in the same moment may have taken it out already
        with contextlib.suppress(ValueError):
            queue.remove(turn)
        if isinstance(error, TimeoutError):
            raise _too_long(model, seconds) from error
        raise
    if not seated:
        raise _full(model, "its queue is full")


def _leave(seats: _Seats) -> None:
    """Hand the seat to the next in the queue, or free it."""
    for queue in (seats.waiting, seats.giving_way):
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(True)
                return
    seats.taken -= 1


def _too_long(model: Model, seconds: float) -> UpstreamOverloaded | UpstreamTimeout:
    if seconds < model.limits.total_s:
        return _full(model, f"no turn came within {seconds:g} s")
    saw = f"No turn at the model {model.name!r} came within the {seconds:g} s that it has for a whole answer."
    return UpstreamTimeout(saw, "Try again in a moment; an administrator can raise its concurrency or add a model.")


def _full(model: Model, why: str) -> UpstreamOverloaded:
    return UpstreamOverloaded(
        f"The model {model.name!r} is at its limit of {model.limits.concurrency} requests and {why}.",
        "Try again in a moment; an administrator can raise its concurrency or add a model.",
        upstream_status=0,
        retry_after_s=1,
    )

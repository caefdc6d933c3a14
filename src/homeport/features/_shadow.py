"""Asks another model the same, in the background: nobody sees its answers, only how it did.

A shadow is asked so for the administrator, a server that failed to find out whether it answers again.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from homeport.domain.errors import HomeportError
from homeport.kit.journal import facts, open_event, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from homeport.domain.models import Model
    from homeport.features import Workbench

log = structlog.get_logger()

Event = dict[str, Any]

BEGAN = "began"
AT_ONCE = 16
"""Copies that may be under way; more are dropped: they must never hold up what people wait for."""


class Shadows:
    """The copies that are under way; belongs to one event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self.asked = self.failed = self.dropped = 0

    def cast(self, bench: Workbench, feature: str, name: str, wanted: Any) -> asyncio.Task[None] | None:  # noqa: ANN401 (each feature has a request of its own)
        """Ask the model of this name the same, if it is there and has a seat to spare."""
        model = bench.snapshot().models.get(name)
        if model is None or not model.enabled:
            return None
        if len(self._tasks) >= AT_ONCE or bench.capacity.load(model) >= model.limits.concurrency:
            self.dropped += 1
            return None
        self.asked += 1
        return self._start(partial(self._shadow, bench, feature, model, wanted), feature, shadow=name)

    def try_out(self, bench: Workbench, feature: str, model: Model, wanted: Any) -> None:  # noqa: ANN401 (as `cast`)
        """Ask a server that is due for a trial the same, so that nobody waits for it; its health learns of it."""
        if len(self._tasks) < AT_ONCE and bench.capacity.load(model) < model.limits.concurrency:
            bench.health.chosen(model, model.limits.total_s)
            self._start(partial(self._trial, bench, feature, model, wanted), feature, tried=model.name)

    def _start(
        self, work: Callable[[Event], Coroutine[Any, Any, None]], feature: str, **what: str
    ) -> asyncio.Task[None]:
        event = {"correlation_id": facts().get("correlation_id", ""), "feature": feature, **what}
        alone = contextvars.Context()
        alone.run(open_event, event)
        task = asyncio.get_running_loop().create_task(work(event), context=alone)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _shadow(self, bench: Workbench, feature: str, model: Model, wanted: Any, event: Event) -> None:  # noqa: ANN401 (as `cast`)
        copy = await _copy(bench, feature, model, wanted)
        self.failed += copy["outcome"] != "completed"
        _told("shadow asked", event, copy)

    async def _trial(self, bench: Workbench, feature: str, model: Model, wanted: Any, event: Event) -> None:  # noqa: ANN401 (as `cast`)
        try:
            _told("model tried", event, await _copy(bench, feature, model, wanted))
        finally:
            bench.health.released(model)

    async def close(self) -> None:
        """Give up on what is under way."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _copy(bench: Workbench, feature: str, model: Model, wanted: Any) -> Event:  # noqa: ANN401 (as `cast`)
    """What became of the same request to this model: facts for the log."""
    began, characters, outcome = time.perf_counter(), 0, "completed"
    try:
        async with aclosing(bench.features[feature].run(bench, wanted._replace(model=model))) as chunks:
            async for chunk in chunks:
                characters += len(chunk.text) or len(chunk.wire)
    except HomeportError as error:
        outcome = error.code
    except Exception as error:  # noqa: BLE001 (the edge of a task that nobody waits for)
        outcome = type(error).__name__
    took = int((time.perf_counter() - began) * 1e4) / 1e4
    return {"outcome": outcome, "duration_s": took, "answer_length": characters, BEGAN: began}


def _told(what: str, event: Event, copy: Event) -> None:
    settled(event, copy.pop(BEGAN))
    log.info(what, **event, **copy)

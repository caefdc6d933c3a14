"""Looks whether servers that failed answer again, so that they serve as soon as they can."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from homeport.domain.errors import HomeportError, UpstreamRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from homeport.domain.models import Model
    from homeport.features import Workbench

log = structlog.get_logger()

EVERY_S = 1.0
WITHIN_S = 2.0
"""How long a server may take to say what it serves."""


async def probe(bench: Workbench, served: Mapping[str, Callable[[Model], Awaitable[object]]]) -> None:
    """Ask every registered server that is left alone or suspected, now and then, what it serves; until cancelled.

    Nothing is sent to servers that are well, and nothing that a model would have to answer.
    """
    while True:
        await asyncio.sleep(EVERY_S)
        ill = [model for model in bench.snapshot().models.values() if model.enabled and bench.health.to_probe(model)]
        await asyncio.gather(
            *(_look(bench, model, served[model.platform]) for model in ill if model.platform in served)
        )


async def _look(bench: Workbench, model: Model, served: Callable[[Model], Awaitable[object]]) -> None:
    try:
        async with asyncio.timeout(WITHIN_S):
            await served(model.within(WITHIN_S))
    except (HomeportError, TimeoutError) as error:
        bench.health.probed(model, answers=False, silent=not isinstance(error, UpstreamRefused))
    except Exception:  # the edge of a task that must not end: the other servers are to be looked at
        log.exception("unexpected error while looking at a model server", model=model.name)
    else:
        bench.health.probed(model, answers=True)

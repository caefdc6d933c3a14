"""Looks whether servers that failed answer again, so that they serve as soon as they can."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import structlog

from homeport.domain.errors import HomeportError, UpstreamRefused, UpstreamTimeout
from homeport.domain.prompts import Prompt
from homeport.domain.requests import Message, Sampling
from homeport.kit.journal import open_event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from homeport.domain.models import Model
    from homeport.features import Workbench

log = structlog.get_logger()

EVERY_S = 1.0
WITHIN_S = 2.0
"""How long a server may take to say what it serves."""
AT_ONCE = 32
"""Servers that are asked at the same time."""
TOKEN_S = 10.0
"""How long it may take to give one token, while somebody waits for a whole answer."""
ONE_TOKEN = Prompt("chat", messages=(Message("user", "Hi"),), sampling=Sampling(max_tokens=1), stream=True)
HANGS = "it says what it serves and does not generate"


async def probe(bench: Workbench, served: Mapping[str, Callable[[Model], Awaitable[object]]]) -> None:
    """Ask every registered server that is left alone or suspected, now and then, what it serves; until cancelled.

    Nothing is sent to servers that are well. One that is suspected and says what it serves is asked for one token.
    """
    asked: set[str] = set()
    seats = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as group:
        while True:
            await asyncio.sleep(EVERY_S)
            ill = [
                model for model in bench.snapshot().models.values() if model.enabled and bench.health.to_probe(model)
            ]
            looks = (_look(bench, model, served[model.platform], seats) for model in ill if model.platform in served)
            for model in filter(None, await asyncio.gather(*looks)):
                if model.name not in asked:
                    group.create_task(_ask(bench, model, asked))


async def _look(
    bench: Workbench, model: Model, served: Callable[[Model], Awaitable[object]], seats: asyncio.Semaphore
) -> Model | None:
    """Ask what it serves; gives the model if it was suspected and does say that."""
    suspected = bench.health.is_suspected(model)
    try:
        async with seats, asyncio.timeout(WITHIN_S):
            await served(model.within(WITHIN_S))
    except (HomeportError, TimeoutError) as error:
        bench.health.probed(model, answers=False, silent=not isinstance(error, UpstreamRefused))
    except Exception:  # the edge of a task that must not end: the other servers are to be looked at
        log.exception("unexpected error while looking at a model server", model=model.name)
    else:
        bench.health.probed(model, answers=True)
        return model if suspected else None
    return None


async def _ask(bench: Workbench, model: Model, asked: set[str]) -> None:
    """Ask for one token: who says what it serves may hang all the same. Whatever else it says, it is not silent.

    Its name is in `asked` meanwhile.
    """
    open_event({})
    asked.add(model.name)
    bench.health.asks_for_a_token(model)
    try:
        async with asyncio.timeout(TOKEN_S), aclosing(bench.generate[model.platform](model, ONE_TOKEN)) as answer:
            await anext(answer, None)
    except (TimeoutError, UpstreamTimeout):
        log.warning("model gave no token", model=model.name, within_s=TOKEN_S)
        bench.health.gave_no_token(model, HANGS)
    except HomeportError:
        return
    except Exception:  # as above
        log.exception("unexpected error while asking for a token", model=model.name)
    finally:
        asked.discard(model.name)

"""How many tokens models take, as their servers tell: asked in the background, so that no request waits for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from homeport.domain.errors import HomeportError
from homeport.domain.models import origin_of
from homeport.kit.journal import trace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from homeport.domain.models import Model

    Ask = Callable[[Model], Awaitable[int]]
    """What a platform's servers say of a model; 0 when they do not say it. Raises HomeportError."""

log = structlog.get_logger()

FRESH_S = 300.0
"""How long an answer counts, and a failure: then whoever needs it has it asked for again, and uses the old one."""
WITHIN_S = 5.0
AT_ONCE = 4
REMEMBERED = 256
"""Models that are asked for in that time: requests may carry any number of names."""
Server = tuple[str, str]
"""Endpoint and identifier: where a model runs, and what it is called there."""


class Windows:
    """The windows of models that are used, and the questions that are still open; lost at a restart."""

    def __init__(self, default: int = 0) -> None:
        """`default` counts where nobody says anything; 0 leaves it to whoever asks."""
        self._default = default
        self._known: dict[Server, int] = {}
        self._before: dict[Server, int] = {}
        self._open: asyncio.Queue[Model] = asyncio.Queue()

    def of(self, model: Model) -> int:
        """What its server said, else the default; the first time, the question is put."""
        tokens = self._known.get((model.endpoint, model.identifier))
        return (self._wonder(model) if tokens is None else tokens) or self._default

    def told(self, model: Model) -> int:
        """The same, but nobody is asked: for other threads."""
        return self._known.get((model.endpoint, model.identifier)) or self._default

    def _wonder(self, model: Model) -> int:
        """What was known of it before; its server is asked once, unless there are too many to ask."""
        server = model.endpoint, model.identifier
        tokens = self._before.get(server, 0)
        if model.endpoint and len(self._known) < REMEMBERED:
            self._known[server] = tokens
            self._open.put_nowait(model)
        return tokens

    async def follow(self, ask: Mapping[str, Ask]) -> None:
        """Ask what is wondered, by platform, until cancelled. Each model's own endpoint and key are used."""
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._find_out(ask))
            while True:
                await asyncio.sleep(FRESH_S)
                self._before, self._known = self._known, {}

    async def _find_out(self, ask: Mapping[str, Ask]) -> None:
        while True:
            model = await self._open.get()
            if model.platform not in ask:
                continue
            try:
                async with asyncio.timeout(WITHIN_S):
                    tokens = await ask[model.platform](model)
            except (HomeportError, TimeoutError) as error:
                log.debug("context window not told", model=model.name, reason=str(error))
            except Exception as error:  # noqa: BLE001 (the outermost edge: the next question is answered all the same)
                _unexpected(model, error)
            else:
                self._learn(model, tokens)

    def _learn(self, model: Model, tokens: int) -> None:
        server = model.endpoint, model.identifier
        if tokens and tokens not in {self._known.get(server), self._before.get(server)}:
            log.info("context window told", model=model.name, origin=origin_of(model.endpoint), tokens=tokens)
        self._known[server] = tokens


def _unexpected(model: Model, error: Exception) -> None:
    """The line for us to look into; an error's own words may be the server's."""
    log.error("context window not told", model=model.name, exception_backtrace=trace(error))

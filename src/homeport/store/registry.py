"""The snapshot that serves requests, kept up to date with the database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from homeport.domain.errors import StoreUnavailable
from homeport.domain.models import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from homeport.store.database import Store

log = structlog.get_logger()


class Registry:
    """Holds `current`; another process's change is seen within `refresh_s`, our own at once.

    While the database is away the last snapshot goes on serving; `problem` says why.
    """

    def __init__(self, store: Store, refresh_s: float) -> None:
        self.current = Snapshot()
        self.problem = ""
        self._store = store
        self._refresh_s = refresh_s
        self._listeners: list[Callable[[Snapshot], None]] = []
        store.after_change(self.refresh)

    @property
    def healthy(self) -> bool:
        """Whether `current` is what the database holds, as far as we know."""
        return not self.problem

    def on_change(self, listener: Callable[[Snapshot], None]) -> None:
        """Call `listener` with each new snapshot."""
        self._listeners.append(listener)

    async def refresh(self) -> None:
        """Read everything again; raises StoreUnavailable."""
        self._take(await self._store.snapshot())

    async def follow(self) -> None:
        """Look for changes until cancelled."""
        while True:
            await asyncio.sleep(self._refresh_s)
            try:
                if await self._store.revision() != self.current.revision:
                    await self.refresh()
                self._report("")
            except StoreUnavailable as error:
                self._report(error.saw)

    def _take(self, snapshot: Snapshot) -> None:
        news = set(snapshot.problems) - set(self.current.problems)
        self.current = snapshot
        for problem in news:
            log.warning("registry problem", problem=problem)
        for listener in self._listeners:
            listener(snapshot)

    def _report(self, problem: str) -> None:
        """Log the database's going and coming once each."""
        if bool(problem) != bool(self.problem):
            if problem:
                log.error("database away, serving what is known", reason=problem)
            else:
                log.info("database back")
        self.problem = problem

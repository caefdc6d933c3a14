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
    """Holds `current`; another process's change is seen within `refresh_s`, our own before it returns.

    While the database is away the last snapshot goes on serving; `problem` says why, and nothing
    needs to be done when it is back.
    """

    def __init__(self, store: Store, refresh_s: float) -> None:
        self.current = Snapshot()
        self.problem = "The database was not read yet."
        self._away = False
        self._store = store
        self._refresh_s = refresh_s
        self._listeners: list[Callable[[Snapshot], None]] = []
        self._turn = asyncio.Lock()
        self._asked = self._answered = 0
        store.after_change(self._catch_up)

    @property
    def healthy(self) -> bool:
        """Whether `current` is what the database holds, as far as we know."""
        return not self.problem

    def on_change(self, listener: Callable[[Snapshot], None]) -> None:
        """Call `listener` with each new snapshot."""
        self._listeners.append(listener)

    async def refresh(self) -> None:
        """Read everything again; raises StoreUnavailable, and `current` stays as it was.

        One reads at a time, so that an older state never replaces a newer one; who waited while
        another began to read needs no reading of its own.
        """
        self._asked += 1
        mine = self._asked
        async with self._turn:
            if self._answered >= mine:
                return
            asked = self._asked
            try:
                self._take(await self._store.snapshot())
            except StoreUnavailable as error:
                self._report(error.saw)
                raise
            self._answered = asked
            self._report("")

    async def follow(self) -> None:
        """Look for changes until cancelled."""
        while True:
            await asyncio.sleep(self._refresh_s)
            try:
                await self._look()
            except Exception:  # the edge of a task that must not end: the next look may do better
                log.exception("unexpected error while looking for changes")

    async def _look(self) -> None:
        try:
            number = await self._store.revision()
        except StoreUnavailable as error:
            self._report(error.saw)
            return
        if number != self.current.revision or not self._answered:
            await self._catch_up()
        else:
            self._report("")

    async def _catch_up(self) -> None:
        """Refresh if possible: the change itself is done, and `follow` tries again."""
        try:
            await self.refresh()
        except StoreUnavailable:
            return

    def _take(self, snapshot: Snapshot) -> None:
        news = [problem for problem in snapshot.problems if problem not in self.current.problems]
        self.current = snapshot
        for problem in news:
            log.warning("registry problem", problem=problem)
        for listener in self._listeners:
            listener(snapshot)

    def _report(self, problem: str) -> None:
        """Log the database's going and coming once each."""
        self.problem = problem
        if bool(problem) == self._away:
            return
        self._away = bool(problem)
        if problem:
            log.error("database away, serving what is known", reason=problem)
        else:
            log.info("database back")

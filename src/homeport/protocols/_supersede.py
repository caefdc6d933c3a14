"""A newer completion in the same place ends the older one: whoever typed on no longer wants it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

SUPERSEDED = "superseded"
"""The message of the CancelledError that the older request sees."""


class Latest:
    """The newest request of each editor, by user and file."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[object]] = {}

    def enter(self, who: Hashable) -> None:
        """Make the current request the newest of `who`; the one before is ended."""
        older, task = self._tasks.get(who), asyncio.current_task()
        if task is None:
            return
        self._tasks[who] = task
        if older is not None and older is not task:
            older.cancel(SUPERSEDED)

    def leave(self, who: Hashable) -> None:
        """The current request has ended."""
        if self._tasks.get(who) is asyncio.current_task():
            del self._tasks[who]

"""Verbose logging: what models are told and say is logged until a moment that an administrator chose."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from homeport.domain.models import Snapshot

SETTING = "verbose_until"
"""The setting that holds the moment, as ISO 8601."""
LONGEST_S = 24 * 3600
"""So long at most: what is forgotten ends by itself."""


def until_after(minutes: int) -> str:
    """The setting's value for so long from now: a second less, so that the longest time is believed, too."""
    until = datetime.now(UTC) + timedelta(minutes=minutes, seconds=-1)
    return until.isoformat(timespec="seconds")


def until_of(snapshot: Snapshot) -> float:
    """When it ends, in Unix seconds; 0 when it is not on, or is over."""
    try:
        until = datetime.fromisoformat(snapshot.settings.get(SETTING, "")).timestamp()
    except ValueError:
        return 0.0
    now = time.time()
    return until if now < until <= now + LONGEST_S else 0.0


class Verbose:
    """Whether it is on, at next to no cost: the setting is read again when anything was changed."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot
        self._of: Snapshot | None = None
        self._until = 0.0

    def __call__(self) -> bool:
        """At this moment."""
        snapshot = self._snapshot()
        if snapshot is not self._of:
            self._of, self._until = snapshot, until_of(snapshot)
        return self._until > 0.0 and time.time() < self._until

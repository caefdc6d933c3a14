"""A warning that cannot be overlooked and does not flood the log."""

from __future__ import annotations

import time

import structlog

log = structlog.get_logger()

EVERY_S = 60.0


class Alarm:
    """Logs its words at the highest level when it is rung, at most once a minute."""

    def __init__(self, words: str) -> None:
        self._words = words
        self._last = float("-inf")

    def ring(self) -> None:
        """Say it, unless it was just said."""
        now = time.monotonic()
        if now - self._last >= EVERY_S:
            self._last = now
            log.critical(self._words)

"""How many requests may be tried again: without a bound, retries finish off what is only overloaded."""

from __future__ import annotations

SHARE = 0.2
"""Retries per request, in the long run: beyond the reserve, what goes out is at most 1.2 times what came in."""
RESERVE = 10.0
"""Retries that a quiet time saves up."""
AT_FIRST = 3.0


class Budget:
    """Retries that are left, by what is asked for."""

    def __init__(self) -> None:
        self._left: dict[str, float] = {}

    def asked(self, what: str) -> None:
        """Take in a request, which pays for a part of a retry."""
        self._left[what] = min(self._left.get(what, AT_FIRST) + SHARE, RESERVE)

    def spend(self, what: str) -> bool:
        """Whether one may be tried again; it is counted."""
        left = self._left.get(what, AT_FIRST)
        if left < 1.0:
            return False
        self._left[what] = left - 1.0
        return True

"""What became of suggestions: joins what an editor reports to the request that it is about.

Editors name a suggestion by an id of their own, which no request carries. The first report about it names the
latest suggestion that its user got, in the same language where that is told; later reports follow the id.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from typing import Literal, NamedTuple

What = Literal["shown", "accepted", "rejected"]
PEOPLE, EACH, TRACKED = 2000, 20, 20_000
"""Users, suggestions of each, and ids of editors that are remembered; the oldest are forgotten first."""
WITHIN_S = 120.0
"""How long after its answer a suggestion may first be reported."""


class Suggestion(NamedTuple):
    """A suggestion that was made."""

    request: str
    """The correlation id of its request."""
    feature: str
    model: str
    language: str = ""


class Suggestions:
    """The latest ones of each user, in memory."""

    def __init__(self) -> None:
        self._made: OrderedDict[str, deque[tuple[float, Suggestion]]] = OrderedDict()
        self._tracked: OrderedDict[tuple[str, str], Suggestion] = OrderedDict()

    def made(self, user: str, suggestion: Suggestion) -> None:
        """Remember a suggestion."""
        self._made.setdefault(user, deque(maxlen=EACH)).append((time.monotonic(), suggestion))
        self._made.move_to_end(user)
        while len(self._made) > PEOPLE:
            self._made.popitem(last=False)

    def reported(self, user: str, tracking: str, language: str = "") -> Suggestion | None:
        """The suggestion that a report of `user` is about; None where it is not known."""
        key = user, tracking
        if key not in self._tracked:
            found = self._latest(user, language)
            if found is None:
                return None
            self._tracked[key] = found
            while len(self._tracked) > TRACKED:
                self._tracked.popitem(last=False)
        return self._tracked[key]

    def _latest(self, user: str, language: str) -> Suggestion | None:
        """The latest that no other report named before; in this language, if that of both is known."""
        since = time.monotonic() - WITHIN_S
        mine = self._made.get(user, deque())
        for entry in reversed(mine):
            at, each = entry
            fits = not language or not each.language or each.language == language
            if at >= since and fits:
                mine.remove(entry)
                return each
        return None

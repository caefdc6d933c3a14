"""What became of suggestions: joins what an editor reports to the request that it is about.

Where an editor names a suggestion by the id that it came with, that is the request's. GitLab's name it by an id of
their own, which no request carries: the first report about it then means the latest suggestion that its user got, in
the same language where that is told; later reports follow the id.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

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
    platform: str = ""
    team: str = ""
    """The teams that its user was in, one a line."""


class Verdict(NamedTuple):
    """What a report adds to what was known of a suggestion."""

    what: What
    offered: int
    """1 for the first report, of whatever kind: a suggestion that was accepted must have been shown."""
    accepted: int
    """1 for the first that says accepted."""


class Suggestions:
    """The latest ones of each user, in memory."""

    def __init__(self) -> None:
        self._made: OrderedDict[str, deque[tuple[float, Suggestion]]] = OrderedDict()
        self._tracked: OrderedDict[tuple[str, str], tuple[Suggestion, set[What]]] = OrderedDict()

    def made(self, user: str, suggestion: Suggestion) -> None:
        """Remember a suggestion."""
        self._made.setdefault(user, deque(maxlen=EACH)).append((time.monotonic(), suggestion))
        self._made.move_to_end(user)
        while len(self._made) > PEOPLE:
            self._made.popitem(last=False)

    def reported(
        self, user: str, tracking: str, language: str, what: What, *, by_id: bool = False
    ) -> tuple[Suggestion, Verdict] | None:
        """The suggestion that a report of `user` is about, and what is new in it; `by_id`: if it names one.

        None where the suggestion is not known, or the same was said of it before: editors send events again.
        """
        found = self._tracking(user, tracking, language, by_id=by_id)
        if found is None or what in found[1]:
            return None
        suggestion, said = found
        verdict = Verdict(what, offered=int(not said), accepted=int(what == "accepted"))
        said.add(what)
        return suggestion, verdict

    def _tracking(self, user: str, tracking: str, language: str, *, by_id: bool) -> tuple[Suggestion, set[What]] | None:
        key = user, tracking
        if key not in self._tracked:
            found = self._taken(user, lambda each: each.request == tracking)
            if found is None and not by_id:
                found = self._latest(user, language)
            if found is None:
                return None
            self._tracked[key] = found, set()
            while len(self._tracked) > TRACKED:
                self._tracked.popitem(last=False)
        return self._tracked[key]

    def _latest(self, user: str, language: str) -> Suggestion | None:
        """The latest that no other report named before; in this language, if that of both is known."""
        return self._taken(user, lambda each: not language or not each.language or each.language == language)

    def _taken(self, user: str, fits: Callable[[Suggestion], bool]) -> Suggestion | None:
        """The latest of a user that fits, which is then no other report's."""
        since = time.monotonic() - WITHIN_S
        mine = self._made.get(user, deque())
        for entry in reversed(mine):
            at, each = entry
            if at >= since and fits(each):
                mine.remove(entry)
                return each
        return None

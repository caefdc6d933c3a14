"""What was suggested in a document, kept while somebody types along with it."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

KEPT = 24
"""Suggestions of one document that are remembered."""
NEAR = 4000
"""Characters on each side of the cursor that must be as they were; beyond them only the length must."""
CLOSERS = frozenset(")]}>\"'`")
PAIRED = 3
"""Closing brackets and quotes that an editor may have put behind the cursor by itself."""


class Spot(NamedTuple):
    """A cursor, as far as it matters whether it is the same."""

    offset: int
    """Characters before it."""
    before: str
    after: str
    length: int
    """Characters behind it."""


class Suggestion(NamedTuple):
    """What a model said belongs at a spot; an empty text: nothing."""

    id: str
    """The correlation id of its request."""
    spot: Spot
    text: str


class Rest(NamedTuple):
    """What is left of a suggestion where the cursor is now."""

    suggestion: Suggestion
    text: str
    replaces: int = 0
    """Characters behind the cursor that it stands for: brackets that the editor closed by itself."""


def spot(text: str, offset: int) -> Spot:
    """The cursor at this place of a text."""
    before = text[max(offset - NEAR, 0) : offset]
    return Spot(offset, before, text[offset : offset + NEAR], len(text) - offset)


class Typed:
    """The latest suggestions of one document."""

    def __init__(self) -> None:
        self._kept: deque[Suggestion] = deque(maxlen=KEPT)

    def keep(self, suggestion: Suggestion) -> None:
        """Remember a suggestion, instead of an older one of the same place."""
        same = next((each for each in self._kept if each.spot == suggestion.spot), None)
        if same is not None:
            self._kept.remove(same)
        self._kept.appendleft(suggestion)

    def rest(self, text: str, offset: int) -> Rest | None:
        """What is left of the newest suggestion that agrees with all that was typed since; None: the model is asked."""
        return next((rest for each in self._kept if (rest := _rest(each, text, offset)) is not None), None)


def _rest(suggestion: Suggestion, text: str, offset: int) -> Rest | None:
    begun = suggestion.spot.offset
    typed = text[begun:offset]
    if offset < begun or not suggestion.text.startswith(typed) or not _same_before(suggestion.spot, text):
        return None
    left = suggestion.text[len(typed) :]
    if not left:
        return None if typed else Rest(suggestion, "") if _same_after(suggestion.spot, text, offset) else None
    paired = len(text) - offset - suggestion.spot.length
    if not 0 <= paired <= PAIRED or not _same_after(suggestion.spot, text, offset + paired):
        return None
    closers = text[offset : offset + paired]
    return Rest(suggestion, left, paired) if _holds(left.partition("\n")[0], closers) else None


def _same_before(spot: Spot, text: str) -> bool:
    return text.endswith(spot.before, 0, spot.offset) and len(text) >= spot.offset


def _same_after(spot: Spot, text: str, offset: int) -> bool:
    return len(text) - offset == spot.length and text.startswith(spot.after, offset)


def _holds(line: str, closers: str) -> bool:
    """Whether these closing characters come in a line, in this order."""
    if not CLOSERS.issuperset(closers):
        return False
    rest = iter(line)
    return all(char in rest for char in closers)

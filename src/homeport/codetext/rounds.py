"""Long answers that go round in circles: the same lines or sentences again and again, until the token limit."""

from __future__ import annotations

import re

from homeport.codetext.cursor import weight

COPIES, SPEAKING = 4, 12
"""So many copies in a row of several lines or sentences with so many letters and digits are a loop …"""
ALONE, TELLING = 6, 24
"""… or so many of a single one with so many."""
LONGEST = 40
"""Lines and sentences that a copy may have."""
_END = re.compile(r"\n|[.!?] ")


class Rounds:
    """Lets an answer through until it is certain that it only repeats itself; then `cut` is true.

    Holds back: what follows a second copy, as long as it goes on like the first.
    """

    __slots__ = ("_distance", "_held", "_holding", "_known", "_last", "_parts", "_streak", "_units", "cut")

    def __init__(self) -> None:
        self._parts: list[str] = []
        """The line or sentence at hand."""
        self._last = ""
        """A full stop or the like that it ends with so far."""
        self._units: list[str] = []
        self._known: dict[str, int] = {}
        """Where each of them was seen last."""
        self._distance = 0
        """How far ahead of the last one the one stands that equals it; 0 for none."""
        self._streak = 0
        """So many of the last ones equal the one that far ahead of them."""
        self._holding = False
        self._held: list[str] = []
        self.cut = False

    def feed(self, text: str) -> str:
        """What of the answer may be shown."""
        if self.cut or not text:
            return ""
        given: list[str] = []
        start = 0
        for end in _END.finditer(self._last + text):
            at = end.end() - len(self._last)
            given.append(self._pass(text[start:at]))
            given.append(self._complete())
            start = at
            if self.cut:
                return "".join(given)
        given.append(self._pass(text[start:]))
        self._last = text[-1] if text[-1] in ".!?" else ""
        return "".join(given)

    def end(self, finish: str = "stop") -> str:
        """What was held back; what the token limit cut could have gone on for ever."""
        held, self._held = self._held, []
        return "" if finish == "length" or self.cut else "".join(held)

    def _pass(self, text: str) -> str:
        self._parts.append(text)
        if not self._holding:
            return text
        self._held.append(text)
        return ""

    def _complete(self) -> str:
        """A line or sentence is complete: begin to hold, go on, give what was held, or cut the answer."""
        unit = "".join(self._parts).strip()
        self._parts.clear()
        self._count(unit)
        self._holding = 0 < self._distance <= self._streak and self._repeats()
        return "" if self._holding else self.end() if self._held else ""

    def _repeats(self) -> bool:
        """Whether the last copy says enough to be watched; cuts the answer when there are enough of them."""
        copy = [each for each in self._units[-self._distance :] if each]
        copies, least = (COPIES, SPEAKING) if len(copy) > 1 else (ALONE, TELLING)
        speaks = weight("".join(copy)) >= least
        self.cut = speaks and self._streak >= self._distance * (copies - 1)
        return speaks

    def _count(self, unit: str) -> None:
        """Compare it with the ones ahead of it."""
        at = len(self._units)
        self._units.append(unit)
        if self._distance and self._units[at - self._distance] == unit:
            self._streak += 1
        elif unit and 0 < at - self._known.get(unit, at) <= LONGEST:
            self._distance, self._streak = at - self._known[unit], 1
        else:
            self._distance = self._streak = 0
        if unit:
            self._known[unit] = at

"""A line that goes round in circles: `self.call(self.call(self.call(`, or one sentence again and again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from homeport.codetext.cursor import weight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homeport.codetext.cursor import Cursor

GRID = 16
"""The line is looked at whenever so many more characters of it have come."""
TAIL = 48
"""Characters that are looked at; …"""
PERIOD = 16
"""… they go round in circles when they repeat something of at most so many characters, …"""
SPEAKING = 2
"""… which holds so many letters and digits, one letter at least: rulers and rows of digits are meant."""
MOST = 144
"""Characters that a circle may go on for before the answer is cut where it was recognised."""
LONGEST = 160
"""A sentence of so many characters, or fewer, may be said over and over as well: …"""
COPIES = 3
"""… so often in a row …"""
SENTENCE = 16
"""… with so many letters and digits."""
_ANCHOR = 6
_LONG_ANCHOR = 12
_LETTER = re.compile(r"[^\W\d_]")


class Stuck:
    """Watches the line that is shown as it comes.

    Holds back: what follows after three copies and more of the same in a row, until it is something
    else, until the line ends, or until it went on for too long.
    """

    __slots__ = ("_column", "_cursor", "_held", "_holding", "_recent", "cut")

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._column = 0
        self._recent = ""
        self._holding = False
        self._held = ""
        self.cut = False

    def feed(self, part: str) -> str:
        """What of the line may be shown."""
        if not self._holding and self._column % GRID + len(part) < GRID:
            self._column += len(part)
            self._recent += part
            return part
        return "".join(self._steps(part))

    def end(self, finish: str) -> str:
        """The rest of a line that has ended after all; what the token limit cut could have gone on for ever."""
        held, self._held = self._held, ""
        return "" if finish == "length" else held

    def _steps(self, part: str) -> Iterator[str]:
        """What may be shown, looking at the line wherever it reaches the grid."""
        while part and not self.cut:
            size = GRID - self._column % GRID
            piece, part = part[:size], part[size:]
            self._column += len(piece)
            self._recent = (self._recent + piece)[-COPIES * LONGEST :]
            if self._holding:
                self._held += piece
            else:
                yield piece
            if self._column % GRID == 0:
                yield self._look()

    def _look(self) -> str:
        """Begin to hold, go on, or give what was held."""
        if period := self._circles() or self._sentences():
            self._holding = True
            self.cut = len(self._held) >= max(MOST, period)
            return ""
        self._holding = False
        return self.end("stop")

    def _circles(self) -> int:
        """How long the part is that comes over and over; 0 for none."""
        recent = self._recent[-TAIL:]
        at = recent.rfind(recent[-_ANCHOR:], 0, TAIL - 1) if len(recent) == TAIL else -1
        period = TAIL - _ANCHOR - at
        comes_again = (
            at >= 0
            and period <= PERIOD
            and recent[period:] == recent[:-period]
            and weight(recent[-period:]) >= SPEAKING
            and _LETTER.search(recent[-period:]) is not None
            and not self._cursor.mentions(recent[-3 * period :])
        )
        return period if comes_again else 0

    def _sentences(self) -> int:
        """How long the sentence is that comes over and over; 0 for none."""
        recent = self._recent
        at = recent.rfind(recent[-_LONG_ANCHOR:], 0, len(recent) - 1)
        period = len(recent) - _LONG_ANCHOR - at
        comes_again = (
            at >= 0
            and PERIOD < period <= LONGEST
            and len(recent) >= COPIES * period
            and recent[-COPIES * period : -period] == recent[(1 - COPIES) * period :]
            and weight(recent[-period:]) >= SENTENCE
            and not self._cursor.mentions(recent[-2 * period :])
        )
        return period if comes_again else 0

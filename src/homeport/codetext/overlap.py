"""Answers that end with what already stands behind the cursor on its line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from homeport.codetext.brackets import CLOSERS, fits
from homeport.codetext.cursor import weight

if TYPE_CHECKING:
    from homeport.codetext.cursor import Cursor

COPIES = 4
"""So many copies of the rest of the line are held back; a longer run of them is no repetition of it."""
LONG = 8
"""Characters that the rest of a line must have to be taken away although brackets do not decide."""

_MARKS = frozenset(";,:")
_QUOTES = "\"'`"
_CLOSING = re.compile(r"[\s)\]}>\"'`;,:]*$")


class Overlap:
    """Takes away an ending that repeats the rest of the cursor's line.

    Closing brackets and quotes go only when the code around the cursor fits together without them
    and does not with them; other text only when it is the whole rest of the line. Holds back: the
    longest ending that equals the beginning of that rest, and white space until something visible
    was given.
    """

    __slots__ = ("_cursor", "_given", "_rest", "_tail", "_visible", "_whole")

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._rest = cursor.rest
        self._whole = bool(cursor.rest) and not cursor.at_line_start
        below = "" if cursor.rest else (cursor.below[0].strip() if cursor.below else "")
        if below[:1] and below[0] in CLOSERS and _CLOSING.match(below):
            self._rest = below
        self._given: list[str] = []
        self._tail = ""
        self._visible = False

    def feed(self, text: str) -> str:
        """The text that cannot be part of an overlap."""
        if not text:
            return ""
        if not self._rest and self._visible:
            return text
        text = self._tail + text
        safe = self._repeats_from(text) if self._rest else len(text)
        self._visible = self._visible or bool(text[:safe].strip())
        safe = safe if self._visible else 0
        self._tail = text[safe:]
        if safe:
            self._given.append(text[:safe])
        return text[:safe]

    def end(self) -> str:
        """What was held back and does not stand there already."""
        tail, self._tail = self._tail, ""
        if tail.strip() and self._rest:
            tail = self._without_overlap("".join(self._given), tail)
        return tail if self._visible or tail.strip() else ""

    def _repeats_from(self, text: str) -> int:
        """Where the longest ending begins that is the rest of the line, once or more, as far as it goes."""
        rest = self._rest
        end = len(self._core(text))
        start = text.find(rest[0], max(end - len(rest), 0), end)
        while start >= 0 and not rest.startswith(text[start:end]):
            start = text.find(rest[0], start + 1, end)
        if start < 0:
            # It may end with the whole rest all the same.
            start = end
        for _ in range(COPIES):
            start -= len(rest) if text.endswith(rest, 0, start) else 0
        # White space at the end may be where such a rest begins.
        return start if start < end or rest[0].isspace() else len(text)

    def _without_overlap(self, given: str, tail: str) -> str:
        core = self._core(tail)
        if core == self._rest and core in _MARKS and "\n" not in given:
            return ""
        if _CLOSING.match(core) and self._opened(given, core):
            sizes: list[int] = [size for size in range(1, len(core) + 1) if self._repeats(core[-size:])]
            surely = True
        elif self._whole and self._repeats(core) and len(core) % len(self._rest) == 0:
            sizes = list(range(len(self._rest), len(core) + 1, len(self._rest)))
            surely = _net(self._rest) > 0
        else:
            return tail
        if not sizes or (surely and fits(self._cursor, given + tail)):
            return tail
        for size in sizes if surely else ():
            if fits(self._cursor, given + core[:-size]):
                return core[:-size]
        kept = core[: -sizes[-1]]
        return kept if self._says_enough(given + core, given + kept) else tail

    def _core(self, text: str) -> str:
        """The text without what may follow an overlap: white space, and a semicolon after a bracket too many."""
        core = text.rstrip()
        if core[-2:-1] in self._rest and core.endswith(";") and self._rest[0] in CLOSERS and ";" not in self._rest:
            return core[:-1]
        return core

    def _opened(self, given: str, core: str) -> bool:
        """Whether a quote in `core` can only close a string that the cursor's line has opened."""
        quotes = [char for char in core if char in _QUOTES]
        return not quotes or ("\n" not in given + core and all(quote in self._cursor.line for quote in quotes))

    def _repeats(self, ending: str) -> bool:
        """Whether `ending` is the rest of the line, once or more, as far as it goes."""
        return (self._rest * (len(ending) // len(self._rest) + 1)).startswith(ending)

    def _says_enough(self, answer: str, kept: str) -> bool:
        """Whether the whole rest is unlikely to be meant twice, whatever the brackets say."""
        rest = self._rest
        if len(rest) < LONG or weight(rest) < LONG // 2 or not answer.endswith(rest):
            return False
        return _net(answer) >= _net(rest) and not kept.rstrip().endswith(rest)


def _net(text: str) -> int:
    """Closing brackets more than opening ones."""
    return sum(map(text.count, ")]}")) - sum(map(text.count, "([{"))

"""Answers that end with what already stands behind the cursor."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from homeport.codetext.brackets import CLOSERS, fits_better
from homeport.codetext.cursor import BELOW, weight

if TYPE_CHECKING:
    from homeport.codetext.cursor import Cursor

COPIES = 4
"""So many copies of the rest of the line are held back; a longer run of them is no repetition of it."""
LONG = 3
"""Characters that the rest of a line must have to be taken away although brackets do not decide."""
TELLING = 16
"""Letters and digits that a part of that rest must have to be taken away although brackets do not decide."""

_MARKS = frozenset(";,:")
_QUOTES = "\"'`"
_CLOSING = re.compile(r"[\s)\]}>\"'`;,:]*$")
_SAYS = re.compile(r"[\w(\[{]")
_LINE_END = re.compile(r"[ \t]+$", re.MULTILINE)


class Overlap:
    """Takes away an ending that repeats what follows the cursor on its line, and lines below that go with it.

    Brackets decide where they can: an ending goes when the code around the cursor fits together
    without it and does not with it, and stays the other way round. Where they say nothing, an ending
    goes that says enough. Holds back: the longest ending that equals the beginning of what follows,
    and white space until something visible was given.
    """

    __slots__ = ("_ahead", "_cursor", "_given", "_rest", "_tail", "_visible", "_whole")

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._rest = cursor.rest
        self._whole = bool(cursor.rest) and not cursor.at_line_start
        below = "" if cursor.rest else (cursor.below[0].strip() if cursor.below else "")
        if below[:1] and below[0] in CLOSERS and _CLOSING.match(below):
            self._rest = below
        self._ahead = _LINE_END.sub("", cursor.after[:BELOW]).rstrip() if self._whole else self._rest
        """What an ending may repeat, as far as it goes."""
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

    def end(self, *, arrived: bool = False) -> str:
        """What was held back and does not stand there already.

        `arrived` says that the answer went on with the code below, so that it did repeat the rest.
        """
        tail, self._tail = self._tail, ""
        if tail.strip() and self._rest:
            tail = self._without_overlap("".join(self._given), tail, arrived=arrived)
        return tail if self._visible or tail.strip() else ""

    def _repeats_from(self, text: str) -> int:
        """Where the longest ending begins that what follows begins with, or the rest several times."""
        rest, ahead = self._rest, self._ahead
        if rest[0] not in text:
            return len(text)
        end = len(self._core(text))
        start = text.find(rest[0], max(end - len(ahead), 0), end)
        while start >= 0 and not (ahead.startswith(text[start : start + 2]) and ahead.startswith(text[start:end])):
            start = text.find(rest[0], start + 1, end)
        if start < 0:
            # It may end with the whole rest all the same.
            start = end
        for _ in range(COPIES):
            start -= len(rest) if text.endswith(rest, 0, start) else 0
        # White space at the end may be where such a rest begins.
        return start if start < end or rest[0].isspace() else len(text)

    def _without_overlap(self, given: str, tail: str, *, arrived: bool) -> str:
        core = self._core(tail)
        if arrived and self._whole and core.endswith(self._rest):
            return core[: -len(self._rest)]
        if core == self._rest and core in _MARKS and (self._whole or "\n" not in given):
            return ""
        if core == "," and self._rest[0] == ",":
            return ""
        if _CLOSING.match(core) and self._opened(given, core):
            return self._without_closers(given, tail, core)
        return self._without_rest(given, tail, core) if self._whole else tail

    def _without_closers(self, given: str, tail: str, core: str) -> str:
        """As few closing brackets and quotes less as it takes to fit; all that may be doubled if they say enough."""
        sizes = [size for size in range(1, len(core) + 1) if self._repeats(core[-size:])]
        for size in sizes:
            better = fits_better(self._cursor, given + core[:-size], given + tail)
            if better is not None:
                return core[:-size] if better else tail
        return self._unless_telling(given, tail, core, sizes[-1]) if sizes else tail

    def _without_rest(self, given: str, tail: str, core: str) -> str:
        """Without the longest ending that what follows begins with, if brackets or its length speak for that."""
        ahead = self._ahead
        size = next((size for size in range(len(core), 0, -1) if ahead.startswith(core[-size:])), 0)
        copies = self._repeats(core) and len(core) % len(self._rest) == 0
        size = len(core) if copies else size
        if not size:
            return tail
        better = fits_better(self._cursor, given + core[:-size], given + tail)
        if better is not None:
            return core[:-size] if better else tail
        return self._unless_telling(given, tail, core, size)

    def _unless_telling(self, given: str, tail: str, core: str, size: int) -> str:
        """Without so much, unless it says so little that it may be meant twice."""
        ending, kept = core[-size:], given + core[:-size]
        if size < len(self._rest):
            tells = weight(ending) >= TELLING
        else:
            tells = size >= LONG and _SAYS.search(ending) is not None and not kept.rstrip().endswith(self._rest)
        return core[:-size] if tells else tail

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

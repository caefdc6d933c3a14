"""Answers that begin by repeating what already stands before the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport.codetext.cursor import indent, weight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homeport.codetext.cursor import Cursor

LAST_LINES = 6
"""Non-blank lines before the cursor that an echo may begin with."""
HEADERS = 3
"""Lines further up that open the blocks around the cursor; an echo may begin with one of them."""
REACH = 2000
"""Characters that an echo may have."""
SHORT = 4
"""Characters that the cursor's line must have to be recognised on its own."""
SPEAKING = 12
"""Letters and digits that one repeated line must have to be an echo on its own."""


class Echo:
    """Takes away an exact repetition of the code that ends at the cursor.

    Holds back: the beginning of the answer as long as it agrees with one of at most
    `LAST_LINES + HEADERS + 1` places before the cursor, so usually nothing.
    """

    __slots__ = ("_buffer", "_cursor", "_echoes", "_open")

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._echoes: tuple[str, ...] | None = None
        self._open = True
        self._buffer = ""

    def feed(self, text: str) -> str:
        """The text without the echo."""
        if not self._open:
            return text
        self._buffer += text
        while self._buffer:
            answer = self._buffer.lstrip()
            echoes = self._possible()
            if any(len(answer) < len(echo) and echo.startswith(answer) for echo in echoes):
                break
            size = max((len(echo) for echo in echoes if answer.startswith(echo)), default=0)
            if not size:
                self._open = False
                return self.end()
            self._buffer = answer[size:]
        return ""

    def end(self) -> str:
        """What was held back; nothing when it says no more than the cursor's line."""
        text, self._buffer = self._buffer, ""
        if self._open and text.strip() and any(text.strip() == echo.rstrip() for echo in self._possible()):
            return ""
        return text

    def _possible(self) -> tuple[str, ...]:
        if self._echoes is None:
            self._echoes = tuple(dict.fromkeys(_echoes(self._cursor)))
        return self._echoes


def _echoes(cursor: Cursor) -> Iterator[str]:
    """Texts from a line start to the cursor that would hardly be meant twice."""
    line = cursor.line.strip()
    if len(line) >= SHORT and weight(line) > 1 and (" " in line or cursor.line[-1:].isspace()):
        yield cursor.line.lstrip()
    before = cursor.before[-REACH:] if len(cursor.before) > REACH else cursor.before
    for start in _starts(before, len(before) - len(cursor.line)):
        echo = before[start:].lstrip()
        if _speaks(echo, cursor):
            yield echo
    if len(cursor.before) <= REACH and _speaks(cursor.before.lstrip(), cursor):
        yield cursor.before.lstrip()


def _speaks(echo: str, cursor: Cursor) -> bool:
    """Two lines, or one that is long and stands there once."""
    lines = [line for line in echo.split("\n") if line.strip()]
    if len(lines) > 1:
        return weight(echo) >= SPEAKING // 2
    return bool(lines) and weight(lines[0]) >= SPEAKING and cursor.occurrences(lines[0].strip()) == 1


def _starts(before: str, end: int) -> Iterator[int]:
    """Where the last non-blank lines above the cursor's line begin, and those that open the blocks around it."""
    margin = indent(before[end:]) if before[end:].strip() else None
    lines = headers = 0
    while end > 0 and headers < HEADERS:
        start = before.rfind("\n", 0, end - 1) + 1
        line = before[start : end - 1]
        end = start
        if not line.strip():
            continue
        lines += 1
        opens = margin is not None and indent(line) < margin
        headers += opens and lines > LAST_LINES
        if opens or margin is None:
            margin = indent(line)
        if opens or lines <= LAST_LINES:
            yield start

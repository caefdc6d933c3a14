"""Answers that begin by repeating what already stands before the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport.codetext.cursor import indent, weight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homeport.codetext.cursor import Cursor

LAST_LINES = 6
"""Lines before the cursor that an echo may begin with."""
HEADERS = 3
"""Lines further up that open the blocks around the cursor; an echo may begin with one of them."""
REACH = 2000
"""Characters that an echo may have."""
SHORT = 4
"""Characters that an echo must have."""
SPEAKING = 12
"""Letters and digits that one repeated line must have to be an echo on its own."""


class Echo:
    """Takes away an exact repetition of the code that ends at the cursor.

    Holds back: the beginning of the answer as long as it agrees with one of at most
    `LAST_LINES + HEADERS + 2` places before the cursor, so usually nothing.
    """

    __slots__ = ("_buffer", "_cursor", "_echoes", "_open")

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._echoes: tuple[str, ...] = ()
        self._open = True
        self._buffer = ""

    def feed(self, text: str) -> str:
        """The text without the echo."""
        if not self._open:
            return text
        self._buffer += text
        while answer := self._buffer.lstrip():
            # Every echo has that many characters and begins in the code that it repeats.
            if answer[:SHORT] not in self._cursor.before[-REACH:]:
                self._open = False
                return self.end()
            if not self._echoes:
                margin = self._buffer[: len(self._buffer) - len(answer)]
                self._echoes = tuple(_echoes(self._cursor, answer[0], margin))
            if any(len(answer) < len(echo) and echo.startswith(answer) for echo in self._echoes):
                return ""
            size = max((len(echo) for echo in self._echoes if answer.startswith(echo)), default=0)
            if not size:
                self._open = False
                return self.end()
            self._buffer, self._echoes = answer[size:], ()
        # A page of white space is no echo.
        self._open = len(self._buffer) <= REACH
        return "" if self._open else self.end()

    def end(self) -> str:
        """What was held back; nothing when it says no more than the cursor's line."""
        text, self._buffer = self._buffer, ""
        if self._open and text.strip() and any(text.strip() == echo.rstrip() for echo in self._echoes):
            return ""
        return text


def _echoes(cursor: Cursor, first: str, margin: str) -> Iterator[str]:
    """Texts that begin with `first`, end at the cursor and would hardly be meant twice.

    `margin` is the white space that the answer begins with.
    """
    line = cursor.line.lstrip()
    indented = bool(margin) and cursor.line.startswith(margin + first)
    if line.startswith(first) and len(line.rstrip()) >= SHORT and (indented or _is_whole(line)):
        yield line
    before = cursor.before[-REACH:]
    starts = _starts(before[: len(before) - len(cursor.line)].split("\n")[:-1], cursor.line, first)
    if len(before) == len(cursor.before):
        starts.append(len(before))
    for distance in starts:
        echo = before[len(before) - distance :].lstrip()
        if echo.startswith(first) and _speaks(echo, cursor):
            yield echo


def _is_whole(line: str) -> bool:
    """Whether the cursor's line says enough to be recognised without its indentation."""
    return " " in line or weight(line) >= SPEAKING


def _speaks(echo: str, cursor: Cursor) -> bool:
    """Two lines, or one that is long and stands there once."""
    line, _, more = echo.partition("\n")
    if more.strip():
        return weight(echo[: 4 * SPEAKING]) >= SPEAKING // 2
    return weight(line) >= SPEAKING and cursor.occurrences(line.strip()) == 1


def _starts(lines: list[str], current: str, first: str) -> list[int]:
    """How far ahead of the cursor lines stand that may begin an echo, `first` being their first visible character.

    They are the last non-blank lines and those that open the blocks around the cursor.
    """
    starts: list[int] = []
    margin = indent(current) if current.strip() else -1
    distance = len(current)
    headers = 0
    for near, line in enumerate(reversed(lines), 1):
        distance += len(line) + 1
        opens = line[:margin].strip() if margin >= 0 else line.strip()
        if opens:
            margin = indent(line)
            headers += near > LAST_LINES
        if (opens or near <= LAST_LINES) and line.lstrip()[:1] == first:
            starts.append(distance)
        if headers == HEADERS or (near >= LAST_LINES and not margin):
            break
    return starts

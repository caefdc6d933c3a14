"""Answers that begin by repeating what already stands before the cursor."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from homeport.codetext.cursor import CLOSES, indent, ink, weight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homeport.codetext.cursor import Cursor

LAST_LINES = 6
"""Lines before the cursor that an echo may begin with."""
HEADERS = 3
"""Lines further up that open the blocks around the cursor; an echo may begin with one of them."""
REACH = 2000
"""Characters that an echo may have, but for one of the whole file."""
TOP = 8000
"""Characters of the beginning of a file that an answer may repeat without ever arriving at the cursor."""
SHORT = 4
"""Characters that an echo must have."""
SPEAKING = 12
"""Letters and digits that one repeated line must have to be an echo on its own."""
STEP = 8
"""Columns that a block may be further in than the line that opens it."""
_WORD = re.compile(r"[^\W\d_]{3}")
_OPENS = (":", "{", "(", "[", " do", "then", "else", "=>", "->")


class _Place(NamedTuple):
    """Code that ends at the cursor."""

    ink: str
    """Without white space, so that an echo may be indented or broken differently."""
    whole: bool = True
    """Whether it reaches the cursor."""


class Echo:
    """Takes away a repetition of the code that ends at the cursor, whatever its white space is.

    Holds back: white space at the start, and the beginning of the answer as long as it agrees with
    one of at most `LAST_LINES + HEADERS + 2` places before the cursor, so usually nothing.
    """

    __slots__ = ("_buffer", "_cursor", "_places", "_repeated", "open")

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._places: tuple[_Place, ...] = ()
        self.open = True
        self._repeated = False
        """An echo was taken away."""
        self._buffer = ""

    def feed(self, text: str) -> str:
        """The text without the echo."""
        if not self.open:
            return text
        self._buffer += text
        while answer := self._buffer.lstrip():
            # Every echo begins in the code that it repeats.
            first = answer[:SHORT].split(None, 1)[0]
            if first not in self._cursor.before[-REACH:] and not self._at_top(first):
                return self._leave()
            self._places = self._places or tuple(_places(self._cursor, first, _margin(self._buffer)))
            said = ink(answer) if self._places else ""
            if any(place.ink.startswith(said) for place in self._places):
                return ""
            size = max(
                (len(place.ink) for place in self._places if place.whole and said.startswith(place.ink)), default=0
            )
            if not size:
                return self._leave()
            self._buffer, self._places = self._behind(size), ()
            self._repeated = True
        # A page of white space is no echo.
        return "" if len(self._buffer) <= REACH else self._leave()

    def end(self) -> str:
        """What was held back; nothing when it says no more than the code above."""
        text, said, self._buffer = self._buffer, ink(self._buffer), ""
        if self.open and said:
            again = any(place.ink == said and place.whole for place in self._places)
            cut = weight(said) >= (SPEAKING // 2 if self._repeated else 2 * SPEAKING) and "\n" in text.strip()
            if again or (cut and any(place.ink.startswith(said) for place in self._places)):
                return ""
        return self._placed(text) if self.open else text

    def _at_top(self, first: str) -> bool:
        """Whether the answer may begin like the file."""
        before = self._cursor.before
        return len(before) > REACH and before.lstrip().startswith(first)

    def _leave(self) -> str:
        """What is no echo."""
        self.open = False
        text, self._buffer = self._buffer, ""
        return self._placed(text)

    def _placed(self, text: str) -> str:
        """The beginning of the answer, without the indentation that the cursor's line has already."""
        margin = _margin(text)
        if not margin or not self._cursor.line or not self._cursor.at_line_start or self._repeated:
            return text
        return text[len(margin) :] if _is_double(self._cursor, margin) else text

    def _behind(self, size: int) -> str:
        """What follows so much ink, as it fits to the white space ahead of the cursor."""
        end = 0
        for _ in range(size):
            end = _next_ink(self._buffer, end) + 1
        text = self._buffer[end:]
        before = self._cursor.before
        space = before[len(before.rstrip()) :]
        return _joined(space, text, self._cursor.line) if space else text


def _joined(space: str, text: str, line: str) -> str:
    """`text` behind an echo of code that ends in `space`, without the part of its white space that is there already."""
    visible = text.lstrip()
    own = text[: len(text) - len(visible)]
    if "\n" not in space:
        return text if "\n" in own else visible
    *_, margin = own.split("\n", space.count("\n"))
    if "\n" in margin or own.count("\n") < space.count("\n"):
        return margin.lstrip(" \t") + visible if "\n" in margin else visible
    return (margin[len(line) :] if margin.startswith(line) else "") + visible


def _next_ink(text: str, start: int) -> int:
    while text[start].isspace():
        start += 1
    return start


def _margin(text: str) -> str:
    """White space that the text begins with."""
    return text[: len(text) - len(text.lstrip())]


def _is_double(cursor: Cursor, margin: str) -> bool:
    """Whether an answer that begins with `margin` repeats the indentation of the cursor's line.

    It does where that line is as far in as it should be already, and where the line would be too far
    in for the block that it is the first of.
    """
    here, above = len(cursor.line), indent(cursor.above)
    if "\n" in margin or cursor.on_next or not margin.startswith(cursor.line):
        return False
    if cursor.above.rstrip().endswith(_OPENS):
        return above < len(margin) <= above + STEP < len(margin) + here or above + _unit(cursor) <= here == len(margin)
    return here == len(margin) and here in {above, *map(indent, cursor.below[:1])}


def _unit(cursor: Cursor) -> int:
    """How far in a block is hereabouts."""
    lines = cursor.nearby[0].split("\n")[1:-1]
    return min((indent(line) for line in lines if line[:1].isspace() and line.strip()), default=1)


def _places(cursor: Cursor, first: str, margin: str) -> Iterator[_Place]:
    """Places whose text begins with `first`, ends at the cursor and would hardly be meant twice.

    `first` is the beginning of the answer's first word, `margin` is the white space that the answer begins with.
    """
    line = cursor.line.lstrip()
    indented = bool(margin) and cursor.line.startswith(margin + first)
    if line.startswith(first) and len(ink(line)) >= SHORT and (indented or _is_whole(line, cursor)):
        yield _Place(ink(line))
    before = cursor.before[-REACH:]
    whole = len(before) == len(cursor.before)
    starts = _starts(before[: len(before) - len(cursor.line)].split("\n")[:-1], cursor.line, first)
    for distance in (*starts, *((len(before),) if whole else ())):
        block = before[len(before) - distance :]
        if block.lstrip().startswith(first) and _speaks(block, cursor):
            yield _Place(ink(block))
    if not whole and cursor.before.lstrip().startswith(first):
        yield _Place(ink(cursor.before[:TOP]), whole=False)


def _is_whole(line: str, cursor: Cursor) -> bool:
    """Whether the cursor's line says enough to be recognised without its indentation."""
    if weight(line) >= SPEAKING:
        return True
    if len(line) >= 2 * SHORT and line[:2] not in line[2:]:
        return True
    tags = cursor.language is None or cursor.language.markup
    return " " in line if tags else bool(_WORD.search(line))


def _speaks(block: str, cursor: Cursor) -> bool:
    """Whether the lines before the cursor say enough, and would not just go on: none stand twice in a row here.

    One that opens a block, or is a comment, says enough with a word.
    """
    lines = block[: 20 * SPEAKING].strip().split("\n")
    said = sum(weight(line) for line in lines if not CLOSES.match(line))
    comment = cursor.language is not None and cursor.language.line_comment
    begins = lines[0].endswith(_OPENS) or bool(comment and lines[0].startswith(comment))
    if said < (SPEAKING // 4 if begins else SPEAKING // 2 if len(lines) > 1 else SPEAKING):
        return False
    return not cursor.doubles(block.rstrip()) and not cursor.doubles(block.partition("\n")[0])


def _starts(lines: list[str], current: str, first: str) -> list[int]:
    """How far ahead of the cursor lines stand that may begin an echo, `first` being how they begin.

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
        if (opens or near <= LAST_LINES) and line.lstrip().startswith(first):
            starts.append(distance)
        if headers == HEADERS or (near >= LAST_LINES and not margin):
            break
    return starts

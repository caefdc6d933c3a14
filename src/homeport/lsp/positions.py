"""Places in a text, as the protocol counts them: lines from 0, and columns in code units of an encoding.

Source: Language Server Protocol 3.18, "Position" and "Text Documents" (which says what ends a line).
"""

from __future__ import annotations

import re
from typing import Literal

from lsprotocol.types import Position

Encoding = Literal["utf-8", "utf-16", "utf-32"]
_UNITS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2)}
"""The codec that has these units, and how many bytes each has."""
_END = re.compile(r"\r\n?|\n")


def offset_at(text: str, position: Position, encoding: Encoding = "utf-16") -> int:
    """Characters before a position; one behind a line's end counts as that end, one behind the text as its end."""
    start = _start(text, position.line)
    ended = _END.search(text, start)
    line = text[start : ended.start() if ended else len(text)]
    return start + _characters(line, position.character, encoding)


def position_at(text: str, offset: int, encoding: Encoding = "utf-16") -> Position:
    """The position that so many characters are before."""
    ends = list(_END.finditer(text, 0, offset)) if "\r" in text[:offset] else None
    number = text.count("\n", 0, offset) if ends is None else len(ends)
    start = (ends[-1].end() if ends else 0) if ends is not None else text.rfind("\n", 0, offset) + 1
    return Position(number, _units(text[start:offset], encoding))


def _start(text: str, line: int) -> int:
    if "\r" not in text:
        parts = text.split("\n", line)
        return len(text) - len(parts[-1]) if len(parts) > line else len(text)
    for number, ended in enumerate(_END.finditer(text), 1):
        if number == line:
            return ended.end()
    return len(text) if line else 0


def _characters(line: str, units: int, encoding: Encoding) -> int:
    if encoding == "utf-32" or line.isascii():
        return min(units, len(line))
    codec, size = _UNITS[encoding]
    return len(line.encode(codec, "surrogatepass")[: units * size].decode(codec, "ignore"))


def _units(text: str, encoding: Encoding) -> int:
    if encoding == "utf-32" or text.isascii():
        return len(text)
    codec, size = _UNITS[encoding]
    return len(text.encode(codec, "surrogatepass")) // size

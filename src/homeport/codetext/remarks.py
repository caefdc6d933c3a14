"""Answers that hold nothing but comments: nobody asked for a remark."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homeport.codetext.cursor import Cursor
    from homeport.codetext.language import Language


class Remarks:
    """Lets an answer through once it holds code; one of comments only becomes nothing.

    Only where the cursor stands on a blank line between lines of code: a comment that was begun, or
    that stands next to others, is meant. Holds back: comments at the start.
    """

    __slots__ = ("_ahead", "_buffer", "_closing", "_cursor", "open")

    def __init__(self, cursor: Cursor) -> None:
        language = cursor.language
        self._cursor = cursor
        self.open = language is not None and cursor.at_line_start and not (language.markup or cursor.on_next)
        """Not yet known whether the answer begins with code."""
        opening, self._closing = language.block_comment if language else ("", "")
        self._ahead = (language.line_comment if language else "", opening)
        self._buffer = ""

    def feed(self, text: str) -> str:
        """The text, once there is code in it."""
        if not self.open:
            return text
        self._buffer += text
        if self._is_remark() and (not self._buffer.strip() or _is_watched(self._cursor)):
            return ""
        self.open = False
        text, self._buffer = self._buffer, ""
        return text

    def end(self) -> str:
        """Nothing: what was held back is comments only."""
        self._buffer = ""
        return ""

    def _is_remark(self) -> bool:
        """Whether the text so far is comments, or may become one."""
        text = self._buffer.lstrip()
        line, block = self._ahead
        while text:
            if block and text.startswith(block):
                text = text[len(block) :].partition(self._closing)[2]
            elif line and text.startswith(line):
                text = text.partition("\n")[2]
            else:
                return any(mark.startswith(text) for mark in self._ahead)
            text = text.lstrip()
        return True


def _is_watched(cursor: Cursor) -> bool:
    """Whether a comment alone would stand between lines of code."""
    near = (cursor.above.strip(), cursor.below[0].strip() if cursor.below else "")
    language = cursor.language
    return language is not None and bool(near[0]) and not any(_is_comment(line, language) for line in near)


def _is_comment(line: str, language: Language) -> bool:
    """Whether a line is a comment or looks like a part of one."""
    opening, closing = language.block_comment
    marks = tuple(mark for mark in (language.line_comment, opening, "*") if mark)
    return line.startswith(marks) or bool(closing and line.endswith(closing))

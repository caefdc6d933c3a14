"""Where an answer will be inserted: the line of the cursor and the lines below it."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homeport.codetext.language import Language

_SPEAKING = re.compile(r"[^\W_]")

LINES_BELOW = 6
"""Non-blank lines of the suffix in which an answer may be found to have arrived."""
BELOW = 1500
"""Characters in which they are looked for."""
REACH = 4000
"""Characters on each side of the cursor that are searched for repeated lines."""


class Cursor:
    """The code around the cursor, and what the rules of cleaning ask of it."""

    def __init__(self, before: str, after: str, language: Language | None) -> None:
        self.before = before
        self.after = after
        self.language = language
        self.line = before[before.rfind("\n") + 1 :]
        """What stands on the cursor's line before it."""
        end = after.find("\n")
        self.rest = (after if end < 0 else after[:end]).rstrip()
        """What stands on the cursor's line after it."""
        self.at_line_start = not self.line.strip()
        """Nothing but white space stands before the cursor on its line."""
        self.on_next = self.at_line_start and bool(self.rest)
        """The first line below is the cursor's own line."""

    @cached_property
    def below(self) -> tuple[str, ...]:
        """The first non-blank lines that follow, without white space at their ends."""
        text = self.line + self.after[:BELOW] if self.on_next else self.after[len(self.rest) : len(self.rest) + BELOW]
        return tuple(line.rstrip() for line in text.split("\n", 4 * LINES_BELOW) if line.strip())[:LINES_BELOW]

    @property
    def nearby(self) -> tuple[str, str]:
        """The code on both sides, `REACH` characters of each."""
        return self.before[-REACH:], self.after[:REACH]

    def mentions(self, text: str) -> bool:
        """Whether the code itself holds `text`, so that it may well be meant in the answer too."""
        return text in self.before or text in self.after

    def occurrences(self, text: str) -> int:
        """How often `text` stands near the cursor."""
        return self.before.count(text, max(len(self.before) - REACH, 0)) + self.after.count(text, 0, REACH)


def indent(line: str) -> int:
    """Characters of white space ahead of the first other one."""
    return len(line) - len(line.lstrip())


def weight(line: str) -> int:
    """Letters and digits: how much a line says."""
    return len(_SPEAKING.findall(line))

"""Where an answer will be inserted: the line of the cursor and the lines below it."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from homeport.codetext.ends import is_windows, plain
from homeport.codetext.headings import headings

if TYPE_CHECKING:
    from homeport.codetext.language import Language

_SPEAKING = re.compile(r"[^\W_]")

CLOSES = re.compile(
    r"\s*(?:[)\]}>;,]+|(?:end|fi|done|esac|endif|endfunction)\b[;,.)]*|</[\w:.-]+>|\}? ?else:?(?: \{)?)\s*$"
)
"""A line that only closes what other lines have opened."""
LINES_BELOW = 6
"""Non-blank lines of the suffix in which an answer may be found to have arrived."""
BELOW = 1500
"""Characters in which they are looked for."""
REACH = 4000
"""Characters on each side of the cursor that are searched for repeated lines."""


class Cursor:
    """The code around the cursor, with the line ends of Unix, and what the rules of cleaning ask of it.

    `names` are that of the file and those of the files that the model was shown beside it.
    """

    def __init__(self, before: str, after: str, language: Language | None, names: tuple[str, ...] = ()) -> None:
        self.windows = is_windows(before, after)
        """Whether its lines end as on Windows."""
        if self.windows:
            before, after = plain(before), plain(after)
        self.before = before
        self.after = after
        self.language = language
        self.names = tuple(filter(None, names))
        self.line = self.before[self.before.rfind("\n") + 1 :]
        """What stands on the cursor's line before it."""
        end = self.after.find("\n")
        self.rest = (self.after if end < 0 else self.after[:end]).rstrip()
        """What stands on the cursor's line after it."""
        self.at_line_start = not self.line.strip()
        """Nothing but white space stands before the cursor on its line."""
        self.on_next = self.at_line_start and bool(self.rest)
        """The first line below is the cursor's own line."""

    @cached_property
    def below(self) -> tuple[str, ...]:
        """The first non-blank lines that follow, without white space at their ends."""
        text = self.line + self.after[:BELOW] if self.on_next else self.after[len(self.rest) : len(self.rest) + BELOW]
        found: list[str] = []
        for line in text.split("\n", 4 * LINES_BELOW):
            if said := line.rstrip():
                found.append(said)
                if len(found) == LINES_BELOW:
                    break
        return tuple(found)

    @cached_property
    def above(self) -> str:
        """The last line above the cursor's that says anything, or an empty text."""
        text = self.before[-REACH:]
        return text[: len(text) - len(self.line)].rstrip().rpartition("\n")[2]

    @cached_property
    def headings(self) -> frozenset[str]:
        """What lines come down to that only name one of the files, or the language."""
        return headings(self.names, self.language.name if self.language else "")

    @property
    def nearby(self) -> tuple[str, str]:
        """The code on both sides, `REACH` characters of each."""
        return self.before[-REACH:], self.after[:REACH]

    def mentions(self, text: str) -> bool:
        """Whether the code itself holds `text`, so that it may well be meant in the answer too."""
        return text in self.before or text in self.after

    def doubles(self, block: str) -> bool:
        """Whether such lines stand twice in a row near the cursor."""
        twice = f"\n{block}\n{block}"
        return any(twice in text or text.startswith(twice[1:]) for text in self.nearby)

    def occurrences(self, text: str) -> int:
        """How often `text` stands near the cursor."""
        return self.before.count(text, max(len(self.before) - REACH, 0)) + self.after.count(text, 0, REACH)


def indent(line: str) -> int:
    """Characters of white space ahead of the first other one."""
    return len(line) - len(line.lstrip())


def weight(line: str) -> int:
    """Letters and digits: how much a line says."""
    return len(_SPEAKING.findall(line))


def ink(text: str) -> str:
    """The text without white space."""
    return "".join(text.split())

"""An answer line by line: where it arrives at the code that follows, where it goes round in circles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from homeport.codetext.brackets import CLOSERS, fits
from homeport.codetext.cursor import indent, weight

if TYPE_CHECKING:
    from homeport.codetext.cursor import Cursor

BLOCK = 8
"""Lines that a repeated block may have."""
COPIES = 3
"""So many copies of a block in a row are a loop …"""
SHORT_COPIES = 5
"""… or so many when the block says little: tables and tests repeat short lines."""
SPEAKING = 8
"""Letters and digits that make a line or a block say something."""
TELLING = 24
"""Letters and digits that make one line that stands nowhere else enough."""
ARRIVED = 4
"""Lines in a row that equal those below are enough, whatever they say."""
FENCE = "```"

_NO_STREAKS = (0,) * (BLOCK + 1)
_LEAVES = re.compile(r"(?:return|break|continue|raise|throw|goto|pass)\b")
_CLOSES = re.compile(r"[)\]}>;,]+$|(?:end|fi|done|esac|endif|endfunction)\b[;,.)]*$|</[\w:.-]+>$|\}? ?else:?(?: \{)?$")


class Lines:
    """Lets lines through until the answer is over.

    The first visible line flows as it comes unless it equals, so far, the line below the cursor.
    Every further line is given when it is complete, because an answer that ends at the token limit
    loses its last, unfinished line. Held longer are blank lines (until the next line), lines that
    equal those below (at most `ARRIVED`) and lines that repeat a block (at most 4 `BLOCK`s).
    """

    __slots__ = (
        "_arrived",
        "_at",
        "_cursor",
        "_fenced",
        "_flowing",
        "_given",
        "_known",
        "_lines",
        "_partial",
        "_seen",
        "_streaks",
        "cut",
    )

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._lines: list[str] = []
        """The complete lines of the answer."""
        self._given = 0
        """How many of them were given."""
        self._partial: list[str] = []
        """The line at hand, in parts."""
        self._flowing = False
        """The line at hand is given as it comes."""
        self._fenced = False
        """The line at hand begins with a fence."""
        self._seen = False
        """A line that says something is complete."""
        self._arrived = 0
        """So many of the last lines equal those below the cursor …"""
        self._at = 0
        """… beginning with this one."""
        self._known: set[str] = set()
        """The lines of the answer, in no order."""
        self._streaks = _NO_STREAKS
        """By distance: how many of the last lines equal the one that far ahead of them."""
        self.cut = False

    def feed(self, text: str) -> str:
        """The text of the lines that surely stay."""
        if "\n" not in text:
            return self._add(text)
        given: list[str] = []
        *complete, text = text.split("\n")
        for line in complete:
            given.append(self._end_line(line))
            if self.cut:
                return "".join(given)
        return "".join((*given, self._add(text)))

    def end(self, finish: str) -> str:
        """What was held back and stays."""
        given = "" if self.cut else self._last(finish)
        return given if self.cut else given + self._give(len(self._lines))

    def _last(self, finish: str) -> str:
        """Take the line at hand as complete, or leave it away when the token limit cut it."""
        given = ""
        if finish == "length" and self._seen and not self._flowing:
            self._truncate(len(self._lines))
        elif self._partial or self._lines:
            given = self._end_line("")
        return given if self.cut or not self._is_over() else given + self._cut_below()

    def _add(self, part: str) -> str:
        """Begin or continue the line at hand; give it only while no line before it says anything."""
        if not part:
            return ""
        self._partial.append(part)
        if self._flowing:
            return part
        if self._seen or self._fenced or not part.strip() or self._may_end():
            return ""
        self._flowing = True
        held = self._give(len(self._lines))
        return "".join((held, "\n" if self._lines else "", *self._partial))

    def _may_end(self) -> bool:
        """Whether the line at hand may be no part of the answer: it equals, so far, the line below, or a fence."""
        line = "".join(self._partial)
        if FENCE.startswith(line[: len(FENCE)]) and self._is_fence():
            self._fenced = len(line) >= len(FENCE)
            return True
        below = self._cursor.below if self._lines or self._cursor.at_line_start else ()
        return bool(below) and below[0].lstrip().startswith(self._full(len(self._lines), line).strip())

    def _end_line(self, last_part: str) -> str:
        """Complete the line at hand."""
        line = "".join((*self._partial, last_part))
        self._partial.clear()
        self._fenced = False
        self._lines.append(line)
        self._seen = self._seen or bool(line.strip())
        if self._flowing:
            self._flowing = False
            self._known.add(self._full(self._given, line))
            self._given = len(self._lines)
            return last_part
        return self._settle(len(self._lines) - 1, line)

    def _settle(self, at: int, line: str) -> str:
        """Decide about the line at `at`, which is complete and was not given yet."""
        if line.startswith(FENCE) and self._is_fence():
            self._truncate(at)
            return self._cut_below() if self._is_over() else self._cut()
        line = self._full(at, line)
        self._compare(at, line.rstrip())
        if self._arrived and self._is_there():
            return self._cut_below()
        if repeated := self._repeated(at, line):
            del self._lines[repeated:]
            return self._cut()
        until = self._at if self._arrived else at + 1
        if self._streaks is not _NO_STREAKS:
            until = min(until, at + 1 - max(self._streaks))
        return self._give(self._without_blank(until))

    def _give(self, until: int) -> str:
        """Give the lines up to `until`, each with the newline ahead of it."""
        first, self._given = self._given, max(until, self._given)
        text = "\n".join(self._lines[first : self._given])
        return "\n" + text if first and self._given > first else text

    def _cut(self) -> str:
        """End the answer with the lines that are left."""
        self.cut = True
        return self._give(len(self._lines))

    def _cut_below(self) -> str:
        """End the answer where it arrived at the code below."""
        at = self._at
        if not self._cursor.on_next:
            self._truncate(at)
            return self._cut()
        # What was there stays on a line of its own, as far in as it was.
        self._lines[at:] = [self._cursor.line] if at else []
        return self._cut()

    def _truncate(self, at: int) -> None:
        """Forget the line at hand, the lines from `at` on and blank ones ahead of it."""
        self._partial.clear()
        del self._lines[self._without_blank(at) :]

    def _without_blank(self, until: int) -> int:
        while until > self._given and not self._lines[until - 1].strip():
            until -= 1
        return until

    def _full(self, at: int, line: str) -> str:
        """The line as it will stand in the file."""
        return line if at else self._cursor.line + line

    def _is_fence(self) -> bool:
        """Whether a line of three backticks is the end of an answer in a language that has none."""
        language = self._cursor.language
        return language is not None and language.id != "markdown" and not self._cursor.mentions("```")

    # Where the answer arrives at the code below.

    def _compare(self, at: int, line: str) -> None:
        """Count how many of the last lines equal those below."""
        below = self._cursor.below
        if not below or not line.strip() or not (at or self._cursor.at_line_start):
            return
        if 0 < self._arrived < len(below) and _same(line, below[self._arrived]):
            self._arrived += 1
        elif _same(line, below[0]):
            # The line below several times in a row: the first of them is where it was reached.
            self._at = self._at if self._arrived == 1 else at
            self._arrived = 1
        else:
            self._arrived = 0

    def _is_there(self) -> bool:
        """Whether so much equals the code below that no further line can change it."""
        below = self._cursor.below[: self._arrived]
        if len(below) >= ARRIVED:
            return True
        said = sum(map(weight, below))
        if len(below) > 1:
            return said >= 2 * SPEAKING
        return said >= TELLING and self._is_exact() and self._cursor.occurrences(below[0].strip()) == 1

    def _is_over(self) -> bool:
        """Whether the answer, if it ends now, ends with lines that are those below."""
        if not self._arrived:
            return False
        line = self._cursor.below[0]
        code = line.strip()
        said = sum(map(weight, self._cursor.below[: self._arrived]))
        if said >= SPEAKING and (self._arrived > 1 or self._cursor.occurrences(code) == 1):
            return True
        if not self._is_exact():
            return False
        return bool(_LEAVES.match(code)) or (bool(_CLOSES.match(code)) and self._closes_twice(line))

    def _is_exact(self) -> bool:
        """Whether the first of them is as far in as the line below."""
        return self._full(self._at, self._lines[self._at]).rstrip() == self._cursor.below[0]

    def _closes_twice(self, line: str) -> bool:
        """Whether `line`, which closes something, would stand there twice for one opening."""
        without = "\n".join(self._lines[: self._at])
        both = "\n".join(self._lines)
        if any(closer in line for closer in CLOSERS) and fits(self._cursor, both):
            return False
        if fits(self._cursor, without) and not fits(self._cursor, both):
            return True
        # In code that is indented as it is nested, nothing in the answer can have opened it.
        ahead = [self._full(at, text) for at, text in enumerate(self._lines[: self._at])]
        margins = [indent(text) for text in ahead if text.strip()]
        return bool(margins) and min(margins) > indent(line)

    # Where the answer goes round in circles.

    def _repeated(self, at: int, line: str) -> int:
        """Where the second copy of a block begins that now stands there often enough; 0 for none."""
        if line not in self._known:
            self._known.add(line)
            self._streaks = _NO_STREAKS
            return 0
        streaks = [0] * (BLOCK + 1)
        for distance in range(1, min(BLOCK, at) + 1):
            if line == self._full(at - distance, self._lines[at - distance]):
                streaks[distance] = self._streaks[distance] + 1
        self._streaks = tuple(streaks)
        return next(
            (at + 1 - streak for distance, streak in enumerate(streaks) if self._loops(at, distance, streak)), 0
        )

    def _loops(self, at: int, distance: int, streak: int) -> bool:
        """Whether the last `streak` lines, each equal to the one `distance` ahead of it, are enough for a loop."""
        enough = distance and streak >= distance * (COPIES - 1)
        return bool(enough) and streak >= distance * (self._copies(at, distance) - 1)

    def _copies(self, at: int, distance: int) -> int:
        """How many copies of the last `distance` lines are a loop."""
        block = "".join(self._lines[at + 1 - distance : at + 1])
        if not block.strip():
            return at + 2
        return COPIES if weight(block) >= SPEAKING else SHORT_COPIES


def _same(line: str, below: str) -> bool:
    """Equal, and as far in when they say little."""
    return line == below or (line.strip() == below.strip() and weight(below) >= SPEAKING)

"""An answer line by line: where it arrives at the code that follows, where it goes round in circles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from homeport.codetext.brackets import CLOSERS, fits_better
from homeport.codetext.cursor import CLOSES, indent, weight
from homeport.codetext.headings import essence
from homeport.codetext.stuck import Stuck

if TYPE_CHECKING:
    from homeport.codetext.cursor import Cursor

BLOCK = 8
"""Lines that a repeated block may have."""
COPIES = 3
"""So many copies of a block in a row are a loop …"""
SHORT_COPIES = 6
"""… or so many when the block says little, or stands twice in a row in the code: tables and tests repeat lines."""
SPEAKING = 8
"""Letters and digits that make a line or a block say something."""
TELLING = 24
"""Letters and digits that make one line that stands nowhere else enough."""
ARRIVED = 4
"""Lines in a row that equal those below are enough, whatever they say."""
RUN = 3
"""Complete lines at hand that are worth a look at all of them together."""
LITTLE = 4
"""Letters and digits of a last line that equals the one below, where lines do not stand twice in a row."""
FENCE = "```"

_NO_STREAKS = (0,) * (BLOCK + 1)
_LEAVES = re.compile(r"(?:return|break|continue|raise|throw|goto|pass)\b")
_MAY_NAME = re.compile(r"[/#+;%*<!>=-]|(?i:file|path|lang)")
"""How a line begins that may only name a file or the language."""
_MAY_NAME_FIRST = frozenset("/#+;%*<!>=-fFpPlL")
"""The first characters of such lines."""
_FRAME = re.compile(r"[*/#;%-]{1,3}$")
"""A line of a comment that says nothing."""


class Lines:
    """Lets lines through until the answer is over.

    The first visible line flows as it comes unless it equals, so far, the line below the cursor.
    Every further line is given when it is complete, because an answer that ends at the token limit
    loses its last, unfinished line. Held longer are blank lines (until the next line), lines that
    equal those below (at most `ARRIVED`), lines that repeat a block (at most 4 `BLOCK`s), and what
    goes round in circles within the first line (see `Stuck`).
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
        "_stuck",
        "arrived",
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
        self._stuck = Stuck(cursor)
        self.cut = False
        self.arrived = False
        """It was cut where the code below begins."""

    def feed(self, text: str) -> str:
        """The text of the lines that surely stay."""
        if "\n" not in text:
            return self._add(text)
        given: list[str] = []
        *complete, text = text.split("\n")
        for at, line in enumerate(complete):
            given.append(self._end_line(line))
            if self.cut:
                return "".join(given)
            if at == 0 and self._says_nothing_else(run := complete[1:]):
                given.append(self._settle_all(run))
                break
        return "".join((*given, self._add(text)))

    def _says_nothing_else(self, run: list[str]) -> bool:
        """Whether no rule has anything to say about any of these lines, as with most that come many at a time."""
        if len(run) < RUN or not self._seen or not self._given or self._arrived or self._streaks is not _NO_STREAKS:
            return False
        text, below = "\n".join(run), self._cursor.below
        return (
            FENCE not in text
            and not (below and below[0].strip() in text)
            and not (self._cursor.names and not _MAY_NAME_FIRST.isdisjoint([line[:1] for line in run]))
            and self._known.isdisjoint(run)
            and len(set(run)) == len(run)
        )

    def _settle_all(self, lines: list[str]) -> str:
        """Decide about such lines at once, as `_settle` does about each."""
        self._lines += lines
        self._known.update(lines)
        return self._give(self._without_blank(len(self._lines)))

    def end(self, finish: str) -> str:
        """What was held back and stays."""
        given = "" if self.cut else self._last(finish)
        return given if self.cut else given + self._give(len(self._lines))

    def _last(self, finish: str) -> str:
        """Take the line at hand as complete, or leave it away when the token limit cut it."""
        if finish == "length" and self._flowing:
            return self._stuck.end(finish)
        if finish == "length" and self._seen:
            return self._leave_half("".join(self._partial))
        given = self._end_line("") if self._partial or self._lines else ""
        return given if self.cut or not self._is_over() else given + self._cut_below()

    def _leave_half(self, half: str) -> str:
        """Leave away a line that the token limit cut; as far as it goes it may be the one below."""
        self._partial.clear()
        at, below = len(self._lines), self._cursor.below
        goes_on = self._arrived < len(below) and below[self._arrived].lstrip().startswith(half.strip())
        if goes_on and weight(half) >= SPEAKING:
            self._lines.append(below[self._arrived])
            self._compare(at, below[self._arrived])
        if self._is_over():
            return self._cut_below()
        self._truncate(self._again_from(at, half) or at)
        return ""

    def _again_from(self, at: int, half: str) -> int:
        """Where the second copy of a block begins that half a line begins for the third time; 0 for none."""
        for distance, streak in enumerate(self._streaks):
            block = "\n".join(self._lines[at - distance : at])
            if distance and streak >= distance and weight(block) >= TELLING and not self._cursor.doubles(block):
                again = self._full(at - distance, self._lines[at - distance]).startswith(half)
                return at - streak if again else 0
        return 0

    def _add(self, part: str) -> str:
        """Begin or continue the line at hand; give it only while no line before it says anything."""
        if not part:
            return ""
        self._partial.append(part)
        if self._flowing:
            given = self._stuck.feed(part)
            self.cut = self._stuck.cut
            return given
        if self._seen or self._fenced or not part.strip() or self._may_end():
            return ""
        self._flowing = True
        held = self._give(len(self._lines)) + "\n" * bool(self._lines)
        given = self._stuck.feed("".join(self._partial))
        self.cut = self._stuck.cut
        return held + given

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
        given = ""
        if self._flowing or not self._seen:
            given = self._add(last_part)
        else:
            self._partial.append(last_part)
        line = "".join(self._partial)
        self._partial.clear()
        self._fenced = False
        self._lines.append(line)
        self._seen = self._seen or bool(line.strip())
        if not self._flowing:
            return self._settle(len(self._lines) - 1, line)
        self._flowing = False
        self._known.add(self._full(self._given, line))
        self._given = len(self._lines)
        return given if self.cut else given + self._stuck.end("stop")

    def _settle(self, at: int, line: str) -> str:
        """Decide about the line at `at`, which is complete and was not given yet."""
        if self._ends_answer(line):
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

    def _ends_answer(self, line: str) -> bool:
        """Whether a line is a fence, or the heading of another file."""
        if line.startswith(FENCE):
            return self._is_fence()
        return bool(self._cursor.names and _MAY_NAME.match(line)) and essence(line) in self._cursor.headings

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
            self.arrived = True
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
        if self._follows_rest() and self._is_exact():
            both = f"{self._cursor.rest}\n{below[0]}"
            return said + weight(self._cursor.rest) >= SPEAKING and self._cursor.occurrences(both) <= 1
        if len(below) > 1:
            return said >= 2 * SPEAKING and self._cursor.occurrences(self._block()) <= 1
        return said >= TELLING and self._is_exact() and self._cursor.occurrences(below[0].strip()) == 1

    def _is_over(self) -> bool:
        """Whether the answer, if it ends now, ends with lines that are those below."""
        if not self._arrived:
            return False
        said = sum(map(weight, self._cursor.below[: self._arrived]))
        code = self._cursor.below[0].strip()
        doubled = self._cursor.doubles(self._block())
        if said >= SPEAKING and not doubled and (self._arrived > 1 or self._cursor.occurrences(code) == 1):
            return True
        return self._is_exact() and (
            self._follows_rest() or (said >= LITTLE and not doubled and _plain(code)) or self._is_twice(code)
        )

    def _is_twice(self, code: str) -> bool:
        """Whether a line as it stands below would hardly stand there once more."""
        leaves = _LEAVES.match(code) or (_FRAME.match(code) and not self._cursor.rest)
        return bool(leaves) or (bool(CLOSES.match(code)) and self._closes_twice(self._cursor.below[0]))

    def _block(self) -> str:
        """The lines of the answer that equal those below, as they would stand there."""
        first, *more = self._lines[self._at : self._at + 2 * ARRIVED]
        return "\n".join((self._full(self._at, first), *more)).rstrip()

    def _follows_rest(self) -> bool:
        """Whether the line ahead of those that equal the code below ends with the rest of the cursor's line."""
        rest = "" if self._cursor.at_line_start else self._cursor.rest
        return bool(rest) and self._at > 0 and self._lines[self._at - 1].rstrip().endswith(rest)

    def _is_exact(self) -> bool:
        """Whether the first of them is as far in as the line below."""
        return self._full(self._at, self._lines[self._at]).rstrip() == self._cursor.below[0]

    def _closes_twice(self, line: str) -> bool:
        """Whether `line`, which closes something, would stand there twice for one opening."""
        both, without = self._lines, self._lines[: self._at]
        if any(closer in line for closer in CLOSERS):
            better = fits_better(self._cursor, "\n".join(without), "\n".join(both))
            if better is not None:
                return better
        language = self._cursor.language
        if language is not None and not language.markup:
            # In code that is indented as it is nested, two lines in a row that are as far in never close something.
            return True
        ahead = [self._full(at, text) for at, text in enumerate(without)]
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
        if weight(block) < SPEAKING or self._cursor.doubles("\n".join(self._lines[at + 1 - distance : at + 1])):
            return SHORT_COPIES
        return COPIES


def _plain(code: str) -> bool:
    """Whether a line neither closes something nor is a directive: those may well stand twice in a row."""
    return not CLOSES.match(code) and not code.startswith("#end")


def _same(line: str, below: str) -> bool:
    """Equal, and as far in when they say little."""
    return line == below or (line.strip() == below.strip() and weight(below) >= SPEAKING)

"""Answers that speak about the code instead of being code: "This is a method that …".

Models that are asked in words give them. Where a string or a comment may stand, prose is left alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from homeport.codetext.brackets import in_code
from homeport.codetext.fences import OPENERS

if TYPE_CHECKING:
    from homeport.codetext.cursor import Cursor
    from homeport.codetext.language import Language

LOOK = 160
"""Characters of the first line that tell."""
WORDS = 4
"""So many words in a row, the first of them one that opens a sentence, are prose …"""
_OPENS = OPENERS | {"It's", "There", "These", "That", "That's", "Please", "No", "As", "If", "For", "When", "Now", "And"}
_COMMON = frozenset(
    (
        *("is", "are", "was", "will", "can", "should", "has", "have", "do", "does", "be", "not", "already", "would"),
        *("the", "a", "an", "this", "that", "it", "its", "your", "you", "my", "i", "there", "to", "of", "in", "for"),
        *("with", "and", "which", "code", "function", "method", "cursor", "text", "following", "above", "below"),
    )
)
"""… if one of these is among them, as in every sentence about code."""
_OPENING = re.compile(r"[A-Z][A-Za-z'\u2019]*")
REACH = 4000
"""Characters on each side of the cursor in which tags are looked for."""
BLANK = 2000
"""Characters of white space that are waited for a sentence to follow."""
_WORD = re.compile(r"[`'\"(*]{0,3}[\w'\u2019-]+(?:\.\w+)*(?:\(\))?[`'\")*]{0,3}[,.:;!?]{0,2}")
_NO_PROGRAMS = frozenset(("yaml", "toml", "json", "ini", "latex", "markdown", "dockerfile", "makefile", "graphql"))
"""Languages in which sentences stand without quotes, or in strings that cannot be told from the rest."""
_HEREDOC = re.compile(r"<<[~-]?[\"']?([A-Z_]{2,})\b")
_TAGS_IN_CODE = frozenset(("js", "ts"))


class Prose:
    """Takes away a sentence that announces the code; any other one at the start ends the answer.

    Holds back: white space at the start, and the first line that says something as long as it may be a
    sentence, `LOOK` characters of it at most.
    """

    __slots__ = ("_announced", "_buffer", "_cursor", "cut", "open")

    def __init__(self, cursor: Cursor, *, asked: bool) -> None:
        """`asked` says that the model was asked in words: no other one explains itself."""
        self._cursor = cursor
        self._buffer = ""
        self._announced = False
        """A sentence ahead of the code was taken away."""
        self.open = asked and _is_program(cursor.language)
        """Not yet known whether the answer begins with prose."""
        self.cut = False

    def feed(self, text: str) -> str:
        """The text without prose."""
        if not self.open:
            return "" if self.cut else text
        self._buffer += text
        while said := self._buffer.lstrip():
            lead, end, rest = said.partition("\n")
            if not end and len(lead) < LOOK and _may_be_sentence(lead):
                return ""
            if not self._is_prose(lead):
                return self._release()
            if len(lead) >= LOOK or not lead.rstrip().endswith(":"):
                return self._cut()
            self._buffer, self._announced = rest, True
        return "" if len(self._buffer) < BLANK else self._release()

    def end(self) -> str:
        """What was held back and is code."""
        if not self.open:
            return ""
        return self._cut() if self._is_prose(self._buffer.lstrip()) else self._release()

    def _is_prose(self, lead: str) -> bool:
        # what stands there already is no explanation but an echo
        begins = lead[:LOOK].rstrip()
        return _is_sentence(begins) and not self._cursor.mentions(begins) and _is_code_alone(self._cursor)

    def _release(self) -> str:
        text, self._buffer, self.open = self._buffer, "", False
        return text.lstrip("\n") if self._announced else text

    def _cut(self) -> str:
        self.cut = True
        self._buffer, self.open = "", False
        return ""


def _may_be_sentence(line: str) -> bool:
    """Whether a line that is not complete begins like a sentence, as far as it goes."""
    word = _OPENING.match(line)
    if word is None:
        return False
    if word.end() == len(line):
        return any(opener.startswith(word[0]) for opener in _OPENS)
    return line[word.end()] in " ,!.:" and word[0].replace("\u2019", "'") in _OPENS


def _is_sentence(line: str) -> bool:
    """Whether a line begins with so many words that it can be nothing else."""
    words = line.split()
    first = _OPENING.match(line)
    return (
        first is not None
        and len(words) >= WORDS
        and first[0].replace("\u2019", "'") in _OPENS
        and all(map(_WORD.fullmatch, words[: WORDS - 1]))
        and not _COMMON.isdisjoint(word.strip(",.:;!?").lower() for word in words[1:8])
    )


def _is_program(language: Language | None) -> bool:
    """Whether sentences stand in strings and comments alone."""
    return language is not None and not language.markup and language.id not in _NO_PROGRAMS


def _is_code_alone(cursor: Cursor) -> bool:
    """Whether the cursor stands where no sentence can, as far as that can be told."""
    language = cursor.language
    if language is not None and language.id in _TAGS_IN_CODE:
        ahead, behind = cursor.before[-REACH:].rstrip(), cursor.after[:REACH].lstrip()
        if (ahead.endswith((">", "}")) and not ahead.endswith("=>")) or behind.startswith("<"):
            return False
    open_ = _HEREDOC.findall(cursor.before)
    return not (open_ and f"\n{open_[-1]}" not in cursor.before) and in_code(cursor)

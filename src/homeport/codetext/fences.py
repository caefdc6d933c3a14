"""Answers of chat models: code in a Markdown fence, with a sentence ahead of it and more behind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homeport.codetext.cursor import Cursor

LEAD = 400
"""Characters of a chatty lead-in that are waited for a fence to follow."""
OPENERS = frozenset(
    (
        *("Here", "Here's", "Sure", "Certainly", "Of", "The", "This", "To", "I", "I'll", "I've", "You", "Below"),
        *("Okay", "OK", "Yes", "Great", "Absolutely", "Based", "Let", "Let's", "Given", "Note", "We", "Assuming"),
        *("Text", "It", "In", "Looking", "Since", "Following", "My", "Your", "An", "A"),
    )
)
"""Words that begin a sentence rather than code."""
_WORD = re.compile(r"[A-Z][A-Za-z'\u2019]*")
_LEADING_FENCE = re.compile(r"^`{3,9}([^`\n]{0,40})\n", re.MULTILINE)
_OPENING = re.compile(r"(?:\s{0,80}\n)? {0,3}`{3,9}([^`\n]{0,40})\n")
_FENCE = re.compile(r"\n {0,3}`{3,9}([^`\n]{0,40})(?=\n)")
_MAY_BE_FENCE = re.compile(r"\n {0,3}(?:`{1,2}|`{3,9}[^`\n]{0,40})?$")
_MAY_BE_OPENING = re.compile(r"\s{0,80}|(?:\s{0,80}\n)? {0,3}(?:`{1,2}|`{3,9}[^`\n]{0,40})?")
_MAY_BE_LEADING = re.compile(r"^`{1,9}(?:(?<=```)[^`\n]{0,40})?\Z", re.MULTILINE)
_CODE = re.compile(r"\s*[^\s`A-Z]")
_INLINE = re.compile(r"(?:\s{0,80}\n)? {0,3}(`{1,2})(?!`)(?=[\s\S])")
_WITHOUT = frozenset(("python", "java", "c", "cpp", "csharp", "rust", "css", "lua", "json", "toml"))
"""Languages in which no code begins with a backtick."""
_OWN = frozenset(("markdown", "md", "mdx"))


class Unfence:
    """Keeps what stands in a fence, or everything where there is none.

    A single line may stand in backticks as well. Holds back: white space and backticks at the start;
    a lead-in of at most `lead` characters as long as it reads like a sentence; within a fence a
    newline with what may be the closing fence.
    """

    __slots__ = (
        *("_buffer", "_cursor", "_depth", "_fresh", "_inline", "_inside", "_lead", "_markdown", "_opening", "cut"),
    )

    def __init__(self, cursor: Cursor, *, lead: int = LEAD) -> None:
        self._cursor = cursor
        self._markdown = cursor.language is not None and cursor.language.id == "markdown"
        self._inline = ""
        """Backticks that the answer began with, and that end it."""
        self._lead = lead
        self._opening = True
        self._inside = False
        self._fresh = False
        self._depth = 0
        self._buffer = ""
        self.cut = False

    def feed(self, text: str) -> str:
        """The text that surely belongs to the code."""
        if not self.busy:
            return text
        self._buffer += text
        if self._opening:
            self._open()
        return "" if self._opening else self._give()

    @property
    def busy(self) -> bool:
        """Whether a fence may still begin or end."""
        return self._opening or self._inside or bool(self._inline)

    def end(self) -> str:
        """What was held back and is code."""
        if self.cut:
            return ""
        # A fence in the last line is one although no line end follows.
        ended = self._inside or self._buffer.lstrip().startswith("```")
        self._buffer += "\n" if ended else ""
        self._open()
        self._opening = False
        text = self._give() + self._buffer
        return text[:-1] if ended and not self.cut else text

    def _open(self) -> None:
        """Find out, as far as the text allows, whether a fence begins the answer."""
        if _CODE.match(self._buffer):
            self._opening = False
        while self._opening:
            fence = _OPENING.match(self._buffer) or self._fence_after_lead()
            if fence is None:
                self._opening = not self._enter_inline() and self._undecided()
                return
            self._enter(fence[1], fence.end())

    def _enter_inline(self) -> bool:
        """Take backticks away that begin the answer, in languages and files that have none of their own."""
        ticks = _INLINE.match(self._buffer)
        language = self._cursor.language
        if ticks is None or language is None or language.id not in _WITHOUT:
            return False
        if any("`" in text for text in self._cursor.nearby):
            return False
        self._inline, self._buffer = ticks[1], self._buffer[ticks.end() :]
        return True

    def _enter(self, info: str, end: int) -> None:
        """Take the opening fence away, unless it is part of the document or closes what is open."""
        word = info.strip().partition(" ")[0].lower()
        if (self._markdown and word not in _OWN) or (self._inside and not word):
            self._opening = False
            return
        self._inside = self._fresh = True
        self._buffer = self._buffer[end:]

    def _fence_after_lead(self) -> re.Match[str] | None:
        """The first fence, when only a sentence stands ahead of it."""
        fence = None if self._inside else _LEADING_FENCE.search(self._buffer)
        lead = self._buffer[: fence.start()].strip() if fence else ""
        return fence if len(lead) <= self._lead and _sentence(lead) is True else None

    def _undecided(self) -> bool:
        """Whether more text could still turn the beginning into a fence or into a lead-in to one."""
        if _MAY_BE_OPENING.fullmatch(self._buffer):
            return True
        fence = _MAY_BE_LEADING.search(self._buffer)
        text = self._buffer[: fence.start() if fence else len(self._buffer)].strip()
        return not self._inside and len(text) <= self._lead and _sentence(text) is not False

    def _give(self) -> str:
        """What of the buffer is surely code."""
        if self._inline:
            return self._give_inline()
        if not self._inside:
            text, self._buffer = self._buffer, ""
            return text
        # The newline that ended the opening fence may begin the closing one.
        text = "\n" * self._fresh + self._buffer
        end = self._closing(text)
        self.cut = end is not None
        if end is None:
            may_be = _MAY_BE_FENCE.search(text)
            end = may_be.start() if may_be else len(text)
        self._buffer = "" if self.cut else text[max(end, self._fresh) :]
        given = text[self._fresh : end]
        self._fresh = self._fresh and end <= 0
        return given

    def _give_inline(self) -> str:
        """All up to the backticks that end it."""
        text, end, _ = self._buffer.partition(self._inline)
        self.cut = bool(end)
        self._buffer = "" if end or not text.endswith("`") else "`"
        return text[: len(text) - len(self._buffer)]

    def _closing(self, text: str) -> int | None:
        """Where the closing fence begins, its newline included."""
        for fence in _FENCE.finditer(text):
            if self._markdown:
                self._depth += 1 if fence[1].strip() else -1
            if not self._markdown or self._depth < 0:
                return fence.start()
        return None


def _sentence(text: str) -> bool | None:
    """Whether `text` begins like a sentence; None while its first word is not complete."""
    word = _WORD.match(text)
    if word is None:
        return False
    if word.end() == len(text):
        return None if any(opener.startswith(word[0]) for opener in OPENERS) else False
    return text[word.end()] in " ,!.:" and word[0].replace("\u2019", "'") in OPENERS

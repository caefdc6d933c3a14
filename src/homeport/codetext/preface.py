"""What stands ahead of an answer: thoughts of a reasoning model, marks of a prompt's layout.

A server that is configured well takes both out; many are not.
Sources: the documents named in `homeport/families/*.py`.
"""

# ruff: noqa: RUF001 (the sentinels are spelled with these bars)

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from homeport.codetext.sentinels import LABEL
from homeport.codetext.thinking import TAGS

if TYPE_CHECKING:
    from homeport.codetext.cursor import Cursor

LEADING: tuple[str, ...] = (
    *("<|fim_middle|>", "<fim_middle>", "<fim-middle>", "[MIDDLE]", "<MID>", "<|fim_end|>", "<｜fim▁end｜>"),
    *("<s>", "<bos>", "<|begin_of_text|>", "<｜begin▁of▁sentence｜>", "<|startoftext|>", "[/INST]"),
)
"""Marks right behind which an answer begins."""
TURNS: tuple[str, ...] = (
    *("<|im_start|>assistant", "<|start_header_id|>assistant<|end_header_id|>", "<start_of_turn>model"),
    *("<|start_of_role|>assistant<|end_of_role|>", "<|assistant|>", "<｜Assistant｜>"),
    *(
        "<before_cursor>",
        LABEL,
        "<|start|>assistant<|channel|>final<|message|>",
        "<|channel|>final<|message|>",
        "<|message|>",
    ),
)
"""Marks of a turn in a conversation; line ends may follow."""
WRAPPERS: tuple[str, ...] = ("<code>", "<completion>", "<answer>", "<new_code>", "<insert>", "<output>")
"""Tags that chat models put around code, where tags are no code."""
WITH_TAGS = frozenset(("js", "ts", "csharp", "markdown"))
"""Languages in which such a tag may well be code, beside those written in tags."""
LINE_ENDS = 2
"""Line ends that belong to the mark or to the thought ahead of them."""
BLANK = 2000
"""Characters of white space that are waited for an opening to follow."""


class _Openings(NamedTuple):
    whole: re.Pattern[str]
    beginnings: frozenset[str]
    """Every proper beginning of one."""
    first: frozenset[str]
    """The characters that they begin with."""


@lru_cache(maxsize=4)
def _openings(*, markup: bool, tags: bool) -> _Openings:
    words = {*TAGS, *LEADING, *TURNS, *WRAPPERS}
    words -= {*(WRAPPERS if tags else ()), *(("<s>",) if markup else ())}
    longest_first = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    beginnings = frozenset(word[:size] for word in words for size in range(1, len(word)))
    return _Openings(re.compile(longest_first), beginnings, frozenset(word[0] for word in words))


class Preface:
    """Takes away thoughts and marks that the answer begins with, white space ahead of them too.

    Holds back: white space, and what may be such a mark, at the start; a thought as long as it lasts.
    `close` is the tag that ends the answer when it began with one.
    """

    __slots__ = ("_buffer", "_cursor", "_line_ends", "_openings", "_thought", "close", "open")

    def __init__(self, cursor: Cursor) -> None:
        language = cursor.language
        self._cursor = cursor
        markup = language is None or language.markup
        self._openings = _openings(markup=markup, tags=markup or (language is not None and language.id in WITH_TAGS))
        self._buffer = ""
        self._line_ends = 0
        """So many line ends are still taken away."""
        self._thought = ""
        """What ends the thought at hand."""
        self.close = ""
        self.open = True
        """Not yet known where the answer begins."""

    def feed(self, text: str) -> str:
        """The text of the answer, as far as it is certain that it is one."""
        self._buffer += text
        while self.open:
            if not self._at_text():
                return ""
            opening = self._opening(self._buffer.lstrip())
            if opening is None:
                return ""
            self._take(opening)
        text, self._buffer = self._buffer, ""
        return text

    def end(self) -> str:
        """What was held back; a thought that nothing ended is no answer."""
        text, self._buffer = self._buffer, ""
        return "" if self._thought else text

    def _at_text(self) -> bool:
        """Pass over a thought and the line ends behind it; whether there is something else."""
        if self._thought:
            _, end, rest = self._buffer.partition(self._thought)
            self._buffer = rest if end else self._buffer[1 - len(self._thought) :]
            if not end:
                return False
            self._thought = ""
        while self._line_ends and self._buffer.startswith("\n"):
            self._line_ends -= 1
            self._buffer = self._buffer[1:]
        self.open = len(self._buffer) < BLANK or not self._buffer.isspace()
        return not self.open or bool(self._buffer.strip())

    def _opening(self, answer: str) -> str | None:
        """What the answer begins with: a mark, nothing of the kind, or None while that is undecided."""
        if not answer or answer[0] not in self._openings.first:
            return ""
        found = self._openings.whole.match(answer)
        if found and not self._cursor.mentions(found[0]):
            return found[0]
        return None if answer in self._openings.beginnings else ""

    def _take(self, opening: str) -> None:
        """Go on behind the opening, or give all if there is none."""
        if not opening:
            self.open = False
            return
        self._buffer = self._buffer.lstrip()[len(opening) :]
        self._thought = TAGS.get(opening, "")
        self._line_ends = 0 if opening in LEADING else LINE_ENDS
        if opening in WRAPPERS:
            self.close = f"</{opening[1:]}"

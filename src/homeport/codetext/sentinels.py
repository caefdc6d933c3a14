"""Tokens that end an answer: sentinels and turn marks of every family, and the caller's own stops.

A server that is configured well never sends one as text; many are not. Code that deals with
sentinels is spared: there they are left alone, in quotes or once one stands near the cursor.
Sources: the documents named in `homeport/families/*.py`; the tags around the cursor are those of our own wording.
"""

# ruff: noqa: RUF001 (the sentinels are spelled with these bars)

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from homeport.codetext.cursor import Cursor

LABEL = "Text to insert at the cursor:"
"""The last line of our own wording, which small models repeat."""
SENTINELS: tuple[str, ...] = (
    *("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>", "<|file_separator|>"),
    *("<|fim_begin|>", "<|fim_hole|>", "<|fim_end|>", "<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),
    *("<|repo_name|>", "<|file_sep|>", "<|endoftext|>", "<|end_of_text|>", "<|begin_of_text|>", "<|startoftext|>"),
    *("<|im_start|>", "<|im_end|>", "<|im_sep|>", "<|eot_id|>", "<|eom_id|>", "<|endofprompt|>"),
    *("<|start_header_id|>", "<|end_header_id|>", "<|python_tag|>", "<|finetune_right_pad_id|>", "<|tool_call|>"),
    *("<|EOT|>", "<|end|>", "<|start|>", "<|return|>", "<|channel|>", "<|message|>", "<|call|>"),
    *("<|user|>", "<|assistant|>", "<|system|>", "<|start_of_role|>", "<|end_of_role|>"),
    *("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>", "<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
    *("<repo_name>", "<file_sep>", "<gh_stars>", "<issue_start>", "<jupyter_start>", "<commit_before>"),
    *("<jupyter_code>", "<jupyter_text>", "<empty_output>", "<end_of_utterance>", "<|end_of_sentence|>"),
    *("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", "<｜end▁of▁sentence｜>", "<｜begin▁of▁sentence｜>"),
    *("<｜User｜>", "<｜Assistant｜>", "<end_of_turn>", "<start_of_turn>", "<eos>", "<bos>"),
    *("</think>", "[/THINK]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]"),
    *("<after_cursor>", "</after_cursor>", LABEL),
    *("[PREFIX]", "[SUFFIX]", "[MIDDLE]", "[INST]", "[/INST]"),
)
REMOVED: tuple[str, ...] = (
    *("<|cursor|>", "<|CURSOR|>", "<|user_cursor_is_here|>", "<before_cursor>", "</before_cursor>"),
)
"""Marks that stand for the cursor: no end, only no code."""
TAG_LIKE: tuple[str, ...] = ("<s>", "</s>", "<PRE>", "<SUF>", "<MID>", "<EOT>")
"""Sentinels that are also tags: no sign of anything in a language written in tags."""


class _Tokens(NamedTuple):
    whole: re.Pattern[str]
    first: re.Pattern[str]
    """The characters that tokens begin with."""
    beginnings: frozenset[str]
    """Every proper beginning of a token."""
    longest: int


@lru_cache(maxsize=256)
def _tokens(stops: tuple[str, ...], *, markup: bool) -> _Tokens:
    words = {word for word in (*SENTINELS, *REMOVED, *(() if markup else TAG_LIKE), *stops) if word}
    return _Tokens(
        re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))),
        re.compile("[" + "".join(re.escape(char) for char in {word[0] for word in words}) + "]"),
        frozenset(word[:size] for word in words for size in range(1, len(word))),
        max(map(len, words)),
    )


_OPENING_QUOTE = re.compile(r"(?:^|[^\w\"'\\)\]}])[A-Za-z]{0,2}[\"'`]\Z")
_AHEAD = 4
"""Characters ahead of a token that tell whether a quote opens a string."""


@lru_cache(maxsize=1)
def _named() -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, (*SENTINELS, *REMOVED))))


class Stops:
    """Lets text through up to the first token that ends it.

    Holds back at most one character less than the longest token: the part that may still become one.
    """

    __slots__ = ("_cursor", "_given", "_held", "_last", "_markup", "_spared", "_tokens", "cut")

    def __init__(self, cursor: Cursor, stops: tuple[str, ...]) -> None:
        self._cursor = cursor
        self._given = stops
        self._markup = cursor.language is not None and cursor.language.markup
        self._tokens = _tokens(stops, markup=self._markup)
        self._held = ""
        self._last = ""
        """The characters ahead of what is held."""
        self._spared = False
        self.cut = False

    def feed(self, text: str) -> str:
        """The text that surely stands before every token."""
        if not self._held and not self._tokens.first.search(text):
            self._last = (self._last + text)[-_AHEAD:]
            return text
        text = self._held + text
        text, safe = self._find(text, self._undecided(text))
        self._held = text[safe:]
        self._last = (self._last + text[:safe])[-_AHEAD:]
        return text[:safe]

    def end(self) -> str:
        """What was held back and became no token."""
        text, safe = self._find(self._held, len(self._held))
        self._held = ""
        return text[:safe]

    def also(self, *stops: str) -> None:
        """From now on end at these too."""
        self._given = (*self._given, *stops)
        self._tokens = _tokens(self._given, markup=self._markup)

    def _find(self, text: str, until: int) -> tuple[str, int]:
        """The text without marks of the cursor, and where it ends: at the first token that begins by `until`."""
        found = self._tokens.whole.search(text)
        while found and found.start() <= until:
            start = found.start()
            meant = found[0] not in self._given and self._is_meant(found[0], start, text)
            if not meant and found[0] not in REMOVED:
                self.cut = True
                return text, start
            if not meant:
                text = text[:start] + text[found.end() :]
                until -= len(found[0])
            found = self._tokens.whole.search(text, start + meant)
        return text, until

    def _is_meant(self, token: str, at: int, text: str) -> bool:
        """Whether the code is about sentinels."""
        if not self._spared:
            ahead = (self._last + text[max(at - _AHEAD, 0) : at])[-_AHEAD:]
            self._spared = (
                _OPENING_QUOTE.search(ahead) is not None
                or self._cursor.mentions(token)
                or any(map(_named().search, self._cursor.nearby))
            )
        return self._spared

    def _undecided(self, text: str) -> int:
        """Where a token may have begun that is not complete yet."""
        tokens = self._tokens
        begin = max(len(text) - tokens.longest + 1, 0)
        for first in tokens.first.finditer(text, begin):
            if text[first.start() :] in tokens.beginnings:
                return first.start()
        return len(text)

"""Thoughts that a model speaks aloud before its answer, where its server does not take them out.

Source: the chat templates of DeepSeek-R1 and Qwen3, of Magistral, and of gpt-oss.
"""

from __future__ import annotations

import re

TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "[THINK]": "[/THINK]",
    "<|channel|>analysis<|message|>": "<|channel|>final<|message|>",
}
"""What begins a thought, and what ends it."""


_LONE_END = re.compile(r"\A(?:(?!<think).)*?^</think(?:ing)?>\s*$\s*", re.DOTALL | re.MULTILINE)
"""Everything up to an end that has a line of its own and no beginning ahead of it."""


class Thoughts:
    """Takes away the thoughts ahead of an answer, `<think>…</think>`, as it streams: `feed` each piece, `end` once.

    What may still become a tag is held back, and so are blank lines behind it; nothing else is.
    """

    __slots__ = ("_after", "_ends", "_held", "_through")

    def __init__(self) -> None:
        self._held = ""
        self._ends = ""
        """What ends the thought at hand."""
        self._after = False
        self._through = False

    def feed(self, text: str) -> str:
        """What of the answer is known to be none of its thoughts."""
        if self._through:
            return text
        self._held += text
        while self._ends or self._begin():
            _, closed, rest = self._held.partition(self._ends)
            if not closed:
                self._held = self._held[1 - len(self._ends) :]
                return ""
            self._held, self._ends, self._after = rest, "", True
        begun = self._held.lstrip()
        return "" if any(tag.startswith(begun) for tag in TAGS) else self._release()

    def end(self) -> str:
        """What was held back and turned out to be no thought."""
        return "" if self._through or self._ends else self._release()

    def _begin(self) -> bool:
        """Whether a thought begins here; then its tag is gone."""
        begun = self._held.lstrip()
        opening = next((tag for tag in TAGS if begun.startswith(tag)), "")
        if opening:
            self._held, self._ends = begun.removeprefix(opening), TAGS[opening]
        return bool(opening)

    def _release(self) -> str:
        self._through = True
        return self._held.lstrip() if self._after else self._held


def without_thoughts(text: str) -> str:
    """A whole answer without its leading thoughts."""
    thoughts = Thoughts()
    return thoughts.feed(text) + thoughts.end()


def answer_of(text: str) -> str:
    """As `without_thoughts`, and without a thought that a chat template began: a stream learns of its end too late."""
    answer = without_thoughts(text)
    ended = _LONE_END.search(answer)
    return answer[ended.end() :] if ended else answer

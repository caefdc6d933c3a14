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

    What may still become a tag is held back, and so are blank lines around a thought; nothing else is.
    """

    __slots__ = ("_after", "_ends", "_held", "_thinks", "thought", "through")

    def __init__(self) -> None:
        self.thought = ""
        """What of the piece that was given last is a thought; of no meaning once more is given behind the thoughts."""
        self.through = False
        """Whether the answer itself has begun: all that follows belongs to it."""
        self._held = ""
        self._ends = ""
        """What ends the thought at hand."""
        self._thinks = False
        """Whether anything but blank lines was thought."""
        self._after = False

    @property
    def midway(self) -> bool:
        """Whether a text without `<` can be nothing but more of the thought."""
        return self._thinks and self._ends.startswith("<") and not self._held

    def feed(self, text: str) -> str:
        """What of the answer is known to be none of its thoughts."""
        if self.through:
            return text
        self.thought = ""
        self._held += text
        while self._ends or self._begin():
            thought, closed, rest = self._held.partition(self._ends)
            if not closed:
                known = len(self._held) - _begun(self._held, self._ends)
                self._think(self._held[:known])
                self._held = self._held[known:]
                return ""
            self._think(thought)
            self._held, self._ends, self._after = rest, "", True
        begun = self._held.lstrip()
        return "" if any(tag.startswith(begun) for tag in TAGS) else self._release()

    def end(self) -> str:
        """What was held back and turned out to be no thought; one that was cut off is `thought`."""
        self.thought = ""
        if self.through:
            return ""
        if not self._ends:
            return self._release()
        self._think(self._held)
        self._held, self._ends, self.through = "", "", True
        return ""

    def _think(self, thought: str) -> None:
        self.thought += thought if self._thinks else thought.lstrip()
        self._thinks = self._thinks or bool(self.thought)

    def _begin(self) -> bool:
        """Whether a thought begins here; then its tag is gone."""
        begun = self._held.lstrip()
        opening = next((tag for tag in TAGS if begun.startswith(tag)), "")
        if opening:
            self._held, self._ends = begun.removeprefix(opening), TAGS[opening]
        return bool(opening)

    def _release(self) -> str:
        self.through = True
        return self._held.lstrip() if self._after else self._held


def _begun(text: str, tag: str) -> int:
    """How many characters at the end of a text may be the beginning of a tag."""
    at = text.find(tag[0], 1 - len(tag))
    while at >= 0:
        if tag.startswith(text[at:]):
            return len(text) - at
        at = text.find(tag[0], at + 1)
    return 0


def without_thoughts(text: str) -> str:
    """A whole answer without its leading thoughts."""
    thoughts = Thoughts()
    return thoughts.feed(text) + thoughts.end()


def answer_of(text: str) -> str:
    """As `without_thoughts`, and without a thought that a chat template began: a stream learns of its end too late."""
    return divided(text)[1]


def divided(text: str) -> tuple[str, str]:
    """The thoughts of a whole answer, also of one that its chat template began, and the answer."""
    thoughts = Thoughts()
    answer = thoughts.feed(text)
    thought = thoughts.thought
    answer += thoughts.end()
    thought += thoughts.thought
    ended = _LONE_END.search(answer)
    if ended:
        thought += answer[: ended.end()].rpartition("</think")[0]
    return thought.strip(), answer[ended.end() :] if ended else answer

"""Thoughts that a model speaks aloud before its answer, where its server does not take them out.

Sources: the chat templates of DeepSeek-R1 and Qwen3, of Magistral, and of gpt-oss. Those of DeepSeek-R1 and of Qwen3's
thinking models put `<think>` into the prompt, so that the model's text begins inside the thought.
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
END = TAGS["<think>"]
"""What ends a thought that a chat template began."""

_LONE_END = re.compile(r"\A(?:(?!<think).)*?^</think(?:ing)?>\s*$\s*", re.DOTALL | re.MULTILINE)
"""Everything up to an end that has a line of its own and no beginning ahead of it."""


class Thoughts:
    """Takes away the thoughts ahead of an answer, `<think>…</think>`, as it streams: `feed` each piece, `end` once.

    What may still become a tag is held back, and so are blank lines around a thought; nothing else is. With `begun`,
    the text is known to begin inside a thought.
    """

    __slots__ = ("_after", "_begun", "_ends", "_held", "_said", "_thinks", "thought", "through")

    def __init__(self, *, begun: bool = False) -> None:
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
        self._begun = begun
        """Whether the text is in a thought without having begun one."""
        self._said: list[str] = []
        """What was thought in it: if nothing ends it, there was none."""

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
            self._held, self._ends, self._after, self._begun = rest, "", True, False
        begun = self._held.lstrip()
        return "" if any(tag.startswith(begun) for tag in TAGS) else self._release()

    def end(self, finish: str | None = None) -> str:
        """What was held back and turned out to be no thought; one that was cut off is `thought`.

        Where the model came to its end (`finish` is "stop") in a thought that it did not begin, all was its answer.
        """
        self.thought = ""
        if self.through:
            return ""
        if not self._ends:
            return self._release()
        answer = "".join(self._said) + self._held if self._begun and finish == "stop" else ""
        if not answer:
            self._think(self._held)
        self._held, self._ends, self.through = "", "", True
        return answer

    def _think(self, thought: str) -> None:
        if self._begun:
            self._said.append(thought)
        self.thought += thought if self._thinks else thought.lstrip()
        self._thinks = self._thinks or bool(self.thought)

    def _begin(self) -> bool:
        """Whether a thought begins here; then its tag is gone."""
        begun = self._held.lstrip()
        opening = next((tag for tag in TAGS if begun.startswith(tag)), "")
        if opening:
            self._held, self._ends, self._begun = begun.removeprefix(opening), TAGS[opening], False
        elif self._begun and not any(tag.startswith(begun) for tag in TAGS):
            self._ends = END
        return bool(self._ends)

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


def answer_of(text: str, *, begun: bool = False) -> str:
    """As `without_thoughts`, and without a thought that a chat template began: a stream learns of its end too late."""
    return divided(text, begun=begun)[1]


def divided(text: str, *, begun: bool = False) -> tuple[str, str]:
    """The thoughts of a whole answer, also of one that its chat template began, and the answer."""
    thoughts = Thoughts(begun=begun and END in text)
    answer = thoughts.feed(text)
    thought = thoughts.thought
    answer += thoughts.end()
    thought += thoughts.thought
    ended = _LONE_END.search(answer)
    if ended:
        thought += answer[: ended.end()].rpartition("</think")[0]
    return thought.strip(), answer[ended.end() :] if ended else answer

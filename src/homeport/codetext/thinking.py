"""Thoughts that a model speaks aloud before its answer, where its server does not take them out.

Source: the chat templates of DeepSeek-R1 and Qwen3, which put them between these two tags.
"""

from __future__ import annotations

OPENING, CLOSING = "<think>", "</think>"


class Thoughts:
    """Takes away a leading `<think>…</think>` as an answer streams: `feed` each piece, `end` once.

    What may still become the tag is held back, and so are blank lines behind it; nothing else is.
    """

    __slots__ = ("_held", "_through")

    def __init__(self) -> None:
        self._held = ""
        self._through = False

    def feed(self, text: str) -> str:
        """What of the answer is known to be none of its thoughts."""
        if self._through:
            return text
        self._held += text
        begun = self._held.lstrip()
        if not begun.startswith(OPENING):
            return "" if OPENING.startswith(begun) else self._release(self._held)
        _, _, answer = begun.partition(CLOSING)
        return self._release(answer.lstrip()) if answer.strip() else ""

    def end(self) -> str:
        """What was held back and turned out to be no thought."""
        begun = self._held.lstrip()
        return "" if self._through or begun.startswith(OPENING) else self._release(self._held)

    def _release(self, text: str) -> str:
        self._through = True
        return text


def without_thoughts(text: str) -> str:
    """A whole answer without its leading thoughts."""
    thoughts = Thoughts()
    return thoughts.feed(text) + thoughts.end()

"""Thoughts ahead of an answer, put apart from it where the model's server left them in the text.

They go where clients look for them: `reasoning_content` beside the content, as DeepSeek, llama.cpp and SGLang have it.
Once an answer itself has begun, and with most models that is its first word, nothing more is looked at.
"""

from __future__ import annotations

import re
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import orjson

from homeport.codetext.thinking import TAGS, Thoughts, divided
from homeport.domain.streams import Chunk

if TYPE_CHECKING:
    from homeport.domain.prompts import Prompt
    from homeport.domain.streams import Chunks

_DATA = re.compile(rb"^data: ?(.*?)(\r?)$", re.MULTILINE)
DONE = b"[DONE]"
_CONTENT = b'"content":'
"""Stands in a piece of an answer; inside a text a quotation mark is escaped."""
_BEGUN = re.compile(rb'"content": ?" *[^"\\<\[ ]')
"""A piece that begins as no thought does."""
_EMPTY = re.compile(rb'"content": ?(?:""|null)')
_UNSURE = re.compile(rb'<|\\u00|"reasoning|"tool_calls"')
"""What may be or hide a tag, and what an answer's own thoughts and calls of tools are known by."""


def apart(answer: Chunks, prompt: Prompt, *, begun: bool = False) -> Chunks:
    """The answer with its thoughts in a place of their own; with `begun`, its text is known to begin inside one."""
    return (_streamed if prompt.stream else _whole)(answer, prompt, begun=begun)


async def _whole(answer: Chunks, prompt: Prompt, *, begun: bool) -> Chunks:
    async with aclosing(answer):
        async for chunk in answer:
            if chunk.wire and prompt.relay:
                chunk.wire = _document(chunk, several=(prompt.extra.get("n") or 1) > 1, begun=begun)
            elif chunk.text and not chunk.wire and not chunk.thought and _may_hold(chunk.text):
                chunk.thought, chunk.text = divided(chunk.text, begun=begun)
            yield chunk


def _may_hold(text: str) -> bool:
    return text.lstrip().startswith(tuple(TAGS)) or "</think" in text


def _document(chunk: Chunk, *, several: bool, begun: bool) -> bytes:
    """The bytes of a document of OpenAI's format, made anew where there are thoughts in its text."""
    if not several and not _may_hold(chunk.text):
        return chunk.wire
    document = orjson.loads(chunk.wire)
    found = [_divide(choice.get("message"), begun=begun) for choice in document["choices"] if isinstance(choice, dict)]
    return orjson.dumps(document) if any(found) else chunk.wire


def _divide(message: Any, *, begun: bool) -> bool:  # noqa: ANN401 (whatever JSON came)
    """Move the thoughts out of a message's text; whether there were any."""
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, str) or _knows(message) or not _may_hold(content):
        return False
    thought, message["content"] = divided(content, begun=begun)
    message["reasoning_content"] = thought
    return True


def _knows(said: dict[str, Any]) -> bool:
    """Whether the server puts thoughts apart by itself."""
    return bool(said.get("reasoning_content") or said.get("reasoning"))


async def _streamed(answer: Chunks, prompt: Prompt, *, begun: bool) -> Chunks:
    thoughts = Thoughts(begun=begun)
    events = _Events(prompt.extra.get("n") or 1, begun=begun)
    async with aclosing(answer):
        async for chunk in answer:
            if chunk.wire and prompt.relay:
                chunk.wire = events.feed(chunk.wire)
            elif chunk.wire or chunk.thought or chunk.piece is not None:
                chunk.text = thoughts.feed(chunk.text) + thoughts.end()
                thoughts.through = True
            elif chunk.text or chunk.finish:
                _split(thoughts, chunk)
            yield chunk
            if thoughts.through or events.through:
                break
        async for chunk in answer:
            yield chunk
    rest = thoughts.end()
    if rest or thoughts.thought:
        yield Chunk(rest, thought=thoughts.thought)


def _split(thoughts: Thoughts, chunk: Chunk) -> None:
    """Put the thoughts apart of a piece that is in our own words."""
    chunk.text, chunk.thought = thoughts.feed(chunk.text), thoughts.thought
    if chunk.finish:
        chunk.text += thoughts.end(chunk.finish)
        chunk.thought += thoughts.thought


class _Events:
    """Takes events of OpenAI's format, whole ones, and gives them with their thoughts apart."""

    def __init__(self, answers: int, *, begun: bool) -> None:
        self._answers = answers
        self._begun = begun
        self._last: dict[str, Any] = {}
        self._of: dict[int, Thoughts] = {}
        """By the index of an answer."""

    @property
    def through(self) -> bool:
        """Whether every answer has begun."""
        return len(self._of) >= self._answers and all(each.through for each in self._of.values())

    def feed(self, events: bytes) -> bytes:
        """The same events; those with thoughts are made anew."""
        seen = self._at_a_glance(events) if self._answers == 1 and events.count(b"\n\n") == 1 else None
        return _DATA.sub(self._event, events) if seen is None else seen

    def _at_a_glance(self, event: bytes) -> bytes | None:
        """What becomes of most events, known without parsing them; None for any other."""
        thoughts = self._of.get(0)
        if thoughts is None:
            if not self._begun and _BEGUN.search(event):
                self._of[0] = Thoughts()
                self._of[0].through = True
                return event
            return event if _EMPTY.search(event) and not _UNSURE.search(event) else None
        if thoughts.midway and event.count(_CONTENT) == 1 and not _UNSURE.search(event):
            return event.replace(_CONTENT, b'"reasoning_content":')
        return None

    def _event(self, line: re.Match[bytes]) -> bytes:
        data = line[1]
        if data == DONE:
            return self._rest() + line[0]
        try:
            found = orjson.loads(data)
        except orjson.JSONDecodeError:
            return line[0]
        choices = found.get("choices")
        if not isinstance(choices, list):
            return line[0]
        changed = [self._choice(choice) for choice in choices if isinstance(choice, dict)]
        if changed:
            self._last = found
        return b"data: " + orjson.dumps(found) + line[2] if any(changed) else line[0]

    def _choice(self, choice: dict[str, Any]) -> bool:
        """Put the thoughts of one answer's piece apart; whether anything was changed."""
        delta, index = choice.get("delta"), choice.get("index")
        thoughts = self._of.setdefault(index if isinstance(index, int) else 0, Thoughts(begun=self._begun))
        if not isinstance(delta, dict) or thoughts.through:
            return False
        content = delta.get("content")
        given = content if isinstance(content, str) else ""
        answer, thought = thoughts.feed(given), thoughts.thought
        if choice.get("finish_reason") or _knows(delta) or delta.get("tool_calls"):
            answer += thoughts.end(choice.get("finish_reason"))
            thought += thoughts.thought
            thoughts.through = True
        if answer == given and not thought:
            return False
        delta["content"] = answer
        if thought:
            delta["reasoning_content"] = thought
        return True

    def _rest(self) -> bytes:
        """What was held back of answers that ended without a reason."""
        return b"".join(self._left(index, thoughts) for index, thoughts in self._of.items())

    def _left(self, index: int, thoughts: Thoughts) -> bytes:
        answer = thoughts.end()
        if not answer and not thoughts.thought:
            return b""
        delta = {"content": answer} | ({"reasoning_content": thoughts.thought} if thoughts.thought else {})
        choice = {"index": index, "delta": delta, "finish_reason": None}
        return b"data: " + orjson.dumps({**self._last, "choices": [choice]}) + b"\n\n"

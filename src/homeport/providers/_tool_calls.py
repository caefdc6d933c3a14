"""Answers with tool calls: as one call for an agent, or in OpenAI's wire format from platforms that do not speak it.

Source: the OpenAI API reference, "Create chat completion", the chat completion (chunk) object.
"""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import orjson

from homeport.domain.agents import ToolCall
from homeport.domain.streams import CallPiece, Chunk, Usage
from homeport.kit.journal import correlation_id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping

    from homeport.domain.models import Model
    from homeport.domain.prompts import Prompt
    from homeport.domain.streams import Chunks

DONE = b"data: [DONE]\n\n"


def rendered(pieces: AsyncGenerator[Chunk | CallPiece, None], model: Model, prompt: Prompt) -> Chunks:
    """Chunks; where tools were offered to a client of OpenAI's format, as its bytes."""
    if prompt.parts:
        return _in_parts(pieces)
    if not (prompt.relay and prompt.extra.get("tools")):
        return _words(pieces)
    return (_streamed if prompt.stream else _whole)(pieces, model, prompt)


async def _words(pieces: AsyncGenerator[Chunk | CallPiece, None]) -> Chunks:
    """The text as it comes, and at the end the first call, if there is one."""
    calls: list[CallPiece] = []
    async with aclosing(pieces) as found:
        async for piece in found:
            if isinstance(piece, Chunk):
                yield piece
            else:
                calls.append(piece)
    call = first(calls)
    if call is not None:
        yield Chunk(call=call)


async def _in_parts(pieces: AsyncGenerator[Chunk | CallPiece, None]) -> Chunks:
    """Everything as it comes."""
    async with aclosing(pieces) as found:
        async for piece in found:
            yield piece if isinstance(piece, Chunk) else Chunk(piece=piece)


class Heard:
    """Reads the text of a chat's events, and keeps the pieces of calls between them."""

    def __init__(self) -> None:
        self._pieces: list[CallPiece] = []

    def text(self, choice: Mapping[str, Any]) -> object:
        """The text of an event's first choice."""
        delta = choice["delta"]
        self._pieces.extend(pieces_of(delta))
        return delta.get("content")

    @property
    def call(self) -> ToolCall | None:
        """The first call, once everything was read."""
        return first(self._pieces)


class Spoken:
    """Reads all parts of a chat's events: text, thoughts, pieces of calls, and what ended the text."""

    __slots__ = ("_pieces", "_stopped_by", "_thought")

    def __init__(self) -> None:
        self._pieces: list[CallPiece] = []
        self._thought = self._stopped_by = ""

    def text(self, choice: Mapping[str, Any]) -> object:
        """The text of an event's first choice; the rest is kept until it is taken."""
        delta = choice["delta"]
        if "tool_calls" in delta:
            self._pieces.extend(pieces_of(delta))
        self._thought = thought_of(delta)
        self._stopped_by = stopped_by(choice)
        return delta.get("content")

    def taken(self, chunk: Chunk) -> Iterator[Chunk]:
        """The chunk of the event that was read last, with all that it held."""
        chunk.thought, chunk.stopped_by = self._thought, self._stopped_by
        self._thought = self._stopped_by = ""
        yield chunk
        if self._pieces:
            yield from (Chunk(piece=piece) for piece in self._pieces)
            self._pieces.clear()

    @staticmethod
    def whole(choice: Mapping[str, Any], chunk: Chunk) -> list[CallPiece]:
        """Put the thoughts of a document's choice into its chunk; its calls."""
        chunk.thought, chunk.stopped_by = thought_of(choice["message"]), stopped_by(choice)
        return list(pieces_of(choice["message"]))


def thought_of(said: Mapping[str, Any]) -> str:
    """What the model thought aloud: `reasoning_content` (DeepSeek, llama.cpp, SGLang) or `reasoning` (vLLM)."""
    thought = said.get("reasoning_content") or said.get("reasoning")
    return thought if isinstance(thought, str) else ""


def stopped_by(choice: Mapping[str, Any]) -> str:
    """The stop sequence that ended the text: vLLM and SGLang tell (`stop_reason`, `matched_stop`)."""
    found = choice.get("stop_reason") or choice.get("matched_stop")
    return found if isinstance(found, str) else ""


def first(calls: Iterable[CallPiece]) -> ToolCall | None:
    """The first call, put together from its pieces: an agent makes one after the other."""
    own = list(calls)
    own = [each for each in own if each.at == own[0].at]
    name = next((each.name for each in own if each.name), "")
    return ToolCall(name=name, argument="".join(each.arguments for each in own)) if own else None


def pieces_of(message: Mapping[str, Any]) -> Iterator[CallPiece]:
    """The calls in a message or a delta of OpenAI's format; some servers leave out the index or send objects."""
    for number, each in enumerate(message.get("tool_calls") or ()):
        function = each.get("function") or {}
        given = function.get("arguments") or ""
        text = given if isinstance(given, str) else orjson.dumps(given).decode()
        at = each.get("index", number)
        yield CallPiece(
            at if isinstance(at, int) else number, str(each.get("id") or ""), str(function.get("name") or ""), text
        )


async def _streamed(pieces: AsyncGenerator[Chunk | CallPiece, None], model: Model, prompt: Prompt) -> Chunks:
    head = _head(model, "chat.completion.chunk")
    usage: Usage | None = None
    finish = "stop"
    role = {"role": "assistant"}
    places: dict[int, int] = {}
    async with aclosing(pieces) as found:
        async for piece in found:
            if isinstance(piece, CallPiece):
                yield Chunk(wire=_event(head, role | {"tool_calls": [_begun(piece, places)]}))
            else:
                usage, finish = piece.usage or usage, piece.finish or finish
                if not piece.text:
                    continue
                yield Chunk(wire=_event(head, role | {"content": piece.text}))
            role = {}
    end = _event(head, role, finish)
    if prompt.usage:
        end += b"data: " + orjson.dumps(head | {"choices": [], "usage": _usage(usage)}) + b"\n\n"
    yield Chunk(wire=end + DONE)
    yield Chunk(usage=usage, finish=finish)


async def _whole(pieces: AsyncGenerator[Chunk | CallPiece, None], model: Model, _prompt: Prompt) -> Chunks:
    text, finish = "", "stop"
    usage: Usage | None = None
    calls: dict[int, CallPiece] = {}
    async with aclosing(pieces) as found:
        async for piece in found:
            if isinstance(piece, CallPiece):
                old = calls.get(piece.at, CallPiece(piece.at))
                arguments = old.arguments + piece.arguments
                calls[piece.at] = CallPiece(piece.at, old.id or piece.id, old.name or piece.name, arguments)
            else:
                text += piece.text
                usage, finish = piece.usage or usage, piece.finish or finish
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if calls:
        message["tool_calls"] = [_function(call) for call in calls.values()]
    choice = {"index": 0, "message": message, "finish_reason": finish}
    body = _head(model, "chat.completion") | {"choices": [choice], "usage": _usage(usage)}
    yield Chunk(text, finish, usage, orjson.dumps(body))


def _head(model: Model, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{correlation_id()}", "object": kind, "created": int(time.time()), "model": model.name}


def _event(head: dict[str, Any], delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + orjson.dumps(head | {"choices": [choice]}) + b"\n\n"


def _begun(call: CallPiece, places: dict[int, int]) -> dict[str, Any]:
    """A piece as OpenAI counts: tool calls alone, from 0."""
    place = places.setdefault(call.at, len(places))
    if call.id:
        return {"index": place, **_function(call)}
    return {"index": place, "function": {"arguments": call.arguments}}


def _function(call: CallPiece) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or ""}}


def _usage(usage: Usage | None) -> dict[str, int]:
    found = usage or Usage()
    return {
        "prompt_tokens": found.prompt_tokens,
        "completion_tokens": found.completion_tokens,
        "total_tokens": found.total_tokens,
    }

"""Answers with tool calls: as one call for an agent, or in OpenAI's wire format from platforms that do not speak it.

Source: the OpenAI API reference, "Create chat completion", the chat completion (chunk) object.
"""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from homeport.domain.agents import ToolCall
from homeport.domain.streams import Chunk, Usage
from homeport.kit.journal import correlation_id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping

    from homeport.domain.models import Model
    from homeport.domain.prompts import Prompt
    from homeport.domain.streams import Chunks

DONE = b"data: [DONE]\n\n"


class Call(NamedTuple):
    """A piece of a tool call: the first one names the tool, all of them carry arguments."""

    at: int
    """Which part of the answer it is, in the platform's own count."""
    id: str = ""
    name: str = ""
    arguments: str = ""


def rendered(pieces: AsyncGenerator[Chunk | Call, None], model: Model, prompt: Prompt) -> Chunks:
    """Chunks; where tools were offered to a client of OpenAI's format, as its bytes."""
    if not (prompt.relay and prompt.extra.get("tools")):
        return _words(pieces)
    return (_streamed if prompt.stream else _whole)(pieces, model, prompt)


async def _words(pieces: AsyncGenerator[Chunk | Call, None]) -> Chunks:
    """The text as it comes, and at the end the first call, if there is one."""
    calls: list[Call] = []
    async with aclosing(pieces) as found:
        async for piece in found:
            if isinstance(piece, Chunk):
                yield piece
            else:
                calls.append(piece)
    call = first(calls)
    if call is not None:
        yield Chunk(call=call)


class Heard:
    """Reads the text of a chat's events, and keeps the pieces of calls between them."""

    def __init__(self) -> None:
        self._pieces: list[Call] = []

    def text(self, choice: Mapping[str, Any]) -> object:
        """The text of an event's first choice."""
        delta = choice["delta"]
        self._pieces.extend(pieces_of(delta))
        return delta.get("content")

    @property
    def call(self) -> ToolCall | None:
        """The first call, once everything was read."""
        return first(self._pieces)


def first(calls: Iterable[Call]) -> ToolCall | None:
    """The first call, put together from its pieces: an agent makes one after the other."""
    own = list(calls)
    own = [each for each in own if each.at == own[0].at]
    name = next((each.name for each in own if each.name), "")
    return ToolCall(name=name, argument="".join(each.arguments for each in own)) if own else None


def pieces_of(message: Mapping[str, Any]) -> Iterator[Call]:
    """The calls in a message or a delta of OpenAI's format; some servers leave out the index or send objects."""
    for number, each in enumerate(message.get("tool_calls") or ()):
        function = each.get("function") or {}
        given = function.get("arguments") or ""
        text = given if isinstance(given, str) else orjson.dumps(given).decode()
        at = each.get("index", number)
        yield Call(at if isinstance(at, int) else number, "", str(function.get("name") or ""), text)


async def _streamed(pieces: AsyncGenerator[Chunk | Call, None], model: Model, prompt: Prompt) -> Chunks:
    head = _head(model, "chat.completion.chunk")
    usage: Usage | None = None
    finish = "stop"
    role = {"role": "assistant"}
    places: dict[int, int] = {}
    async with aclosing(pieces) as found:
        async for piece in found:
            if isinstance(piece, Call):
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


async def _whole(pieces: AsyncGenerator[Chunk | Call, None], model: Model, _prompt: Prompt) -> Chunks:
    text, finish = "", "stop"
    usage: Usage | None = None
    calls: dict[int, Call] = {}
    async with aclosing(pieces) as found:
        async for piece in found:
            if isinstance(piece, Call):
                old = calls.get(piece.at, Call(piece.at))
                arguments = old.arguments + piece.arguments
                calls[piece.at] = Call(piece.at, old.id or piece.id, old.name or piece.name, arguments)
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


def _begun(call: Call, places: dict[int, int]) -> dict[str, Any]:
    """A piece as OpenAI counts: tool calls alone, from 0."""
    place = places.setdefault(call.at, len(places))
    if call.id:
        return {"index": place, **_function(call)}
    return {"index": place, "function": {"arguments": call.arguments}}


def _function(call: Call) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or ""}}


def _usage(usage: Usage | None) -> dict[str, int]:
    found = usage or Usage()
    return {
        "prompt_tokens": found.prompt_tokens,
        "completion_tokens": found.completion_tokens,
        "total_tokens": found.total_tokens,
    }

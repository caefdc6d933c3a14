"""Ollama's `/api/chat`: a conversation with tools, thoughts and pictures.

Source: Ollama's API documentation, "Generate a chat completion".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Required

import orjson
from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from homeport.access import Need
from homeport.domain.requests import ChatRequest
from homeport.protocols import Answer, Arrival, Ask, Asked, Streaming, WireProtocol
from homeport.protocols._ollama import LINES, OllamaBody, document, ended, failed, line, messages_of
from homeport.protocols._parts import Move, Part, Parts, arguments, writer_of
from homeport.protocols._sentence import error

if TYPE_CHECKING:
    from homeport.domain.streams import Chunk


@with_config(ConfigDict(extra="allow"))
class OllamaMessage(TypedDict, total=False):
    """One turn."""

    role: Required[Annotated[str, Field(pattern=r"^(system|developer|user|assistant|tool)$")]]
    content: str | None
    images: list[str] | None
    thinking: str | None
    tool_calls: list[dict[str, Any]] | None


class OllamaChatBody(OllamaBody):
    """A conversation that wants its next turn. An empty one asks whether the model is ready."""

    messages: list[OllamaMessage] | None = Field(None, max_length=100_000)
    tools: list[dict[str, Any]] | None = Field(None, max_length=1024)

    @property
    def idle(self) -> str:
        """What is told where nothing is to be said; empty where something is."""
        if self.messages:
            return ""
        return "unload" if self.unloads else "load"


def parse(body: OllamaChatBody, _arrival: Arrival) -> Asked:
    """The conversation as the chat feature takes it."""
    request = ChatRequest(
        raw_messages=messages_of(body.messages or ()),
        extra={**body.extra(), **({"tools": body.tools} if body.tools else {})},
        model=body.model,
        sampling=body.chosen().sampling(),
        stream=body.streams,
        parts=True,
    )
    return Asked(
        "chat",
        request,
        body.streams,
        echo={"idle": body.idle},
        ignored=body.ignored(),
        writer=Parts(thoughts=body.think is not False),
        idle=bool(body.idle),
    )


def whole(asked: Asked, answer: Answer) -> bytes:
    """The answer as one document."""
    writer = writer_of(asked, Parts)
    writer.end()
    thoughts = "".join(part.text for part in writer.all if part.kind == "thought")
    calls = [_call(part, answer) for part in writer.calls]
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    message |= {"thinking": thoughts} if thoughts else {}
    message |= {"tool_calls": calls} if calls else {}
    return document(asked, answer, {"message": message})


def piece(asked: Asked, answer: Answer, chunk: Chunk) -> bytes:
    """The lines of a chunk; a call of a tool is told once it is whole."""
    return b"".join([_moved(move, answer) for move in writer_of(asked, Parts).add(chunk)])


def _moved(move: Move, answer: Answer) -> bytes:
    if move.part.kind == "call":
        if move.step != "close":
            return b""
        calls = orjson.dumps([_call(move.part, answer)])
        return line(answer, b'"message":{"role":"assistant","content":"","tool_calls":%b}' % calls)
    if move.step != "more":
        return b""
    if move.part.kind == "text":
        return line(answer, b'"message":{"role":"assistant","content":%b}' % orjson.dumps(move.text))
    return line(answer, b'"message":{"role":"assistant","content":"","thinking":%b}' % orjson.dumps(move.text))


def _call(part: Part, answer: Answer) -> dict[str, Any]:
    function = {"name": part.name, "arguments": arguments(part, answer)}
    return {"id": part.id or f"call_{answer.id}_{part.place}", "function": function}


def closing(asked: Asked, answer: Answer) -> bytes:
    """A call that is still open, and the last line."""
    rest = b"".join([_moved(move, answer) for move in writer_of(asked, Parts).end()])
    return rest + ended(asked, answer, b'"message":{"role":"assistant","content":""}') + b"\n"


PROTOCOL = WireProtocol(
    label="Ollama chat",
    error=error,
    routes=(
        Ask(
            paths=("/api/chat",),
            need=Need("duo_chat"),
            body=OllamaChatBody,
            parse=parse,
            whole=whole,
            streaming=Streaming(content_type=LINES, piece=piece, closing=closing, failed=failed),
            summary="Chat with a model, as Ollama's clients do.",
            example={
                "model": "chat",
                "messages": [{"role": "user", "content": "Say hello in Python."}],
                "stream": False,
            },
        ),
    ),
)

"""OpenAI's `/v1/chat/completions`. Messages and tools are passed on as the client sent them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Required

import orjson
from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from homeport.access import Need
from homeport.domain.requests import ChatRequest
from homeport.protocols import Answer, Arrival, Ask, Asked, Streaming, WireProtocol
from homeport.protocols._openai import (
    DONE,
    EVENT_STREAM,
    STREAM_HEADERS,
    Options,
    error,
    event,
    failed,
    unknown,
    usage_object,
)

if TYPE_CHECKING:
    from homeport.domain.streams import Chunk

ROLES = r"^(system|developer|user|assistant|tool|function)$"
PASSED_ON = ("tools", "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort", "verbosity")
_AS_TOOLS = "Send them as `tools` and `tool_choice`, which took their place."
REFUSED = {
    "functions": _AS_TOOLS,
    "function_call": _AS_TOOLS,
    "web_search_options": "It is run on OpenAI's servers; offer a tool of your own.",
    "audio": "Models answer in text here.",
}
"""Options that would change what an answer means, and what to do instead."""


@with_config(ConfigDict(extra="allow"))
class ChatMessage(TypedDict, total=False):
    """One message; what a role adds (tool calls, names) is passed on."""

    role: Required[Annotated[str, Field(pattern=ROLES)]]
    content: str | list[dict[str, Any]] | None


class ChatBody(Options):
    """A conversation."""

    messages: list[ChatMessage] = Field(min_length=1, max_length=2000)
    max_completion_tokens: int | None = Field(None, ge=1, le=1_000_000)
    tools: list[dict[str, Any]] | None = Field(None, max_length=128)
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    reasoning_effort: str | None = Field(None, max_length=32)
    verbosity: str | None = Field(None, max_length=32)
    modalities: list[Literal["text"]] | None = Field(None, max_length=8)


def parse(body: ChatBody, _arrival: Arrival) -> Asked:
    """The conversation as the chat feature takes it."""
    body.refuse(REFUSED)
    request = ChatRequest(
        raw_messages=tuple(body.messages),
        extra=body.extra(*PASSED_ON),
        model=body.model,
        sampling=body.sampling(body.max_completion_tokens or body.max_tokens),
        stream=body.stream,
        relay=True,
        usage=body.usage_wanted,
    )
    echo = {"usage": body.usage_wanted}
    ignored = unknown(body)
    writer = None if body.stream else Aloud()
    return Asked("chat", request, body.stream, echo=echo, user=body.user or "", ignored=ignored, writer=writer)


class Aloud:
    """Keeps what a model thought aloud ahead of an answer that does not come in OpenAI's format."""

    __slots__ = ("thought",)

    def __init__(self) -> None:
        self.thought = ""

    def add(self, chunk: Chunk) -> None:
        """Take in a chunk."""
        self.thought += chunk.thought


def whole(asked: Asked, answer: Answer) -> bytes:
    """The document of an answer that did not come in OpenAI's format."""
    message = {"role": "assistant", "content": answer.text}
    if isinstance(asked.writer, Aloud) and asked.writer.thought:
        message["reasoning_content"] = asked.writer.thought
    return orjson.dumps(
        {
            "id": f"chatcmpl-{answer.id}",
            "object": "chat.completion",
            "created": answer.created,
            "model": answer.model,
            "choices": [{"index": 0, "message": message, "finish_reason": answer.finish or "stop"}],
            "usage": usage_object(answer.noted),
        }
    )


def _chunk(answer: Answer, delta: dict[str, str], finish: str | None) -> bytes:
    return event(
        {
            "id": f"chatcmpl-{answer.id}",
            "object": "chat.completion.chunk",
            "created": answer.created,
            "model": answer.model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }
    )


def opening(_asked: Asked, answer: Answer) -> bytes:
    """The chunk that names the role."""
    return _chunk(answer, {"role": "assistant", "content": ""}, None)


def piece(_asked: Asked, answer: Answer, chunk: Chunk) -> bytes:
    """A chunk of text or of thoughts."""
    if not (chunk.text or chunk.thought or chunk.finish):
        return b""
    delta = {"content": chunk.text} if chunk.text else {}
    return _chunk(answer, delta | {"reasoning_content": chunk.thought} if chunk.thought else delta, chunk.finish)


def closing(asked: Asked, answer: Answer) -> bytes:
    """The usage, if it was asked for, and the end mark."""
    if not asked.echo["usage"]:
        return DONE
    head = {"id": f"chatcmpl-{answer.id}", "object": "chat.completion.chunk", "created": answer.created}
    return event({**head, "model": answer.model, "choices": [], "usage": usage_object(answer.noted)}) + DONE


PROTOCOL = WireProtocol(
    label="OpenAI chat completions",
    error=error,
    routes=(
        Ask(
            paths=("/v1/chat/completions",),
            need=Need("duo_chat"),
            body=ChatBody,
            parse=parse,
            whole=whole,
            streaming=Streaming(
                content_type=EVENT_STREAM,
                headers=STREAM_HEADERS,
                opening=opening,
                piece=piece,
                closing=closing,
                failed=failed,
            ),
            summary="Chat with a model.",
            example={"messages": [{"role": "user", "content": "Say hello in Python."}], "stream": True},
        ),
    ),
)

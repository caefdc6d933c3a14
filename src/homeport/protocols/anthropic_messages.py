"""Anthropic's `/v1/messages` and `/v1/messages/count_tokens`, for any model.

Sources: the Anthropic API reference, "Create a message", "Streaming messages", "Extended thinking",
"Count tokens in a message".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Required

import orjson
from pydantic import BaseModel, ConfigDict, Field, with_config
from typing_extensions import TypedDict

from homeport.access import Need
from homeport.domain.errors import BadRequest
from homeport.domain.requests import ChatRequest, Native, Sampling, stops
from homeport.features._ask import meant
from homeport.features._count import count
from homeport.features.chat import build
from homeport.protocols import Act, Answer, Arrival, Ask, Asked, Reply, Streaming, WireProtocol
from homeport.protocols._anthropic import (
    OUR_SIGNATURE,
    choice_of,
    error,
    event,
    failed,
    messages_of,
    system_of,
    tools_of,
)
from homeport.protocols._openai import EVENT_STREAM, STREAM_HEADERS, unknown
from homeport.protocols._parts import Move, Part, Parts, arguments, writer_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.domain.streams import Chunk
    from homeport.protocols._endpoint import Door

NATIVE = (
    *("messages", "system", "tools", "tool_choice", "thinking"),
    *("stop_sequences", "temperature", "top_p", "top_k", "metadata", "output_config"),
)
"""What a model server that speaks this format gets as the client sent it."""
PLACES = ("container", "mcp_servers")
"""Options that ask for something that runs at Anthropic."""
REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
EVERY = 32
"""So many thoughts that are not shown are answered by one ping."""
PING = event("ping", {"type": "ping"})


@with_config(ConfigDict(extra="allow"))
class InputMessage(TypedDict, total=False):
    """One turn; a system message in the middle is taken as the user's."""

    role: Required[Literal["user", "assistant", "system"]]
    content: Required[str | list[dict[str, Any]]]


class CountBody(BaseModel):
    """A conversation. What is not listed changes nothing, and is named in X-Homeport-Ignored."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    model: str = Field("", max_length=512, description="A registered model, an alias, or a feature.")
    messages: list[InputMessage] = Field(min_length=1, max_length=100_000)
    system: str | list[dict[str, Any]] | None = None
    tools: list[dict[str, Any]] | None = Field(None, max_length=1024)
    tool_choice: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None
    output_config: dict[str, Any] | None = None

    @property
    def ignored(self) -> tuple[str, ...]:
        """The options that change nothing."""
        return unknown(self)

    @property
    def shows_thoughts(self) -> bool:
        """Whether the client wants to see what the model thinks aloud."""
        thinking = self.thinking or {}
        return thinking.get("type") in {"enabled", "adaptive"} and thinking.get("display") != "omitted"

    def extra(self) -> dict[str, Any]:
        """Options for the model server, in OpenAI's words."""
        found: dict[str, Any] = {}
        if self.tools:
            found["tools"] = tools_of(self.tools)
            if self.tool_choice:
                found["tool_choice"] = choice_of(self.tool_choice)
                if self.tool_choice.get("disable_parallel_tool_use"):
                    found["parallel_tool_calls"] = False
        form = (self.output_config or {}).get("format")
        if isinstance(form, dict) and isinstance(form.get("schema"), dict):
            schema = {"name": "answer", "schema": form["schema"], "strict": True}
            found["response_format"] = {"type": "json_schema", "json_schema": schema}
        return found

    def conversation(self) -> tuple[Mapping[str, Any], ...]:
        """All that is said, in OpenAI's shape."""
        return (*system_of(self.system), *messages_of(self.messages))

    def native(self) -> Native:
        """The message as it came."""
        given = self.model_fields_set
        return Native("anthropic", {name: getattr(self, name) for name in NATIVE if name in given})


class MessagesBody(CountBody):
    """A conversation that wants its next turn."""

    max_tokens: int | None = Field(None, ge=1, le=1_000_000)
    stream: bool = False
    temperature: float | None = Field(None, ge=0, le=1)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: int | None = Field(None, ge=0, le=100_000)
    stop_sequences: Annotated[list[str] | None, Field(max_length=4096)] = None
    metadata: dict[str, Any] | None = None


def parse(body: MessagesBody, _arrival: Arrival) -> Asked:
    """The conversation as the chat feature takes it."""
    for name in PLACES:
        if (body.model_extra or {}).get(name):
            raise BadRequest(f"{name} asks for what runs at Anthropic, not here.", "Leave it out.", param=name)
    extra = body.extra()
    if body.top_k is not None:
        extra["top_k"] = body.top_k
    request = ChatRequest(
        raw_messages=body.conversation(),
        extra=extra,
        model=body.model,
        sampling=Sampling(
            max_tokens=body.max_tokens,
            temperature=body.temperature,
            top_p=body.top_p,
            stop=stops(body.stop_sequences),
        ),
        stream=body.stream,
        parts=True,
        native=body.native(),
    )
    writer = Message(thoughts=body.shows_thoughts)
    return Asked(feature="chat", request=request, stream=body.stream, ignored=body.ignored, writer=writer)


class Message(Parts):
    """What an answer consists of so far."""

    def __init__(self, *, thoughts: bool) -> None:
        super().__init__(thoughts=thoughts)
        self.hidden = 0
        """Thoughts that were not shown."""

    def reason(self, answer: Answer) -> str:
        """Why it ended."""
        if self.stopped_by and answer.finish == "stop":
            return "stop_sequence"
        if self.calls and answer.finish in {"", "stop"}:
            return "tool_use"
        return REASONS.get(answer.finish, "end_turn")


def whole(asked: Asked, answer: Answer) -> bytes:
    """The message as one document."""
    message = writer_of(asked, Message)
    message.end()
    content = [_content(part, answer) for part in message.all]
    end = {"stop_reason": message.reason(answer), "stop_sequence": message.stopped_by or None}
    return orjson.dumps({**_head(answer), "content": content, **end, "usage": _usage(answer)})


def _content(part: Part, answer: Answer) -> dict[str, Any]:
    if part.kind == "thought":
        return {"type": "thinking", "thinking": part.text, "signature": OUR_SIGNATURE}
    if part.kind == "text":
        return {"type": "text", "text": part.text}
    return {"type": "tool_use", "id": _call_id(part, answer), "name": part.name, "input": arguments(part, answer)}


def _call_id(part: Part, answer: Answer) -> str:
    return part.id or f"toolu_{answer.id}_{part.place}"


def _head(answer: Answer) -> dict[str, Any]:
    return {"id": f"msg_{answer.id}", "type": "message", "role": "assistant", "model": answer.model}


def _usage(answer: Answer) -> dict[str, int]:
    usage = answer.noted
    asked, answered = (usage.prompt_tokens, usage.completion_tokens) if usage else (answer.asked_tokens, 0)
    caches = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    return {"input_tokens": asked, **caches, "output_tokens": answered}


def opening(_asked: Asked, answer: Answer) -> bytes:
    """The event that begins the message, and a ping."""
    begun = {**_head(answer), "content": [], "stop_reason": None, "stop_sequence": None, "usage": _usage(answer)}
    return event("message_start", {"type": "message_start", "message": begun}) + PING


def piece(asked: Asked, answer: Answer, chunk: Chunk) -> bytes:
    """The events of a chunk; a ping now and then for thoughts that are not shown."""
    message = writer_of(asked, Message)
    moves = message.add(chunk)
    if moves:
        return b"".join([_moved(move, answer) for move in moves])
    if chunk.thought:
        message.hidden += 1
        return PING if message.hidden % EVERY == 0 else b""
    return b""


_DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":%b}}\n\n'
)
_FIELDS = {
    "text": (b"text_delta", b"text"),
    "thought": (b"thinking_delta", b"thinking"),
    "call": (b"input_json_delta", b"partial_json"),
}


def _moved(move: Move, answer: Answer) -> bytes:
    part = move.part
    if move.step == "more":
        return _DELTA % (part.place, *_FIELDS[part.kind], orjson.dumps(move.text))
    if move.step == "open":
        return event(
            "content_block_start",
            {"type": "content_block_start", "index": part.place, "content_block": _begun(part, answer)},
        )
    sign = b""
    if part.kind == "thought":
        sign = _DELTA % (part.place, b"signature_delta", b"signature", orjson.dumps(OUR_SIGNATURE))
    return sign + event("content_block_stop", {"type": "content_block_stop", "index": part.place})


def _begun(part: Part, answer: Answer) -> dict[str, Any]:
    if part.kind == "call":
        return {"type": "tool_use", "id": _call_id(part, answer), "name": part.name, "input": {}}
    if part.kind == "thought":
        return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "text", "text": ""}


def closing(asked: Asked, answer: Answer) -> bytes:
    """What is still open is closed; why it ended, the usage, and the end."""
    message = writer_of(asked, Message)
    rest = b"".join([_moved(move, answer) for move in message.end()])
    delta = {"stop_reason": message.reason(answer), "stop_sequence": message.stopped_by or None}
    end = event("message_delta", {"type": "message_delta", "delta": delta, "usage": _usage(answer)})
    return rest + end + event("message_stop", {"type": "message_stop"})


async def count_tokens(door: Door, body: CountBody, _arrival: Arrival) -> Reply:
    """How many tokens the conversation has; a header says whether they were counted or estimated."""
    model = meant(door.bench, "chat", body.model)
    request = ChatRequest(raw_messages=body.conversation(), extra=body.extra(), parts=True, native=body.native())
    found = await count(door.bench, model, build(door.bench, model, request))
    how = b"counted" if found.exact else b"estimated"
    return Reply(body=orjson.dumps({"input_tokens": found.tokens}), headers=((b"x-homeport-token-count", how),))


EXAMPLE = {"max_tokens": 256, "messages": [{"role": "user", "content": "Say hello in Python."}]}
PROTOCOL = WireProtocol(
    label="Anthropic messages",
    error=error,
    id_header=b"request-id",
    routes=(
        Ask(
            paths=("/v1/messages",),
            need=Need("duo_chat"),
            body=MessagesBody,
            parse=parse,
            whole=whole,
            streaming=Streaming(
                content_type=EVENT_STREAM,
                headers=STREAM_HEADERS,
                opening=opening,
                piece=piece,
                closing=closing,
                failed=failed,
                ends_cleanly=True,
            ),
            summary="Chat with a model, as Anthropic's clients do.",
            example={**EXAMPLE, "stream": True},
        ),
        Act(
            paths=("/v1/messages/count_tokens",),
            need=Need("duo_chat"),
            act=count_tokens,
            body=CountBody,
            summary="Count the tokens of a conversation.",
            example={"messages": EXAMPLE["messages"]},
        ),
    ),
)

"""GitLab's AI Gateway: `/v2/chat/agent` for plain questions, one JSON object a line.

GitLab scans the body for `{…}` followed by a line end, so the last line has one too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import orjson
from pydantic import Field, model_validator

from homeport.access import Need
from homeport.domain.requests import ChatRequest, Message
from homeport.protocols import Answer, Ask, Asked, Streaming, WireProtocol
from homeport.protocols._gitlab import Lenient, WithMetadata, error

if TYPE_CHECKING:
    from homeport.domain.errors import HomeportError
    from homeport.domain.streams import Chunk
    from homeport.protocols import Arrival

SYSTEM = (
    "You are a helpful assistant for software developers inside their own network. "
    "Answer briefly and precisely; show code in Markdown fences with the language named. "
    "Say so when you do not know."
)


class CurrentFile(Lenient):
    """The file that the user looks at."""

    file_path: str = Field("", max_length=4096)
    data: str = Field("", max_length=400_000)
    selected_code: bool = False


class AdditionalContext(Lenient):
    """Something that the user added to the question."""

    category: str = Field("", max_length=255)
    id: str | None = Field(None, max_length=4096)
    content: str | None = Field(None, max_length=500_000)


class AgentMessage(Lenient):
    """One turn."""

    role: Literal["system", "user", "assistant"]
    content: str | None = Field(None, max_length=400_000)
    current_file: CurrentFile | None = None
    additional_context: list[AdditionalContext] = Field(default=[], max_length=100)


class AgentOptions(Lenient):
    """Of the 17.4 form."""

    chat_history: str | list[str] | list[AgentMessage] = ""
    current_file: CurrentFile | None = None
    additional_context: list[AdditionalContext] = Field(default=[], max_length=100)


class AgentBody(WithMetadata):
    """A conversation; either `messages` (17.6+) or `prompt` with `options` (17.4)."""

    messages: list[AgentMessage] = Field(default=[], max_length=2000)
    prompt: str | None = Field(None, max_length=400_000)
    options: AgentOptions | None = None

    @model_validator(mode="after")
    def _something_asked(self) -> Self:
        if not self.turns():
            message = "there is no question: send messages with content, or a prompt"
            raise ValueError(message)
        return self

    def turns(self) -> tuple[Message, ...]:
        """The conversation, each turn with the context that came with it."""
        options = self.options or AgentOptions()
        history = _history(options) if self.prompt else []
        last = [
            AgentMessage(
                role="user",
                content=self.prompt,
                current_file=options.current_file,
                additional_context=options.additional_context,
            )
        ]
        turns = [*history, *last] if self.prompt else self.messages
        return tuple(Message(role=turn.role, content=_content(turn)) for turn in turns if turn.content)


def _history(options: AgentOptions) -> list[AgentMessage]:
    history = options.chat_history
    if isinstance(history, str):
        return [AgentMessage(role="user", content=history)] if history.strip() else []
    return [turn if isinstance(turn, AgentMessage) else AgentMessage(role="user", content=turn) for turn in history]


def _content(turn: AgentMessage) -> str:
    parts = [
        f"[{item.category or 'context'}] {item.id or ''}\n{item.content}"
        for item in turn.additional_context
        if item.content
    ]
    file = turn.current_file
    if file and file.data:
        what = "Selected code" if file.selected_code else "Current file"
        parts.append(f"{what} {file.file_path}:\n{file.data}")
    return "\n\n".join([*parts, turn.content or ""])


def parse(body: AgentBody, _arrival: Arrival) -> Asked:
    """A plain question for the chat feature."""
    turns = body.turns()
    if turns[0].role != "system":
        turns = (Message(role="system", content=SYSTEM), *turns)
    return Asked("chat", ChatRequest(messages=turns, stream=True), stream=True, carried=body.carried)


def _line(kind: str, data: dict[str, Any]) -> bytes:
    return orjson.dumps({"type": kind, "data": data}) + b"\n"


def piece(_asked: Asked, _answer: Answer, chunk: Chunk) -> bytes:
    """A piece of the final answer."""
    return _line("final_answer_delta", {"text": chunk.text}) if chunk.text else b""


def failed(_asked: Asked, problem: HomeportError, correlation_id: str) -> bytes:
    """The error event; GitLab asks again when it is retryable."""
    retryable = problem.status in {429, 502, 503, 504}
    return _line("error", {"message": f"{problem} (correlation id {correlation_id})", "retryable": retryable})


def whole(_asked: Asked, answer: Answer) -> bytes:
    """Never used: this endpoint always streams."""
    return _line("final_answer_delta", {"text": answer.text})


PROTOCOL = WireProtocol(
    label="GitLab AI Gateway: chat",
    error=error,
    process_time=True,
    routes=(
        Ask(
            paths=("/v2/chat/agent",),
            need=Need("duo_chat"),
            body=AgentBody,
            parse=parse,
            whole=whole,
            streaming=Streaming(
                content_type=b"application/x-ndjson; charset=utf-8", piece=piece, failed=failed, ends_cleanly=True
            ),
            summary="Chat, as GitLab Duo Chat asks.",
            example={"messages": [{"role": "user", "content": "What is a mutex?"}]},
        ),
    ),
)

"""GitLab's AI Gateway: `/v1/chat/…`, for tools whose prompt GitLab 17.4 to 17.x words itself.

A whole answer is an object, a stream is raw text.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import orjson
from pydantic import Field

from homeport.access import Need
from homeport.domain.requests import ChatRequest, Message, Sampling
from homeport.protocols import Answer, Ask, Asked, WireProtocol
from homeport.protocols._gitlab import RAW, Lenient, carried, error

if TYPE_CHECKING:
    from homeport.protocols import Arrival

INVOKABLES = {
    "agent": ("chat", "duo_chat"),
    "explain_code": ("chat_explain_code", "duo_chat"),
    "write_tests": ("chat_write_tests", "duo_chat"),
    "refactor_code": ("chat_refactor_code", "duo_chat"),
    "explain_vulnerability": ("chat_explain_vulnerability", "explain_vulnerability"),
    "summarize_comments": ("chat_summarize_comments", "summarize_comments"),
    "troubleshoot_job": ("chat_troubleshoot_job", "troubleshoot_job"),
}
"""The feature whose model serves it, and the scope that it needs."""
LITELLM = "litellm"
TEMPERATURE = 0.2


class Origin(Lenient):
    """Who wrote the prompt."""

    source: str = Field(max_length=100)
    version: str = Field(max_length=100)


class ChatMessage(Lenient):
    """One turn."""

    role: Literal["system", "user", "assistant"]
    content: str = Field(max_length=400_000)


class Params(Lenient):
    """How the model shall choose its words."""

    stop_sequences: list[Annotated[str, Field(max_length=225)]] | None = Field(None, min_length=1, max_length=10)
    temperature: float | None = Field(None, ge=0, le=1)
    max_tokens_to_sample: int | None = Field(None, ge=1, le=8192)


class ChatPayload(Lenient):
    """A prompt, and the model that it is for."""

    content: (
        Annotated[str, Field(max_length=400_000)] | Annotated[list[ChatMessage], Field(min_length=1, max_length=100)]
    )
    provider: str | None = Field(None, max_length=255)
    model: str | None = Field(None, max_length=255)
    """The family."""
    params: Params | None = None
    model_endpoint: str | None = Field(None, max_length=2048)
    model_api_key: str | None = Field(None, max_length=4096)
    model_identifier: str | None = Field(None, max_length=1000)


class ChatComponent(Lenient):
    """The prompt with its label."""

    type: str = Field(max_length=100)
    metadata: Origin
    payload: ChatPayload


class ChatBody(Lenient):
    """Exactly one prompt."""

    prompt_components: list[ChatComponent] = Field(min_length=1, max_length=1)
    stream: bool | None = False


def parse(feature: str, body: ChatBody, _arrival: Arrival) -> Asked:
    """A prompt for the chat feature, with the model of the feature that it is for."""
    payload, stream = body.prompt_components[0].payload, bool(body.stream)
    request = ChatRequest(messages=_messages(payload), model=feature, sampling=_sampling(payload.params), stream=stream)
    echo = {"provider": payload.provider or LITELLM, "model": payload.model}
    own = carried(
        payload.provider, payload.model, payload.model_endpoint, payload.model_identifier, payload.model_api_key
    )
    return Asked("chat_prompted", request, stream, echo=echo, carried=own)


def _messages(payload: ChatPayload) -> tuple[Message, ...]:
    if isinstance(payload.content, str):
        return (Message(role="user", content=payload.content),)
    return tuple(Message(role=turn.role, content=turn.content) for turn in payload.content)


def _sampling(params: Params | None) -> Sampling:
    given = params or Params()
    return Sampling(
        max_tokens=given.max_tokens_to_sample,
        temperature=TEMPERATURE if given.temperature is None else given.temperature,
        stop=tuple(filter(None, given.stop_sequences or ())),
    )


def whole(asked: Asked, answer: Answer) -> bytes:
    """The answer and who gave it."""
    by = {"provider": asked.echo["provider"], "model": asked.echo["model"] or answer.model, "timestamp": answer.created}
    return orjson.dumps({"response": answer.text, "metadata": by})


EXAMPLE = {
    "prompt_components": [
        {
            "type": "prompt",
            "metadata": {"source": "GitLab EE", "version": "17.4.0"},
            "payload": {"content": "What is a mutex?", "provider": "litellm", "model": "mistral"},
        }
    ],
    "stream": False,
}

PROTOCOL = WireProtocol(
    label="GitLab AI Gateway: chat, v1",
    error=error,
    process_time=True,
    routes=tuple(
        Ask(
            paths=(f"/v1/chat/{name}",),
            need=Need(scope),
            body=ChatBody,
            parse=partial(parse, feature),
            whole=whole,
            streaming=RAW,
            summary=f"Answer a chat prompt that GitLab wrote itself: {name.replace('_', ' ')}.",
            example=EXAMPLE,
        )
        for name, (feature, scope) in INVOKABLES.items()
    ),
)

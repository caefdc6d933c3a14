"""What the endpoints in OpenAI's format share: options, errors, server-sent events.

Source: the OpenAI API reference, "Chat Completions" and "Completions (legacy)".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from homeport.domain.errors import BadRequest
from homeport.domain.requests import Sampling, stops

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.domain.errors import HomeportError
    from homeport.domain.streams import Usage
    from homeport.protocols import Asked

DONE = b"data: [DONE]\n\n"
EVENT_STREAM = b"text/event-stream; charset=utf-8"
STREAM_HEADERS = ((b"x-accel-buffering", b"no"),)

PASSED_ON = (
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "top_k",
    "min_p",
    "repetition_penalty",
    "n",
)
"""Options that only the model server understands; any other unknown field goes no further."""


OPENAIS = {"prompt_too_long": "context_length_exceeded"}
"""Codes that clients look for before they make a conversation shorter."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
MOST_NAMED = 32


def unknown(body: BaseModel, under: str = "") -> tuple[str, ...]:
    """The fields of a body that are not known here and change nothing, as far as a header can name them.

    `under` stands in front of the name of each: where the body is a part of another.
    """
    extra = body.model_extra
    return tuple([under + name for name in extra if _NAME.fullmatch(name)][:MOST_NAMED]) if extra else ()


class StreamOptions(BaseModel):
    """What a stream holds besides its chunks."""

    include_usage: bool = False


class Options(BaseModel):
    """Options of both kinds of completion. What is not listed changes nothing, and is named in X-Homeport-Ignored."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    model: str = Field("", max_length=512, description="A registered model; empty: the feature's own model.")
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1, le=1_000_000)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: Annotated[str | list[str] | None, Field(max_length=4096)] = None
    n: int | None = Field(None, ge=1, le=128, description="How many answers are wanted, where the model gives several.")
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    repetition_penalty: float | None = Field(None, gt=0, le=10)
    logit_bias: dict[str, float] | None = Field(None, max_length=300)
    logprobs: bool | int | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    top_k: int | None = Field(None, ge=-1, le=100_000)
    min_p: float | None = Field(None, ge=0, le=1)
    user: str | None = Field(None, max_length=512, description="Who asks, where several share a token.")

    def refuse(self, refused: Mapping[str, str]) -> None:
        """Raise BadRequest for an option that would change what the answer means and is none here."""
        for name, value in (self.model_extra or {}).items():
            if name in refused and value not in (None, False, [], {}):
                raise BadRequest(f"{name} is not taken here.", refused[name], param=name)

    def sampling(self, max_tokens: int | None) -> Sampling:
        """The options that we understand ourselves."""
        return Sampling(max_tokens, self.temperature, self.top_p, self.seed, stops(self.stop))

    def extra(self, *more: str) -> dict[str, Any]:
        """The options that are passed on."""
        passed = {*PASSED_ON, *more}
        named = ((name, getattr(self, name)) for name in self.model_fields_set if name in passed)
        return {name: value for name, value in named if value is not None}

    @property
    def usage_wanted(self) -> bool:
        """Whether the stream shall end with the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)


def code_of(problem: HomeportError) -> str:
    """Our code; where clients do something about a failure that OpenAI has a code for, that one."""
    return OPENAIS.get(problem.code, problem.code)


def error(problem: HomeportError, correlation_id: str) -> tuple[int, bytes]:
    """OpenAI's error object; the correlation id stands in the text too, where people will see it."""
    return problem.status, orjson.dumps({"error": _error_object(problem, correlation_id)})


def failed(_asked: Asked, problem: HomeportError, correlation_id: str) -> bytes:
    """The event that says that a stream broke; no [DONE] follows it."""
    return event({"error": _error_object(problem, correlation_id)})


def _error_object(problem: HomeportError, correlation_id: str) -> dict[str, Any]:
    return {
        "message": f"{problem} (correlation id {correlation_id})",
        "type": "invalid_request_error" if problem.status < 500 else "server_error",  # noqa: PLR2004 (HTTP's own number)
        "param": problem.param,
        "code": code_of(problem),
        "correlation_id": correlation_id,
    }


def event(data: object) -> bytes:
    """One server-sent event."""
    return b"data: " + orjson.dumps(data) + b"\n\n"


def usage_object(usage: Usage | None) -> dict[str, int]:
    """Usage as OpenAI spells it; zeros when nothing is known."""
    prompt, answer = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}

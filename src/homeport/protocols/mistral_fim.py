"""Mistral's `/v1/fim/completions`: a hole to fill, answered in the form of a chat completion.

Source: the Mistral API reference, "FIM Completion" and its schemas FIMCompletionRequest, FIMCompletionResponse and
CompletionChunk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from homeport.access import Need
from homeport.domain.requests import CodeRequest, Sampling, stops
from homeport.protocols import Answer, Arrival, Ask, Asked, Streaming, WireProtocol
from homeport.protocols._openai import DONE, EVENT_STREAM, STREAM_HEADERS, event, unknown, usage_object

if TYPE_CHECKING:
    from homeport.domain.errors import HomeportError
    from homeport.domain.streams import Chunk

KINDS = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
SERVER_ERROR = 500


class FimBody(BaseModel):
    """Code around a cursor. What is not listed changes nothing, and is named in X-Homeport-Ignored."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    model: str = Field("", max_length=512, description="A registered model; empty: the feature's own model.")
    prompt: str = Field(description="What stands before the cursor.")
    suffix: str | None = Field(None, description="What stands behind it.")
    stream: bool = False
    max_tokens: int | None = Field(None, ge=1, le=1_000_000)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    random_seed: int | None = Field(None, ge=0, lt=2**63)
    stop: Annotated[str | list[str] | None, Field(max_length=4096)] = None


def parse(body: FimBody, _arrival: Arrival) -> Asked:
    """A hole for the completion feature."""
    request = CodeRequest(
        before=body.prompt,
        after=body.suffix or "",
        model=body.model,
        sampling=Sampling(
            max_tokens=body.max_tokens,
            temperature=body.temperature,
            top_p=body.top_p,
            seed=body.random_seed,
            stop=stops(body.stop),
        ),
        stream=body.stream,
    )
    return Asked(feature="code_completions", request=request, stream=body.stream, ignored=unknown(body))


def whole(_asked: Asked, answer: Answer) -> bytes:
    """The code as what an assistant says."""
    message = {"role": "assistant", "content": answer.text, "tool_calls": None, "prefix": False}
    choice = {"index": 0, "message": message, "finish_reason": answer.finish or "stop"}
    return orjson.dumps(
        {
            **_head(answer, "chat.completion"),
            "choices": [choice],
            "usage": usage_object(answer.noted),
        }
    )


def _head(answer: Answer, kind: str) -> dict[str, Any]:
    return {"id": answer.id, "object": kind, "created": answer.created, "model": answer.model}


def _chunk(answer: Answer, text: str, finish: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": finish}
    return {**_head(answer, "chat.completion.chunk"), "choices": [choice]}


def piece(_asked: Asked, answer: Answer, chunk: Chunk) -> bytes:
    """A chunk of code."""
    return event(_chunk(answer, chunk.text, None)) if chunk.text else b""


def closing(_asked: Asked, answer: Answer) -> bytes:
    """Why it ended, the usage, and the end mark."""
    last = _chunk(answer, "", answer.finish or "stop")
    return event({**last, "usage": usage_object(answer.noted)}) + DONE


def error(problem: HomeportError, correlation_id: str) -> tuple[int, bytes]:
    """Mistral's error object."""
    return problem.status, orjson.dumps(_error_object(problem, correlation_id))


def failed(_asked: Asked, problem: HomeportError, correlation_id: str) -> bytes:
    """The event that says that a stream broke; no [DONE] follows it."""
    return event(_error_object(problem, correlation_id))


def _error_object(problem: HomeportError, correlation_id: str) -> dict[str, Any]:
    usual = "server_error" if problem.status >= SERVER_ERROR else "invalid_request_error"
    return {
        "object": "error",
        "message": f"{problem} (correlation id {correlation_id})",
        "type": KINDS.get(problem.status, usual),
        "param": problem.param,
        "code": problem.code,
        "request_id": correlation_id,
    }


PROTOCOL = WireProtocol(
    label="Mistral fill-in-the-middle",
    error=error,
    routes=(
        Ask(
            paths=("/v1/fim/completions",),
            need=Need("complete_code"),
            body=FimBody,
            parse=parse,
            whole=whole,
            streaming=Streaming(
                content_type=EVENT_STREAM, headers=STREAM_HEADERS, piece=piece, closing=closing, failed=failed
            ),
            summary="Fill in the middle, as Mistral's clients ask.",
            example={"prompt": "def add(a, b):\n    ", "suffix": "\n\nprint(add(1, 2))\n", "max_tokens": 64},
        ),
    ),
)

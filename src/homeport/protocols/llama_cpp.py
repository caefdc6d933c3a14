"""llama.cpp's own `/infill` and `/completion`, which llama.vim and llama.vscode ask; `/health` is with the others.

Sources: llama.cpp's server README, "POST /infill" and "POST /completion"; llama.vim, whose requests name in
`response_fields` what it reads, and ask for `n_predict` 0 to have a cache warmed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

from homeport.access import Need
from homeport.domain.errors import PromptTooLong
from homeport.domain.requests import CodeRequest, RelatedFile, Sampling, TextRequest, stops
from homeport.protocols import Answer, Arrival, Ask, Asked, Streaming, WireProtocol
from homeport.protocols._openai import EVENT_STREAM, STREAM_HEADERS, event, unknown
from homeport.protocols._sampler import SamplerOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.domain.errors import HomeportError
    from homeport.domain.streams import Chunk

KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    503: "unavailable_error",
}
SERVER_ERROR = 500
REFUSED = {
    "grammar": "an answer cannot be held to a grammar; leave it out",
    "json_schema": "an answer cannot be held to a schema here; ask /v1/chat/completions with a response_format",
    "n_probs": "probabilities are not told; leave n_probs out",
}
ANY_SEED = frozenset({-1, 2**32 - 1})
"""Seeds that leave it to chance."""


class LlamaOptions(BaseModel):
    """Options of both endpoints. What is not listed changes nothing, and is named in X-Homeport-Ignored."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    model: str = Field("", max_length=512, description="A registered model; empty: the feature's own model.")
    stream: bool = False
    n_predict: int | None = Field(None, ge=-2, le=1_000_000, description="Tokens; 0: nothing is asked of the model.")
    temperature: float | None = Field(None, ge=-1, le=2, description="Below 0 it is taken as 0.")
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=-1, lt=2**63)
    stop: Annotated[str | list[str] | None, Field(max_length=4096)] = None
    n_cmpl: int | None = Field(None, ge=1, le=1, description="Answers; there is one at a time.")
    response_fields: list[str] | None = Field(None, max_length=64, description="`timings/prompt_n` for nested ones.")

    @model_validator(mode="after")
    def _nothing_refused(self) -> Self:
        for name, why in REFUSED.items():
            if (self.model_extra or {}).get(name):
                raise ValueError(why)
        return self

    @property
    def sampling(self) -> Sampling:
        """The options that we understand ourselves."""
        return Sampling(
            max_tokens=self.n_predict if (self.n_predict or 0) > 0 else None,
            temperature=None if self.temperature is None else max(self.temperature, 0.0),
            top_p=self.top_p,
            seed=None if self.seed in ANY_SEED else self.seed,
            stop=stops(self.stop),
        )

    @property
    def idle(self) -> bool:
        """Nothing shall be written: a client only warms the cache of what it takes for llama.cpp."""
        return self.n_predict == 0


class ExtraFile(BaseModel):
    """A part of another file, or of the same one."""

    filename: str = Field("", max_length=1024)
    text: str = Field(max_length=500_000)


class InfillBody(LlamaOptions):
    """Code around a cursor, with parts of other files."""

    input_prefix: str = Field(description="What stands before the cursor …")
    prompt: str = Field("", description="… and the rest of it, up to the cursor: often its line.")
    input_suffix: str = Field(description="What stands behind the cursor.")
    input_extra: list[ExtraFile] | None = Field(None, max_length=256)


class CompletionBody(LlamaOptions, SamplerOptions):
    """Text to continue exactly as it stands."""

    prompt: str


def parse_infill(body: InfillBody, _arrival: Arrival) -> Asked:
    """A hole for the completion feature."""
    request = CodeRequest(
        before=body.input_prefix + body.prompt,
        after=body.input_suffix,
        related=tuple(RelatedFile(each.filename, each.text, snippet=True) for each in body.input_extra or ()),
        model=body.model,
        sampling=body.sampling,
        stream=body.stream,
    )
    return _asked("code_completions", request, body)


def parse_completion(body: CompletionBody, _arrival: Arrival) -> Asked:
    """Text to continue."""
    request = TextRequest(
        prompt=body.prompt,
        model=body.model,
        extra=body.passed_on(),
        sampling=body.sampling,
        stream=body.stream,
    )
    return _asked("text_completions", request, body)


def _asked(feature: str, request: CodeRequest | TextRequest, body: LlamaOptions) -> Asked:
    echo = {"fields": body.response_fields}
    return Asked(feature, request, body.stream, echo=echo, ignored=unknown(body), idle=body.idle)


def whole(asked: Asked, answer: Answer) -> bytes:
    """The document, or the fields of it that were asked for."""
    # what came in one piece says nothing of when the first word was there
    document = _ended(answer._replace(first_s=0.0), answer.text)
    fields = asked.echo["fields"]
    return orjson.dumps(document if fields is None else _picked(document, fields))


def _ended(answer: Answer, text: str) -> dict[str, Any]:
    usage = answer.noted
    asked, answered = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
    return {
        "index": 0,
        "content": text,
        "tokens": [],
        "id_slot": -1,
        "stop": True,
        "model": answer.model,
        "tokens_predicted": answered,
        "tokens_evaluated": asked,
        "has_new_line": "\n" in text,
        "truncated": False,
        "stop_type": "limit" if answer.finish == "length" else "eos",
        "stopping_word": "",
        "tokens_cached": asked + answered,
        "timings": _timings(answer, asked, answered),
    }


def _timings(answer: Answer, asked: int, answered: int) -> dict[str, Any]:
    """Times as they are seen from here: what the prompt took ends with the first piece of a stream."""
    waited, wrote = answer.first_s * 1000, (answer.took_s - answer.first_s) * 1000
    return {
        "prompt_n": asked,
        "prompt_ms": waited,
        "prompt_per_token_ms": waited / (asked or 1),
        "prompt_per_second": asked / (waited or 1) * 1000,
        "predicted_n": answered,
        "predicted_ms": wrote,
        "predicted_per_token_ms": wrote / (answered or 1),
        "predicted_per_second": answered / (wrote or 1) * 1000,
    }


def _picked(document: Mapping[str, Any], fields: list[str]) -> dict[str, Any]:
    """The fields that there are; a nested one keeps its path as its name."""
    found: dict[str, Any] = {}
    for path in fields:
        value: Any = document
        for key in path.split("/"):
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            found[path] = value
    return found


_PIECE = b'data: {"index":0,"content":%b,"tokens":[],"stop":false}\n\n'


def piece(_asked: Asked, _answer: Answer, chunk: Chunk) -> bytes:
    """A chunk of text."""
    return _PIECE % orjson.dumps(chunk.text) if chunk.text else b""


def closing(_asked: Asked, answer: Answer) -> bytes:
    """The last event, which says `stop`; no end mark follows it."""
    return event(_ended(answer, ""))


def error(problem: HomeportError, correlation_id: str) -> tuple[int, bytes]:
    """llama.cpp's error object, whose code is the status."""
    return problem.status, orjson.dumps({"error": _error_object(problem, correlation_id)})


def failed(_asked: Asked, problem: HomeportError, correlation_id: str) -> bytes:
    """The event that says that a stream broke; no `stop` follows it."""
    return event({"error": _error_object(problem, correlation_id)})


def _error_object(problem: HomeportError, correlation_id: str) -> dict[str, Any]:
    usual = "server_error" if problem.status >= SERVER_ERROR else "invalid_request_error"
    too_long = isinstance(problem, PromptTooLong)
    return {
        "code": problem.status,
        "message": f"{problem} (correlation id {correlation_id})",
        "type": "exceed_context_size_error" if too_long else KINDS.get(problem.status, usual),
        "reason": problem.code,
        "correlation_id": correlation_id,
    }


STREAMED = Streaming(content_type=EVENT_STREAM, headers=STREAM_HEADERS, piece=piece, closing=closing, failed=failed)
PROTOCOL = WireProtocol(
    label="llama.cpp",
    error=error,
    routes=(
        Ask(
            paths=("/infill",),
            need=Need("complete_code"),
            body=InfillBody,
            parse=parse_infill,
            whole=whole,
            streaming=STREAMED,
            summary="Fill in the middle, as llama.vim and llama.vscode ask.",
            example={
                "input_prefix": "def add(a, b):\n",
                "prompt": "    return ",
                "input_suffix": "\n",
                "n_predict": 64,
            },
        ),
        Ask(
            paths=("/completion",),
            need=Need("complete_code"),
            body=CompletionBody,
            parse=parse_completion,
            whole=whole,
            streaming=STREAMED,
            summary="Continue text, as llama.cpp's clients ask.",
            example={"prompt": "def add(a, b):", "n_predict": 64},
        ),
    ),
)

"""GitLab's AI Gateway: `/v2/code/completions` (alias `/v2/completions`) and `/v2/code/generations`.

A stream is raw text without framing; no suggestion is an empty list of choices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import orjson
from pydantic import Field

from homeport.access import Need
from homeport.domain.requests import CodeRequest
from homeport.protocols import Answer, Ask, Asked, Streaming, WireProtocol
from homeport.protocols._gitlab import CODE_LIMIT, ContextItem, CurrentFile, Lenient, engine, error, related

if TYPE_CHECKING:
    from homeport.domain.streams import Chunk


class CodeBody(Lenient):
    """A file with a cursor in it."""

    prompt_version: Literal[1, 2, 3] = 1
    prompt: str | list[dict[str, Any]] | None = None
    current_file: CurrentFile
    stream: bool = False
    context: list[ContextItem] = Field(default=[], max_length=100)
    user_instruction: str | None = Field(None, max_length=CODE_LIMIT)


def _request(body: CodeBody, instruction: str = "") -> CodeRequest:
    file = body.current_file
    return CodeRequest(
        before=file.content_above_cursor,
        after=file.content_below_cursor,
        file_name=file.file_name.strip(),
        language=file.language_identifier or "",
        related=related(body.context),
        instruction=instruction,
        stream=body.stream,
    )


def completion(body: CodeBody) -> Asked:
    """A completion at the cursor."""
    return Asked(feature="code_completions", request=_request(body), stream=body.stream)


def generation(body: CodeBody) -> Asked:
    """Code from an instruction: the user's own, else the text that the client sent as prompt."""
    text = body.user_instruction or (body.prompt if isinstance(body.prompt, str) else "") or ""
    return Asked(feature="code_generations", request=_request(body, text), stream=body.stream)


def whole(_asked: Asked, answer: Answer) -> bytes:
    """The suggestion."""
    choices = [{"text": answer.text, "index": 0, "finish_reason": "length"}] if answer.text else []
    consumed = None
    if answer.usage:
        consumed = {"input_tokens": answer.usage.prompt_tokens, "output_tokens": answer.usage.completion_tokens}
    return orjson.dumps(
        {
            "id": "id",
            "model": {**engine(answer.model), "lang": answer.lang, "tokens_consumption_metadata": consumed},
            "experiments": [],
            "object": "text_completion",
            "created": answer.created,
            "choices": choices,
            "metadata": {"enabled_feature_flags": []},
        }
    )


def piece(_asked: Asked, _answer: Answer, chunk: Chunk) -> bytes:
    """Text, and nothing around it."""
    return chunk.text.encode("utf-8", "replace")


RAW = Streaming(content_type=b"text/event-stream; charset=utf-8", headers=((b"x-accel-buffering", b"no"),), piece=piece)
EXAMPLE = {
    "prompt_version": 1,
    "current_file": {
        "file_name": "add.py",
        "content_above_cursor": "def add(a, b):\n    ",
        "content_below_cursor": "\n\nprint(add(1, 2))\n",
    },
}

PROTOCOL = WireProtocol(
    label="GitLab AI Gateway: code suggestions (v2)",
    error=error,
    process_time=True,
    routes=(
        Ask(
            paths=("/v2/code/completions", "/v2/completions"),
            need=Need("complete_code"),
            body=CodeBody,
            parse=completion,
            whole=whole,
            streaming=RAW,
            summary="Complete code at the cursor.",
            example=EXAMPLE,
        ),
        Ask(
            paths=("/v2/code/generations",),
            need=Need("generate_code"),
            body=CodeBody,
            parse=generation,
            whole=whole,
            streaming=RAW,
            summary="Generate code from an instruction.",
            example={**EXAMPLE, "prompt": "Add the two numbers."},
        ),
    ),
)

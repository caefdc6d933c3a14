"""OpenAI's `/v1/completions`, with a `suffix` that works on every model.

With a suffix it is code completion: the family's own fill-in-the-middle layout, and an answer that is
cleaned. Without one the text is continued exactly as it stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, Field

from homeport.access import Need
from homeport.domain.errors import BadRequest
from homeport.domain.requests import CodeRequest, RelatedFile, TextRequest
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


REFUSED = {"echo": "Put the prompt in front of the answer yourself."}


class ContextFile(BaseModel):
    """Another file, or a part of one that was chosen because it helps: what it declares, a function that is called."""

    type: Literal["file", "snippet"] = "file"
    name: str = Field(max_length=1024)
    content: str = Field(max_length=500_000)


def _alone(value: object) -> object:
    """The one prompt of a list, as some clients send it."""
    if isinstance(value, list):
        if len(value) != 1:
            message = "one prompt is answered at a time; ask once for each"
            raise ValueError(message)
        return value[0]
    return value


class TextBody(Options):
    """Text to continue, or a hole to fill."""

    prompt: Annotated[str, BeforeValidator(_alone)] = Field(description="What stands before the cursor.")
    suffix: str | None = Field(None, description="What stands behind it; without one the prompt is just continued.")
    file_name: str = Field("", max_length=1024, description="Homeport's own: tells the language.")
    language: str = Field("", max_length=255, description="Homeport's own: as the editor calls it.")
    context: list[ContextFile] = Field(
        default=[], max_length=100, description="Homeport's own: other files that help, and parts of them."
    )


def parse(body: TextBody, _arrival: Arrival) -> Asked:
    """A hole to fill for the completion feature, or text to continue as it stands."""
    body.refuse(REFUSED)
    sampling = body.sampling(body.max_tokens)
    echo = {"usage": body.usage_wanted}
    user = body.user or ""
    if body.suffix is None:
        text = TextRequest(
            prompt=body.prompt,
            model=body.model,
            extra=body.extra(),
            sampling=sampling,
            stream=body.stream,
            relay=True,
            usage=body.usage_wanted,
        )
        ignored = unknown(body)
        return Asked("text_completions", text, stream=body.stream, echo=echo, user=user, ignored=ignored)
    if (body.n or 1) > 1:
        raise BadRequest("A hole is filled once.", "Leave n out, and ask again for each more.", param="n")
    code = CodeRequest(
        before=body.prompt,
        after=body.suffix,
        file_name=body.file_name,
        language=body.language,
        related=tuple(RelatedFile(file.name, file.content, file.type == "snippet") for file in body.context),
        model=body.model,
        sampling=sampling,
        stream=body.stream,
    )
    # the code is cleaned, so that numbers about its tokens would mean nothing
    ignored = (*body.extra(), *unknown(body))
    return Asked("code_completions", code, stream=body.stream, echo=echo, user=user, ignored=ignored, suggests=True)


def whole(_asked: Asked, answer: Answer) -> bytes:
    """The document of a cleaned answer."""
    return orjson.dumps(
        {
            "id": f"cmpl-{answer.id}",
            "object": "text_completion",
            "created": answer.created,
            "model": answer.model,
            "choices": [{"index": 0, "text": answer.text, "logprobs": None, "finish_reason": answer.finish or "stop"}],
            "usage": usage_object(answer.noted),
        }
    )


def piece(_asked: Asked, answer: Answer, chunk: Chunk) -> bytes:
    """A chunk of text."""
    if not chunk.text and not chunk.finish:
        return b""
    choice = {"index": 0, "text": chunk.text, "logprobs": None, "finish_reason": chunk.finish}
    return event(_frame(answer, [choice]))


def closing(asked: Asked, answer: Answer) -> bytes:
    """The usage, if it was asked for, and the end mark."""
    if not asked.echo["usage"]:
        return DONE
    return event({**_frame(answer, []), "usage": usage_object(answer.noted)}) + DONE


def _frame(answer: Answer, choices: list[dict[str, object]]) -> dict[str, object]:
    return {
        "id": f"cmpl-{answer.id}",
        "object": "text_completion",
        "created": answer.created,
        "model": answer.model,
        "choices": choices,
    }


PROTOCOL = WireProtocol(
    label="OpenAI completions",
    error=error,
    routes=(
        Ask(
            paths=("/v1/completions",),
            need=Need("complete_code"),
            body=TextBody,
            parse=parse,
            whole=whole,
            streaming=Streaming(
                content_type=EVENT_STREAM, headers=STREAM_HEADERS, piece=piece, closing=closing, failed=failed
            ),
            summary="Fill in the middle (with a suffix) or continue text.",
            example={"prompt": "def add(a, b):\n    ", "suffix": "\n\nprint(add(1, 2))\n"},
        ),
    ),
)

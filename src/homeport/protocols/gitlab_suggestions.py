"""GitLab's AI Gateway: `/v3/code/completions` and `/v4/code/suggestions`.

Both take the same body; v3 streams raw text, v4 true server-sent events with CRLF line ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import orjson
from pydantic import Field, model_validator

from homeport.access import KNOWN
from homeport.domain.requests import CodeRequest
from homeport.protocols import Answer, Ask, Asked, WireProtocol
from homeport.protocols._gitlab import (
    CODE_LIMIT,
    EVENTS,
    RAW,
    ContextItem,
    Lenient,
    PromptEnhancer,
    WithMetadata,
    error,
    metadata_of,
    related,
)

if TYPE_CHECKING:
    from homeport.protocols import Arrival

NO_ENHANCER = PromptEnhancer()
CURSOR_PARTS = ("code_editor_completion", "code_editor_generation")


class CursorPayload(Lenient):
    """A file with a cursor in it."""

    file_name: str = Field(max_length=255)
    content_above_cursor: str = Field(max_length=CODE_LIMIT)
    content_below_cursor: str = Field(max_length=CODE_LIMIT)
    language_identifier: str | None = Field(None, max_length=255)
    stream: bool | None = False
    choices_count: int | None = None
    prompt: str | list[dict[str, Any]] | None = Field(None, max_length=400_000)
    prompt_enhancer: PromptEnhancer | None = None


class ContextPayload(Lenient):
    """A file that helps."""

    name: str = Field("", max_length=1024)
    content: str = Field(max_length=CODE_LIMIT)


class CursorComponent(Lenient):
    """Where code is wanted."""

    type: Literal["code_editor_completion", "code_editor_generation"]
    payload: CursorPayload


class ContextComponent(Lenient):
    """What else the model may see."""

    type: Literal["code_context"]
    payload: ContextPayload


Component = Annotated[CursorComponent | ContextComponent, Field(discriminator="type")]


class SuggestionBody(WithMetadata):
    """A cursor first, then context."""

    prompt_components: list[Component] = Field(min_length=1, max_length=100)

    @model_validator(mode="after")
    def _cursor_first(self) -> Self:
        if self.prompt_components[0].type not in CURSOR_PARTS:
            message = f"the first prompt component must be one of {', '.join(CURSOR_PARTS)}"
            raise ValueError(message)
        return self


def parse(body: SuggestionBody, _arrival: Arrival) -> Asked:
    """The first component says whether code is completed or generated."""
    cursor = next(part for part in body.prompt_components if isinstance(part, CursorComponent))
    file = cursor.payload
    generation = cursor.type == "code_editor_generation"
    items = [
        ContextItem(name=part.payload.name, content=part.payload.content)
        for part in body.prompt_components
        if isinstance(part, ContextComponent)
    ]
    more = file.prompt_enhancer or NO_ENHANCER
    request = CodeRequest(
        before=file.content_above_cursor or more.trimmed_content_above_cursor or "",
        after=file.content_below_cursor or more.trimmed_content_below_cursor or "",
        file_name=file.file_name.strip(),
        language=file.language_identifier or "",
        related=(*related(items), *more.related()),
        instruction=_instruction(file) if generation else "",
        libraries=tuple(more.libraries or ()),
        examples=more.shown(),
        stream=bool(file.stream),
    )
    feature = "code_generations" if generation else "code_completions"
    return Asked(feature, request, bool(file.stream), carried=body.carried)


def _instruction(file: CursorPayload) -> str:
    said = file.prompt_enhancer.user_instruction if file.prompt_enhancer else ""
    return said or (file.prompt if isinstance(file.prompt, str) else "")


def whole(_asked: Asked, answer: Answer) -> bytes:
    """The suggestion."""
    choices = [{"text": answer.text, "index": 0, "finish_reason": "length"}] if answer.text else []
    metadata = metadata_of(answer)
    metadata["model"]["lang"] = answer.lang
    return orjson.dumps({"choices": choices, "metadata": metadata})


EXAMPLE = {
    "prompt_components": [
        {
            "type": "code_editor_completion",
            "payload": {
                "file_name": "add.py",
                "content_above_cursor": "def add(a, b):\n    ",
                "content_below_cursor": "\n",
                "stream": True,
            },
        }
    ]
}

PROTOCOL = WireProtocol(
    label="GitLab AI Gateway: code suggestions (v3, v4)",
    error=error,
    process_time=True,
    routes=(
        Ask(
            paths=("/v3/code/completions",),
            need=KNOWN,
            body=SuggestionBody,
            parse=parse,
            whole=whole,
            streaming=RAW,
            summary="Complete or generate code, as raw text (scope by component).",
            example=EXAMPLE,
        ),
        Ask(
            paths=("/v4/code/suggestions",),
            need=KNOWN,
            body=SuggestionBody,
            parse=parse,
            whole=whole,
            streaming=EVENTS,
            summary="Complete or generate code, as server-sent events (scope by component).",
            example=EXAMPLE,
        ),
    ),
)

"""A question of GitLab's chat over HTTP: `/api/v4/chat/completions`. In spite of its path it is not OpenAI's.

Source: instance and editors reference, section 5.3. The answer is a bare JSON text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from pydantic import Field, field_validator

from homeport.access import Need
from homeport.domain.agents import Shown
from homeport.domain.prompts import PromptRequest
from homeport.protocols import Answer, Ask, Asked, WireProtocol
from homeport.protocols._chats import Question, wanted
from homeport.protocols._gitlab import Lenient
from homeport.protocols._instance import CHAT, error, error_headers

if TYPE_CHECKING:
    from homeport.protocols import Arrival

CONTENT = 1000


class AskedFile(Lenient):
    """The file that is open."""

    file_name: str | None = Field(None, max_length=1000)
    selected_text: str | None = Field(None, max_length=400_000)
    content_above_cursor: str | None = Field(None, max_length=400_000)
    content_below_cursor: str | None = Field(None, max_length=400_000)


class AskedContext(Lenient):
    """Something that was added to the question."""

    id: str = Field("", max_length=255)
    category: str = Field("", max_length=64)
    content: str = Field("", max_length=600_000)


class QuestionBody(Lenient):
    """A question; what it is about in a GitLab is not looked up, for there is none."""

    content: str = Field(max_length=CONTENT)
    current_file: AskedFile | None = None
    additional_context: list[AskedContext] | None = Field(None, max_length=100)

    @field_validator("content")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value.strip():
            message = "it must not be blank"
            raise ValueError(message)
        return value


def parse(body: QuestionBody, _arrival: Arrival) -> Asked:
    """The question, or the command that it begins with."""
    file = body.current_file or AskedFile()
    question = Question(
        content=body.content,
        file_name=file.file_name or "",
        selected=file.selected_text or "",
        above=file.content_above_cursor or "",
        below=file.content_below_cursor or "",
        shown=tuple(Shown(each.category, each.id, each.content) for each in body.additional_context or ()),
    )
    feature, request = wanted(question)
    return Asked(feature, request._replace(stream=False) if isinstance(request, PromptRequest) else request)


def whole(_asked: Asked, answer: Answer) -> bytes:
    """The answer's text."""
    return orjson.dumps(answer.text)


PROTOCOL = WireProtocol(
    label="GitLab instance: chat",
    error=error,
    error_headers=error_headers,
    routes=(
        Ask(
            paths=("/api/v4/chat/completions",),
            need=Need(CHAT),
            body=QuestionBody,
            parse=parse,
            whole=whole,
            summary="Answer one question of GitLab's chat.",
            example={"content": "What is a mutex?"},
        ),
    ),
)

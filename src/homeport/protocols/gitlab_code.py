"""GitLab's AI Gateway: `/v2/code/completions` (alias `/v2/completions`) and `/v2/code/generations`.

A stream is raw text without framing; no suggestion is an empty list of choices.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from homeport.access import Need
from homeport.domain.requests import CodeRequest, Sampling
from homeport.protocols import Answer, Ask, Asked, WireProtocol
from homeport.protocols._gitlab import (
    CODE_LIMIT,
    RAW,
    ContextItem,
    CurrentFile,
    Lenient,
    Telemetry,
    carried,
    error,
    related,
    suggestion,
)

if TYPE_CHECKING:
    from homeport.domain.models import Carried
    from homeport.protocols import Arrival


class CodeBody(Lenient):
    """A file with a cursor in it."""

    prompt_version: Literal[1, 2, 3] | None = 1
    prompt: str | list[dict[str, Any]] | None = None
    project_path: str | None = Field(None, max_length=255)
    project_id: int | None = None
    choices_count: int | None = None
    current_file: CurrentFile
    stream: bool | None = False
    context: list[ContextItem] | None = Field(default=None, max_length=100)
    user_instruction: str | None = Field(None, max_length=CODE_LIMIT)
    telemetry: list[Telemetry] | None = Field(default=None, max_length=10)
    model_provider: str | None = Field(None, max_length=255)
    model_name: str | None = Field(None, max_length=255)
    model_endpoint: str | None = Field(None, max_length=2048)
    model_api_key: str | None = Field(None, max_length=4096)
    model_identifier: str | None = Field(None, max_length=1000)

    @property
    def carried(self) -> Carried | None:
        """The model that came with the request, if it says which one."""
        if not (self.model_endpoint or self.model_identifier):
            return None
        return carried(
            self.model_provider, self.model_name, self.model_endpoint, self.model_identifier, self.model_api_key
        )


SHORTER = b"x-homeport-max-tokens"
"""The header with the most tokens that a generation may have, for which this protocol has no field."""


def _request(body: CodeBody, instruction: str = "", sampling: Sampling | None = None) -> CodeRequest:
    file = body.current_file
    return CodeRequest(
        before=file.content_above_cursor,
        after=file.content_below_cursor,
        file_name=file.file_name.strip(),
        language=file.language_identifier or "",
        related=related(body.context or ()),
        instruction=instruction,
        stream=bool(body.stream),
        sampling=sampling or Sampling(),
    )


def completion(body: CodeBody, _arrival: Arrival) -> Asked:
    """A completion at the cursor."""
    return Asked(
        "code_completions", _request(body), bool(body.stream), carried=body.carried, reported=body.telemetry or ()
    )


def generation(body: CodeBody, arrival: Arrival) -> Asked:
    """Code from an instruction: the user's own, else the text that the client sent as prompt."""
    text, most = body.user_instruction or _said(body.prompt), arrival.header(SHORTER)
    # at most five digits: what is larger or no number changes nothing
    sampling = Sampling(max_tokens=max(int(most), 1)) if re.fullmatch(r"[0-9]{1,5}", most) else None
    wanted = _request(body, text, sampling)
    return Asked("code_generations", wanted, bool(body.stream), carried=body.carried, reported=body.telemetry or ())


def _said(prompt: str | list[dict[str, Any]] | None) -> str:
    """The text of a prompt, or what its messages of the user say."""
    if isinstance(prompt, list):
        said = (each.get("content") for each in prompt if each.get("role") == "user")
        return "\n\n".join(each for each in said if isinstance(each, str))
    return prompt or ""


def completed(_asked: Asked, answer: Answer) -> bytes:
    """The suggestion, and what it cost."""
    consumed = None
    if answer.usage:
        consumed = {"input_tokens": answer.usage.prompt_tokens, "output_tokens": answer.usage.completion_tokens}
    return suggestion(answer, {"tokens_consumption_metadata": consumed})


def generated(_asked: Asked, answer: Answer) -> bytes:
    """The suggestion; of a generation the protocol tells no cost."""
    return suggestion(answer, {})


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
            need=Need("complete_code", direct=True),
            body=CodeBody,
            parse=completion,
            whole=completed,
            streaming=RAW,
            summary="Complete code at the cursor.",
            example=EXAMPLE,
        ),
        Ask(
            paths=("/v2/code/generations",),
            need=Need("generate_code"),
            body=CodeBody,
            parse=generation,
            whole=generated,
            streaming=RAW,
            summary="Generate code from an instruction.",
            example={**EXAMPLE, "prompt": "Add the two numbers."},
        ),
    ),
)

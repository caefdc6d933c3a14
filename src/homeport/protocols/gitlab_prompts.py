"""GitLab's AI Gateway: `/v1/prompts/{prompt_id}` and `/v2/prompts/{prompt_id}`.

v1 answers with a JSON string, or streams raw text; v2 answers with an object, or streams one object a line.
When the model server refuses or cannot be reached, the answer is 421 and its `detail` a text that begins with
the status of the model server: GitLab shows it to the administrator who tests a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from pydantic import Field

from homeport.access import KNOWN
from homeport.domain import versions
from homeport.domain.errors import BadRequest, UpstreamRefused
from homeport.domain.prompts import PromptRequest
from homeport.domain.requests import CodeRequest
from homeport.features._catalogue import UNKNOWN, by_prompt
from homeport.features._values import text_of
from homeport.protocols import Answer, Ask, Asked, Streaming, WireProtocol
from homeport.protocols._gitlab import CODE_LIMIT, MISDIRECTED, RAW, PromptEnhancer, WithMetadata, error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.domain.errors import HomeportError
    from homeport.domain.streams import Chunk, Usage
    from homeport.protocols import Arrival

ELSEWHERE = {"chat/react": "/v2/chat/agent", "chat/agent": "/v2/chat/agent"}
"""Prompts that have an endpoint of their own."""
CODE = frozenset({"code_completions", "code_generations"})
LONGEST_ID = 255
LIBRARIES, EXAMPLES = 1000, 100


class PromptBody(WithMetadata):
    """Values for a prompt that the path names."""

    inputs: dict[str, Any] | None = Field(None, max_length=100)
    prompt_version: str | None = Field(None, max_length=100)
    stream: bool | None = False


def parse(body: PromptBody, arrival: Arrival) -> Asked:
    """The prompt that the path names; one that we do not know is asked in general words."""
    prompt, stream = arrival.tail.strip("/"), bool(body.stream)
    if not prompt or len(prompt) > LONGEST_ID:
        raise BadRequest("The path names no prompt.", "Its end is the prompt's id.", param="prompt_id")
    if prompt in ELSEWHERE:
        saw = f"Prompt '{prompt}' is not supported here."
        raise BadRequest(saw, f"It has an endpoint of its own: {ELSEWHERE[prompt]}.", param="prompt_id")
    versions.parse(body.prompt_version or versions.DEFAULT)
    feature, inputs = by_prompt().get(prompt, UNKNOWN), body.inputs or {}
    if feature in CODE:
        return Asked(feature, _code(inputs, stream=stream), stream, carried=body.carried)
    request = PromptRequest(feature=feature, prompt=prompt, inputs=inputs, version=body.prompt_version, stream=stream)
    return Asked(feature, request, stream, carried=body.carried)


def _code(inputs: Mapping[str, Any], *, stream: bool) -> CodeRequest:
    """Code at a cursor, from the inputs of either code prompt."""
    texts = {name: text_of(value) for name, value in inputs.items()}
    files, snippets = (_strings(inputs.get(name)) for name in ("related_files", "related_snippets"))
    examples = inputs.get("examples_array")
    enhancer = PromptEnhancer(
        related_files=files,
        related_snippets=snippets,
        libraries=_strings(inputs.get("libraries"), LIBRARIES),
        examples_array=examples[:EXAMPLES] if isinstance(examples, list) else None,
    )
    before = texts.get("prefix") or texts.get("trimmed_content_above_cursor") or ""
    after = texts.get("suffix") or texts.get("trimmed_content_below_cursor") or ""
    return CodeRequest(
        before=before[-CODE_LIMIT:],
        after=after[:CODE_LIMIT],
        file_name=texts.get("file_name", "").strip(),
        language=texts.get("language", ""),
        related=enhancer.related(),
        instruction=texts.get("user_instruction") or texts.get("instruction") or "",
        libraries=tuple(enhancer.libraries or ()),
        examples=enhancer.shown(),
        stream=stream,
    )


def _strings(value: object, most: int = 100) -> list[str]:
    """The texts of a list, as many as a prompt takes."""
    return [each for each in value if isinstance(each, str)][:most] if isinstance(value, list) else []


def refusal(problem: HomeportError, correlation_id: str) -> tuple[int, bytes]:
    """As everywhere in this protocol, but all that the model server refuses is 421 and begins with its status, or ours.

    One that is busy is no exception: the protocol knows 429 for limits of the gateway's own.
    """
    status, body = error(problem, correlation_id)
    refused = problem.upstream_status if isinstance(problem, UpstreamRefused) else 0
    if status != MISDIRECTED and not refused:
        return status, body
    text = f"{refused or problem.status}: {problem} (correlation id {correlation_id})"
    return MISDIRECTED, orjson.dumps({"detail": text})


def text(_asked: Asked, answer: Answer) -> bytes:
    """A bare JSON string."""
    return orjson.dumps(answer.text)


def whole(_asked: Asked, answer: Answer) -> bytes:
    """The text and what it cost."""
    return orjson.dumps(_content(answer, answer.text, answer.usage))


def piece(_asked: Asked, answer: Answer, chunk: Chunk) -> bytes:
    """A line; the last one says what the answer cost."""
    if not chunk.text and not chunk.finish and not chunk.usage:
        return b""
    return orjson.dumps(_content(answer, chunk.text, chunk.usage)) + b"\n"


def _content(answer: Answer, said: str, usage: Usage | None) -> dict[str, Any]:
    if usage is None:
        return {"content": said}
    counted = {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
    return {"content": said, "usage": {answer.model: counted}}


LINES = Streaming(content_type=RAW.content_type, headers=RAW.headers, piece=piece)
EXAMPLE = {
    "inputs": {"selected_text": "def add(a, b):\n    return a + b\n", "input": "Explain this function."},
    "prompt_version": "^1.0.0",
    "stream": False,
}

PROTOCOL = WireProtocol(
    label="GitLab AI Gateway: prompts",
    error=refusal,
    process_time=True,
    routes=(
        Ask(
            paths=("/v1/prompts/{prompt_id}",),
            need=KNOWN,
            body=PromptBody,
            parse=parse,
            whole=text,
            streaming=RAW,
            summary="Answer a prompt by its id (scope by prompt).",
            example=EXAMPLE,
        ),
        Ask(
            paths=("/v2/prompts/{prompt_id}",),
            need=KNOWN,
            body=PromptBody,
            parse=parse,
            whole=whole,
            streaming=LINES,
            summary="Answer a prompt by its id, with usage (scope by prompt).",
            example=EXAMPLE,
        ),
    ),
)

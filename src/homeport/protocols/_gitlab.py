"""What the endpoints of GitLab's AI Gateway protocol share: its error bodies and its code fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from homeport.domain.errors import NotAuthenticated, SetupError, UpstreamError, UpstreamOverloaded
from homeport.domain.models import Carried, Secret
from homeport.domain.requests import RelatedFile
from homeport.features._values import text_of
from homeport.protocols import Streaming

if TYPE_CHECKING:
    from collections.abc import Iterable

    from homeport.domain.errors import HomeportError
    from homeport.domain.streams import Chunk
    from homeport.protocols import Answer, Asked

GITLABS = {
    "code_completions": "code_completions",
    "code_generations": "code_generations",
    "chat": "duo_chat",
    "chat_explain_code": "duo_chat_explain_code",
    "chat_write_tests": "duo_chat_write_tests",
    "chat_refactor_code": "duo_chat_refactor_code",
    "chat_fix_code": "duo_chat_fix_code",
    "chat_troubleshoot_job": "duo_chat_troubleshoot_job",
    "chat_summarize_comments": "duo_chat_summarize_comments",
    "chat_explain_vulnerability": "duo_chat_explain_vulnerability",
    "merge_request_summary": "summarize_new_merge_request",
    "merge_commit_message": "generate_commit_message",
    "code_review": "review_merge_request",
    "code_review_summary": "summarize_review",
    "resolve_vulnerability": "resolve_vulnerability",
    "cli_help": "glab_ask_git_command",
}
"""GitLab's names of our features; what it has no setting for is left out."""
MISDIRECTED = 421
BUSY = 429
UNPROCESSABLE = 422
CODE_LIMIT = 100_000
"""Characters on each side of the cursor; GitLab trims to this before it sends."""


NO_KEY = Secret()
_WRAPPED = re.compile(
    r"<(?P<tag>file_content|snippet_content)\s+(?:file_name|name)=\"?(?P<name>[^\">]*)\"?>\n?(?P<content>.*?)\n?</(?P=tag)>",
    re.DOTALL,
)


class Lenient(BaseModel):
    """Unknown fields are ignored: GitLab passes its editors' fields through."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, protected_namespaces=())


class ContextItem(Lenient):
    """A file or a snippet that helps."""

    type: str = Field("", max_length=1024)
    name: str = Field("", max_length=1024)
    content: str = Field("", max_length=500_000)


class CurrentFile(Lenient):
    """The file at the cursor."""

    file_name: str = Field(max_length=255)
    language_identifier: str | None = Field(None, max_length=255)
    content_above_cursor: str = Field(max_length=CODE_LIMIT)
    content_below_cursor: str = Field(max_length=CODE_LIMIT)


class Telemetry(Lenient):
    """What an editor reports of earlier suggestions."""

    model_engine: str | None = Field(None, max_length=50)
    model_name: str | None = Field(None, max_length=50)
    lang: str | None = Field(None, max_length=50)
    requests: int
    accepts: int
    errors: int


class ModelMetadata(Lenient):
    """The model that GitLab's administrator chose, as it travels in every body."""

    provider: str | None = Field(None, max_length=255)
    name: str | None = Field(None, max_length=255)
    """The family."""
    endpoint: str | None = Field(None, max_length=2048)
    api_key: str | None = Field(None, max_length=4096)
    identifier: str | None = Field(None, max_length=1000)

    def carried(self) -> Carried:
        """As a noun of the domain."""
        return carried(self.provider, self.name, self.endpoint, self.identifier, self.api_key)


def carried(
    provider: str | None, family: str | None, endpoint: str | None, identifier: str | None, key: str | None
) -> Carried:
    """The model that a body names, in whichever spelling."""
    return Carried(
        provider=provider or "",
        family=family or "",
        endpoint=(endpoint or "").strip(),
        identifier=(identifier or "").strip(),
        key=Secret(key) if key else NO_KEY,
    )


class WithMetadata(Lenient):
    """A body that may name its model."""

    model_metadata: ModelMetadata | None = None

    @property
    def carried(self) -> Carried | None:
        """The model that came with the request."""
        return self.model_metadata.carried() if self.model_metadata else None


class PromptEnhancer(Lenient):
    """What GitLab gathers around a generation."""

    user_instruction: str | None = Field(None, max_length=400_000)
    related_files: list[str] | None = Field(None, max_length=100)
    related_snippets: list[str] | None = Field(None, max_length=100)
    libraries: list[str] | None = Field(None, max_length=1000)
    examples_array: list[Any] | None = Field(None, max_length=100)
    trimmed_content_above_cursor: str | None = Field(None, max_length=CODE_LIMIT)
    trimmed_content_below_cursor: str | None = Field(None, max_length=CODE_LIMIT)

    def related(self) -> tuple[RelatedFile, ...]:
        """Files and snippets, taken out of the tags that they come in."""
        files = (_unwrapped(text) for text in self.related_files or ())
        return (*files, *(_unwrapped(text, snippet=True) for text in self.related_snippets or ()))

    def shown(self) -> tuple[str, ...]:
        """The examples as texts: GitLab's have a few texts each, under names that say what they are."""
        return tuple(_example(each) for each in self.examples_array or ())


def _example(given: object) -> str:
    if not isinstance(given, dict):
        return text_of(given)
    return "\n".join(f"{name}: {text_of(value)}" for name, value in given.items())


def _unwrapped(text: str, *, snippet: bool = False) -> RelatedFile:
    found = _WRAPPED.fullmatch(text.strip())
    if not found:
        return RelatedFile(name="", content=text, snippet=snippet)
    return RelatedFile(name=found["name"], content=found["content"], snippet=snippet)


def related(items: Iterable[ContextItem]) -> tuple[RelatedFile, ...]:
    """Context items as related files."""
    return tuple(
        RelatedFile(name=item.name, content=item.content, snippet=item.type == "snippet")
        for item in items
        if item.content and not item.content.isspace()
    )


def error(problem: HomeportError, correlation_id: str) -> tuple[int, bytes]:
    """The body that GitLab's Ruby client can read without raising.

    401 has the key `error`; 421 has `detail` as text; everything else has `detail` as a list. A model that
    cannot be used is 421, never 5xx: those open GitLab's circuit breaker. One that is busy is 429: GitLab tries again.
    """
    text = f"{problem} (correlation id {correlation_id})"
    if isinstance(problem, NotAuthenticated):
        return problem.status, orjson.dumps({"error": f"{problem} ({problem.code}, correlation id {correlation_id})"})
    if isinstance(problem, UpstreamOverloaded):
        return BUSY, orjson.dumps({"detail": [{"msg": text, "type": problem.code, "loc": ["body"]}]})
    if isinstance(problem, UpstreamError | SetupError):
        return MISDIRECTED, orjson.dumps({"detail": f"{problem.code}: {text}"})
    status = UNPROCESSABLE if problem.status == 400 else problem.status  # noqa: PLR2004 (HTTP's own number)
    where = problem.param.split(".") if problem.param else ["body"]
    return status, orjson.dumps({"detail": [{"msg": text, "type": problem.code, "loc": where}]})


def _text(_asked: Asked, _answer: Answer, chunk: Chunk) -> bytes:
    return chunk.text.encode("utf-8", "replace")


RAW = Streaming(content_type=b"text/event-stream; charset=utf-8", headers=((b"x-accel-buffering", b"no"),), piece=_text)
"""Text, and nothing around it."""


def engine(model: str) -> dict[str, str]:
    """How the protocol names the model that answered."""
    return {"engine": "agent", "name": model}


def metadata_of(answer: Answer) -> dict[str, Any]:
    """Who answered, and when."""
    return {"model": engine(answer.model), "timestamp": answer.created, "enabled_feature_flags": []}


def suggestion(answer: Answer, more: dict[str, Any], name: str = "id") -> bytes:
    """The document of a suggestion; `more` says what else of its model, `name` is its id."""
    choices = [{"text": answer.text, "index": 0, "finish_reason": "length"}] if answer.text else []
    return orjson.dumps(
        {
            "id": name,
            "model": {**engine(answer.model), "lang": answer.lang, **more},
            "experiments": [],
            "object": "text_completion",
            "created": answer.created,
            "choices": choices,
            "metadata": {"enabled_feature_flags": []},
        }
    )


def _event(name: str, data: object) -> bytes:
    return b"event: " + name.encode() + b"\r\ndata: " + orjson.dumps(data) + b"\r\n\r\n"


def opening(_asked: Asked, answer: Answer) -> bytes:
    """The first event."""
    return _event("stream_start", {"metadata": metadata_of(answer)})


def piece(_asked: Asked, _answer: Answer, chunk: Chunk) -> bytes:
    """A piece of the suggestion."""
    if not chunk.text:
        return b""
    return _event("content_chunk", {"choices": [{"delta": {"content": chunk.text}, "index": 0}]})


def closing(_asked: Asked, _answer: Answer) -> bytes:
    """The last event."""
    return _event("stream_end", None)


def failed(_asked: Asked, problem: HomeportError, correlation_id: str) -> bytes:
    """An event that clients skip, for whoever reads the wire; `stream_end` never follows it."""
    return _event("error", {"code": problem.code, "message": str(problem), "correlation_id": correlation_id})


EVENTS = Streaming(
    content_type=b"text/event-stream; charset=utf-8",
    headers=((b"x-streaming-format", b"sse"), (b"x-accel-buffering", b"no")),
    opening=opening,
    piece=piece,
    closing=closing,
    failed=failed,
)
"""Server-sent events with CRLF line ends."""

"""Tabby: `/v1/completions` with `segments`, `/v1/events`, `/v1/health` and `/v1beta/server_setting`.

OpenAI's completions are at the same path; a body with `segments` is Tabby's. Sources: Tabby's OpenAPI description
(CompletionRequest, CompletionResponse, LogEventRequest, HealthState, ServerSetting) and its tabby-agent, which asks
`/v1/health` first, takes 401 for a missing token, and reads nothing but the status of any other error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

from homeport import __version__
from homeport.access import KNOWN, Need
from homeport.domain.errors import SetupError
from homeport.domain.requests import CodeRequest, RelatedFile, Sampling
from homeport.features._ask import meant
from homeport.protocols import Act, Answer, Arrival, Ask, Asked, Look, Reply, WireProtocol
from homeport.protocols._openai import unknown
from homeport.protocols._reports import Told, tell
from homeport.protocols._sentence import error

if TYPE_CHECKING:
    from homeport.features import Workbench
    from homeport.protocols._endpoint import Door
    from homeport.store.acceptance import What

TEXT = 500_000
PREFIX = "cmpl-"
"""What stands before the correlation id in the id of a completion."""
WHAT: dict[str, What] = {"view": "shown", "select": "accepted", "dismiss": "rejected"}


class TabbySnippet(BaseModel):
    """A part of a file."""

    filepath: str = Field(max_length=4096)
    body: str = Field(max_length=TEXT)


class TabbySegments(BaseModel):
    """Code around a cursor, and what helps to complete it."""

    model_config = ConfigDict(extra="allow")

    prefix: str = Field(max_length=TEXT)
    suffix: str | None = Field(None, max_length=TEXT)
    filepath: str | None = Field(None, max_length=4096)
    declarations: list[TabbySnippet] | None = Field(None, max_length=100)
    relevant_snippets_from_changed_files: list[TabbySnippet] | None = Field(None, max_length=100)
    relevant_snippets_from_recently_opened_files: list[TabbySnippet] | None = Field(None, max_length=100)

    def related(self) -> tuple[RelatedFile, ...]:
        """What helps, declarations first."""
        given = (
            self.declarations,
            self.relevant_snippets_from_changed_files,
            self.relevant_snippets_from_recently_opened_files,
        )
        return tuple(RelatedFile(each.filepath, each.body, snippet=True) for part in given for each in part or ())


class TabbyBody(BaseModel):
    """A completion to ask for. What is not listed changes nothing, and is named in X-Homeport-Ignored."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    segments: TabbySegments
    language: str | None = Field(None, max_length=255, description="As the editor calls it.")
    user: str | None = Field(None, max_length=512, description="Who asks, where several share a token.")
    temperature: float | None = Field(None, ge=0, le=2)
    seed: int | None = Field(None, ge=0, lt=2**63)
    mode: str | None = Field(None, max_length=255)

    @model_validator(mode="after")
    def _standard(self) -> Self:
        if self.mode not in {None, "", "standard"}:
            message = "edits ahead of the cursor are not suggested; ask with the mode standard"
            raise ValueError(message)
        return self


def parse(body: TabbyBody, _arrival: Arrival) -> Asked:
    """A hole for the completion feature."""
    code = body.segments
    request = CodeRequest(
        before=code.prefix,
        after=code.suffix or "",
        file_name=(code.filepath or "").strip(),
        language=body.language or "",
        related=code.related(),
        sampling=Sampling(temperature=body.temperature, seed=body.seed),
    )
    unfelt = (*unknown(body), *unknown(code, "segments."))
    return Asked("code_completions", request, user=body.user or "", ignored=unfelt, suggests=True)


def whole(_asked: Asked, answer: Answer) -> bytes:
    """The suggestion; events name it by its id."""
    return orjson.dumps({"id": PREFIX + answer.id, "choices": [{"index": 0, "text": answer.text}]})


class TabbyEvent(BaseModel):
    """What became of a suggestion."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["view", "select", "dismiss"]
    completion_id: str = Field(min_length=1, max_length=255)
    choice_index: int = Field(0, ge=0)


async def event(door: Door, body: TabbyEvent, arrival: Arrival) -> Reply:
    """Join it to its request; whether a line or all of it was taken makes no difference."""
    tell(door, arrival.caller, Told(WHAT[body.type], body.completion_id.removeprefix(PREFIX), by_id=True))
    return Reply(body=b"{}")


def state(bench: Workbench) -> Reply:
    """Which models answer, as Tabby's clients want to know; nothing is told of the machine."""
    nothing = {"device": "remote", "arch": "", "cpu_info": "", "cpu_count": 0, "cuda_devices": []}
    built = {"build_date": "", "build_timestamp": "", "git_sha": "", "git_describe": f"v{__version__}"}
    models = {"model": _serving(bench, "code_completions"), "chat_model": _serving(bench, "chat")}
    given = {name: model for name, model in models.items() if model}
    return Reply(body=orjson.dumps({**given, **nothing, "version": built}))


def _serving(bench: Workbench, feature: str) -> str:
    try:
        return meant(bench, feature, "").name
    except SetupError:
        return ""


def setting(_bench: Workbench) -> Reply:
    """Clients shall tell nobody else how they are used."""
    return Reply(body=orjson.dumps({"disable_client_side_telemetry": True}))


PROTOCOL = WireProtocol(
    label="Tabby",
    error=error,
    routes=(
        Ask(
            paths=("/v1/completions",),
            need=Need("complete_code"),
            body=TabbyBody,
            parse=parse,
            whole=whole,
            key="segments",
            summary="With segments: complete code, as Tabby's editors ask.",
            example={"language": "python", "segments": {"prefix": "def add(a, b):\n    ", "suffix": "\n"}},
        ),
        Act(
            paths=("/v1/events",),
            need=KNOWN,
            act=event,
            body=TabbyEvent,
            summary="A suggestion was seen, taken or dismissed.",
            example={"type": "view", "completion_id": "cmpl-6a3f", "choice_index": 0},
        ),
        Look(paths=("/v1/health",), need=KNOWN, look=state, summary="Which models answer Tabby's editors?"),
        Look(paths=("/v1beta/server_setting",), need=KNOWN, look=setting, summary="What Tabby's editors shall do."),
    ),
)

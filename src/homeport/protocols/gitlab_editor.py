"""Code suggestions as GitLab's editor extensions ask an instance for them, as JSON, server-sent events or text.

Source: instance and editors reference, sections 5.1, 5.2 and 6.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import orjson
from pydantic import Field, field_validator

from homeport.access import KNOWN, Need
from homeport.codetext.language import language_of
from homeport.domain.errors import NotAllowed, SetupError
from homeport.domain.requests import CodeRequest, RelatedFile
from homeport.features._ask import assigned
from homeport.protocols import Act, Answer, Ask, Asked, Reply, WireProtocol
from homeport.protocols._gitlab import CODE_LIMIT, EVENTS, RAW, Lenient, Telemetry, suggestion
from homeport.protocols._instance import VERSION, address, error, error_headers, number

if TYPE_CHECKING:
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door

SENT = 400_000
"""Characters on each side of the cursor that a client may send; the nearest `CODE_LIMIT` of them count."""
TEXT = 600_000
COMMENT = 10
"""Characters that a comment above the cursor has at least when it is an instruction."""
SSE = b"x-supports-sse-streaming"
HEADERS = {
    "X-Gitlab-Realm": "realm",
    "X-Gitlab-Instance-Id": "instance_id",
    "X-Gitlab-Host-Name": "host_name",
    "X-Gitlab-Global-User-Id": "global_user_id",
}
"""What an editor repeats with each direct request, by what we call it."""
COMPLETIONS, GENERATIONS = "code_completions", "code_generations"


class EditedFile(Lenient):
    """The file at the cursor."""

    file_name: str = Field(min_length=1, max_length=255)
    content_above_cursor: str = Field(max_length=SENT)
    content_below_cursor: str = Field("", max_length=SENT)
    language_identifier: str | None = Field(None, max_length=255)


class EditorContext(Lenient):
    """A file or a snippet that helps."""

    type: Literal["file", "snippet"]
    name: str = Field(max_length=255)
    content: str = Field(max_length=TEXT)

    @field_validator("name", "content")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value.strip():
            message = "it must not be blank"
            raise ValueError(message)
        return value

    def as_related(self) -> RelatedFile:
        """As a noun of the domain."""
        return RelatedFile(name=self.name, content=self.content, snippet=self.type == "snippet")


class EditorBody(Lenient):
    """A file with a cursor in it, as an editor sends it; what else it sends is ignored."""

    current_file: EditedFile
    intent: Literal["completion", "generation"] | None = None
    generation_type: Literal["comment", "empty_function", "small_file"] | None = None
    stream: bool | None = False
    project_path: str | None = Field(None, max_length=1024)
    user_instruction: str | None = Field(None, max_length=TEXT)
    context: list[EditorContext] | None = Field(None, max_length=100)
    telemetry: list[Telemetry] | None = Field(None, max_length=10)


class ProjectBody(Lenient):
    """A project; there are none here, so that what holds for one holds for all."""

    project_path: str = Field(max_length=1024)


def parse(body: EditorBody, arrival: Arrival) -> Asked:
    """A completion or a generation: as the client says, else as the code looks."""
    file = body.current_file
    instruction = body.user_instruction or ""
    comment = "" if body.intent or instruction else instructing(file)
    generates = body.intent == "generation" if body.intent else bool(instruction or body.generation_type or comment)
    stream = bool(body.stream)
    request = CodeRequest(
        before=file.content_above_cursor[-CODE_LIMIT:],
        after=file.content_below_cursor[:CODE_LIMIT],
        file_name=file.file_name.strip(),
        language=file.language_identifier or "",
        related=tuple(each.as_related() for each in body.context or ()),
        instruction=(instruction or comment)[:CODE_LIMIT] if generates else "",
        stream=stream,
    )
    return Asked(
        GENERATIONS if generates else COMPLETIONS,
        request,
        stream,
        reported=body.telemetry or (),
        suggests=True,
        framing=EVENTS if arrival.header(SSE).lower() == "true" else RAW,
    )


def instructing(file: EditedFile) -> str:
    """What a comment of one line says that stands directly above the cursor, if it is long enough to ask for code."""
    lines = file.content_above_cursor.rstrip(" \t").rsplit("\n", 2)
    above = lines[-2].strip() if len(lines) > 1 and not lines[-1].strip() else ""
    language = language_of(file.file_name, file.language_identifier or "")
    mark = language.line_comment if language else ""
    said = above.removeprefix(mark).strip() if mark and above.startswith(mark) else ""
    return said if len(said) >= COMMENT else ""


def whole(_asked: Asked, answer: Answer) -> bytes:
    """The suggestion; its id is the one under which it is in the log."""
    return suggestion(answer, {}, answer.id)


async def direct(door: Door, _body: None, arrival: Arrival) -> Reply:
    """A token of the editor's own, where the operator wants that; raises NotAllowed.

    One process serves both, so that there is no detour to be saved: usually the answer is no. With 403 clients ask the
    instance and complain to nobody.
    """
    given = door.gate.for_editor(arrival.headers)
    if given is None:
        raise NotAllowed("Direct connections are disabled.", "Ask for code suggestions at the instance.")
    where = address(door.url, arrival)
    known = _details(where, arrival)
    headers = {name: known[key] for name, key in HEADERS.items()}
    found = {"base_url": where, "token": given.token, "expires_at": given.expires_at, "headers": headers}
    return Reply(orjson.dumps(found), 201)


async def enabled(door: Door, _body: ProjectBody, _arrival: Arrival) -> Reply:
    """Whether completions are served at all; raises NotAllowed."""
    try:
        assigned(door.bench, door.bench.snapshot(), COMPLETIONS)
    except SetupError as problem:
        raise NotAllowed(problem.saw, problem.fix) from problem
    return Reply(b"")


async def details(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Who we are, for a client that reports it elsewhere: nothing that identifies a person."""
    return Reply(orjson.dumps(_details(address(door.url, arrival), arrival)), 201)


def _details(where: str, arrival: Arrival) -> dict[str, str]:
    return {
        "instance_id": str(number(where)),
        "instance_version": VERSION,
        "realm": "self-managed",
        "global_user_id": str(number(arrival.caller.subject)),
        "host_name": where.partition("://")[2].partition(":")[0].partition("/")[0],
        "feature_enablement_type": "duo_pro",
        "saas_duo_pro_namespace_ids": "",
    }


EXAMPLE = {
    "current_file": {
        "file_name": "add.py",
        "content_above_cursor": "def add(a, b):\n    ",
        "content_below_cursor": "\n\nprint(add(1, 2))\n",
    },
    "intent": "completion",
}

PROTOCOL = WireProtocol(
    label="GitLab instance: code suggestions",
    error=error,
    error_headers=error_headers,
    routes=(
        Ask(
            paths=("/api/v4/code_suggestions/completions",),
            need=KNOWN,
            body=EditorBody,
            parse=parse,
            whole=whole,
            streaming=RAW,
            summary="Complete or generate code for an editor (scope by intent).",
            example=EXAMPLE,
        ),
        Act(
            paths=("/api/v4/code_suggestions/direct_access",),
            need=Need("complete_code"),
            act=direct,
            summary="A token for direct connections; 403 where there are none, so that editors ask the instance.",
        ),
        Act(
            paths=("/api/v4/code_suggestions/enabled",),
            need=Need("complete_code"),
            act=enabled,
            body=ProjectBody,
            summary="Are there code suggestions for this project?",
            example={"project_path": "group/project"},
        ),
        Act(
            paths=("/api/v4/code_suggestions/connection_details",),
            need=KNOWN,
            act=details,
            summary="Who this instance is.",
        ),
    ),
)

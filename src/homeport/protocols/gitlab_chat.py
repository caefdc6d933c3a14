"""GitLab's AI Gateway: `/v2/chat/agent`, one turn of GitLab's chat as one JSON object a line.

GitLab scans the body for `{…}` followed by a line end, so no object holds one and the last line ends in one.
What goes wrong at the model is an `error` line of a body with status 200: GitLab's reader of streams takes
`detail` for a list and would break off at the text of a 421.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, Self

import orjson
from pydantic import Field, model_validator

from homeport.access import Need
from homeport.domain.agents import AgentRequest, Shown, Step, ToolCall, Turn
from homeport.domain.errors import (
    BadRequest,
    CallerError,
    ToolNotAvailable,
    Unavailable,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
)
from homeport.features._calls import argument
from homeport.kit.journal import note
from homeport.protocols import Answer, Ask, Asked, Streaming, WireProtocol, _gitlab
from homeport.protocols._gitlab import BUSY, Lenient, WithMetadata
from homeport.protocols._gitlab_tools import FIRST, IN_17_5, offered, version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from homeport.domain.errors import HomeportError
    from homeport.domain.streams import Chunk
    from homeport.protocols import Arrival
    from homeport.protocols._gitlab_tools import Version

CATEGORIES = frozenset(
    (
        *("file", "snippet", "merge_request", "issue", "dependency", "local_git", "terminal", "repository"),
        *("directory", "os_information", "agent_user_environment"),
    )
)
"""Kinds of additional context that we know; each needs a scope of its own."""
NOT_AVAILABLE = ("Merge Requests", "Pipelines", "Vulnerabilities")
"""What GitLab's chat cannot look at unless the request says otherwise."""
MISPLACED = 400
MOST_STEPS = 100
_WORD = re.compile(r"[a-z_]{1,64}")


class Misplaced(BadRequest):
    """What was found out so far hangs on a turn that is not the assistant's."""


class ContextResource(Lenient):
    """What the user looks at in GitLab: with a title (17.9+), or with its content."""

    type: str | None = Field(None, max_length=255)
    title: str | None = Field(None, max_length=4096)
    content: str | None = Field(None, max_length=500_000)


class CurrentFile(Lenient):
    """The file that the user looks at."""

    file_path: str | None = Field(None, max_length=4096)
    data: str | None = Field(None, max_length=400_000)
    selected_code: bool | None = False


class AdditionalContext(Lenient):
    """Something that the user added to the question."""

    category: str | None = Field("", max_length=255)
    id: str | None = Field(None, max_length=4096)
    content: str | None = Field(None, max_length=500_000)


class Action(Lenient):
    """A call that was made."""

    thought: str | None = Field(None, max_length=100_000)
    tool: str | None = Field(None, max_length=255)
    tool_input: Any = None


class NestedStep(Lenient):
    """A call and what came of it, as a message of the assistant holds it (17.10+)."""

    action: Action | None = None
    observation: str | None = Field(None, max_length=500_000)


class FlatStep(Action):
    """A call and what came of it, as `options` hold it."""

    observation: str | None = Field(None, max_length=500_000)


class Scratchpad(Lenient):
    """What was found out so far."""

    agent_type: str | None = Field(None, max_length=255)
    steps: list[FlatStep] | None = Field(None, max_length=MOST_STEPS)


class WithContext(Lenient):
    """What a question can bring along."""

    context: ContextResource | None = None
    current_file: CurrentFile | None = None
    additional_context: list[AdditionalContext] | None = Field(None, max_length=100)

    def shown(self) -> Iterator[Shown]:
        """All of it that holds something and is of a kind that we know."""
        if self.context and (self.context.title or self.context.content):
            what = (self.context.type or "resource").replace("_", " ")
            yield Shown(kind=f"{what} on the screen", name=self.context.title or "", content=self.context.content or "")
        if self.current_file and self.current_file.data:
            what = "selected code" if self.current_file.selected_code else "current file"
            yield Shown(kind=what, name=self.current_file.file_path or "", content=self.current_file.data)
        for item in self.additional_context or ():
            if item.content and item.category in CATEGORIES:
                yield Shown(kind=item.category.replace("_", " "), name=item.id or "", content=item.content)

    def categories(self) -> set[str]:
        """Kinds of the additional context."""
        return {item.category or "" for item in self.additional_context or ()}


class AgentMessage(WithContext):
    """One turn."""

    role: Literal["system", "user", "assistant"]
    content: str | None = Field(None, max_length=400_000)
    agent_scratchpad: list[NestedStep] | None = Field(None, max_length=MOST_STEPS)


class AgentOptions(WithContext):
    """Of the 17.4 form; its scratchpad is also sent with `messages`."""

    chat_history: str | list[str] | list[AgentMessage] | None = ""
    agent_scratchpad: Scratchpad | list[Any] | None = None
    """A list holds nothing that we know."""


class AgentBody(WithMetadata):
    """A conversation; either `messages` (17.6+) or `prompt` with `options` (17.4)."""

    messages: list[AgentMessage] | None = Field(None, max_length=2000)
    prompt: str | None = Field(None, max_length=400_000)
    options: AgentOptions | None = None
    unavailable_resources: list[str] | None = Field(None, max_length=100)

    @model_validator(mode="after")
    def _something_asked(self) -> Self:
        if not any(turn.role == "user" for turn in turns(self)):
            message = "there is no question: send messages with content, or a prompt"
            raise ValueError(message)
        return self


def said(body: AgentBody) -> list[AgentMessage]:
    """The conversation in the newer form."""
    if not body.prompt:
        return body.messages or []
    options = body.options or AgentOptions()
    history = [options.chat_history] if isinstance(options.chat_history, str) else options.chat_history or []
    before = [each if isinstance(each, AgentMessage) else AgentMessage(role="user", content=each) for each in history]
    return [*before, AgentMessage(role="user", content=body.prompt, **_brought(options))]


def _brought(options: AgentOptions) -> dict[str, Any]:
    return {name: getattr(options, name) for name in WithContext.model_fields}


def turns(body: AgentBody) -> tuple[Turn, ...]:
    """The turns that say something."""
    return tuple(
        Turn(role=turn.role, content=turn.content, shown=tuple(turn.shown()))
        for turn in said(body)
        if turn.content and turn.content.strip()
    )


def steps(body: AgentBody) -> tuple[Step, ...]:
    """What was found out so far: from the options, else from a last turn of the assistant without content."""
    messages = said(body)
    if any(turn.agent_scratchpad and turn.role != "assistant" for turn in messages):
        raise Misplaced("agent_scratchpad belongs to a turn of the assistant.", "Send it there.", param="messages")
    pad = body.options.agent_scratchpad if body.options else None
    if isinstance(pad, Scratchpad):
        return tuple(_steps((each, each.observation) for each in pad.steps or ()))
    last = messages[-1]
    if last.role != "assistant" or last.content is not None:
        return ()
    return tuple(_steps((each.action or Action(), each.observation) for each in last.agent_scratchpad or ()))


def _steps(found: Iterable[tuple[Action, str | None]]) -> Iterator[Step]:
    for action, observation in found:
        if action.tool or observation:
            call = ToolCall(
                name=action.tool or "", argument=argument(action.tool_input), thought=(action.thought or "").strip()
            )
            yield Step(call=call, observation=observation or "")


def parse(body: AgentBody, arrival: Arrival) -> Asked:
    """A turn of the conversation, with the tools that this GitLab can run for this user."""
    found = version(arrival.header(b"x-gitlab-version"))
    unavailable = _unavailable(body.unavailable_resources)
    tools = offered(found, arrival.caller.scopes, unavailable)
    request = AgentRequest(
        turns=turns(body),
        steps=steps(body),
        tools=tools,
        unavailable=unavailable if unavailable or not tools else NOT_AVAILABLE,
    )
    return Asked("chat_agent", request, stream=True, carried=body.carried, scopes=_scopes(body, found))


def _unavailable(given: Sequence[str] | None) -> tuple[str, ...]:
    """Names of what the user cannot be told about; they come one by one or with commas."""
    names = (name.strip()[:100] for each in given or () for name in each.split(","))
    return tuple(filter(None, names))[:50]


def _scopes(body: AgentBody, found: Version) -> tuple[str, ...]:
    """What the context needs; the tokens of GitLab 17.4 have no such scopes yet, but whoever hides its version does."""
    categories = set().union(*(turn.categories() for turn in said(body)))
    unknown = categories - CATEGORIES
    if unknown:
        note(ignored_context=sorted(name if _WORD.fullmatch(name) else "?" for name in unknown))
    if FIRST < found < IN_17_5:
        return ()
    return tuple(f"include_{name}_context" for name in sorted(categories & CATEGORIES))


def _line(kind: str, data: dict[str, Any]) -> bytes:
    return orjson.dumps({"type": kind, "data": data}) + b"\n"


def piece(_asked: Asked, _answer: Answer, chunk: Chunk) -> bytes:
    """A piece of the final answer, a call, or words that were meant as a call and could not be understood."""
    call = chunk.call
    if call is None:
        return _line("final_answer_delta", {"text": chunk.text}) if chunk.text else b""
    if not call.name:
        return _line("unknown", {"text": call.thought})
    return _line("action", {"tool": call.name, "tool_input": call.argument, "thought": call.thought})


def failed(_asked: Asked, problem: HomeportError, correlation_id: str) -> bytes:
    """The error line; GitLab asks again when it is retryable."""
    message = f"{problem} ({problem.code}, correlation id {correlation_id})"
    return _line("error", {"message": message, "retryable": retryable(problem)})


def retryable(problem: HomeportError) -> bool:
    """Whether the same request may succeed in a moment; after a time-out it would only take as long again."""
    if isinstance(problem, UpstreamRefused):
        return problem.upstream_status in {0, BUSY} or problem.upstream_status >= 500  # noqa: PLR2004 (HTTP's own number)
    if isinstance(problem, UpstreamTimeout | ToolNotAvailable):
        return False
    return isinstance(problem, UpstreamError | Unavailable)


def early(problem: HomeportError) -> bool:
    """Whether it is said as an error line even ahead of the first byte: all that is not the caller's doing."""
    return not isinstance(problem, CallerError)


def error(problem: HomeportError, correlation_id: str) -> tuple[int, bytes]:
    """As everywhere in this protocol, but a scratchpad in the wrong place is 400."""
    status, body = _gitlab.error(problem, correlation_id)
    return (MISPLACED if isinstance(problem, Misplaced) else status), body


def whole(_asked: Asked, answer: Answer) -> bytes:
    """Never used: this endpoint always streams."""
    return _line("final_answer_delta", {"text": answer.text})


PROTOCOL = WireProtocol(
    label="GitLab AI Gateway: chat",
    error=error,
    process_time=True,
    routes=(
        Ask(
            paths=("/v2/chat/agent",),
            need=Need("duo_chat"),
            body=AgentBody,
            parse=parse,
            whole=whole,
            streaming=Streaming(
                content_type=b"application/x-ndjson; charset=utf-8",
                piece=piece,
                failed=failed,
                ends_cleanly=True,
                says_early=early,
            ),
            summary="Chat, as GitLab Duo Chat asks: an answer, or a tool to use.",
            example={"messages": [{"role": "user", "content": "What is a mutex?"}]},
        ),
    ),
)

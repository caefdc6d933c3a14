"""What the endpoints in Ollama's format share: options, lines, and what a conversation means in OpenAI's shape.

Sources: Ollama's API documentation, "Generate a completion", "Generate a chat completion", "Errors"; the types of
Ollama's Python client; the OpenAI API reference, "Create chat completion".
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from homeport.domain.errors import BadRequest
from homeport.domain.requests import Sampling, stops
from homeport.protocols._openai import unknown
from homeport.protocols._sampler import SamplerOptions
from homeport.protocols._sentence import sentence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homeport.domain.errors import HomeportError
    from homeport.protocols import Answer, Asked

LINES = b"application/x-ndjson; charset=utf-8"
KINDS = {"/9j/": "jpeg", "R0lGOD": "gif", "UklGR": "webp"}
"""Kinds of pictures by how they begin in base64; any other is taken for PNG."""
NS = 1_000_000_000


class ModelOptions(SamplerOptions):
    """How to choose words. What is not listed changes nothing, and is named in X-Homeport-Ignored."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    num_predict: int | None = Field(None, ge=-2, le=1_000_000, description="Tokens; below 1 as many as may be.")
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: Annotated[str | list[str] | None, Field(max_length=4096)] = None

    def sampling(self) -> Sampling:
        """The options that we understand ourselves."""
        return Sampling(
            max_tokens=self.num_predict if (self.num_predict or 0) > 0 else None,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed,
            stop=stops(self.stop),
        )


class OllamaBody(BaseModel):
    """What both kinds of requests have. What is not listed changes nothing, and is named in X-Homeport-Ignored."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    model: str = Field(max_length=512, description="A registered model, an alias, or a feature; `chat` is one.")
    stream: bool | None = Field(None, description="Unless it is false, the answer comes in lines.")
    options: ModelOptions | None = None
    format: str | dict[str, Any] | None = Field(None, description="`json`, or a JSON schema.")
    think: bool | str | None = Field(None, description="Thoughts are left out if false; an effort is passed on.")
    keep_alive: str | float | None = Field(None, description="Changes nothing.")

    @property
    def streams(self) -> bool:
        """Whether it is answered in lines."""
        return self.stream is not False

    @property
    def unloads(self) -> bool:
        """Whether a model that is not asked for anything shall go."""
        return str(self.keep_alive) in {"0", "0.0", "0s"}

    def chosen(self) -> ModelOptions:
        """The options, empty where there are none."""
        return self.options or ModelOptions()

    def ignored(self) -> tuple[str, ...]:
        """The options that change nothing."""
        kept = ("keep_alive",) if self.keep_alive is not None else ()
        return (*unknown(self), *kept, *unknown(self.chosen(), "options."))

    def extra(self) -> dict[str, Any]:
        """Options for the model server, in OpenAI's words; raises BadRequest for a format that there is not."""
        found = self.chosen().passed_on()
        if isinstance(self.think, str):
            found["reasoning_effort"] = self.think
        if isinstance(self.format, dict):
            schema = {"name": "answer", "schema": self.format}
            found["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif self.format == "json":
            found["response_format"] = {"type": "json_object"}
        elif self.format:
            raise BadRequest("There is no such format.", 'Send "json" or a JSON schema.', param="format")
        return found


def content_of(text: str, images: Sequence[str]) -> str | list[dict[str, Any]]:
    """What is said, with its pictures in front where there are any."""
    if not images:
        return text
    parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": _address(each)}} for each in images]
    return [*parts, {"type": "text", "text": text}] if text else parts


def _address(image: str) -> str:
    kind = next((kind for begin, kind in KINDS.items() if image.startswith(begin)), "png")
    return f"data:image/{kind};base64,{image}"


@lru_cache(maxsize=512)
def _begun(model: str, created: int) -> bytes:
    at = datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return b'{"model":%b,"created_at":"%b",' % (orjson.dumps(model), at.encode())


def line(answer: Answer, rest: bytes) -> bytes:
    """A line of a stream; `rest` is what follows its first two fields, without braces."""
    return b'%b%b,"done":false}\n' % (_begun(answer.model, answer.created), rest)


def document(asked: Asked, answer: Answer, said: Mapping[str, Any]) -> bytes:
    """The one document; what came in one piece says nothing of when the first word was there."""
    return ended(asked, answer._replace(first_s=0.0), orjson.dumps(said)[1:-1])


def ended(asked: Asked, answer: Answer, rest: bytes) -> bytes:
    """The last line: why it ended, and durations in nanoseconds as they are seen from here."""
    usage = answer.noted
    asked_tokens, answered = (usage.prompt_tokens, usage.completion_tokens) if usage else (answer.asked_tokens, 0)
    why = asked.echo.get("idle") or ("length" if answer.finish == "length" else "stop")
    numbers = {
        "done": True,
        "done_reason": why,
        "total_duration": int(answer.took_s * NS),
        "load_duration": 0,
        "prompt_eval_count": asked_tokens,
        "prompt_eval_duration": int(answer.first_s * NS),
        "eval_count": answered,
        "eval_duration": int((answer.took_s - answer.first_s) * NS),
    }
    return b"%b%b,%b" % (_begun(answer.model, answer.created), rest, orjson.dumps(numbers)[1:])


def failed(_asked: Asked, problem: HomeportError, correlation_id: str) -> bytes:
    """The line that says that a stream broke; nothing follows it."""
    return sentence(problem, correlation_id) + b"\n"


def messages_of(messages: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The conversation in OpenAI's shape; a result of a tool without an id is that of the first open call it fits."""
    found: list[dict[str, Any]] = []
    open_calls: list[tuple[str, str]] = []
    for message in messages:
        role, said = message["role"], message.get("content") or ""
        if role == "tool":
            found.append({"role": role, "tool_call_id": _answered(message, open_calls), "content": said})
            continue
        turn = {"role": role, "content": said}
        if "images" in message:
            turn["content"] = content_of(said, message["images"] or ())
        if role == "assistant":
            _add_of_assistant(turn, message, len(found), open_calls)
        found.append(turn)
    return tuple(found)


def _add_of_assistant(
    turn: dict[str, Any], message: Mapping[str, Any], at: int, open_calls: list[tuple[str, str]]
) -> None:
    """Add what the model's own turn has besides its text; `at` tells its calls from those of other turns."""
    given = message.get("tool_calls")
    if given:
        turn["tool_calls"] = [_call(call, at, number, open_calls) for number, call in enumerate(given)]
    thoughts = message.get("thinking")
    if thoughts:
        turn["reasoning_content"] = thoughts


def _call(call: Mapping[str, Any], at: int, number: int, open_calls: list[tuple[str, str]]) -> dict[str, Any]:
    """A call, which is open from now on; raises BadRequest."""
    function = call.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str):
        saw = "A call among tool_calls needs a function with a name."
        raise BadRequest(saw, "Send tool calls back as they came.", param="messages")
    given, known = function.get("arguments") or {}, call.get("id")
    written = given if isinstance(given, str) else orjson.dumps(given).decode()
    call_id = known if known and isinstance(known, str) else f"call_{at}_{number}"
    open_calls.append((call_id, name))
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": written}}


def _answered(message: Mapping[str, Any], open_calls: list[tuple[str, str]]) -> str:
    """The id of the call that a tool's result answers, which then is no longer open."""
    wanted, name = message.get("tool_call_id"), message.get("tool_name") or message.get("name")
    for at, (call_id, called) in enumerate(open_calls):
        if wanted == call_id or (not wanted and name == called):
            return open_calls.pop(at)[0]
    return str(wanted) if wanted else open_calls.pop(0)[0] if open_calls else "call_0"

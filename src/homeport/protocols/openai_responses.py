"""OpenAI's `/v1/responses`, for any model: in one go, or going on from an answer that was kept.

Sources: the OpenAI API reference, "Responses" and "Streaming events".
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from homeport.access import Need
from homeport.domain.errors import BadRequest, Unknown
from homeport.domain.requests import ChatRequest, Sampling
from homeport.kit.journal import new_id
from homeport.protocols import Act, Answer, Arrival, Ask, Asked, Reply, Streaming, WireProtocol
from homeport.protocols._kept import Kept, owner_of
from homeport.protocols._openai import EVENT_STREAM, STREAM_HEADERS, code_of, error, unknown
from homeport.protocols._parts import Move, Part, Parts, writer_of
from homeport.protocols._responses import Offer, choice_of, messages_of, offered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homeport.domain.errors import HomeportError
    from homeport.domain.streams import Chunk
    from homeport.protocols._endpoint import Door
    from homeport.protocols._kept import Owner, Shelf

ELSEWHERE = ("background", "conversation", "prompt")
"""Options that ask for what OpenAI's servers keep or do."""
UNFELT = ("truncation", "service_tier", "include", "metadata", "user", "prompt_cache_key", "safety_identifier")
"""Options that are known and change nothing that an answer would show."""
_PREFIXES = {"text": "msg", "thought": "rs", "call": "fc"}
INPUT_ITEMS = "/input_items"
CANCEL = "/cancel"


class ResponsesBody(BaseModel):
    """What wants an answer. What is not listed changes nothing, and is named in X-Homeport-Ignored."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    model: str = Field("", max_length=512, description="A registered model, an alias, or a feature.")
    input: str | list[dict[str, Any]] = Field(default=[], max_length=10_000_000)
    instructions: str | None = None
    tools: list[dict[str, Any]] = Field(default=[], max_length=1024)
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    previous_response_id: str | None = Field(None, max_length=128)
    store: bool | None = None
    stream: bool = False
    max_output_tokens: int | None = Field(None, ge=1, le=1_000_000)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_logprobs: int | None = Field(None, ge=0, le=20)
    text: dict[str, Any] | None = None
    reasoning: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    user: str | None = Field(None, max_length=512)
    background: bool | None = None
    conversation: Any = None
    prompt: Any = None

    @property
    def ignored(self) -> tuple[str, ...]:
        """The options that change nothing, though they might be meant to."""
        named = (name for name in unknown(self) if name not in UNFELT)
        return (*named, *(("top_logprobs",) if self.top_logprobs else ()))

    @property
    def items(self) -> list[dict[str, Any]]:
        """The input as items."""
        if isinstance(self.input, str):
            return [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": self.input}]}]
        return self.input

    def options(self, functions: list[dict[str, Any]]) -> dict[str, Any]:
        """Options for the model server, in a chat's words."""
        found: dict[str, Any] = {}
        if functions:
            found["tools"] = functions
            if self.tool_choice is not None:
                found["tool_choice"] = choice_of(self.tool_choice)
            if self.parallel_tool_calls is False:
                found["parallel_tool_calls"] = False
        effort = (self.reasoning or {}).get("effort")
        if isinstance(effort, str):
            found["reasoning_effort"] = effort[:32]
        form = (self.text or {}).get("format")
        if isinstance(form, dict) and form.get("type") == "json_schema":
            schema = {name: form[name] for name in ("name", "schema", "strict", "description") if name in form}
            found["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif isinstance(form, dict) and form.get("type") == "json_object":
            found["response_format"] = form
        return found


def parse(body: ResponsesBody, arrival: Arrival) -> Asked:
    """The conversation as the chat feature takes it."""
    for name in ELSEWHERE:
        if getattr(body, name):
            raise BadRequest(f"{name} is kept and run on OpenAI's servers, not here.", "Leave it out.", param=name)
    before = _before(body, arrival)
    tools = offered(body.tools)
    said = messages_of(body.items, before.messages if before else ())
    if not said:
        raise BadRequest("input is empty.", "Send a text or a list of items.", param="input")
    request = ChatRequest(
        raw_messages=tuple(_instructed(body.instructions, said)),
        extra=body.options(tools.functions),
        model=body.model,
        sampling=Sampling(max_tokens=body.max_output_tokens, temperature=body.temperature, top_p=body.top_p),
        stream=body.stream,
        parts=True,
    )
    keeps = arrival.kept.keep_s > 0
    writer = Response(body, tools.known, said, (owner_of(arrival.caller), arrival.kept) if keeps else None)
    # only who says so expects it: agents that keep everything themselves say that they do
    ignored = (*body.ignored, *tools.left_out, *(("store",) if body.store and not keeps else ()))
    return Asked(feature="chat", request=request, stream=body.stream, ignored=ignored, writer=writer)


def _before(body: ResponsesBody, arrival: Arrival) -> Kept | None:
    """The answer to go on from; raises Unknown when it is not to be had."""
    wanted = body.previous_response_id
    return _found(arrival, wanted, "previous_response_id") if wanted else None


def _found(arrival: Arrival, name: str, param: str) -> Kept:
    found = arrival.kept.get(owner_of(arrival.caller), name)
    if found is None:
        kept = f"{arrival.kept.keep_s:.0f} s" if arrival.kept.keep_s else "not at all"
        saw = "There is no response of yours with this id."
        fix = f"Responses are kept {kept} and in memory only; send the whole conversation as `input` instead."
        raise Unknown(saw, fix, param=param)
    return found


def _instructed(instructions: str | None, said: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The conversation behind the instructions of this request, which are never kept."""
    if not instructions:
        return list(said)
    if said[0]["role"] == "system" and isinstance(said[0]["content"], str):
        return [{"role": "system", "content": f"{instructions}\n\n{said[0]['content']}"}, *said[1:]]
    return [{"role": "system", "content": instructions}, *said]


class Response(Parts):
    """What an answer consists of so far, and all that its object repeats of the request."""

    def __init__(
        self,
        body: ResponsesBody,
        tools: Mapping[str, Offer],
        said: list[dict[str, Any]],
        keep: tuple[Owner, Shelf] | None,
    ) -> None:
        super().__init__()
        self.id = f"resp_{new_id()}"
        self.created = int(time.time())
        self._body = body
        self._tools = tools
        self._conversation = said
        self._keep = keep if body.store is not False else None
        self._number = -1

    def event(self, kind: str, **data: object) -> bytes:
        """One server-sent event, with its name and number."""
        said = orjson.dumps({"type": kind, "sequence_number": self.next(), **data})
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), said)

    def next(self) -> int:
        """The number of the next event."""
        self._number += 1
        return self._number

    def tool(self, part: Part) -> Offer:
        """The tool that a call means; one that was not offered is passed on as a function."""
        return self._tools.get(part.name) or Offer("function", part.name)

    def object(self, status: str, answer: Answer | None, **more: object) -> dict[str, Any]:
        """The response object; without an answer it is empty."""
        body = self._body
        done = status in {"completed", "incomplete"}
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "model": answer.model if answer else body.model,
            "output": [self.item(part, "completed") for part in self.all] if done and answer else [],
            "parallel_tool_calls": body.parallel_tool_calls is not False,
            "previous_response_id": body.previous_response_id,
            "reasoning": {"effort": (body.reasoning or {}).get("effort"), "summary": None},
            "store": self._keep is not None,
            "temperature": body.temperature,
            "text": body.text or {"format": {"type": "text"}},
            "tool_choice": body.tool_choice or "auto",
            "tools": body.tools,
            "top_p": body.top_p,
            "truncation": "disabled",
            "usage": _usage(answer) if done and answer else None,
            "user": body.user,
            "metadata": body.metadata or {},
            **more,
        }

    def finished(self, answer: Answer) -> dict[str, Any]:
        """The object of the whole answer, which is kept if that was wanted."""
        reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
        reason = reasons.get(answer.finish)
        more = {"incomplete_details": {"reason": reason}} if reason else {}
        found = self.object("incomplete" if reason else "completed", answer, **more)
        if self._keep is not None:
            owner, shelf = self._keep
            data = orjson.dumps(found)
            items = tuple({"id": f"item_{at}", **item} for at, item in enumerate(self._body.items))
            size = len(data) + len(orjson.dumps(items))
            said = messages_of(found["output"], self._conversation)
            shelf.put(owner, self.id, Kept(data, tuple(said), items), size)
        return found

    def name(self, part: Part) -> str:
        """The id of a part's item."""
        return f"{_PREFIXES[part.kind]}_{self.id[5:]}_{part.place}"

    def item(self, part: Part, status: str) -> dict[str, Any]:
        """A part as an output item; one that is in progress is empty still."""
        done = status == "completed"
        name = self.name(part)
        if part.kind == "text":
            content = [_text(part.text)] if done else []
            return {"id": name, "type": "message", "status": status, "role": "assistant", "content": content}
        if part.kind == "thought":
            told = [{"type": "reasoning_text", "text": part.text}] if done else []
            return {"id": name, "type": "reasoning", "status": status, "summary": [], "content": told}
        return self._called(part, name, status, (part.text or "{}") if done else "")

    def _called(self, part: Part, name: str, status: str, arguments: str) -> dict[str, Any]:
        tool = self.tool(part)
        head = {"id": name, "status": status, "call_id": part.id or f"call_{self.id[5:]}_{part.place}"}
        if tool.kind == "custom":
            return {**head, "type": "custom_tool_call", "name": tool.name, "input": _input(arguments)}
        if tool.kind == "local_shell":
            return {**head, "type": "local_shell_call", "action": _action(arguments)}
        call = {**head, "type": "function_call", "name": tool.name, "arguments": arguments}
        return {**call, "namespace": tool.namespace} if tool.namespace else call


def _text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _input(arguments: str) -> str:
    """The one text that is given to a custom tool; as it stands where it is not the object that was asked for."""
    found = _loaded(arguments)
    text = found.get("input")
    return text if isinstance(text, str) else "" if arguments in {"", "{}"} else arguments


def _action(arguments: str) -> dict[str, Any]:
    found = _loaded(arguments)
    command = found.get("command")
    words = [str(word) for word in command] if isinstance(command, list) else ["bash", "-lc", command or ""]
    action: dict[str, Any] = {"type": "exec", "command": words, "env": {}}
    return action | {name: found.get(name) for name in ("working_directory", "timeout_ms")}


def _loaded(arguments: str) -> dict[str, Any]:
    try:
        found = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _usage(answer: Answer) -> dict[str, Any]:
    usage = answer.noted
    asked, answered = (usage.prompt_tokens, usage.completion_tokens) if usage else (answer.asked_tokens, 0)
    return {
        "input_tokens": asked,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": answered,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": asked + answered,
    }


def whole(asked: Asked, answer: Answer) -> bytes:
    """The response object of a collected answer."""
    response = writer_of(asked, Response)
    response.end()
    return orjson.dumps(response.finished(answer))


def opening(asked: Asked, answer: Answer) -> bytes:
    """The events that begin the response."""
    response = writer_of(asked, Response)
    begun = response.object("in_progress", answer)
    return response.event("response.created", response=begun) + response.event("response.in_progress", response=begun)


def piece(asked: Asked, _answer: Answer, chunk: Chunk) -> bytes:
    """The events of a chunk."""
    response = writer_of(asked, Response)
    return b"".join([_moved(response, move) for move in response.add(chunk)])


_DELTA = b'event: %b\ndata: {"type":"%b","sequence_number":%d,"item_id":"%b","output_index":%d,%b"delta":%b}\n\n'
_DELTAS = {
    "text": (b"response.output_text.delta", b'"content_index":0,"logprobs":[],'),
    "thought": (b"response.reasoning_text.delta", b'"content_index":0,'),
    "call": (b"response.function_call_arguments.delta", b""),
}
"""Of what nearly every chunk is: written without a detour."""


def _moved(response: Response, move: Move) -> bytes:
    part = move.part
    if move.step == "more":
        if part.kind == "call" and response.tool(part).kind != "function":
            return b""
        kind, more = _DELTAS[part.kind]
        name, text = response.name(part).encode(), orjson.dumps(move.text)
        return _DELTA % (kind, kind, response.next(), name, part.place, more, text)
    place: dict[str, Any] = {"item_id": response.name(part), "output_index": part.place}
    if move.step == "open":
        item = response.item(part, "in_progress")
        begun = response.event("response.output_item.added", output_index=part.place, item=item)
        if part.kind != "text":
            return begun
        return begun + response.event("response.content_part.added", **place, content_index=0, part=_text(""))
    item = response.item(part, "completed")
    said = _said(response, part, place, item)
    return said + response.event("response.output_item.done", output_index=part.place, item=item)


def _said(response: Response, part: Part, place: dict[str, Any], item: dict[str, Any]) -> bytes:
    """The events that repeat the whole of a part."""
    if part.kind == "text":
        done = response.event("response.output_text.done", **place, content_index=0, text=part.text, logprobs=[])
        return done + response.event("response.content_part.done", **place, content_index=0, part=_text(part.text))
    if part.kind == "thought":
        return response.event("response.reasoning_text.done", **place, content_index=0, text=part.text)
    kind = response.tool(part).kind
    if kind == "function":
        given = {"name": item["name"], "arguments": item["arguments"]}
        return response.event("response.function_call_arguments.done", **place, **given)
    if kind == "custom":
        delta = response.event("response.custom_tool_call_input.delta", **place, delta=item["input"])
        return delta + response.event("response.custom_tool_call_input.done", **place, input=item["input"])
    return b""


def closing(asked: Asked, answer: Answer) -> bytes:
    """What is still open is closed; the whole response."""
    response = writer_of(asked, Response)
    rest = b"".join([_moved(response, move) for move in response.end()])
    found = response.finished(answer)
    return rest + response.event(f"response.{found['status']}", response=found)


def failed(asked: Asked, problem: HomeportError, correlation_id: str) -> bytes:
    """The event that says that the response failed; nothing follows it."""
    response = writer_of(asked, Response)
    told = {"code": code_of(problem), "message": f"{problem} (correlation id {correlation_id})"}
    return response.event("response.failed", response=response.object("failed", None, error=told))


async def retrieve(_door: Door, _body: None, arrival: Arrival) -> Reply:
    """A response that was kept, or what its request added to the conversation."""
    name = arrival.tail.removesuffix(INPUT_ITEMS)
    found = _found(arrival, name, "response_id")
    if name == arrival.tail:
        return Reply(body=found.response)
    ends = {"first_id": found.items[0]["id"], "last_id": found.items[-1]["id"]} if found.items else {}
    return Reply(body=orjson.dumps({"object": "list", "data": found.items, "has_more": False, **ends}))


async def delete(_door: Door, _body: None, arrival: Arrival) -> Reply:
    """Forget a response."""
    _found(arrival, arrival.tail, "response_id")
    arrival.kept.drop(owner_of(arrival.caller), arrival.tail)
    return Reply(body=orjson.dumps({"id": arrival.tail, "object": "response.deleted", "deleted": True}))


async def cancel(_door: Door, _body: None, arrival: Arrival) -> Reply:
    """Say that there is nothing to cancel: a response runs no longer than its client listens."""
    if not arrival.tail.endswith(CANCEL):
        raise Unknown("There is nothing to send to here.", "Use POST /v1/responses/{id}/cancel.")
    _found(arrival, arrival.tail.removesuffix(CANCEL), "response_id")
    saw = "The response is finished; only responses in the background can be cancelled, which there are none of."
    raise BadRequest(saw, "Close the connection to end a response that is being written.", param="response_id")


PROTOCOL = WireProtocol(
    label="OpenAI responses",
    error=error,
    routes=(
        Ask(
            paths=("/v1/responses",),
            need=Need("duo_chat"),
            body=ResponsesBody,
            parse=parse,
            whole=whole,
            streaming=Streaming(
                content_type=EVENT_STREAM,
                headers=STREAM_HEADERS,
                opening=opening,
                piece=piece,
                closing=closing,
                failed=failed,
                ends_cleanly=True,
            ),
            summary="Get a response of a model, as Codex does.",
            example={"input": "Say hello in Python.", "stream": True},
        ),
        Act(
            paths=("/v1/responses/{response_id}",),
            need=Need("duo_chat"),
            act=retrieve,
            method="GET",
            summary="Get a response that was kept, or with `/input_items` what it was given.",
        ),
        Act(
            paths=("/v1/responses/{response_id}",),
            need=Need("duo_chat"),
            act=delete,
            method="DELETE",
            summary="Forget a response that was kept.",
        ),
        Act(
            paths=("/v1/responses/{response_id}",),
            need=Need("duo_chat"),
            act=cancel,
            summary="With `/cancel`: refused, a response ends when its client leaves.",
        ),
    ),
)

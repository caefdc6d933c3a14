"""Servers that speak Anthropic's Messages format: Anthropic itself, and gateways and servers that imitate it.

Source: Anthropic API reference, "Create a message", "Streaming messages", "Errors" and "List models".
"""

from __future__ import annotations

import re
from contextlib import aclosing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from homeport.domain.errors import UpstreamError, UpstreamRefused
from homeport.domain.streams import CallPiece, Chunk, Usage
from homeport.providers import Option, Provider, _unwanted, _wire, option
from homeport.providers._tool_calls import rendered
from homeport.providers._turns import Image, Result, Text, conversation

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from homeport.domain.models import Model
    from homeport.domain.prompts import Prompt
    from homeport.domain.streams import Chunks
    from homeport.kit.upstream import Reply, Upstream
    from homeport.providers._turns import Conversation, Part

OPTIONS: Mapping[str, Option] = {
    "auth": Option(text="The header that takes the key.", values=("x-api-key", "bearer"), default="x-api-key"),
    "version": Option(text="The version of the interface.", form=r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", default="2023-06-01"),
}
EXPECTED = "Expected Anthropic's Messages format; check the model's endpoint and platform."
FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
ENDED = "message_stop"
WIRE = "anthropic"
"""The name of the format, where a client speaks it too."""
COUNTED = ("model", "messages", "system", "tools", "tool_choice", "thinking")
_NOTABLE = re.compile(rb"^event: ?(message_start|message_delta|message_stop|error)\ndata: ?(.*)$", re.MULTILINE)
"""Events of a stream that say more than a piece of the answer."""


def generate(upstream: Upstream, model: Model, prompt: Prompt) -> Chunks:
    """Ask the model for a message; a client of this format gets its bytes."""
    native = prompt.native
    if native is not None and native.wire == WIRE:
        return _unwanted.without(lambda within: _passed_on(upstream, within, prompt, native.body), model)
    return _unwanted.without(lambda within: rendered(_asked(upstream, within, prompt), model, prompt), model)


async def _asked(upstream: Upstream, model: Model, prompt: Prompt) -> AsyncGenerator[Chunk | CallPiece, None]:
    call = _wire.call(model, _url(model, "/messages"), _headers(model), _body(model, prompt))
    if not prompt.stream:
        body = await _wire.document(upstream, model, call, _refused, expected=EXPECTED)
        for whole in _pieces(model, prompt, body):
            yield whole
        return
    reply = await _wire.opened(upstream, model, call, _refused)
    try:
        asked = 0
        began = False
        async with aclosing(_wire.lines(reply, model, EXPECTED)) as found:
            async for data in found:
                began = True
                event = _wire.parse(data, model, EXPECTED)
                if event.get("type") == ENDED:
                    await _wire.drain(reply)
                    return
                if event.get("type") == "message_start":
                    asked = _asked_tokens(event.get("message"))
                piece = _event(model, prompt, event, asked)
                if piece is not None:
                    yield piece
        raise _wire.truncated(model) if began else _wire.malformed(model, "no stream of events", EXPECTED)
    finally:
        reply.close()


async def _passed_on(upstream: Upstream, model: Model, prompt: Prompt, body: Mapping[str, Any]) -> Chunks:
    """The answer to a message as its client wrote it, hardly read."""
    call = _wire.call(model, _url(model, "/messages"), _headers(model), _same(model, prompt, body))
    if not prompt.stream:
        data = await _wire.body_of(upstream, model, call, _refused)
        found = [each for each in _pieces(model, prompt, _wire.parse(data, model, EXPECTED)) if isinstance(each, Chunk)]
        yield Chunk(found[0].text, found[-1].finish, found[-1].usage, data)
        return
    reply = await _wire.opened(upstream, model, call, _refused)
    reader = _Reader(model, prompt)
    try:
        while not reader.ended and (part := await _wire.guard(model, reply.part())):
            if whole := reader.events(part, reply):
                yield reader.chunk(whole)
        if not reader.ended:
            raise _wire.truncated(model) if reader.began else _wire.malformed(model, "no stream of events", EXPECTED)
        await _wire.drain(reply)
    finally:
        reply.close()


class _Reader:
    """Reads of a stream that is passed on what the log needs: usage, the end, and whether it is one."""

    def __init__(self, model: Model, prompt: Prompt) -> None:
        self._model = model
        self._prompt = prompt
        self._held = b""
        self._asked = 0
        self.began = self.ended = False

    def events(self, part: bytes, reply: Reply) -> bytes:
        """The whole events that have come; raises UpstreamMalformed for what is no event."""
        whole, end, self._held = (self._held + part).replace(b"\r\n", b"\n").rpartition(b"\n\n")
        if len(self._held) > _wire.EVENT_LIMIT:
            raise _wire.malformed(self._model, f"an event of more than {_wire.EVENT_LIMIT} bytes", EXPECTED)
        if not self.began and not _wire.is_field((whole or self._held).split(b"\n", 1)[0][:64]):
            raise _wire.no_stream(self._model, reply, EXPECTED)
        self.began = self.began or bool(end)
        return whole + end

    def chunk(self, whole: bytes) -> Chunk:
        """These events as they are; raises UpstreamError for one that reports a failure."""
        found = Chunk(wire=whole)
        for kind, data in _NOTABLE.findall(whole):
            event = _wire.parse(data, self._model, EXPECTED)
            self.ended = self.ended or kind == b"message_stop"
            if kind == b"message_start":
                self._asked = _asked_tokens(event.get("message"))
            told = _event(self._model, self._prompt, event, self._asked)
            if isinstance(told, Chunk):
                found.finish, found.usage = told.finish or found.finish, told.usage or found.usage
        return found


def _same(model: Model, prompt: Prompt, body: Mapping[str, Any]) -> bytes:
    """The client's own message, within the model's limits and without what the model refuses."""
    unwanted = _unwanted.of(model)
    kept = {name: value for name, value in body.items() if name not in unwanted and name != "stop_sequences"}
    if "stop_sequences" in body and "stop" not in unwanted:
        kept["stop_sequences"] = body["stop_sequences"]
    most = prompt.sampling.max_tokens or model.limits.output_tokens
    own = {"model": model.identifier or model.name, "stream": prompt.stream, "max_tokens": most}
    return _wire.dumped(kept | own)


async def count(upstream: Upstream, model: Model, prompt: Prompt) -> int:
    """Tokens of a conversation, as the server counts them (Anthropic API reference, "Count tokens")."""
    native = prompt.native
    said = orjson.loads(_body(model, prompt) if native is None else _same(model, prompt, native.body))
    asked = {name: said[name] for name in COUNTED if name in said}
    call = _wire.call(model, _url(model, "/messages/count_tokens"), _headers(model), _wire.dumped(asked))
    return _wire.count((await _wire.document(upstream, model, call, _refused, expected=EXPECTED)).get("input_tokens"))


def _url(model: Model, path: str) -> str:
    """The endpoint may end in `/v1` or before it."""
    return f"{model.endpoint.rstrip('/').removesuffix('/v1')}/v1{path}"


def _headers(model: Model) -> dict[str, str]:
    sent = {"anthropic-version": option(OPTIONS, "version", model)}
    if model.key and option(OPTIONS, "auth", model) == "bearer":
        sent["Authorization"] = f"Bearer {model.key.reveal()}"
    elif model.key:
        sent["x-api-key"] = model.key.reveal()
    return sent


def _body(model: Model, prompt: Prompt) -> bytes:
    said = conversation(prompt, "anthropic", _unwanted.of(model))
    turns = [{"role": turn.role, "content": [_part(part) for part in turn.parts]} for turn in said.turns]
    body: dict[str, Any] = {
        "model": model.identifier or model.name,
        "messages": turns,
        "stream": prompt.stream,
        **_sampling(model, prompt),
    }
    if said.system:
        body["system"] = said.system
    if said.tools:
        body |= _tools(said)
        if prompt.extra.get("parallel_tool_calls") is False and said.choice != "none":
            body["tool_choice"]["disable_parallel_tool_use"] = True
    return _wire.dumped(body)


def _sampling(model: Model, prompt: Prompt) -> dict[str, Any]:
    """A limit is a must here; temperatures end at 1, and stop sequences of white space are refused."""
    sampling = prompt.sampling
    unwanted = _unwanted.of(model)
    found = {
        "max_tokens": sampling.max_tokens or model.limits.output_tokens,
        "temperature": None if sampling.temperature is None else min(sampling.temperature, 1.0),
        "top_p": None if sampling.temperature is not None and sampling.top_p == 1.0 else sampling.top_p,
        "top_k": prompt.extra.get("top_k"),
        "stop": [text for text in sampling.stop if text.strip()] or None,
    }
    kept = {name: value for name, value in found.items() if value is not None and name not in unwanted}
    return {"stop_sequences" if name == "stop" else name: value for name, value in kept.items()}


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Image):
        source = {"type": "base64", "media_type": f"image/{part.format}", "data": part.data}
        return {"type": "image", "source": source}
    if isinstance(part, Result):
        return {"type": "tool_result", "tool_use_id": part.id, "content": part.text}
    return {"type": "tool_use", "id": part.id, "name": part.name, "input": part.input}


def _tools(said: Conversation) -> dict[str, Any]:
    tools = [{"name": each.name, "description": each.description, "input_schema": each.schema} for each in said.tools]
    if said.choice.startswith(":"):
        return {"tools": tools, "tool_choice": {"type": "tool", "name": said.choice[1:]}}
    return {"tools": tools, "tool_choice": {"type": said.choice}}


def _pieces(model: Model, prompt: Prompt, body: Mapping[str, Any]) -> list[Chunk | CallPiece]:
    """What a message holds that came as one document."""
    try:
        content = body["content"]
        said = "".join(part["text"] for part in content if part["type"] == "text")
        thinks = any(part["type"] in {"thinking", "redacted_thinking"} for part in content)
        found: list[Chunk | CallPiece] = [Chunk(said, thinks=thinks)]
        used = [part for part in content if part["type"] == "tool_use"]
        for at, use in enumerate(used):
            found.append(CallPiece(at, use["id"], use["name"], orjson.dumps(use.get("input") or {}).decode()))
        usage = Usage(_asked_tokens(body), _answered_tokens(body))
        found.append(Chunk(finish=_finish(model, prompt, body.get("stop_reason")), usage=usage))
    except (KeyError, TypeError, AttributeError) as error:
        raise _wire.malformed(model, "a document without a message", EXPECTED) from error
    return found


def _event(model: Model, prompt: Prompt, event: Mapping[str, Any], asked: int) -> Chunk | CallPiece | None:
    """What one event of the stream holds; raises UpstreamError for one that reports a failure."""
    kind = event.get("type")
    try:
        if kind == "error":
            raise _broke(model, str(event["error"]["type"]))
        if kind == "content_block_delta":
            return _delta(event)
        if kind == "content_block_start" and event["content_block"]["type"] == "tool_use":
            block = event["content_block"]
            return CallPiece(_wire.number_of(event["index"]), _wire.text_of(block["id"]), _wire.text_of(block["name"]))
        if kind == "message_delta":
            reason = event["delta"].get("stop_reason")
            finish = _finish(model, prompt, reason) if reason else None
            return Chunk(finish=finish, usage=Usage(asked, _answered_tokens(event)))
    except (KeyError, TypeError, AttributeError) as error:
        raise _wire.malformed(model, "an event that lacks what it should hold", EXPECTED) from error
    return None


def _delta(event: Mapping[str, Any]) -> Chunk | CallPiece | None:
    delta = event["delta"]
    if delta["type"] == "text_delta":
        return Chunk(_wire.text_of(delta["text"]))
    if delta["type"] == "input_json_delta":
        return CallPiece(_wire.number_of(event["index"]), arguments=_wire.text_of(delta["partial_json"]))
    return None


def _finish(model: Model, prompt: Prompt, reason: object) -> str:
    """OpenAI's word for it; raises UpstreamRejected where only an error can say that the model declined."""
    if reason == "refusal" and not (prompt.relay or prompt.parts):
        raise _wire.declined(model, "A safety classifier")
    return FINISH.get(str(reason), "stop")


def _asked_tokens(message: object) -> int:
    """Tokens of the prompt, those of the prompt cache included."""
    usage = message.get("usage") if isinstance(message, dict) else None
    if not isinstance(usage, dict):
        return 0
    return sum(
        _wire.count(usage.get(name))
        for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    )


def _answered_tokens(event: Mapping[str, Any]) -> int:
    usage = event.get("usage")
    return _wire.count(usage.get("output_tokens")) if isinstance(usage, dict) else 0


def _broke(model: Model, kind: str) -> UpstreamError:
    """An error event in the middle of a stream."""
    if kind in {"overloaded_error", "rate_limit_error"}:
        return _wire.overloaded(model, 529 if kind == "overloaded_error" else 429)
    return UpstreamError(f"The model {model.name!r} failed in the middle of its answer.", "Try again.")


def _refused(model: Model, reply: Reply, body: bytes) -> UpstreamError:
    if reply.status in _wire.WRONG_REQUEST:
        if unwanted := _unwanted.found(model, reply.status, body):
            return unwanted
        why = _wire.TOO_LONG if _wire.too_long(body) else ""
        if b"credit balance" in body:
            why = "the account has no credit left"
        return _wire.refusal(model, reply, why=why)
    if reply.status == _wire.NOT_FOUND:
        fix = f"Is a model served as {model.identifier!r}, and the endpoint the one before `/v1/messages`?"
        return _wire.refusal(model, reply, fix=fix)
    return _wire.refusal(model, reply)


async def served(upstream: Upstream, model: Model) -> Sequence[str]:
    """The models that the server lists, and the model's own name where the server knows it as an alias."""
    names = await _listed(upstream, model)
    if model.identifier and model.identifier not in names:
        alias = _wire.call(
            model, _url(model, f"/models/{quote(model.identifier, safe='')}"), _headers(model), method="GET"
        )
        try:
            await _wire.document(upstream, model, alias, _refused, expected=EXPECTED)
        except UpstreamRefused:
            return names
        return [*names, model.identifier]
    return names


async def _listed(upstream: Upstream, model: Model) -> list[str]:
    wanted = _wire.call(model, _url(model, "/models?limit=1000"), _headers(model), method="GET")
    body = await _wire.document(upstream, model, wanted, _refused, expected=EXPECTED)
    try:
        return [str(entry["id"]) for entry in body["data"]]
    except (KeyError, TypeError) as error:
        raise _wire.malformed(model, 'no list of models under "data"', EXPECTED) from error


PROVIDER = Provider(
    label="Anthropic-compatible (Messages)",
    generate=generate,
    served=served,
    count=count,
    hosts=("api.anthropic.com",),
    prefixes=("anthropic",),
    text=False,
    embeds=False,
    options=OPTIONS,
)

"""The OpenAI wire format, as vLLM, llama.cpp, SGLang and many others speak it."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from homeport.domain.errors import (
    BadRequest,
    UpstreamError,
    UpstreamMalformed,
    UpstreamOverloaded,
    UpstreamRefused,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from homeport.domain.streams import Chunk, Usage
from homeport.kit.journal import correlation_id, note
from homeport.kit.upstream import Call, Malformed, TooMuch, TransportError, Truncated, Unreachable, UpstreamTooLate

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

    from homeport.domain.models import Model
    from homeport.domain.prompts import Prompt
    from homeport.domain.streams import Chunks
    from homeport.kit.upstream import Reply, Upstream

T = TypeVar("T")

DOCUMENT_LIMIT = 16 * 1024 * 1024
EVENT_LIMIT = 1024 * 1024
DRAIN_S = 0.1
"""How long the end of a body may take after the end mark; a connection that takes longer is not kept."""
EVENT_END = b"\n\n"
DONE = b"[DONE]"
ERROR = b'"error"'
"""Stands in an event that reports an error, and in few others: a quotation mark inside a text is escaped."""
_END_MARK = re.compile(rb"^data: ?\[DONE\]\r?$", re.MULTILINE)
_NO_CHOICES = re.compile(rb'"choices": ?\[\]')
_SECONDS = re.compile(r"[0-9]{1,9}")
_DATA = re.compile(rb"^data:(.*)$", re.MULTILINE)
REGISTERED_ELSEWHERE = "GitLab's Admin area, under GitLab Duo, Self-hosted models"
SLOW_DOWN = {429, 503, 529}
WRONG_REQUEST = {400, 413, 422}
KEY_REFUSED = {401, 403}


def generate(upstream: Upstream, model: Model, prompt: Prompt) -> Chunks:
    """Ask the model; the answer comes as text, or as bytes when the prompt allows a relay."""
    if not prompt.stream:
        return _document(upstream, model, prompt)
    return (_relay if prompt.relay else _events)(upstream, model, prompt)


async def served(upstream: Upstream, model: Model) -> Sequence[str]:
    """Names that the server lists at `/models`."""
    reply = await _open(upstream, model, _call(model, "/models", b"", method="GET"))
    try:
        body = _parse(await _guard(model, reply.read(DOCUMENT_LIMIT)), model)
        return [str(entry["id"]) for entry in body["data"]]
    except (KeyError, TypeError) as error:
        raise _malformed(model, 'no list of models under "data"') from error
    finally:
        reply.close()


async def _document(upstream: Upstream, model: Model, prompt: Prompt) -> Chunks:
    reply = await _open(upstream, model, _call(model, _path(prompt), _body(model, prompt)))
    try:
        data = await _guard(model, reply.read(DOCUMENT_LIMIT))
    finally:
        reply.close()
    body = _parse(data, model)
    try:
        choice = body["choices"][0]
        text = _string(choice["text"] if prompt.kind == "text" else choice["message"].get("content"))
        finish = choice.get("finish_reason") or "stop"
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise _malformed(model, "a document without choices") from error
    yield Chunk(text, finish, _usage(body), data if prompt.relay else b"")


def _string(value: object) -> str:
    """A text, or none at all; raises TypeError for anything else."""
    if value is None or isinstance(value, str):
        return value or ""
    raise TypeError


async def _relay(upstream: Upstream, model: Model, prompt: Prompt) -> Chunks:
    """Pass whole events on unread; the usage event only goes to a client that asked for it."""
    reply = await _open(upstream, model, _call(model, _path(prompt), _body(model, prompt)))
    usage: Usage | None = None
    began = ended = False
    held = b""
    try:
        while not ended and (part := await reply.part()):
            if held or not part.endswith(EVENT_END):
                part, held = _whole_events(held + part, model)
            if b"[]" in part and _NO_CHOICES.search(part):
                usage, part = _usage_event(part, usage, keep=prompt.usage)
            if DONE in part and _END_MARK.search(part):
                ended = True
            if ERROR in part:
                _look_for_error(part, model)
            if part:
                began = True
                yield Chunk("", None, None, part)
        if not ended:
            yield Chunk("", None, None, _last_event(held, model, began=began))
        await _drain(reply)
    except TransportError as error:
        raise explain(model, error) from error
    finally:
        reply.close()
    yield Chunk(usage=usage, finish="stop")


def _last_event(held: bytes, model: Model, *, began: bool) -> bytes:
    """The end mark when only its line end is missing; without an end mark the answer broke off."""
    if _END_MARK.search(held):
        return held.rstrip() + EVENT_END
    raise _truncated(model) if began else _malformed(model, "something that is not a stream of events")


def _look_for_error(part: bytes, model: Model) -> None:
    """Raise UpstreamError when an event reports one: its words stay here, they may repeat the prompt."""
    for data in _DATA.findall(part):
        try:
            _refuse_error(orjson.loads(data), model)
        except ValueError:
            continue


def _refuse_error(event: Any, model: Model) -> None:  # noqa: ANN401 (whatever JSON came)
    if isinstance(event, dict) and (event.get("error") or event.get("object") == "error"):
        saw = f"The model {model.name!r} reported an error in the middle of its answer."
        raise UpstreamError(saw, "Look for the correlation id in the model server's log.")


async def _drain(reply: Reply) -> None:
    """Read a finished answer's connection to its end, so that it can be used again."""
    try:
        async with asyncio.timeout(DRAIN_S):
            while await reply.part():
                pass
    except (TransportError, TimeoutError):
        pass


def _whole_events(part: bytes, model: Model) -> tuple[bytes, bytes]:
    """The complete events at the start of `part`, and the beginning of the next one."""
    if part.endswith(EVENT_END):
        return part, b""
    cut = max(part.rfind(EVENT_END) + 2, part.rfind(b"\r\n\r\n") + 4)
    if cut < 4:  # noqa: PLR2004 (neither mark was found: rfind gave -1)
        if len(part) > EVENT_LIMIT:
            raise _malformed(model, f"an event of more than {EVENT_LIMIT} bytes")
        return b"", part
    return part[:cut], part[cut:]


def _usage_event(part: bytes, known: Usage | None, *, keep: bool) -> tuple[Usage | None, bytes]:
    """The usage that an event without choices reports, and the part with or without that event."""
    kept: list[bytes] = []
    for event in part.replace(b"\r\n", b"\n").split(b"\n\n"):
        if not _NO_CHOICES.search(event):
            kept.append(event)
            continue
        try:
            known = _usage(orjson.loads(event[event.index(b"{") :])) or known
        except ValueError:
            continue
        if keep:
            kept.append(event)
    return known, b"\n\n".join(kept)


async def _events(upstream: Upstream, model: Model, prompt: Prompt) -> Chunks:
    reply = await _open(upstream, model, _call(model, _path(prompt), _body(model, prompt)))
    pick = _text_of_completion if prompt.kind == "text" else _text_of_chat
    began = ended = False
    try:
        async with aclosing(events(reply, model)) as found:
            async for data in found:
                if data == DONE:
                    ended = True
                    break
                began = True
                chunk = _read_event(data, pick, model)
                if chunk is not None:
                    yield chunk
        if not ended:
            raise _truncated(model) if began else _malformed(model, "something that is not a stream of events")
        await _drain(reply)
    finally:
        reply.close()


async def events(reply: Reply, model: Model) -> AsyncGenerator[bytes, None]:
    """The `data` of each server-sent event, whatever way the bytes were cut on their journey."""
    held = b""
    while part := await _guard(model, reply.part()):
        *lines, held = (held + part).split(b"\n")
        if len(held) > EVENT_LIMIT:
            raise _malformed(model, f"an event of more than {EVENT_LIMIT} bytes")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()
    if _END_MARK.search(held):
        yield DONE


def _read_event(data: bytes, pick: Callable[[Any], object], model: Model) -> Chunk | None:
    event = _parse(data, model)
    if ERROR in data:
        _refuse_error(event, model)
    usage = _usage(event)
    choices = event.get("choices") or []
    if not choices:
        return Chunk(usage=usage) if usage else None
    try:
        return Chunk(_string(pick(choices[0])), choices[0].get("finish_reason"), usage)
    except (KeyError, TypeError, AttributeError) as error:
        raise _malformed(model, "an event without a text") from error


def _text_of_completion(choice: Mapping[str, Any]) -> object:
    return choice.get("text")


def _text_of_chat(choice: Mapping[str, Any]) -> object:
    return choice["delta"].get("content")


def _path(prompt: Prompt) -> str:
    return "/completions" if prompt.kind == "text" else "/chat/completions"


def _body(model: Model, prompt: Prompt) -> bytes:
    body: dict[str, Any] = {**prompt.extra, "model": model.identifier or model.name, "stream": prompt.stream}
    if prompt.kind == "text":
        body["prompt"] = prompt.text
    else:
        body["messages"] = prompt.raw_messages or [
            {"role": message.role, "content": message.content} for message in prompt.messages
        ]
    sampling = prompt.sampling
    options = {
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
    }
    body.update((name, value) for name, value in options.items() if value is not None)
    if prompt.stream:
        body["stream_options"] = {"include_usage": True}
    try:
        return orjson.dumps(body, default=dict)
    except TypeError as error:
        saw = "The request holds a number or a text that JSON cannot carry (beyond 64 bits, or half a surrogate pair)."
        raise BadRequest(saw) from error


def _call(model: Model, path: str, body: bytes, *, method: str = "POST") -> Call:
    headers = {"X-Request-ID": correlation_id(), "Accept-Encoding": "identity"}
    if body:
        headers["Content-Type"] = "application/json"
    if model.key:
        headers["Authorization"] = f"Bearer {model.key.reveal()}"
    limits = model.limits
    return Call(
        method=method,
        url=model.endpoint.rstrip("/") + path,
        headers=headers,
        body=body,
        connect_s=limits.connect_s,
        first_byte_s=limits.first_token_s,
        idle_s=limits.idle_s,
        total_s=limits.total_s,
    )


async def _open(upstream: Upstream, model: Model, call: Call) -> Reply:
    """The reply, once its head has arrived and says that all is well."""
    reply = await _guard(model, upstream.open(call))
    if reply.status == 200:  # noqa: PLR2004 (HTTP's own number)
        return reply
    try:
        body = await reply.read(64 * 1024)
    except TransportError:
        body = b""
    finally:
        reply.close()
    note(upstream_status=reply.status)
    raise _refused(model, reply.status, _retry_after(reply), body)


async def _guard(model: Model, waiting: Awaitable[T]) -> T:
    """Turn what went wrong on the wire into what the caller and the operator can use."""
    try:
        return await waiting
    except TransportError as error:
        raise explain(model, error) from error


_REACH = {
    "refused": "nobody listens at its address",
    "dns": "its host name cannot be resolved",
    "tls": "its TLS certificate was not accepted",
    "denied": "its address is one that no model may have (link-local or a metadata service)",
    "reset": "the connection was reset",
    "closed": "the connection was closed before an answer came",
    "url": "its endpoint is not a URL",
    "header": "its API key holds a character that no header can carry, perhaps a line end",
    "network": "the network failed",
}


def explain(model: Model, error: TransportError) -> UpstreamError:
    """The error of our tree that says what a transport error means for a caller."""
    name = model.name
    check = f"Check the endpoint {_where(model)}."
    if isinstance(error, Unreachable):
        note(upstream_problem=f"{error.why} {error.detail}".strip())
        return UpstreamUnreachable(f"The model {name!r} cannot be reached: {_REACH[error.why]}.", check)
    if isinstance(error, UpstreamTooLate):
        note(upstream_problem=f"too late: {error.phase}")
        return UpstreamTimeout(
            f"The model {name!r} took too long ({error.phase}).",
            "It may be overloaded or loading; its limits can be raised where it is registered."
            if model.registered
            else "It may be overloaded or loading; HOMEPORT_MODEL_TIMEOUT is the limit.",
        )
    if isinstance(error, Truncated):
        return _truncated(model)
    if isinstance(error, TooMuch):
        return _malformed(model, str(error))
    if isinstance(error, Malformed):
        return _malformed(model, "bytes that are not HTTP")
    return UpstreamError(f"The model {name!r} failed.", check)


def _refused(model: Model, status: int, retry_after_s: int | None, body: bytes) -> UpstreamRefused:
    name = model.name
    if status in SLOW_DOWN:
        return UpstreamOverloaded(
            f"The model {name!r} is overloaded (HTTP {status}).",
            "Try again later.",
            upstream_status=status,
            retry_after_s=retry_after_s,
        )
    if status in WRONG_REQUEST:
        return UpstreamRejected(
            f"The model {name!r} rejected the request (HTTP {status}){_because(body)}.",
            "Check the family, the context window and the options of the request.",
            upstream_status=status,
        )
    return UpstreamRefused(
        f"The model {name!r} answered HTTP {status}.", _advice(model, status), upstream_status=status
    )


def _where(model: Model) -> str:
    """How an operator looks at a model: ours with our command, a carried one where it comes from."""
    return f"with `homeport models test {model.name}`" if model.registered else f"in {REGISTERED_ELSEWHERE}"


def _advice(model: Model, status: int) -> str:
    if status in KEY_REFUSED:
        if not model.registered:
            return f"Its API key is missing or wrong: see {REGISTERED_ELSEWHERE}."
        return f"Its API key is missing or wrong: `homeport models edit {model.name} --api-key-env VAR`."
    if status == 404:  # noqa: PLR2004 (HTTP's own number)
        return (
            f"Either the endpoint lacks its `/v1`, or no model is served as {model.identifier!r}: "
            f"check both {_where(model)}."
        )
    if 300 <= status < 400:  # noqa: PLR2004 (HTTP's own numbers)
        return "Redirects are never followed; register the final address."
    return "Look for the correlation id in the model server's log."


def _because(body: bytes) -> str:
    """A reason that we know, never the server's own words: they may repeat the prompt."""
    text = body.lower()
    if b"context" in text or b"max_model_len" in text or b"too long" in text or b"input_tokens" in text:
        return ": the prompt and the answer do not fit its context window"
    if b"chat template" in text or b"chat_template" in text:
        return ": it has no chat template"
    return ""


def _retry_after(reply: Reply) -> int | None:
    text = reply.header("Retry-After")
    return min(int(text), 60) if _SECONDS.fullmatch(text) else None


def _usage(body: Mapping[str, Any]) -> Usage | None:
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None
    return Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")))


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _parse(data: bytes, model: Model) -> dict[str, Any]:
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _malformed(model, "something that is not JSON") from error
    if not isinstance(body, dict):
        raise _malformed(model, "JSON that is not an object")
    return body


def _malformed(model: Model, what: str) -> UpstreamMalformed:
    return UpstreamMalformed(
        f"The model {model.name!r} answered with {what}.",
        "Expected the OpenAI wire format; check that the endpoint ends in `/v1`.",
    )


def _truncated(model: Model) -> UpstreamTruncated:
    return UpstreamTruncated(f"The answer of the model {model.name!r} broke off.", "Try again.")

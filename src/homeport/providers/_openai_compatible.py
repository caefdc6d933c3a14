"""The OpenAI wire format, as vLLM, llama.cpp, SGLang and many others speak it."""

from __future__ import annotations

import re
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from homeport.domain.errors import PromptTooLong, UpstreamError, UpstreamRejected
from homeport.domain.streams import Chunk, Usage
from homeport.kit.upstream import TransportError
from homeport.providers import _vectors, _window, _wire
from homeport.providers._tool_calls import Heard, Spoken, first, pieces_of, thought_of
from homeport.providers._wire import EVENT_LIMIT, drain, explain, is_field, lines, no_stream, opened, truncated

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from homeport.domain.errors import UpstreamMalformed
    from homeport.domain.models import Model
    from homeport.domain.prompts import Prompt
    from homeport.domain.streams import Chunks
    from homeport.kit.upstream import Call, Reply, Upstream
    from homeport.providers._wire import Refuse

VECTORS_LIMIT = 4 * _wire.DOCUMENT_LIMIT
"""Bytes of a document with embeddings: 2048 vectors of 4096 numbers in base64 have 45 million."""
_NO_SUCH = {_wire.NOT_FOUND, 405, 501}
_TOO_LONG_TO_EMBED = (b"too large to process", b"must have less than")
"""How llama.cpp and TEI say that a text is too long."""
_BLIND = (b"image input is not supported", b"not a multimodal model", b"at most 0 image")
"""How llama.cpp (with HTTP 500) and vLLM say that a model takes no pictures."""
EVENT_END = b"\n\n"
DONE = b"[DONE]"
END = b"data: [DONE]"
_PLAIN = b'data: {"'
"""How nearly every event begins."""
_PLAIN_EVENTS = re.compile(rb'(?:data: \{"[^\n]*\n\n)*(?:data: \[DONE\]\n\n)?')
ERROR = b'"error"'
"""Stands in an event that reports an error, and in few others: a quotation mark inside a text is escaped."""
_END_MARK = re.compile(rb"^data: ?\[DONE\]\r?$", re.MULTILINE)
_FINISHED = re.compile(rb'"finish_reason": ?"')
"""Stands in the event that ends the text, and not in a text: there a quotation mark is escaped."""
_USAGE = b'"usage"'
_NO_CHOICES = re.compile(rb'"choices": ?\[\]')
_DATA = re.compile(rb"^data:(.*)$", re.MULTILINE)
EXPECTED = "Expected the OpenAI wire format; check that the endpoint ends in `/v1`."


def below(model: Model, path: str) -> str:
    """An address below the model's endpoint, which ends in `/v1`."""
    return model.endpoint.rstrip("/") + path


def bearer(model: Model) -> dict[str, str]:
    """The model's key, as OpenAI takes it."""
    return {"Authorization": f"Bearer {model.key.reveal()}"} if model.key else {}


def refused(model: Model, reply: Reply, body: bytes) -> UpstreamError:
    """What an HTTP error of such a server means; never the server's own words, which may repeat the prompt."""
    if reply.status == _wire.NOT_FOUND:
        check = f"check both {_wire.where(model)}"
        fix = f"Either the endpoint lacks its `/v1`, or no model is served as {model.identifier!r}: {check}."
        return _wire.refusal(model, reply, fix=fix)
    if reply.status == _wire.LOOP:
        fix = f"Its endpoint leads back to Homeport: write the model server's own address {_wire.where(model)}."
        return _wire.refusal(model, reply, fix=fix)
    if any(words in body.lower() for words in _BLIND):
        saw = f"The model {model.name!r} cannot see pictures (HTTP {reply.status})."
        fix = "Leave the picture out, or name a model that sees and whose server was started for it."
        return UpstreamRejected(saw, fix, upstream_status=reply.status)
    return _wire.refusal(model, reply, why=_because(body) if reply.status in _wire.WRONG_REQUEST else "")


def _because(body: bytes) -> str:
    if _wire.too_long(body):
        return _wire.TOO_LONG
    if b"enable-auto-tool-choice" in body:
        return "it takes no tools (vLLM does when started with --enable-auto-tool-choice and --tool-call-parser)"
    return "it has no chat template" if b"chat template" in body or b"chat_template" in body else ""


class Dialect(NamedTuple):
    """Where servers that speak this format differ: addresses, credentials, options, and how they refuse."""

    url: Callable[[Model, str], str] = below
    headers: Callable[[Model], Mapping[str, str]] = bearer
    refuse: Refuse = refused
    adapt: Callable[[Model, dict[str, Any]], dict[str, Any]] | None = None
    """The body of a request, as this server wants it."""


PLAIN = Dialect()


def generate(upstream: Upstream, model: Model, prompt: Prompt, dialect: Dialect = PLAIN) -> Chunks:
    """Ask the model; the answer comes as text, or as bytes when the prompt allows a relay."""
    if prompt.kind == "embed":
        return _vectors_of(upstream, model, prompt, dialect)
    if not prompt.stream:
        return _document(upstream, model, prompt, dialect)
    return (_relay if prompt.relay else _events)(upstream, model, prompt, dialect)


async def served(upstream: Upstream, model: Model, dialect: Dialect = PLAIN) -> Sequence[str]:
    """Names that the server lists at `/models`."""
    body = await _look(upstream, model, dialect.url(model, "/models"), dialect)
    try:
        return [str(entry["id"]) for entry in body["data"]]
    except (KeyError, TypeError) as error:
        raise _malformed(model, 'no list of models under "data"') from error


async def window(upstream: Upstream, model: Model) -> int:
    """Tokens that a prompt and its answer may have together, as the server tells; 0 where it does not."""
    told = _window.told(await _look(upstream, model, below(model, "/models")), model.identifier or model.name)
    if told.tokens or not told.trained:
        return told.tokens
    root = model.endpoint.rstrip("/").removesuffix("/v1")
    return _window.running(await _look(upstream, model, f"{root}/props"))


async def count(upstream: Upstream, model: Model, prompt: Prompt) -> int:
    """Tokens of a conversation, by the `/tokenize` of vLLM, or by those of llama.cpp, which lays it out apart.

    Sources: vLLM, "OpenAI-compatible server", tokenizer API; llama.cpp's server, `/apply-template`, `/tokenize`.
    """
    said = orjson.loads(_body(model, prompt, PLAIN))
    asked = {name: said[name] for name in ("model", "messages", "tools") if name in said}
    found = await _post_at_root(upstream, model, "/tokenize", {**asked, "add_generation_prompt": True})
    if "count" in found:
        return _wire.count(found["count"])
    laid_out = (await _post_at_root(upstream, model, "/apply-template", asked)).get("prompt")
    if not isinstance(laid_out, str):
        return 0
    text = {"content": laid_out, "add_special": True, "parse_special": True}
    tokens = (await _post_at_root(upstream, model, "/tokenize", text)).get("tokens")
    return len(tokens) if isinstance(tokens, list) else 0


def _post_at_root(upstream: Upstream, model: Model, path: str, body: dict[str, Any]) -> Awaitable[dict[str, Any]]:
    root = model.endpoint.rstrip("/").removesuffix("/v1")
    wanted = _wire.call(model, root + path, bearer(model), _wire.dumped(body))
    return _wire.document(upstream, model, wanted, refused, expected=EXPECTED)


def _look(upstream: Upstream, model: Model, url: str, dialect: Dialect = PLAIN) -> Awaitable[dict[str, Any]]:
    wanted = _wire.call(model, url, dialect.headers(model), method="GET")
    return _wire.document(upstream, model, wanted, dialect.refuse, expected=EXPECTED)


def _open(upstream: Upstream, model: Model, prompt: Prompt, dialect: Dialect) -> Awaitable[Reply]:
    return opened(upstream, model, _call(model, prompt, dialect), dialect.refuse)


async def _document(upstream: Upstream, model: Model, prompt: Prompt, dialect: Dialect) -> Chunks:
    data = await _wire.body_of(upstream, model, _call(model, prompt, dialect), dialect.refuse)
    body = _parse(data, model)
    try:
        choice = body["choices"][0]
        text = _wire.text_of(choice["text"] if prompt.kind == "text" else choice["message"].get("content"))
        finish = choice.get("finish_reason") or "stop"
        call = first(pieces_of(choice["message"])) if _agent(prompt) else None
        thinks = prompt.kind == "chat" and bool(thought_of(choice["message"]))
        whole = Chunk(text, finish, _usage(body), data if prompt.relay else b"", call, thinks)
        pieces = Spoken.whole(choice, whole) if prompt.parts else ()
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise _malformed(model, "a document without choices") from error
    yield whole
    for piece in pieces:
        yield Chunk(piece=piece)


async def _vectors_of(upstream: Upstream, model: Model, prompt: Prompt, dialect: Dialect) -> Chunks:
    """The document with embeddings, in the form that was asked for."""
    refuse = partial(_embeds_not, dialect.refuse)
    data = await _wire.body_of(upstream, model, _call(model, prompt, dialect), refuse, VECTORS_LIMIT)
    body = _parse(data, model)
    try:
        wire = _vectors.as_wanted(data, body, prompt.extra.get("encoding_format", "float"))
    except (KeyError, TypeError, ValueError) as error:
        raise _malformed(model, "a document without embeddings") from error
    yield Chunk("", "stop", _usage(body), wire)


def _embeds_not(refuse: Refuse, model: Model, reply: Reply, body: bytes) -> UpstreamError:
    """What a refusal to embed means: mostly that the model, or its server as it was started, does not."""
    status, text = reply.status, body.lower()
    if any(words in text for words in _TOO_LONG_TO_EMBED):
        saw = f"The model {model.name!r} rejected the request (HTTP {status}): {_wire.TOO_LONG}."
        return PromptTooLong(saw, "Embed shorter pieces, or fewer at once.", upstream_status=status)
    if status not in _NO_SUCH and not (status in _wire.WRONG_REQUEST and _wire_says_no(text)):
        return refuse(model, reply, body)
    return UpstreamRejected(
        f"The model {model.name!r} does not embed (HTTP {status}).",
        "Name one that does, or have an administrator assign one: `homeport features set embeddings MODEL`. "
        f"If it should, see that it is served as {model.identifier or model.name!r} and for embeddings.",
        upstream_status=status,
    )


def _wire_says_no(text: bytes) -> bool:
    return b"embed" in text and not _wire.too_long(text)


def _agent(prompt: Prompt) -> bool:
    """Whether calls of tools are wanted as such, and not in the bytes that are passed on."""
    return not prompt.relay and not prompt.parts and bool(prompt.extra.get("tools"))


async def _relay(upstream: Upstream, model: Model, prompt: Prompt, dialect: Dialect) -> Chunks:
    """Pass whole events on hardly read; the usage event only goes to a client that asked for it."""
    reply = await _open(upstream, model, prompt, dialect)
    usage: Usage | None = None
    ended = False
    held = last = before = b""
    try:
        while not ended and (part := await reply.part()):
            if held or not part.endswith(EVENT_END):
                part, held = _whole_events(held + part, model)
            if not _is_plain(part):
                _inspect(part, model, reply)
            if b"[]" in part and _NO_CHOICES.search(part):
                usage, part = _usage_event(part, usage, keep=prompt.usage)
            if ERROR in part:
                _look_for_error(part, model)
            if DONE in part and _END_MARK.search(part):
                ended = True
                # who has read the end mark may leave at once: nothing that counts may come after it
                yield Chunk("", "stop", usage or _told_beside(before + last + part), part)
            elif part:
                before, last = last, part
                yield Chunk("", None, None, part)
        if not ended:
            end = _last_event(held, before + last, model, reply)
            yield Chunk("", "stop", usage or _told_beside(before + last + held), end)
        await drain(reply)
    except TransportError as error:
        raise explain(model, error) from error
    finally:
        reply.close()


def _told_beside(events: bytes) -> Usage | None:
    """The usage that the last events tell beside a choice, as llama.cpp's server does where text is continued."""
    found = None
    for data in _DATA.findall(events) if _USAGE in events else ():
        try:
            event = orjson.loads(data)
        except ValueError:
            continue
        found = (_usage(event) if isinstance(event, dict) else None) or found
    return found


def _last_event(held: bytes, sent: bytes, model: Model, reply: Reply) -> bytes:
    """What is still to be sent behind the events `sent` last, with the end mark where only that is missing.

    An answer that said why it finished, in a body that ended properly, is whole; otherwise it broke off.
    """
    marked = _END_MARK.search(held)
    if not marked and not _FINISHED.search(sent + held):
        raise truncated(model) if sent else no_stream(model, reply, EXPECTED)
    _inspect(held, model, reply)
    _look_for_error(held, model)
    return b"\n\n".join((*filter(None, [held.rstrip()]), *([] if marked else [END]), b""))


def _is_plain(part: bytes) -> bool:
    """Whether it looks like one event of one line that holds an object, as nearly all do: known almost for free."""
    return part.startswith(_PLAIN) and part.find(b"\n") == len(part) - 2


def _inspect(part: bytes, model: Model, reply: Reply) -> None:
    """Raise UpstreamMalformed for lines that are no events and for data that is no object: no client reads either."""
    if _PLAIN_EVENTS.fullmatch(part):
        return
    for event in part.replace(b"\r\n", b"\n").split(EVENT_END):
        found = event.split(b"\n")
        if not all(map(is_field, found)):
            raise no_stream(model, reply, EXPECTED)
        data = b"\n".join(line[5:] for line in found if line.startswith(b"data:")).strip()
        if data and data != DONE:
            _parse(data, model)


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


async def _events(upstream: Upstream, model: Model, prompt: Prompt, dialect: Dialect) -> Chunks:
    reply = await _open(upstream, model, prompt, dialect)
    heard = Heard() if _agent(prompt) else None
    spoken = Spoken() if prompt.parts else None
    listener = heard or spoken
    pick = listener.text if listener else _text_of_completion if prompt.kind == "text" else _text_of_chat
    began = ended = finished = False
    try:
        async with aclosing(lines(reply, model, EXPECTED)) as found:
            async for data in found:
                if data == DONE:
                    ended = True
                    break
                began = True
                chunk = _read_event(data, pick, model)
                if chunk is not None:
                    finished = finished or bool(chunk.finish)
                    if spoken is None:
                        yield chunk
                    else:
                        for each in spoken.taken(chunk):
                            yield each
        # an answer that said why it finished, in a body that ended properly, lacks nothing but its end mark
        if not ended and not finished:
            raise truncated(model) if began else no_stream(model, reply, EXPECTED)
        await drain(reply)
    finally:
        reply.close()
    if heard and heard.call:
        yield Chunk(call=heard.call)


def _read_event(data: bytes, pick: Callable[[Any], object], model: Model) -> Chunk | None:
    event = _parse(data, model)
    if ERROR in data:
        _refuse_error(event, model)
    usage = _usage(event)
    choices = event.get("choices") or []
    if not choices:
        return Chunk(usage=usage) if usage else None
    try:
        return Chunk(_wire.text_of(pick(choices[0])), choices[0].get("finish_reason"), usage)
    except (KeyError, TypeError, AttributeError) as error:
        raise _malformed(model, "an event without a text") from error


def _text_of_completion(choice: Mapping[str, Any]) -> object:
    return choice.get("text")


def _text_of_chat(choice: Mapping[str, Any]) -> object:
    return choice["delta"].get("content")


_PATHS = {"text": "/completions", "chat": "/chat/completions", "embed": "/embeddings"}


def _body(model: Model, prompt: Prompt, dialect: Dialect) -> bytes:
    body: dict[str, Any] = {**prompt.extra, "model": model.identifier or model.name}
    if prompt.kind == "embed":
        return _wire.dumped(dialect.adapt(model, body) if dialect.adapt else body)
    body["stream"] = prompt.stream
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
    return _wire.dumped(dialect.adapt(model, body) if dialect.adapt else body)


def _call(model: Model, prompt: Prompt, dialect: Dialect) -> Call:
    return _wire.call(
        model, dialect.url(model, _PATHS[prompt.kind]), dialect.headers(model), _body(model, prompt, dialect)
    )


def _usage(body: Mapping[str, Any]) -> Usage | None:
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None
    return Usage(_wire.count(usage.get("prompt_tokens")), _wire.count(usage.get("completion_tokens")))


def _parse(data: bytes, model: Model) -> dict[str, Any]:
    return _wire.parse(data, model, EXPECTED)


def _malformed(model: Model, what: str) -> UpstreamMalformed:
    return _wire.malformed(model, what, EXPECTED)

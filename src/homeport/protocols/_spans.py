"""A finished request as spans, in the words of OpenTelemetry's semantic conventions.

Source: semantic-conventions 1.41.1 (HTTP server spans, `error.type`, `server.*`, `user_agent.*`) and
semantic-conventions-genai, "Inference" (commit 002c8a6, status: development; it has no release yet). Who asked is
in none of them: the correlation id leads there where that is kept.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import orjson

from homeport.kit.tracing import PARENT, Span, begin, new_span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from homeport.domain.entries import Entry, Exchange
    from homeport.kit.tracing import Trace, Try
    from homeport.protocols._visit import Visit

PROVIDERS = {"azure": "azure.ai.openai", "bedrock": "aws.bedrock", "embedded": "homeport"}
"""The conventions' names for platforms; any other is called as we do."""
OPERATIONS = {"text": "text_completion", "chat": "chat", "embed": "embeddings"}
OURS = 500
"""Statuses from here on are an error of the server's; below, of the caller's, which is no error of a server span."""
PHASES = frozenset({"admit", "prepare", "queue", "clean"})
"""Those that have a span of their own; what is between them are the attempts."""
CONTENT_WAITING = 200
"""Requests that may wait with what was said in them; further ones are told without."""
PARENT_HEADER = PARENT.encode()
CONTENT = 20_000
"""Characters of a prompt or an answer that a span holds."""


class Ended(NamedTuple):
    """A request that has ended."""

    entry: Entry
    trace: Trace
    method: str
    route: str
    streaming: bool
    finish: str
    started: float
    """By time.perf_counter()."""


def spans(ended: Ended) -> list[Span]:
    """The request itself, its phases, and its attempts to get an answer."""
    began = ended.entry.at - ended.entry.phases.took / 1e6
    return [_root(ended, began), *_phases(ended, began), *_attempts(ended, began)]


def _root(ended: Ended, began: float) -> Span:
    entry, trace = ended.entry, ended.trace
    traits = entry.traits
    told = {
        "http.request.method": ended.method,
        "http.route": ended.route,
        "http.response.status_code": traits.status,
        "http.request.body.size": entry.received,
        "http.response.body.size": entry.sent,
        "error.type": traits.error_code,
        "homeport.correlation_id": entry.correlation_id,
        "homeport.protocol": traits.protocol,
        "homeport.feature": traits.feature,
        "homeport.language": traits.language,
        "user_agent.name": traits.client,
        "homeport.outcome": traits.outcome,
    }
    failed = traits.status >= OURS or traits.outcome == "broken"
    name = f"{ended.method} {ended.route}"
    error = (traits.error_code or traits.outcome) if failed else ""
    return Span(trace.id, trace.root, trace.parent, name, "server", began, entry.at, _some(told), error)


def _phases(ended: Ended, began: float) -> Iterator[Span]:
    trace = ended.trace
    for each in ended.entry.phases.segments():
        if each.name in PHASES:
            start, end = began + each.start / 1e6, began + each.end / 1e6
            yield Span(trace.id, new_span(), trace.root, each.name, "internal", start, end, {})


def _attempts(ended: Ended, began: float) -> Iterator[Span]:
    tries, content = ended.trace.tries, ended.entry.content
    exchanges = content.exchanges if content is not None and len(content.exchanges) == len(tries) else ()
    for number, each in enumerate(tries):
        start = began + each.start - ended.started
        told = _some(_of_model(each, ended.streaming) | _of_answer(each, ended, last=number == len(tries) - 1))
        if exchanges:
            told |= said(exchanges[number], told.get("gen_ai.response.finish_reasons", ("",))[0])
        name = f"{told['gen_ai.operation.name']} {each.model.identifier or each.model.name}"
        trace = ended.trace
        yield Span(trace.id, each.span, trace.root, name, "client", start, start + each.took, told, each.error)


def _of_model(each: Try, streaming: bool) -> dict[str, Any]:  # noqa: FBT001 (a fact of the request)
    """Which model was asked, where, and how."""
    model, sampling = each.model, each.prompt.sampling
    parts = urlsplit(model.endpoint)
    return {
        "gen_ai.operation.name": OPERATIONS[each.prompt.kind],
        "gen_ai.provider.name": PROVIDERS.get(model.platform, model.platform),
        "gen_ai.request.model": model.identifier or model.name,
        "gen_ai.request.stream": each.prompt.stream or None,
        "gen_ai.request.max_tokens": sampling.max_tokens,
        "gen_ai.request.temperature": sampling.temperature,
        "gen_ai.request.top_p": sampling.top_p,
        "gen_ai.request.seed": sampling.seed,
        "gen_ai.response.time_to_first_chunk": each.first if each.prompt.stream and each.first else None,
        "server.address": parts.hostname,
        "server.port": (parts.port or (443 if parts.scheme == "https" else 80)) if parts.hostname else None,
        "homeport.model": model.name,
        "homeport.streaming": streaming,
    }


def _of_answer(each: Try, ended: Ended, *, last: bool) -> dict[str, Any]:
    """How it ended, and what the model server counted."""
    usage = each.usage
    return {
        "error.type": each.error,
        "gen_ai.usage.input_tokens": usage.prompt_tokens if usage else None,
        "gen_ai.usage.output_tokens": usage.completion_tokens if usage else None,
        "gen_ai.response.finish_reasons": [ended.finish] if last and ended.finish and not each.error else None,
    }


def said(exchange: Exchange, finish: str) -> dict[str, Any]:
    """What the model was told and what it said, in the form of the conventions' messages."""
    answer = {"role": "assistant", "parts": _parts(exchange.answer), "finish_reason": finish or "stop"}
    return {"gen_ai.input.messages": _messages(exchange.prompt), "gen_ai.output.messages": [answer]}


def _messages(prompt: str) -> list[dict[str, Any]]:
    """Those of a conversation, which is written down as JSON; any other text is the one message of a user."""
    try:
        found = orjson.loads(prompt)["messages"]
        return [{"role": str(each["role"]), "parts": _parts(each.get("content"))} for each in found]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return [{"role": "user", "parts": _parts(prompt)}]


def _parts(content: object) -> list[dict[str, str]]:
    text = content if isinstance(content, str) else orjson.dumps(content, default=str).decode()
    return [{"type": "text", "content": text[:CONTENT]}]


def _some(values: dict[str, Any]) -> dict[str, Any]:
    """What there is something to say of."""
    return {name: value for name, value in values.items() if value is not None and value != ""}


class Receiver(Protocol):
    """Whoever sends spans off."""

    @property
    def waiting(self) -> int:
        """Requests whose spans are not sent yet."""
        ...

    def add(self, spans: Callable[[], Sequence[Span]]) -> None:
        """Have the spans of a request sent soon."""
        ...


class Tracing(NamedTuple):
    """Which requests are traced, and who takes their spans."""

    receiver: Receiver
    share: float = 1.0
    """From 0 to 1; a caller's own `traceparent` wins."""
    content: bool = False
    """Whether spans hold what was said, where that is kept at all."""

    def begin(self, visit: Visit) -> Trace | None:
        """The trace of a request; None for one that is not traced."""
        return begin(visit.headers.get(PARENT_HEADER, b""), visit.id, self.share)

    def tell(self, visit: Visit, entry: Entry, trace: Trace) -> None:
        """Have a finished request sent off."""
        if not self.content or self.receiver.waiting >= CONTENT_WAITING:
            entry = entry._replace(content=None)
        method, finish = visit.scope["method"], visit.finish
        ended = Ended(entry, trace, method, visit.path, visit.streaming, finish, visit.started)
        self.receiver.add(partial(spans, ended))

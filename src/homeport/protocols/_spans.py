"""Traces of finished requests, for a collector of the operator's own: OTLP over HTTP in JSON, nothing to install.

Sources: OpenTelemetry protocol (OTLP/HTTP, JSON), semantic conventions for HTTP and for generative AI. What was said
in a request is in none of them, nor who asked; the correlation id leads to both where they are kept.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import deque
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import structlog

from homeport import __version__
from homeport.kit.extra_headers import listed
from homeport.kit.upstream import Call, TransportError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from homeport.domain.entries import Entry
    from homeport.kit.upstream import Upstream

log = structlog.get_logger()

WAITING = 10_000
"""Requests that may wait for the collector; beyond that the oldest are lost."""
TOGETHER_S = 1.0
AT_ONCE = 200
AGAIN_S = 5.0
ANSWER = 65_536
"""Bytes of the collector's answer that are read."""
SERVER, CLIENT, INTERNAL, ERROR = 2, 3, 1, 2
FAILED = 500
LATER = frozenset({429, 502, 503, 504})
"""Statuses after which a batch is sent again, as the protocol says."""
TEXT = frozenset({"code_completions", "text_completions"})
"""Features whose operation is a completion; every other one is a chat."""
PROVIDERS = {"azure": "azure.ai.openai", "bedrock": "aws.bedrock"}
"""The names of the conventions, where they are not ours."""
_PARENT = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_HEX = re.compile(r"[0-9a-f]{32}")
_NONE = {b"0" * 32, b"0" * 16}


class Ended(NamedTuple):
    """A request that is to be told of."""

    entry: Entry
    method: str
    path: str
    """The endpoint's pattern."""
    parent: bytes
    """The caller's `traceparent`, or nothing."""


class Spans:
    """Sends them, off everybody's way; what the collector does not take is lost and counted."""

    def __init__(self, upstream: Upstream, endpoint: str, headers: str = "") -> None:
        """`endpoint` as OTEL_EXPORTER_OTLP_ENDPOINT has it, `headers` as OTEL_EXPORTER_OTLP_HEADERS."""
        self._upstream = upstream
        self._url = f"{endpoint.rstrip('/')}/v1/traces"
        self._headers = {"Content-Type": "application/json", **listed(headers)}
        self._waiting: deque[Ended] = deque()
        self._some = asyncio.Event()
        self._silent = False
        self.lost = 0

    def tell(self, ended: Ended) -> None:
        """Have a request sent soon."""
        if len(self._waiting) >= WAITING:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(ended)
        self._some.set()

    async def follow(self) -> None:
        """Send what is told, until this is cancelled."""
        while True:
            await self._some.wait()
            await asyncio.sleep(TOGETHER_S)
            self._some.clear()
            if not await self.settle():
                self._some.set()
                await asyncio.sleep(AGAIN_S)

    async def settle(self) -> bool:
        """Send everything that waits; gives whether that may be so, or must be tried again."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            status, why = await self._sent(document(batch))
            if status in LATER or not status:
                self._waiting.extendleft(reversed(batch))
                self._say("traces cannot be sent yet", why)
                return False
            if status // 100 != 2:  # noqa: PLR2004 (success)
                self.lost += len(batch)
                self._say("traces are refused and lost", why)
            else:
                self._silent = False
        return True

    async def _sent(self, body: bytes) -> tuple[int, str]:
        """The answer's status, 0 for none; and what is wrong."""
        try:
            reply = await self._upstream.open(Call(self._url, self._headers, body=body, first_byte_s=10, total_s=15))
        except TransportError as error:
            return 0, str(error)
        try:
            await reply.read(ANSWER)
        except TransportError as error:
            return reply.status, str(error)
        finally:
            reply.close()
        return reply.status, f"HTTP {reply.status}"

    def _say(self, what: str, why: str) -> None:
        """Once, until it goes well again."""
        if not self._silent:
            self._silent = True
            log.warning(what, url=self._url, reason=why, lost=self.lost)


def document(batch: Sequence[Ended]) -> bytes:
    """A batch as the collector wants it."""
    resource = {"attributes": _attributes({"service.name": "homeport", "service.version": __version__})}
    spans = [span for each in batch for span in spans_of(each)]
    scoped = {"scope": {"name": "homeport", "version": __version__}, "spans": spans}
    return orjson.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scoped]}]})


def spans_of(ended: Ended) -> Iterator[dict[str, Any]]:
    """The request's own span, then one for each of its phases, and one for what the model did."""
    entry, (trace, parent), own = ended.entry, _context(ended), secrets.token_hex(8)
    traits, phases = entry.traits, entry.phases
    began = int(entry.at * 1e9) - phases.took * 1000
    about: dict[str, str | int] = {
        "http.request.method": ended.method,
        "http.route": ended.path,
        "http.response.status_code": traits.status,
        "user_agent.name": traits.client,
        "homeport.correlation_id": entry.correlation_id,
        "homeport.feature": traits.feature,
        "homeport.outcome": traits.outcome,
        "error.type": traits.error_code,
    }
    failed = traits.status >= FAILED or traits.outcome == "broken"
    common = {"traceId": trace, "parentSpanId": own}
    yield {
        **_span(f"{ended.method} {ended.path}", SERVER, about, began, (0, phases.took), failed=failed),
        "traceId": trace,
        "spanId": own,
        **({"parentSpanId": parent} if parent else {}),
        "events": _attempts(entry, began),
    }
    for each in phases.segments():
        yield {**_span(each.name, INTERNAL, {}, began, (each.start, each.end)), **common}
    if traits.model and phases.asked:
        operation = "text_completion" if traits.feature in TEXT else "chat"
        span = (phases.asked, phases.told or phases.took)
        yield {**_span(f"{operation} {traits.model}", CLIENT, _of_model(entry, operation), began, span), **common}


def _of_model(entry: Entry, operation: str) -> dict[str, str | int]:
    traits = entry.traits
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": PROVIDERS.get(traits.platform, traits.platform),
        "gen_ai.request.model": traits.model,
        "gen_ai.usage.input_tokens": entry.prompt_tokens,
        "gen_ai.usage.output_tokens": entry.answer_tokens,
        "error.type": traits.error_code,
        "homeport.family": traits.family,
        "homeport.language": traits.language,
    }


def _span(
    name: str,
    kind: int,
    about: Mapping[str, str | int],
    began: int,
    part: tuple[int, int],
    *,
    failed: bool = False,
) -> dict[str, Any]:
    """`part`: from and to, in microseconds since it `began`, which is in Unix nanoseconds."""
    return {
        "spanId": secrets.token_hex(8),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(began + part[0] * 1000),
        "endTimeUnixNano": str(began + part[1] * 1000),
        "attributes": _attributes(about),
        "status": {"code": ERROR} if failed else {},
    }


def _attempts(entry: Entry, began: int) -> list[dict[str, Any]]:
    """Models that were asked before and failed."""
    return [
        {
            "timeUnixNano": str(began),
            "name": "homeport.attempt",
            "attributes": _attributes(
                {"gen_ai.request.model": str(each.get("model")), "error.type": str(each.get("error"))}
            ),
        }
        for each in (orjson.loads(entry.attempts) if entry.attempts else ())
    ]


def _attributes(pairs: Mapping[str, str | int]) -> list[dict[str, Any]]:
    """Without those that say nothing."""
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in pairs.items()
        if value != ""
    ]


def _context(ended: Ended) -> tuple[str, str]:
    """Trace and parent: those of the caller; else the correlation id is the trace, or a digest of it."""
    found = _PARENT.fullmatch(ended.parent)
    if found and not _NONE & set(found.groups()):
        return found[1].decode(), found[2].decode()
    id_ = ended.entry.correlation_id
    return id_ if _HEX.fullmatch(id_) else blake2b(id_.encode(), digest_size=16).hexdigest(), ""

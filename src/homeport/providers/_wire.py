"""What asking any model server has in common: the call, its limits, and what it means when something goes wrong."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from homeport.domain.errors import (
    BadConfiguration,
    BadRequest,
    PromptTooLong,
    UpstreamError,
    UpstreamMalformed,
    UpstreamOverloaded,
    UpstreamRefused,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from homeport.kit import extra_headers, network
from homeport.kit.journal import VIA, correlation_id, note, via
from homeport.kit.settings import DEFAULT_MODEL
from homeport.kit.tracing import parent_header
from homeport.kit.upstream import Call, Malformed, Reply, TooMuch, TransportError, Truncated, Unreachable
from homeport.kit.upstream import UpstreamTooLate as TooLate

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Mapping

    from homeport.domain.models import Model
    from homeport.kit.upstream import Upstream

T = TypeVar("T")

DOCUMENT_LIMIT = 16 * 1024 * 1024
EVENT_LIMIT = 1024 * 1024
DRAIN_S = 0.1
"""How long the end of a body may take after the end mark; a connection that takes longer is not kept."""
OK, NOT_FOUND, TOO_LARGE, LOOP = 200, 404, 413, 508
SLOW_DOWN = {429, 503, 529}
WRONG_REQUEST = {400, TOO_LARGE, 422}
KEY_REFUSED = {401, 403}
TOO_LONG = "the prompt is too long, so that it and the answer do not fit its context window"
"""A reason for a refusal; GitLab looks for its first five words."""
BY_DEFAULT = "HOMEPORT_DEFAULT_ENDPOINT and HOMEPORT_DEFAULT_IDENTIFIER"
REGISTERED_ELSEWHERE = "GitLab's Admin area, under GitLab Duo, Self-hosted models"
_REFUSAL_LIMIT = 64 * 1024
_SECONDS = re.compile(r"[0-9]{1,9}")
_DATE = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT")
LONGEST_S = 60
"""More than a minute is never asked of a caller."""
_NO_STREAMS = {"text/html", "text/plain", "text/xml", "application/json", "application/xml"}
"""Types that may be named: any other is a word of the server's own."""

Refuse = Callable[["Model", Reply, bytes], UpstreamError]
"""What an HTTP error means, from its head and its body."""


def call(model: Model, url: str, headers: Mapping[str, str], body: bytes = b"", *, method: str = "POST") -> Call:
    """A request within the model's limits, which the server can find in its log by our correlation id."""
    own = {"X-Request-ID": correlation_id(), VIA: via(), "Accept-Encoding": "identity", **parent_header()}
    if body:
        own["Content-Type"] = "application/json"
    limits, way = model.limits, None
    if model.options:
        way = network.of(model.options)
        own |= _more(model)
    return Call(
        method=method,
        url=url,
        headers={**own, **headers},
        body=body,
        connect_s=limits.connect_s,
        first_byte_s=limits.first_token_s,
        idle_s=limits.idle_s,
        total_s=limits.total_s,
        network=way,
    )


def _more(model: Model) -> Mapping[str, str]:
    """Headers that an operator adds; raises BadConfiguration for one whose value is not to be had."""
    text = model.options.get("headers")
    try:
        return extra_headers.resolved(text) if text else {}
    except ValueError as error:
        saw = f"A header for the model {model.name!r} cannot be sent: {error}."
        raise BadConfiguration(saw, "Mend it on the server, or the model's option headers.") from error


async def opened(upstream: Upstream, model: Model, wanted: Call, refuse: Refuse) -> Reply:
    """The reply, once its head has arrived and says that all is well; raises UpstreamError."""
    reply = await guard(model, upstream.open(wanted))
    if reply.status == OK:
        return reply
    note(upstream_status=reply.status)
    try:
        body = await _reason(reply)
        raise _uncertified(model, reply, body) or refuse(model, reply, body)
    finally:
        reply.close()


def _uncertified(model: Model, reply: Reply, body: bytes) -> UpstreamError | None:
    """What nginx means by a page with HTTP 400 where it wants to see a certificate."""
    page = reply.status == 400 and reply.header("Content-Type").startswith("text/html")  # noqa: PLR2004 (HTTP's own number)
    if not page or b"SSL certificate" not in body:
        return None
    why = "does not accept our client certificate" if model.options.get("client_cert_file") else "wants one of us"
    saw = f"The server in front of the model {model.name!r} checks client certificates, and {why} (HTTP 400)."
    fix = "Set the model's options client_cert_file and client_key_file; the server's log says more."
    return UpstreamRefused(saw, fix, upstream_status=reply.status)


async def _reason(reply: Reply) -> bytes:
    try:
        return await reply.read(_REFUSAL_LIMIT)
    except TransportError:
        return b""


async def document(
    upstream: Upstream, model: Model, wanted: Call, refuse: Refuse, *, expected: str = ""
) -> dict[str, Any]:
    """A whole answer as a JSON object; raises UpstreamError."""
    return parse(await body_of(upstream, model, wanted, refuse), model, expected)


async def body_of(upstream: Upstream, model: Model, wanted: Call, refuse: Refuse, limit: int = DOCUMENT_LIMIT) -> bytes:
    """The bytes of a whole answer; raises UpstreamError."""
    reply = await opened(upstream, model, wanted, refuse)
    try:
        return await guard(model, reply.read(limit))
    finally:
        reply.close()


async def guard(model: Model, waiting: Awaitable[T]) -> T:
    """Turn what went wrong on the wire into what the caller and the operator can use."""
    try:
        return await waiting
    except TransportError as error:
        raise explain(model, error) from error


async def drain(reply: Reply) -> None:
    """Read a finished answer's connection to its end, so that it can be used again."""
    try:
        async with asyncio.timeout(DRAIN_S):
            while await reply.part():
                pass
    except (TransportError, TimeoutError):
        pass


async def lines(reply: Reply, model: Model, expected: str = "") -> AsyncGenerator[bytes, None]:
    """The `data` of each line of a stream of server-sent events, whatever way the bytes were cut on their journey.

    The last one may lack its line end, if it is whole: an end mark, or JSON.
    """
    held = b""
    while part := await guard(model, reply.part()):
        *whole, held = (held + part).split(b"\n")
        if len(held) > EVENT_LIMIT:
            raise malformed(model, f"an event of more than {EVENT_LIMIT} bytes", expected)
        for line in whole:
            if line.startswith(b"data:"):
                yield line[5:].strip()
            elif line and not is_field(line):
                raise no_stream(model, reply, expected)
    rest = held[5:].strip()
    if held.startswith(b"data:") and (rest == b"[DONE]" or _is_json(rest)):
        yield rest


def is_field(line: bytes) -> bool:
    """Whether a line belongs to a stream of events (WHATWG HTML, "Server-sent events"): a field, a comment, an end."""
    return line.startswith((b"data:", b":", b"event:", b"id:", b"retry:")) or line in {b"", b"\r"}


def no_stream(model: Model, reply: Reply, expected: str = "") -> UpstreamMalformed:
    """It answered 200 with anything but a stream of events: an application's login page, for one."""
    kind = reply.header("Content-Type").partition(";")[0].strip().lower()
    told = f", but {kind}" if kind in _NO_STREAMS else ""
    return malformed(model, f"something that is not a stream of events{told}", expected)


def _is_json(data: bytes) -> bool:
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True


_REACH = {
    "refused": "nobody listens at its address",
    "dns": "its host name cannot be resolved",
    "tls": "its TLS certificate was not accepted",
    "plain": "it does not speak TLS at this port; an endpoint of plain HTTP begins with http://",
    "denied": "its address is one that no model may have (link-local or a metadata service)",
    "reset": "the connection was reset",
    "closed": "the connection was closed before an answer came",
    "url": "its endpoint is not a URL",
    "header": "its API key holds a character that no header can carry, perhaps a line end",
    "network": "the network failed",
}
"""What is said of the others is in their detail."""


def explain(model: Model, error: TransportError) -> UpstreamError:
    """The error of our tree that says what a transport error means for a caller."""
    name = model.name
    check = f"Check the endpoint {where(model)}."
    if isinstance(error, Unreachable):
        note(upstream_problem=str(error))
        why = _REACH.get(error.why, error.detail)
        return UpstreamUnreachable(f"The model {name!r} cannot be reached: {why}.", check)
    if isinstance(error, TooLate):
        note(upstream_problem=f"too late: {error.phase}")
        return _too_late(model, error.phase)
    if isinstance(error, Truncated):
        return truncated(model)
    if isinstance(error, TooMuch):
        return malformed(model, str(error))
    if isinstance(error, Malformed):
        return malformed(model, "bytes that are not HTTP")
    return UpstreamError(f"The model {name!r} failed.", check)


def _too_late(model: Model, phase: str) -> UpstreamTimeout:
    limits = model.limits
    each = {"first byte": limits.first_token_s, "idle": limits.idle_s, "total": limits.total_s}
    waited = f", {each[phase]:.3g} s" if phase in each else ""
    return UpstreamTimeout(
        f"The model {model.name!r} took too long ({phase}{waited}).",
        "It may be overloaded or loading; its limits can be raised where it is registered."
        if model.registered
        else "It may be overloaded or loading; HOMEPORT_MODEL_TIMEOUT is the limit, less 10 s for the first byte, and "
        "50 s for that of a code suggestion, for which GitLab waits no longer.",
    )


def refusal(model: Model, reply: Reply, *, why: str = "", fix: str = "", key_fix: str = "") -> UpstreamRefused:
    """The error of our tree for an HTTP error: `why` is a reason that we know, the rest is advice."""
    status, name = reply.status, model.name
    if status in SLOW_DOWN:
        return overloaded(model, status, retry_after(reply))
    if status in WRONG_REQUEST:
        kind = PromptTooLong if why == TOO_LONG else UpstreamRejected
        return kind(
            f"The model {name!r} rejected the request (HTTP {status}){why and f': {why}'}.",
            fix or "Check the family, the context window and the options of the request.",
            upstream_status=status,
        )
    advice = (key_fix if status in KEY_REFUSED else fix) or _advice(model, status)
    return UpstreamRefused(
        f"The model {name!r} answered HTTP {status}{why and f': {why}'}.", advice, upstream_status=status
    )


def declined(model: Model, who: str) -> UpstreamRejected:
    """The answer was withheld or cut off because of what is in it or in the question."""
    note(content_filter=who)
    saw = f"{who} stopped the answer of the model {model.name!r}."
    return UpstreamRejected(saw, "Say it differently, or ask whoever decides what it lets through.", upstream_status=OK)


def overloaded(model: Model, status: int, retry_after_s: int | None = None) -> UpstreamOverloaded:
    """It asked us to come back later."""
    saw = f"The model {model.name!r} is overloaded (HTTP {status})."
    return UpstreamOverloaded(saw, "Try again later.", upstream_status=status, retry_after_s=retry_after_s)


def _advice(model: Model, status: int) -> str:
    if status in KEY_REFUSED:
        if not model.registered:
            return f"Its API key is missing or wrong: see {_elsewhere(model, 'HOMEPORT_DEFAULT_API_KEY')}."
        return f"Its API key is missing or wrong: `homeport models edit {model.name} --api-key-env VAR`."
    if 300 <= status < 400:  # noqa: PLR2004 (HTTP's own numbers)
        return "Redirects are never followed; register the final address."
    return "Look for the correlation id in the model server's log."


def where(model: Model) -> str:
    """How an operator looks at a model: ours with our command, a carried one where it comes from."""
    return f"with `homeport models test {model.name}`" if model.registered else f"in {_elsewhere(model, BY_DEFAULT)}"


def _elsewhere(model: Model, variables: str) -> str:
    """Where a model stands that is not registered here: GitLab names it, or these variables of the gateway do."""
    return variables if model.name == DEFAULT_MODEL else REGISTERED_ELSEWHERE


def retry_after(reply: Reply) -> int | None:
    """Seconds that the server asks us to wait, at most a minute; a date (RFC 9110, 10.2.3) counts by its own clock."""
    text = reply.header("Retry-After")
    if _SECONDS.fullmatch(text):
        return min(int(text), LONGEST_S)
    until, now = _date(text), _date(reply.header("Date")) or datetime.now(UTC)
    return min(max(math.ceil((until - now).total_seconds()), 0), LONGEST_S) if until else None


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text) if _DATE.fullmatch(text) else None
    except ValueError:
        return None


def too_long(body: bytes) -> bool:
    """Whether a refusal speaks of a prompt that is too long, in the words of the servers that we know."""
    text = body.lower()
    return any(word in text for word in (b"context", b"max_model_len", b"too long", b"input_tokens"))


def dumped(body: Mapping[str, Any]) -> bytes:
    """A request's body; raises BadRequest for what JSON cannot carry."""
    try:
        return orjson.dumps(body, default=dict)
    except TypeError as error:
        saw = "The request holds a number or a text that JSON cannot carry (beyond 64 bits, or half a surrogate pair)."
        raise BadRequest(saw) from error


def count(value: object) -> int:
    """A number of tokens, or none."""
    return value if isinstance(value, int) and value > 0 else 0


def parse(data: bytes, model: Model, expected: str = "") -> dict[str, Any]:
    """A JSON object; raises UpstreamMalformed."""
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise malformed(model, "something that is not JSON", expected) from error
    if not isinstance(body, dict):
        raise malformed(model, "JSON that is not an object", expected)
    return body


def malformed(model: Model, what: str, expected: str = "") -> UpstreamMalformed:
    """It does not speak as its platform does."""
    fix = expected or f"Is what answers at its endpoint a server of the platform {model.platform!r}?"
    return UpstreamMalformed(f"The model {model.name!r} answered with {what}.", fix)


def truncated(model: Model) -> UpstreamTruncated:
    """It stopped before its end."""
    return UpstreamTruncated(f"The answer of the model {model.name!r} broke off.", "Try again.")


def text_of(value: object) -> str:
    """A text, or none at all; raises TypeError for anything else."""
    if value is None or isinstance(value, str):
        return value or ""
    raise TypeError


def number_of(value: object) -> int:
    """A whole number; raises TypeError for anything else."""
    if isinstance(value, int):
        return value
    raise TypeError

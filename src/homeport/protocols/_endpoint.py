"""The one handler behind every protocol's URLs: admit, parse, run, render, log."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import ValidationError

from homeport.access.gate import require
from homeport.domain.errors import (
    BadRequest,
    HomeportError,
    NotAuthenticated,
    TooLarge,
    TooSlow,
    Unavailable,
    WrongMediaType,
    WrongMethod,
)
from homeport.kit.journal import accepted_id, new_id, open_event
from homeport.kit.server import BODY_LATE, CLIENT_LEFT
from homeport.protocols import Answer, Ask, Asked, Look, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from prometheus_client import Histogram

    from homeport.access.gate import Gate
    from homeport.domain.streams import Chunk, Chunks, Usage
    from homeport.features import Workbench
    from homeport.kit.journal import Facts
    from homeport.kit.metrics import Metrics
    from homeport.protocols import Streaming, WireProtocol

    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    Scope = MutableMapping[str, Any]
    WriteLine = Callable[[str, Facts], None]

log = structlog.get_logger()

CLIENT_CLOSED = 499
"""The status that only the log shows: the client left before the answer was whole."""
NO_STORE = (b"cache-control", b"no-store")


class Door:
    """What every endpoint works with; one per process."""

    def __init__(self, *, bench: Workbench, gate: Gate, metrics: Metrics, log: WriteLine, body_limit: int) -> None:
        self.bench = bench
        self.gate = gate
        self.metrics = metrics
        self.log = log
        self.body_limit = body_limit
        self.stopping = False


class Endpoint:
    """One URL of one protocol, as a bare ASGI application."""

    def __init__(self, door: Door, protocol: WireProtocol, route: Ask | Look, path: str) -> None:
        self.door = door
        self.protocol = protocol
        self.route = route
        self.path = path
        self._series: dict[int, Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = Visit(self, scope, send)
        try:
            await self._serve(visit, receive)
        except asyncio.CancelledError as error:
            await visit.interrupted(error)
        except HomeportError as error:
            await visit.fail(error)
        except Exception:  # the outermost edge: whatever it was, the client gets an answer and we get the line
            log.exception("unexpected error", correlation_id=visit.id, path=self.path)
            await visit.fail(HomeportError("Something went wrong in Homeport.", "Report it with the correlation id."))
        finally:
            visit.record()

    async def _serve(self, visit: Visit, receive: Receive) -> None:
        route = self.route
        door = self.door
        method = "POST" if isinstance(route, Ask) else "GET"
        if visit.scope["method"] != method and (method, visit.scope["method"]) != ("GET", "HEAD"):
            raise WrongMethod(f"{visit.scope['method']} is not spoken at {self.path}.", f"Use {method}.", param=method)
        caller = door.gate.admit(visit.scope["headers"], route.need)
        if caller.subject:
            visit.facts["caller"] = caller.subject
            visit.facts["token"] = caller.token
        if isinstance(route, Look):
            await visit.reply(route.look(door.bench))
            return
        body = await read_body(visit.scope["headers"], receive, door.body_limit)
        asked = route.parse(validated(route, body))
        visit.facts["feature"] = asked.feature
        visit.phase = "waiting"
        feature = door.bench.features[asked.feature]
        # where the body says which feature is meant, only now is it known what it needs
        require(caller, feature.scope)
        chunks = feature.run(door.bench, asked.request)
        async with aclosing(chunks):
            if not asked.stream:
                await visit.whole(asked, route, chunks)
            elif route.streaming:
                await visit.stream(asked, route.streaming, chunks)
            else:
                raise BadRequest("This endpoint does not stream.", 'Ask with "stream": false.', param="stream")

    def measure(self, visit: Visit, took: float, first: float | None) -> None:
        """Observe a finished request; series are looked up once."""
        series = self._series.get(visit.status)
        if series is None:
            method = "POST" if isinstance(self.route, Ask) else "GET"
            series = self.door.metrics.requests.labels(self.path, method, f"{visit.status // 100}xx")
            self._series[visit.status] = series
        series.observe(took)
        model = visit.facts.get("model")
        if model is None:
            return
        self.door.metrics.answered(
            model, visit.facts.get("feature", ""), visit.facts.get("outcome", "completed"), first, visit.usage
        )


class Visit:
    """One request: its facts, its answer, its one line in the log."""

    def __init__(self, endpoint: Endpoint, scope: Scope, send: Send) -> None:
        self.scope = scope
        self.send = send
        self.endpoint = endpoint
        self.started = time.perf_counter()
        self.first: float | None = None
        self.status = 0
        self.phase = "admitting"
        self.finish = ""
        self.length = 0
        self.usage: Usage | None = None
        self.broke: tuple[Streaming, Asked]
        given = agent = ""
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                given = value.decode("latin-1")
            elif name == b"user-agent":
                agent = value.decode("latin-1")
        self.id = accepted_id(given) if given else new_id()
        self.facts: Facts = {"correlation_id": self.id, "user_agent": agent[:200]}
        open_event(self.facts)

    def answer(self, text: str = "") -> Answer:
        """What a renderer needs besides the request."""
        facts = self.facts
        return Answer(
            id=self.id,
            created=int(time.time()),
            text=text,
            finish=self.finish,
            model=facts.get("model", ""),
            family=facts.get("family", ""),
            lang=facts.get("lang", ""),
            usage=self.usage,
        )

    async def whole(self, asked: Asked, ask: Ask, chunks: Chunks) -> None:
        """Collect the answer and send it as one document."""
        texts: list[str] = []
        wire = b""
        async for chunk in chunks:
            self.seen(chunk)
            texts.append(chunk.text)
            wire = chunk.wire or wire
        text = "".join(texts)
        self.length = len(text)
        await self.reply(Reply(body=wire or ask.whole(asked, self.answer(text))))

    async def stream(self, asked: Asked, framing: Streaming, chunks: Chunks) -> None:
        """Send each piece as it comes; the head goes with the first, so that an early failure has its own status."""
        self.broke = (framing, asked)
        answer: Answer | None = None
        relayed = False
        send = self.send
        async for chunk in chunks:
            if answer is None:
                self.seen(chunk)
                answer = self.answer()
                relayed = bool(chunk.wire)
                await self.head(200, framing.content_type, framing.headers)
                await self.body(b"" if relayed else framing.opening(asked, answer))
            elif chunk.finish or chunk.usage:
                self.seen(chunk)
            self.length += len(chunk.text)
            data = chunk.wire if relayed else framing.piece(asked, answer, chunk)
            if data:
                await send({"type": "http.response.body", "body": data, "more_body": True})
        if answer is None:
            await self.head(200, framing.content_type, framing.headers)
        await self.body(b"" if relayed else framing.closing(asked, self.answer()), last=True)

    def seen(self, chunk: Chunk) -> None:
        """Keep the facts that a chunk carries."""
        if self.first is None:
            self.first = time.perf_counter()
            self.phase = "streaming"
        if chunk.finish:
            self.finish = chunk.finish
        if chunk.usage:
            self.usage = chunk.usage

    async def head(
        self, status: int, content_type: bytes, more: tuple[tuple[bytes, bytes], ...] = (), length: int | None = None
    ) -> None:
        """Send status and headers."""
        headers = [(b"content-type", content_type), (b"x-request-id", self.id.encode()), NO_STORE, *more]
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        if self.endpoint.protocol.process_time:
            headers.append((b"x-process-time", b"%.4f" % (time.perf_counter() - self.started)))
        self.status = status
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def body(self, data: bytes, *, last: bool = False) -> None:
        """Send a part of the body."""
        if data or last:
            await self.send({"type": "http.response.body", "body": data, "more_body": not last})
        if last:
            self.phase = "done"

    async def reply(self, reply: Reply) -> None:
        """Send a finished answer."""
        await self.head(reply.status, reply.content_type, reply.headers, len(reply.body))
        await self.body(reply.body, last=True)

    async def fail(self, error: HomeportError) -> None:
        """Say what went wrong in the protocol's own way; a stream that began is broken off visibly."""
        self.facts.update(error_code=error.code, error=error.saw)
        if self.phase == "done":
            return
        if self.status:
            self.facts["outcome"] = "broken"
            framing, asked = self.broke
            await self.body(framing.failed(asked, error, self.id), last=framing.ends_cleanly)
            return
        status, body = self.endpoint.protocol.error(error, self.id)
        more = [(b"retry-after", b"%d" % error.retry_after_s)] if error.retry_after_s is not None else []
        if isinstance(error, WrongMethod):
            more.append((b"allow", (error.param or "").encode()))
        if isinstance(error, NotAuthenticated):
            more.append((b"www-authenticate", b"Bearer"))
        await self.reply(Reply(status=status, body=body, headers=tuple(more)))

    async def interrupted(self, error: asyncio.CancelledError) -> None:
        """The task was cancelled: the client left, its body came too late, or Homeport stops."""
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        if BODY_LATE in error.args:
            await self.fail(
                TooSlow("The body took too long to arrive.", "Send it at once; HOMEPORT_BODY_S is the limit.")
            )
            return
        if self.endpoint.door.stopping and CLIENT_LEFT not in error.args:
            await self.fail(Unavailable("Homeport is stopping.", "Try again in a moment.", retry_after_s=1))
            return
        self.facts["outcome"] = "client_closed"
        self.facts["phase"] = self.phase
        self.endpoint.door.metrics.abandoned.labels(self.phase).inc()
        self.status = self.status or CLIENT_CLOSED

    def record(self) -> None:
        """One line in the log and one observation in the metrics."""
        took = time.perf_counter() - self.started
        first = self.first - self.started if self.first is not None else None
        self.endpoint.measure(self, took, first)
        scope, facts = self.scope, self.facts
        client = scope.get("client") or ("", 0)
        outcome = facts.pop("outcome", None) or ("completed" if self.status < 400 else "rejected")  # noqa: PLR2004
        usage = self.usage
        facts |= {
            "outcome": outcome,
            "method": scope["method"],
            "path": self.endpoint.path,
            "status_code": self.status,
            "client_ip": client[0],
            "duration_s": round(took, 4),
            "first_chunk_duration_s": round(first, 4) if first is not None else None,
            "finish": self.finish or None,
            "answer_length": self.length,
            "prompt_tokens": usage.prompt_tokens if usage else None,
            "answer_tokens": usage.completion_tokens if usage else None,
        }
        self.endpoint.door.log(f"{scope['method']} {self.endpoint.path} {self.status}", facts)


async def read_body(headers: list[tuple[bytes, bytes]], receive: Receive, limit: int) -> bytes:
    """The request's body; raises TooLarge or WrongMediaType."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and int(value) > limit:
            raise _too_large(limit)
        if name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
            raise WrongMediaType("The body is compressed.", "Send it without a Content-Encoding.")
    message = await receive()
    parts = [message.get("body", b"")]
    size = len(parts[0])
    while message.get("more_body") and size <= limit:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if size > limit:
        raise _too_large(limit)
    return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes.", "Send less context; HOMEPORT_BODY_LIMIT sets the limit.")


def validated(ask: Ask, body: bytes) -> Any:  # noqa: ANN401 (an instance of the endpoint's own body type)
    """The body as the endpoint's type; raises BadRequest that names the first wrong field."""
    if not body:
        raise BadRequest("The body is empty.", "Send a JSON object.")
    try:
        return ask.body.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        saw = f"{where}: {first['msg']}." if where else f"{first['msg']}."
        fix = (
            "The body's form is described at /docs." if where else "Send a JSON object; its form is described at /docs."
        )
        raise BadRequest(saw.replace("..", "."), fix, param=where or None) from error

"""One request: its facts and its answer."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from homeport.domain.errors import (
    BadRequest,
    HomeportError,
    NotAllowed,
    NotAuthenticated,
    Superseded,
    TooSlow,
    Unavailable,
    WrongMethod,
)
from homeport.domain.streams import Usage
from homeport.kit.journal import DROPPED, accepted_id, new_id, open_event
from homeport.kit.server import BODY_BROKEN, BODY_LATE, CLIENT_LEFT
from homeport.protocols import Answer, Ask, Asked, Reply
from homeport.protocols._supersede import SUPERSEDED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping, Sequence
    from typing import Any

    from homeport.domain.models import Caller
    from homeport.domain.streams import Chunk, Chunks
    from homeport.kit.journal import Facts
    from homeport.protocols import Reported, Streaming, WireProtocol
    from homeport.protocols._heard import Heard

    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    Scope = MutableMapping[str, Any]

CLIENT_CLOSED = 499
"""The status that only the log shows: the client left before the answer was whole."""
NO_STORE = (b"cache-control", b"no-store")
ERROR = b"x-homeport-error"
"""The header that carries an error's code, whatever the protocol puts into the body."""
IGNORED = b"x-homeport-ignored"
"""The header that names the options of a request that changed nothing."""
BUSY = 429
RETRY_S = 1
"""When to come back, where a model server that is busy does not say so."""


def tokens_noted(facts: Facts) -> Usage | None:
    """The tokens of the answer as they were counted or guessed where the model was asked."""
    return Usage(facts["prompt_tokens"], facts["answer_tokens"]) if "answer_tokens" in facts else None


class Visit:
    """One request: its facts, its answer, its one line in the log."""

    # what most requests never change; a request of its own has only what differs
    admitted = 0.0
    """When it was known who calls, by time.perf_counter()."""
    answered = 0.0
    """When the head of the answer was sent."""
    first: float | None = None
    """When the first piece of the model's answer came."""
    status = 0
    phase = "admitting"
    finish = ""
    has_all = False
    """Whether the client has all of a stream, but for the end of its body; most leave then."""
    length = 0
    stripped: int | None = None
    """The answer's length without white space around it, where it was sent as a whole."""
    usage: Usage | None = None
    caller: Caller | None = None
    streaming = False
    code: tuple[str, str] | None = None
    """File name and language of the code that was asked about, as the editor has them."""
    reported: Sequence[Reported] = ()
    error: HomeportError | None = None
    ignored: tuple[str, ...] = ()
    """Options of the request that change nothing, whatever serves it."""
    received = 0
    """Bytes of the request's body."""
    sent = 0
    """Bytes of the answer's body."""
    heard: Heard | None = None
    """What is said, where it may be kept."""
    framing: tuple[Streaming, Asked] | None = None
    """How the answer is streamed, once that is known."""

    def __init__(self, protocol: WireProtocol, path: str, scope: Scope, send: Send) -> None:
        self.scope = scope
        self.send = send
        self.protocol = protocol
        self.path = path
        self.started = time.perf_counter()
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        given = self.headers.get(b"x-request-id")
        self.id = accepted_id(given.decode("latin-1")) if given else new_id()
        self.facts: Facts = {"correlation_id": self.id}
        open_event(self.facts)

    def answer(self, text: str = "") -> Answer:
        """What a renderer needs besides the request."""
        facts, now = self.facts, time.perf_counter()
        return Answer(
            id=self.id,
            created=int(time.time()),
            text=text,
            finish=self.finish,
            model=facts.get("model", ""),
            family=facts.get("family", ""),
            lang=facts.get("lang", ""),
            usage=self.usage,
            noted=self.usage or tokens_noted(facts),
            asked_tokens=facts.get("prompt_tokens_estimated", 0),
            first_s=0.0 if self.first is None else self.first - self.started,
            took_s=now - self.started,
        )

    async def whole(self, asked: Asked, ask: Ask, chunks: Chunks) -> None:
        """Collect the answer and send it as one document."""
        texts: list[str] = []
        wire = b""
        async for chunk in chunks:
            self.seen(chunk)
            texts.append(chunk.text)
            wire = chunk.wire or wire
            if asked.writer is not None:
                asked.writer.add(chunk)
        text = "".join(texts)
        self.length = len(text)
        self.stripped = len(text.strip())
        await self.reply(Reply(body=wire or ask.whole(asked, self.answer(text))))

    async def stream(self, asked: Asked, framing: Streaming, chunks: Chunks) -> None:
        """Send each piece as it comes; the head goes with the first, so that an early failure has its own status."""
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
                self.sent += len(data)
                await send({"type": "http.response.body", "body": data, "more_body": True})
            if relayed and chunk.finish:
                self.has_all = True
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
        """Send status and headers; nothing is stored unless `more` begins with how long."""
        headers = [(b"content-type", content_type), (b"x-request-id", self.id.encode()), *more]
        ignored = (*self.ignored, *self.facts.get(DROPPED, ()))
        if ignored:
            headers.append((IGNORED, ", ".join(dict.fromkeys(ignored)).encode()))
        if self.protocol.id_header:
            headers.append((self.protocol.id_header, self.id.encode()))
        if not more or more[0][0] != NO_STORE[0]:
            headers.append(NO_STORE)
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        self.answered = time.perf_counter()
        if self.protocol.process_time:
            headers.append((b"x-process-time", b"%.4f" % (self.answered - self.started)))
        self.status = status
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def body(self, data: bytes, *, last: bool = False) -> None:
        """Send a part of the body."""
        if data or last:
            self.sent += len(data)
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
        self.error = error
        if isinstance(error, NotAllowed):
            self.caller = self.caller or error.caller
        if self.phase == "done":
            return
        if self.framing and (self.status or self.framing[0].says_early(error)):
            await self._fail_within(error, *self.framing)
            return
        status, body = self.protocol.error(error, self.id)
        after = RETRY_S if status == BUSY and error.retry_after_s is None else error.retry_after_s
        more = [(ERROR, error.code.encode()), *self.protocol.error_headers(status)]
        if after is not None:
            more.append((b"retry-after", b"%d" % after))
        if isinstance(error, WrongMethod):
            more.append((b"allow", error.spoken.encode()))
        if isinstance(error, NotAuthenticated):
            more.append((b"www-authenticate", b"Bearer"))
        await self.reply(Reply(status=status, body=body, headers=tuple(more)))

    async def _fail_within(self, error: HomeportError, framing: Streaming, asked: Asked) -> None:
        """Say it in the stream, which may not have begun."""
        said = framing.failed(asked, error, self.id)
        if self.status:
            self.facts["outcome"] = "broken"
            await self.body(said, last=framing.ends_cleanly)
        else:
            self.facts["outcome"] = "rejected"
            await self.reply(
                Reply(
                    body=said,
                    content_type=framing.content_type,
                    headers=(*framing.headers, (ERROR, error.code.encode())),
                )
            )

    async def interrupted(self, error: asyncio.CancelledError, *, stopping: bool) -> None:
        """The task was cancelled: the client left, its body came too late or broken, or Homeport stops."""
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        if self.has_all:
            return
        if BODY_BROKEN in error.args:
            await self.fail(BadRequest("The body is not framed as HTTP/1.1 says.", "Send it with a Content-Length."))
            return
        if BODY_LATE in error.args:
            await self.fail(
                TooSlow("The body took too long to arrive.", "Send it at once; HOMEPORT_BODY_S is the limit.")
            )
            return
        if SUPERSEDED in error.args:
            await self.fail(Superseded("A newer completion was asked for in the same file.", "Use that one."))
            return
        if stopping and CLIENT_LEFT not in error.args:
            await self.fail(Unavailable("Homeport is stopping.", "Try again in a moment.", retry_after_s=1))
            return
        self.facts["outcome"] = "client_closed"
        self.facts["phase"] = self.phase
        self.status = self.status or CLIENT_CLOSED

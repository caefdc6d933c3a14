"""The HTTP server: uvicorn with limits on a request's head, and a clean end for a client that leaves.

When a connection goes away, the task that serves its request is cancelled at once, whatever it is
doing: waiting in a queue, connecting, waiting for a first token, streaming. Nothing has to watch for
it (docs/decisions/0003).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import re
import signal
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple
from urllib.parse import unquote

import httptools
import orjson
import structlog
import uvicorn
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from homeport.kit.journal import new_id

if TYPE_CHECKING:
    from asyncio import TimerHandle, Transport
    from collections.abc import Callable, Iterable, Iterator, Mapping

log = structlog.get_logger()

HEADER_BYTES = 32 * 1024
HEADER_COUNT = 100
HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")
PIPELINED = 8
"""Requests that may wait on one connection before it is no longer read."""
WAITING = 100
"""Requests that may wait on it at most: one piece of what was read may hold thousands."""
SOCKET_BYTES = 64 * 1024
"""Bytes of one message that a client may send over a WebSocket."""
SOCKET_PING_S = 20.0
"""How often a WebSocket's other end is asked whether it is there, and how long it may take to say so."""
CLIENT_LEFT = "client left"
"""The message of the CancelledError that a request sees when its client is gone."""
FAREWELL_S = 1.0
"""How long interrupted requests have to tell their clients."""
STOPPING = "stopping"
"""The message of the one that a WebSocket sees when the server stops."""
BODY_LATE = "body late"
"""The message of the one that it sees when its body did not arrive in time."""
BODY_BROKEN = "body broken"
"""The message of the one that it sees when its body is not framed as HTTP says."""


class Exchange(RequestResponseCycle):
    """One request and its answer; head and first bytes leave in one write, and nothing is checked twice.

    Our own endpoints make every header, from constants and from ids that were checked.
    """

    _head = b""

    @override
    async def run_asgi(self, app: Any) -> None:
        """Serve the request; an answer that is not whole is cut off without an end mark, where clients see it."""
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            log.debug("request interrupted twice")
        finally:
            on_response, self.on_response = self.on_response, _nothing
            if not self.response_complete and not self.disconnected:
                self.transport.close()
                on_response()

    @override
    async def send(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            self._begin(message["status"], message["headers"])
            return
        body, more = message["body"], message["more_body"]
        if self.scope["method"] == "HEAD":
            body = b""
        elif self.chunked_encoding:
            end = b"" if more else b"0\r\n\r\n"
            body = b"%x\r\n%b\r\n%b" % (len(body), body, end) if body else end
        self.transport.write(self._head + body)
        self._head = b""
        if not more:
            self._end()

    def _begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.response_started = True
        lines = [STATUS_LINE[status]]
        self.chunked_encoding = True
        for name, value in (*self.default_headers, *headers):
            lines += (name, b": ", value, b"\r\n")
            if name == b"content-length":
                self.chunked_encoding = False
        if self.chunked_encoding:
            lines.append(b"transfer-encoding: chunked\r\n")
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        self._head = b"".join(lines)

    def _end(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


def _nothing() -> None:
    """Hold on to nothing."""


class Refusal(Exception):
    """What came is no request that is served: the answer to it, after which the connection ends."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.status = REFUSED[code].status
        self.code = code


class Refused(NamedTuple):
    """What a code of a refusal means, as the catalogue of errors shows it."""

    status: int
    meaning: str
    mend: str


REFUSED: Mapping[str, Refused] = {
    "bad_request": Refused(400, "What came is not HTTP/1.1.", "Look at what stands between the client and Homeport."),
    "request_timeout": Refused(408, "The request's head came too slowly.", "`HOMEPORT_HEAD_S` is the limit."),
    "too_many_requests": Refused(
        429, "Too many requests wait on one connection.", "Wait for answers, or open another."
    ),
    "headers_too_large": Refused(431, "The headers exceed the limit.", "Send fewer or smaller headers and cookies."),
    "too_many_connections": Refused(
        503, "More connections are open than `HOMEPORT_CONNECTIONS` allows.", "Close idle ones, or raise the limit."
    ),
}
"""Codes of what is refused before its path is known."""


class Connection(HttpToolsProtocol):
    """One client connection: requests are answered in order, and nothing but its answer is said to any."""

    head_s: ClassVar[float] = 10.0
    body_s: ClassVar[float] = 60.0
    stall_s: ClassVar[float] = 30.0
    sockets: ClassVar[frozenset[str]] = frozenset()
    """Paths at which a WebSocket is offered."""

    _head_timer: TimerHandle | None = None
    _body_timer: TimerHandle | None = None
    _stall_timer: TimerHandle | None = None
    _serving: asyncio.Task[None] | None = None
    _current: RequestResponseCycle | None = None
    """The request that is being answered, or was last; `cycle` is the one that is being read, or was last."""
    _farewell: bytes | None = None
    """The last answer on this connection, once it is known that nothing more is taken from it."""
    _expecting: Literal["", "head", "body"] = ""
    _head_bytes = 0
    _header_bytes = 0
    _bodied = False
    """Whether what came last had some of a body in it."""
    _host: bytes | None = None
    _hosts = 0
    _plain_head = b""
    _socket_head = b""

    @override
    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.limit_concurrency is not None and len(self.connections) > self.limit_concurrency:
            busy = "Too many connections are open. Try again in a moment."
            self._refuse(Refusal("too_many_connections", busy))
            return
        self._arm_head()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._disarm_head()
        self._disarm_body()
        self._disarm_stall()
        if self._current is not None and not self._current.response_complete:
            self._current.disconnected = True
            if self._serving is not None:
                self._serving.cancel(CLIENT_LEFT)

    def _arm_head(self) -> None:
        self._disarm_head()
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(self.head_s, self._head_too_late)

    def _disarm_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _answering(self) -> bool:
        """Whether a request on this connection has not had its whole answer yet."""
        current = self._current
        return current is not None and not current.response_complete

    def _head_too_late(self) -> None:
        self._head_timer = None
        if self._answering():
            self._arm_head()
        else:
            self._refuse(Refusal("request_timeout", f"The request's head took longer than {self.head_s:g} s."))

    @override
    def data_received(self, data: bytes) -> None:
        if self._farewell is not None:
            return
        self._unset_keepalive_if_required()
        before, self._bodied = self._expecting, False
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            cause = error.__context__
            no_http = Refusal("bad_request", "Invalid HTTP request received. Expected HTTP/1.1.")
            self._refuse(cause if isinstance(cause, Refusal) else no_http)
            return
        if self._socket_head:
            return
        # most requests arrive whole: only one that does not needs a timer
        if self._expecting == "body":
            # of a body's first piece most is head
            self._wait_for_body(len(data) if before == self._expecting else 0)
        elif self._expecting == "head" or not self._answering():
            # of a head's first piece it is not known how much belongs to what came before
            self._wait_for_head(len(data) if before == self._expecting else 0)

    def _feed(self, data: bytes | memoryview) -> None:
        """Parse; what asks for another protocol is read again as if it had not (RFC 9110, 7.8)."""
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as end:
                if self._socket_head:
                    self._become_socket(bytes(data)[end.args[0] :])
                    return
                # the parser takes the rest for that protocol's: it has skipped the body
                self.parser.feed_data(self._plain_head)
                data = memoryview(data)[end.args[0] :]
            else:
                return

    def _wait_for_head(self, size: int) -> None:
        """Bound the time and the bytes of a head, whose lines the parser only shows when they are complete."""
        if self._head_timer is None:
            self._arm_head()
        self._head_bytes += size
        if self._head_bytes > 2 * HEADER_BYTES or (self._expecting and self._is_head_too_large()):
            self._refuse(_head_too_large())

    def _wait_for_body(self, size: int) -> None:
        """Bound the time of a body, and the bytes of its trailers, which the parser keeps until a line is complete."""
        if self._body_timer is None:
            self._arm_body()
        self._head_bytes = 0 if self._bodied else self._head_bytes + size
        if self._head_bytes > 2 * HEADER_BYTES:
            self._refuse(_head_too_large())

    @override
    def on_body(self, body: bytes) -> None:
        self._bodied = True
        super().on_body(body)

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._header_bytes = self._hosts = 0
        self._expecting = "head"

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        if self._expecting == "body":
            # trailers would join headers that were judged already
            return
        name = name.lower()
        self.headers.append((name, value))
        self._header_bytes += len(name) + len(value)
        if name == b"host":
            self._take_host(value)
        elif name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"

    def _take_host(self, value: bytes) -> None:
        if value != self._host and not HOST.fullmatch(value):
            malformed = "The Host header is malformed. Expected a name or address and a port."
            raise Refusal("bad_request", malformed)
        self._host = value
        self._hosts += 1

    def _is_head_too_large(self) -> bool:
        return self._header_bytes > HEADER_BYTES or len(self.headers) > HEADER_COUNT

    @override
    def on_headers_complete(self) -> None:
        if self._is_head_too_large():
            raise _head_too_large()
        if len(self.pipeline) >= WAITING:
            raise Refusal("too_many_requests", f"More than {WAITING} requests wait on this connection.")
        version = self.parser.get_http_version()
        if self._hosts != 1 and (self._hosts or version != "1.0"):
            raise Refusal("bad_request", f"There are {self._hosts} Host headers. Expected one.")
        if self.parser.should_upgrade():
            self._socket_head = self._wanted_socket(version)
            self._plain_head = b"" if self._socket_head else self._without_upgrade(version)
            return
        self._disarm_head()
        if self.transport.is_closing():
            return
        self._expecting = "body"
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = version
        self.scope["path"] = unquote(path) if "%" in path else path
        self.scope["raw_path"] = url.path
        self.scope["query_string"] = url.query or b""
        self.cycle = self._exchange()
        if not self._answering():
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.pipeline.appendleft((self.cycle, self.app))
            # who does not read does not see that the client leaves
            if len(self.pipeline) >= PIPELINED:
                self.flow.pause_reading()

    def _without_upgrade(self, version: str) -> bytes:
        """The head that was read, but for its wish for another protocol."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise Refusal("bad_request", "CONNECT is not spoken here.")
        kept = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        return b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version.encode(), b"".join(kept))

    def _wanted_socket(self, version: str) -> bytes:
        """The head that was read, where it asks for a WebSocket at a path that offers one; else nothing."""
        asked = dict(self.headers).get(b"upgrade", b"").lower()
        if asked != b"websocket" or self.parser.get_method() != b"GET" or self._answering():
            return b""
        if httptools.parse_url(self.url).path.decode("latin-1") not in self.sockets:
            return b""
        head = b"".join(b"%b: %b\r\n" % header for header in self.headers)
        return b"GET %b HTTP/%b\r\n%b\r\n" % (self.url, version.encode(), head)

    def _become_socket(self, rest: bytes) -> None:
        """Hand the connection over; `rest` is what came behind the head."""
        # here, because few connections need what it loads
        from homeport.kit.sockets import Socket  # noqa: PLC0415 (see above)

        self._disarm_head()
        self.connections.discard(self)
        heir = Socket(self.config, self.server_state, self.app_state)
        heir.stall_s = self.stall_s
        heir.connection_made(self.transport)
        self.transport.set_protocol(heir)
        heir.data_received(self._socket_head + rest)

    def _exchange(self) -> Exchange:
        keep = self.scope["http_version"] != "1.0" and self.parser.should_keep_alive()
        return Exchange(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep,
            on_response=self.on_response_complete,
        )

    @override
    def on_message_complete(self) -> None:
        if self._expecting != "body":
            return
        self._expecting = ""
        self._disarm_body()
        super().on_message_complete()
        # a body that outgrew the buffer paused reading, and who has it whole does not ask for more
        if len(self.pipeline) < PIPELINED:
            self.flow.resume_reading()

    def _arm_body(self) -> None:
        self._body_timer = self.loop.call_later(self.body_s, self._body_too_late)

    def _disarm_body(self) -> None:
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def _body_too_late(self) -> None:
        if not self._answering():
            # the answer did not wait for the body, and neither do we
            self._leave()
        elif self.cycle is not self._current:
            # a long one is not read before its turn
            self._arm_body()
        elif self._serving is not None:
            self.cycle.keep_alive = False
            self._serving.cancel(BODY_LATE)

    @override
    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._current = cycle
        if self._body_timer is not None:
            self._disarm_body()
            self._arm_body()
        self._serving = task = self.loop.create_task(cycle.run_asgi(app))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_stall()
        elif self._farewell is not None and not self._answering():
            self._take_leave()

    @override
    def timeout_keep_alive_handler(self) -> None:
        self._leave()

    def _leave(self) -> None:
        """End the connection when its client has what it was sent, or takes no more of it."""
        if not self.transport.is_closing():
            self.transport.close()
            self._watch_stall()

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_stall()

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        # a connection that is closing has nothing more to write, but something left to send
        if not self.transport.is_closing():
            self._disarm_stall()

    def _watch_stall(self) -> None:
        if self._stall_timer is None:
            self._stall_timer = self.loop.call_later(self.stall_s, self._stalled, self._unsent())

    def _disarm_stall(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _unsent(self) -> int:
        return self.transport.get_write_buffer_size()

    def _stalled(self, before: int) -> None:
        if self._unsent() < before:
            self._stall_timer = self.loop.call_later(self.stall_s, self._stalled, self._unsent())
        else:
            self.transport.abort()

    def _refuse(self, refusal: Refusal) -> None:
        """Take nothing more, and say so when whoever asked before has the whole answer."""
        if self.transport.is_closing():
            return
        in_body = self._expecting == "body"
        if in_body and self.cycle.response_started:
            self._leave()
            return
        self._disarm_head()
        self._disarm_body()
        if in_body and self.cycle is self._current:
            self._refuse_current()
            return
        self._farewell = self._worded(refusal)
        if in_body:
            self.pipeline.popleft()
        if not self._answering():
            self._take_leave()
        else:
            # what comes is dropped, but who does not read does not see that the client leaves
            self.flow.resume_reading()

    def _refuse_current(self) -> None:
        """Let the request say itself what is wrong with it, and end the connection with its answer."""
        self._farewell = b""
        self.cycle.keep_alive = False
        if self._serving is not None:
            # later: a task that is cancelled before its first step says nothing
            self.loop.call_soon(self._serving.cancel, BODY_BROKEN)

    def _worded(self, refusal: Refusal) -> bytes:
        """An answer to what is no request, in a form that every protocol's clients can read; and its log line."""
        name, code = new_id(), refusal.code
        text = f"{refusal} (correlation id {name})"
        error = {"message": text, "type": "invalid_request_error", "param": None, "code": code, "correlation_id": name}
        body = orjson.dumps({"error": error, "detail": [{"msg": text, "type": code, "loc": ["request"]}]})
        head = (
            b"content-type: application/json\r\nx-request-id: %b\r\nx-homeport-error: %b\r\ncache-control: no-store\r\n"
            b"connection: close\r\ncontent-length: %d\r\n\r\n"
        )
        client = self.client[0] if self.client else ""
        log.info("request refused", correlation_id=name, status_code=refusal.status, error_code=code, client_ip=client)
        return STATUS_LINE[refusal.status] + head % (name.encode(), code.encode(), len(body)) + body

    def _take_leave(self) -> None:
        if self._farewell is not None and not self.transport.is_closing():
            self.transport.write(self._farewell)
            self._leave()


def _head_too_large() -> Refusal:
    return Refusal("headers_too_large", f"The headers exceed {HEADER_BYTES} bytes or {HEADER_COUNT} fields.")


class Server(uvicorn.Server):
    """uvicorn that stops on SIGINT and SIGTERM, says when it begins to, and leaves the process alive."""

    def __init__(self, config: uvicorn.Config, *, on_start: Callable[[], None], on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start
        self._on_stop = on_stop

    @contextlib.contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        wanted = (signal.SIGINT, signal.SIGTERM)
        for number in wanted:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in wanted:
                loop.remove_signal_handler(number)

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_start()

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()
        await super().shutdown(sockets)
        if self.server_state.tasks:
            # interrupted when their time was up: now they tell their clients
            await asyncio.wait(self.server_state.tasks, timeout=FAREWELL_S)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises OSError with a sentence that names the setting to change."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except socket.gaierror as error:
        listener.close()
        raise OSError(errno.EADDRNOTAVAIL, f"Port {port} on {host} cannot be used: nobody knows that name.") from error
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"Port {port} on {host} cannot be used: {error.strerror}.") from error
    listener.setblocking(False)  # noqa: FBT003 (the standard library's signature)
    return listener


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Limits of one connection, in seconds, and how many connections there may be."""

    head_s: float = 10.0
    body_s: float = 60.0
    keep_alive_s: float = 75.0
    stall_s: float = 30.0
    drain_s: float = 10.0
    connections: int = 5000


def _calm(record: logging.LogRecord) -> bool:
    """What uvicorn says of requests that outlive their time when it stops is no error: their clients are told."""
    if record.msg.startswith("Cancel "):
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


def configure(app: Any, times: Times, sockets: Iterable[str] = ()) -> uvicorn.Config:  # noqa: ANN401 (an ASGI application)
    """A uvicorn configuration with our limits; WebSockets are offered at the paths `sockets`."""
    logging.getLogger("uvicorn.error").addFilter(_calm)
    limits = {"head_s": times.head_s, "body_s": times.body_s, "stall_s": times.stall_s, "sockets": frozenset(sockets)}
    return uvicorn.Config(
        app,
        http=type("Connection", (Connection,), limits),
        ws="none",  # ours takes its place: see `Connection.sockets`
        ws_max_size=SOCKET_BYTES,
        ws_ping_interval=SOCKET_PING_S,
        ws_ping_timeout=SOCKET_PING_S,
        ws_per_message_deflate=False,
        loop="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=times.connections,
        timeout_keep_alive=times.keep_alive_s,  # type: ignore[arg-type]  # uvicorn only adds it to a time
        timeout_graceful_shutdown=times.drain_s,  # type: ignore[arg-type]  # handed to wait_for
    )

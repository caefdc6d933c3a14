"""The upstream port over a small HTTP/1.1 client: pooled, bounded, no redirects, cookies or decompression.

The parser is httptools (llhttp in C). Every limit in time is kept by one clock for all calls, because a
timer for each would cost more than relaying a chunk (docs/decisions/0002).
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar
from urllib.parse import urlsplit

import httptools
from typing_extensions import override

from homeport.kit import certificates
from homeport.kit.addresses import denied, denied_by_name
from homeport.kit.journal import note
from homeport.kit.network import Network, usual
from homeport.kit.proxy import Proxy, Tunnel, of_the_proxy
from homeport.kit.upstream import (
    Call,
    Malformed,
    Reply,
    TooMuch,
    TransportError,
    Truncated,
    Unreachable,
    Upstream,
    UpstreamTooLate,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from homeport.kit import addresses
    from homeport.kit.upstream import Reach

KEEP_ALIVE_S = 4.0
"""Shorter than the five seconds after which uvicorn (vLLM) and llama.cpp close idle connections."""
READ_AHEAD = 16 * 1024
"""Bytes of one answer that wait for a slow reader before the socket is no longer read."""
AT_ONCE = 16 * 1024
"""Bytes that are read at once: a loop of its own would take 256 KiB from each of hundreds of servers."""
HEAD_LIMIT = 64 * 1024
TICK_S = 0.1
CONTINUE = 200
BAD_GATEWAY = {502, 504}
"""Statuses below this announce an answer and are not one."""
_TEXT = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Place(NamedTuple):
    """Where a URL leads, and the first bytes of a request to it."""

    secure: bool
    host: str
    port: int
    metadata: bool
    """Whether a metadata service may be there; its connections serve no other call."""
    network: Network | None
    via: Proxy | None
    target: bytes
    key: Key
    """What connections are kept by."""

    @property
    def limit(self) -> str:
        """What took too long where connecting did."""
        return "connect" if self.via is None else f"connect, by its proxy {self.via.at}"


Key = tuple[bool, str, int, bool, Network | None]


@lru_cache(maxsize=1024)
def place_of(url: str, metadata: bool = False, network: Network | None = None) -> Place:  # noqa: FBT001, FBT002 (a part of the cache's key)
    """The parts of an http(s) URL, and the way there; raises Unreachable for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Unreachable("url") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise Unreachable("url")
    secure = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = path + parts.netloc
    if not (sent.isascii() and sent.isprintable() and " " not in sent):
        raise Unreachable("url")
    number = port or (443 if secure else 80)
    via = None if metadata else _via(network, parts.hostname, number)
    form = f"http://{parts.netloc}{path}" if via is not None and not secure else path
    target = f"{form} HTTP/1.1\r\nHost: {parts.netloc}\r\n".encode()
    key = (secure, parts.hostname, number, metadata, network)
    return Place(*key, via, target, key)


def _via(network: Network | None, host: str, port: int) -> Proxy | None:
    """The proxy on the way; raises Unreachable where what is configured is none."""
    try:
        return None if network is None else network.via(host, port)
    except ValueError as error:
        raise Unreachable("proxy", f"its proxy is none: {error}") from error


def request_bytes(call: Call, place: Place) -> bytes:
    """The whole request; raises Unreachable for a header that could break out of its line."""
    lines = [call.method.encode(), b" ", place.target]
    for name, value in call.headers.items():
        if not _TEXT.fullmatch(value):
            raise Unreachable("header", name)
        lines.append(f"{name}: {value}\r\n".encode("latin-1"))
    if place.via is not None and not place.secure:
        lines.append(place.via.authorization().encode())
    lines.append(b"Content-Length: %d\r\n\r\n" % len(call.body) if call.body else b"\r\n")
    lines.append(call.body)
    return b"".join(lines)


class _Wire(asyncio.BufferedProtocol):
    """One connection; carries one request at a time.

    All share one `buffer`: what is read is parsed before anybody else reads.
    """

    __slots__ = (
        "_bounded",
        "_buffer",
        "_head_bytes",
        "_kept",
        "_loop",
        "_parser",
        "_paused",
        "_size",
        "_waiter",
        "checked",
        "complete",
        "error",
        "headers",
        "heard",
        "idle_since",
        "lost",
        "parts",
        "place",
        "status",
        "transport",
    )

    def __init__(self, place: Place, buffer: memoryview) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = buffer
        self.place = place
        self.checked: object = None
        """The deny-list that its address was compared with."""
        self.transport: asyncio.Transport
        self.lost = False
        self.idle_since = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self.reset()

    def reset(self) -> None:
        """Make ready for the next request; the parser goes on where the last answer ended."""
        self.parts: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._head_bytes = 0
        self._bounded = False
        self._kept = False
        self.headers: dict[bytes, bytes] = {}
        self.status = 0
        self.heard = False
        self.complete = False
        self.error: TransportError | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    @override
    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    @override
    def buffer_updated(self, nbytes: int) -> None:
        self.heard = True
        if self.complete:
            self._distrust()
            return
        before = self._size
        try:
            self._parser.feed_data(self._buffer[:nbytes])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self.complete:
                self._distrust()
                return
            self._fail(Malformed(str(error)))
        if self._size != before:
            self._head_bytes = 0
        elif not self.complete:
            self._count_head(nbytes)

    def _distrust(self) -> None:
        """Cut a connection on which something came that nobody asked for; the answer before it stands."""
        self.lost = True
        self.transport.abort()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self.complete or self.error:
            return
        if self.status and not self._bounded and exc is None:
            self.complete = True
            self._wake()
        else:
            said = None if self.heard else certificates.refused(exc)
            self._fail(said or Truncated("" if exc is None else type(exc).__name__))

    def _count_head(self, size: int) -> None:
        """Bound head and trailers, whose lines the parser only shows when they are complete."""
        self._head_bytes += size
        if self._head_bytes > HEAD_LIMIT:
            self._fail(Malformed("a head or trailers of more than 64 KiB"))

    def on_message_begin(self) -> None:
        """The start of an answer (httptools); one that follows a whole one is not taken in."""
        if self.complete:
            raise httptools.HttpParserError

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line (httptools); a trailer says nothing that anybody here asks."""
        if not self.status:
            self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """The end of the head (httptools)."""
        status = self._parser.get_status_code()
        if status < CONTINUE:
            self.headers = {}
            return
        self._bounded = b"content-length" in self.headers or b"transfer-encoding" in self.headers
        self.status = status
        self._wake()

    def on_body(self, body: bytes) -> None:
        """A piece of the body (httptools)."""
        self.parts.append(body)
        self._size += len(body)
        if self._size > READ_AHEAD and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        """The end of the body (httptools)."""
        if self.status:
            self.complete = True
            self._kept = self._parser.should_keep_alive()
            self._wake()

    def _fail(self, error: TransportError) -> None:
        self.error = self.error or error
        self._wake()
        if not self.lost:
            self.transport.abort()

    def fail(self, error: TransportError) -> None:
        """Give up on the answer: whoever waits for it gets `error`, the connection is cut."""
        self._fail(error)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def next(self) -> asyncio.Future[None]:
        """What is done when something happens; one waits at a time."""
        self._waiter = self._loop.create_future()
        return self._waiter

    def take(self) -> bytes:
        """What has arrived of the body; reading goes on if it was paused."""
        parts = self.parts
        data = parts.popleft() if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._size = 0
        if self._paused:
            self._paused = False
            if not self.lost:
                self.transport.resume_reading()
        return data

    @property
    def reusable(self) -> bool:
        """Whether another request may follow on this connection."""
        return self.complete and self._bounded and self._kept and not self.lost


class _Watched(Protocol):
    def overdue(self, now: float) -> None: ...


class _Clock:
    """One timer for the limits of all calls, running while there are any."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._open: set[_Watched] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.time = self._loop.time

    def watch(self, call: _Watched) -> None:
        self._open.add(call)
        if self._timer is None:
            self._timer = self._loop.call_later(TICK_S, self._tick)

    def forget(self, call: _Watched) -> None:
        self._open.discard(call)

    def _tick(self) -> None:
        now = self._loop.time()
        for call in tuple(self._open):
            call.overdue(now)
        self._timer = self._loop.call_later(TICK_S, self._tick) if self._open else None

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class HttpReply(Reply):
    """An answer, from the moment its request was sent."""

    __slots__ = ("_began", "_clock", "_deadline", "_first_s", "_idle_s", "_pool", "_since", "_wire", "status")

    def __init__(self, wire: _Wire, call: Call, pool: HttpUpstream, clock: _Clock) -> None:
        self._wire = wire
        self._pool = pool
        self._clock = clock
        self._since = clock.time()
        self._deadline = self._since + call.total_s
        self._began = False
        self._first_s = call.first_byte_s
        self._idle_s = call.idle_s
        self.status = 0
        clock.watch(self)

    async def head(self) -> None:
        """Wait for the head. The clock runs on: a server may send one long before it has anything to say."""
        wire = self._wire
        while not wire.status:
            if wire.error:
                raise wire.error
            await wire.next()
        self.status = wire.status

    @override
    def header(self, name: str) -> str:
        return self._wire.headers.get(name.lower().encode(), b"").decode("latin-1")

    @override
    async def part(self) -> bytes:
        wire = self._wire
        if not wire.parts:
            self._since = self._since or self._clock.time()
            while not wire.parts:
                if wire.error:
                    raise wire.error
                if wire.complete:
                    return b""
                await wire.next()
        self._since = 0.0
        self._began = True
        return wire.take()

    @override
    async def read(self, limit: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := await self.part():
            parts.append(part)
            size += len(part)
            if size > limit:
                raise TooMuch(limit)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    @override
    def close(self) -> None:
        self._clock.forget(self)
        self._pool.give_back(self._wire)

    def overdue(self, now: float) -> None:
        """Give up when the answer has been silent, or gone on, for too long."""
        silent = self._since and now - self._since > (self._idle_s if self._began else self._first_s)
        if silent or now > self._deadline:
            self._clock.forget(self)
            phase = "total" if not silent else "idle" if self._began else "first byte"
            self._wire.fail(UpstreamTooLate(phase))


P = TypeVar("P", bound=asyncio.BaseProtocol)


class _Found(NamedTuple):
    """Where a connection leads, and what is asked of it."""

    host: str
    port: int
    context: ssl.SSLContext | None
    denied: tuple[addresses.Network, ...]
    metadata: bool


class HttpUpstream(Upstream):
    """The production transport; one per process, made inside the running loop."""

    def __init__(
        self,
        *,
        denied_networks: Iterable[addresses.Network] = (),
        ca_file: Path | None = None,
        proxy: str = "",
        no_proxy: str = "",
    ) -> None:
        """`ca_file` holds authorities to trust besides the system's; a folder of them will do.

        `proxy` and `no_proxy` are for calls that say nothing of one.
        """
        self._denied = tuple(denied_networks)
        self._contexts = certificates.Contexts(ca_file)
        self._usual = usual(proxy, no_proxy)
        self._loop = asyncio.get_running_loop()
        self._clock = _Clock()
        self._buffer = memoryview(bytearray(AT_ONCE))
        self._idle: dict[Key, list[_Wire]] = {}
        self._busy: set[_Wire] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self.may_resend: Callable[[], bool] = lambda: True
        """Whether a request may go out once more that met a connection which its server had given up; it is counted."""

    def deny(self, networks: Iterable[addresses.Network]) -> None:
        """Let nobody be in these from now on; answers that are on their way end, and no connection is used again."""
        found = tuple(networks)
        if found != self._denied:
            self._denied = found
            for place in list(self._idle):
                self._forget(place)

    @override
    async def open(self, call: Call) -> HttpReply:
        network = self._usual if call.network is None else call.network.over(self._usual)
        place = place_of(call.url, call.metadata, network)
        request = request_bytes(call, place)
        wire = self._take(place)
        if wire is not None:
            try:
                return await self._send(wire, request, call)
            except Unreachable as error:
                if error.why not in {"reset", "closed"}:
                    raise
                # the server was just closing this one, most likely without having read the request, and others too
                self._forget(place.key)
                if not self.may_resend():
                    raise
        began = time.perf_counter()
        wire = await self._connect(place, call.connect_s)
        note(connect_duration_s=int((time.perf_counter() - began) * 1e4) / 1e4)
        return await self._send(wire, request, call)

    async def _send(self, wire: _Wire, request: bytes, call: Call) -> HttpReply:
        self._busy.add(wire)
        reply = HttpReply(wire, call, self, self._clock)
        try:
            wire.transport.write(request)
            await reply.head()
        except Truncated as error:
            reply.close()
            if not wire.heard:
                raise Unreachable("reset" if str(error) else "closed") from error
            raise
        except BaseException:
            reply.close()
            raise
        return reply if wire.place.via is None else self._heard_by_proxy(reply, wire)

    def _heard_by_proxy(self, reply: HttpReply, wire: _Wire) -> HttpReply:
        """The reply, unless it is the proxy's own; raises Unreachable that says so. Within a tunnel none is."""
        place = wire.place
        if place.via is None or place.secure:
            return reply
        at = f"{place.host}:{place.port}"
        if of_the_proxy(reply.status, wire.headers):
            reply.close()
            raise place.via.refusal(reply.status, at)
        if reply.status in BAD_GATEWAY:
            reply.close()
            raise Unreachable(
                "proxy", f"its proxy {place.via.at}, or what is behind it, cannot reach {at} (HTTP {reply.status})"
            )
        return reply

    def _take(self, place: Place) -> _Wire | None:
        idle = self._idle.get(place.key)
        while idle:
            wire = idle.pop()
            if not wire.lost and self._clock.time() - wire.idle_since < KEEP_ALIVE_S:
                wire.reset()
                return wire
            wire.transport.abort()
        return None

    def _forget(self, key: Key) -> None:
        """Close the connections that wait for work there."""
        for wire in self._idle.pop(key, ()):
            wire.transport.abort()

    def give_back(self, wire: _Wire) -> None:
        """Keep a connection whose answer was read to its end; cut any other."""
        self._busy.discard(wire)
        if wire.reusable and not wire.parts and wire.checked is self._denied:
            wire.idle_since = self._clock.time()
            self._idle.setdefault(wire.place.key, []).append(wire)
            if self._sweep is None:
                self._sweep = self._loop.call_later(KEEP_ALIVE_S, self._tidy)
        else:
            wire.transport.abort()

    def _tidy(self) -> None:
        """Close what nobody used again: a server may keep its side open for ever."""
        oldest = self._clock.time() - KEEP_ALIVE_S
        for place, idle in list(self._idle.items()):
            while idle and idle[0].idle_since <= oldest:
                idle.pop(0).transport.abort()
            if not idle:
                del self._idle[place]
        self._sweep = self._loop.call_later(KEEP_ALIVE_S, self._tidy) if self._idle else None

    async def _connect(self, place: Place, seconds: float) -> _Wire:
        try:
            async with asyncio.timeout(seconds):
                checked = self._denied
                wire = await self._dial(place)
                wire.checked = checked
                return wire
        except TimeoutError as error:
            raise UpstreamTooLate(place.limit) from error
        except UnicodeError as error:
            raise Unreachable("dns", "no name has an empty part, or one of more than 63 characters") from error
        except OSError as error:
            raise unreachable(error) from error

    async def _dial(self, place: Place) -> _Wire:
        """A connection to the place, by its proxy if it has one."""
        if place.via is not None:
            return await self._through(place, place.via)
        context = await self._contexts.of(place.network) if place.secure else None
        found = _Found(place.host, place.port, context, self._denied, place.metadata)
        return await self._reach(found, lambda: _Wire(place, self._buffer))

    async def _through(self, place: Place, proxy: Proxy) -> _Wire:
        """A connection to a proxy for a plain place, one within its tunnel for a secure one; raises Unreachable."""
        if denied_by_name(place.host, self._denied):
            raise Unreachable("denied")
        if not place.secure:
            return await self._to_proxy(place, proxy, lambda: _Wire(place, self._buffer))
        context = await self._contexts.of(place.network)
        tunnel, wire = await self._to_proxy(place, proxy, Tunnel), _Wire(place, self._buffer)
        try:
            inner = await tunnel.opened(proxy, place.host, place.port)
            secured = await self._loop.start_tls(inner, wire, context, server_hostname=place.host)
        except BaseException:
            tunnel.transport.abort()
            raise
        if secured is None:
            raise Unreachable("closed")
        wire.connection_made(secured)
        return wire

    async def _to_proxy(self, place: Place, proxy: Proxy, make: Callable[[], P]) -> P:
        """A connection to a proxy; the operator's own may be in a network where no model may."""
        ours = self._usual is not None and self._usual.proxy == (place.network or self._usual).proxy
        more = () if ours else self._denied
        try:
            context = await self._contexts.of(place.network, show=False) if proxy.secure else None
            return await self._reach(_Found(proxy.host, proxy.port, context, more, metadata=False), make)
        except UnicodeError as error:
            raise proxy.trouble(Unreachable("dns")) from error
        except OSError as error:
            raise proxy.trouble(unreachable(error)) from error
        except Unreachable as error:
            raise (proxy.trouble(error) if error.why == "denied" else error) from error

    async def _reach(self, at: _Found, make: Callable[[], P]) -> P:
        """Resolve, check every address, connect to the first that answers."""
        found = await self._loop.getaddrinfo(at.host, at.port, type=socket.SOCK_STREAM)
        every = list(dict.fromkeys(str(info[4][0]) for info in found))
        if any(denied(address, at.denied, metadata=at.metadata) for address in every):
            raise Unreachable("denied")
        failure: OSError | None = None
        for address in every:
            try:
                _, wire = await self._loop.create_connection(
                    make, address, at.port, ssl=at.context, server_hostname=at.host if at.context else None
                )
            except OSError as error:
                failure = failure or error
            else:
                return wire
        raise failure or OSError("no address")

    @override
    async def close(self) -> None:
        self._clock.stop()
        if self._sweep is not None:
            self._sweep.cancel()
        for wire in [*self._busy, *(wire for idle in self._idle.values() for wire in idle)]:
            wire.transport.abort()
        self._idle.clear()


_CAUSES: Mapping[type[OSError], Reach] = {
    ssl.SSLError: "tls",
    socket.gaierror: "dns",
    ConnectionRefusedError: "refused",
    ConnectionResetError: "reset",
}


_NO_TLS = frozenset(("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"))
"""What OpenSSL says of an answer to its hello that is no TLS, as a server of plain HTTP gives it."""


def unreachable(error: OSError) -> Unreachable:
    """Why nobody could be reached, as a short class of failure."""
    if said := certificates.refused(error):
        return said
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
        return Unreachable("plain")
    for kind, why in _CAUSES.items():
        if isinstance(error, kind):
            return Unreachable(why, getattr(error, "verify_message", "") or error.strerror or "")
    return Unreachable("network", error.strerror or type(error).__name__)

"""The upstream port over aiohttp: pooled, bounded, no redirects, cookies, proxies or decompression."""

from __future__ import annotations

import asyncio
import socket
import ssl
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
from typing_extensions import override
from yarl import URL

from homeport.kit.addresses import denied
from homeport.kit.upstream import (
    Call,
    Reply,
    TooMuch,
    Truncated,
    Unreachable,
    Upstream,
    UpstreamTooLate,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from homeport.kit.addresses import Network
    from homeport.kit.upstream import Reach

KEEP_ALIVE_S = 4.0
"""Shorter than the five seconds after which uvicorn (vLLM) and llama.cpp close idle connections."""
READ_BUFFER = 32 * 1024
"""Bytes read ahead per stream; aiohttp pauses the socket at twice that."""
TICK_S = 0.1
NO_BODY = 204


@lru_cache(maxsize=1024)
def _parsed(url: str) -> URL:
    return URL(url, encoded=True)


class DeniedAddressError(OSError):
    """The address is one that no model may have."""


class AiohttpReply(Reply):
    """An answer whose body is read with one idle clock for all streams of a worker."""

    __slots__ = ("_clock", "_content", "_deadline", "_idle_s", "_response", "_waiting_since", "status")

    def __init__(self, response: aiohttp.ClientResponse, call: Call, clock: _Clock, started: float) -> None:
        self._response = response
        self._content = response.content
        self._clock = clock
        self._idle_s = call.idle_s
        self._deadline = started + call.total_s
        self._waiting_since = 0.0
        self.status = response.status
        clock.watch(self)

    @override
    def header(self, name: str) -> str:
        return str(self._response.headers.get(name, ""))

    @override
    async def read(self, limit: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := await self.part():
            parts.append(part)
            size += len(part)
            if size > limit:
                self.close()
                raise TooMuch(limit)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    @override
    async def part(self) -> bytes:
        self._waiting_since = self._clock.time()
        try:
            return await self._content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise Truncated from error
        finally:
            self._waiting_since = 0.0

    @override
    def close(self) -> None:
        self._clock.forget(self)
        # aiohttp keeps a connection whose body was read to its end and cuts any other
        self._response.close() if not self._content.at_eof() else self._response.release()

    def overdue(self, now: float) -> None:
        """Wake the reader with an error when the answer has been silent, or gone on, for too long."""
        silent = self._waiting_since and now - self._waiting_since > self._idle_s
        if silent or now > self._deadline:
            self._clock.forget(self)
            self._content.set_exception(UpstreamTooLate("idle" if silent else "total"))
            self._response.close()


class _Opening:
    """A call whose head has not arrived: its task is interrupted when that takes too long."""

    __slots__ = ("_deadline", "_expired", "_task")

    def __init__(self, clock: _Clock, deadline: float) -> None:
        self._task = asyncio.current_task()
        self._deadline = deadline
        self._expired = False
        clock.watch(self)

    def overdue(self, now: float) -> None:
        """Interrupt the task, once."""
        if now > self._deadline and not self._expired and self._task is not None:
            self._expired = True
            self._task.cancel()

    def explain(self, error: asyncio.CancelledError) -> None:
        """Raise UpstreamTooLate when it was this that interrupted the task, and nobody else did too."""
        if self._expired and self._task is not None and self._task.uncancel() == 0:
            raise UpstreamTooLate("first byte") from error


class _Watched(Protocol):
    def overdue(self, now: float) -> None: ...


class _Clock:
    """One timer for the limits of all calls: a timer each would cost more than a chunk."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._open: set[_Watched] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.time = self._loop.time

    def watch(self, reply: _Watched) -> None:
        self._open.add(reply)
        if self._timer is None:
            self._timer = self._loop.call_later(TICK_S, self._tick)

    def forget(self, reply: _Watched) -> None:
        self._open.discard(reply)

    def _tick(self) -> None:
        now = self._loop.time()
        for reply in tuple(self._open):
            reply.overdue(now)
        self._timer = self._loop.call_later(TICK_S, self._tick) if self._open else None

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class AiohttpUpstream(Upstream):
    """The production transport; one per process, made inside the running loop."""

    def __init__(self, *, denied_networks: Iterable[Network] = ()) -> None:
        self._denied = tuple(denied_networks)
        self._clock = _Clock()
        connector = aiohttp.TCPConnector(
            limit=0, keepalive_timeout=KEEP_ALIVE_S, socket_factory=self._socket, ttl_dns_cache=10
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            raise_for_status=False,
            read_bufsize=READ_BUFFER,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            timeout=aiohttp.ClientTimeout(total=None),
        )

    @override
    async def open(self, call: Call) -> AiohttpReply:
        try:
            return await self._attempt(call)
        except aiohttp.ServerDisconnectedError:
            # a pooled connection that the server had just closed: nothing was answered yet
            try:
                return await self._attempt(call)
            except aiohttp.ServerDisconnectedError as error:
                raise unreachable(error) from error

    async def _attempt(self, call: Call) -> AiohttpReply:
        started = self._clock.time()
        wait = _Opening(self._clock, started + call.first_byte_s)
        try:
            response = await self._session.request(
                call.method,
                _parsed(call.url),
                data=call.body or None,
                headers=call.headers,
                allow_redirects=False,
                timeout=_connect_limit(call.connect_s),
            )
        except aiohttp.ServerDisconnectedError:
            raise
        except asyncio.CancelledError as error:
            wait.explain(error)
            raise
        except TimeoutError as error:
            phase = "connect" if isinstance(error, aiohttp.ConnectionTimeoutError) else "first byte"
            raise UpstreamTooLate(phase) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise unreachable(error) from error
        finally:
            self._clock.forget(wait)
        return AiohttpReply(response, call, self._clock, started)

    def _socket(self, info: Any) -> socket.socket:  # noqa: ANN401 (a getaddrinfo tuple)
        family, kind, protocol, _, address = info
        if denied(str(address[0]), self._denied):
            raise DeniedAddressError
        connection = socket.socket(family, kind, protocol)
        connection.setblocking(False)  # noqa: FBT003 (the standard library's signature)
        return connection

    @override
    async def close(self) -> None:
        self._clock.stop()
        await self._session.close()


@lru_cache(maxsize=64)
def _connect_limit(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=None, sock_connect=seconds, sock_read=None)


_CAUSES: tuple[tuple[type[BaseException], Reach], ...] = (
    (DeniedAddressError, "denied"),
    (ssl.SSLError, "tls"),
    (socket.gaierror, "dns"),
    (ConnectionRefusedError, "refused"),
    (ConnectionResetError, "reset"),
    (aiohttp.ServerDisconnectedError, "closed"),
    (aiohttp.InvalidURL, "url"),
)


def unreachable(error: Exception) -> Unreachable:
    """Why nobody could be reached, as a short class of failure."""
    cause: BaseException | None = error
    while cause is not None:
        for kind, why in _CAUSES:
            if isinstance(cause, kind):
                return Unreachable(why, getattr(cause, "verify_message", "") or getattr(cause, "strerror", "") or "")
        cause = cause.__cause__ or cause.__context__
    return Unreachable("network", type(error).__name__)

"""Everything that a model server can do wrong, each with the error that a client gets for it.

`EARLY` fails before the first byte of an answer reached the client: it gets a status and a document.
`LATE` fails in a stream that has begun: it is told in the protocol's way and never sees the mark of a proper end.
`AFTER` goes wrong when the answer was there: nobody notices.
`DOORS` and `NAMES` fail before a byte of HTTP was exchanged.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import ssl
import warnings
from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING, Any, cast

from blackhole import black_hole
from papers import certificate, pem, shown
from script import DONE, document, event, piece, stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
    from pathlib import Path

    from script import Peer

    Play = Callable[[Peer], Awaitable[None]]

ALL = "all of it"
"""The text of an answer that is whole and has something after it."""
CANARY = "canary-in-the-words-of-the-model-server"
STATUS = {
    "upstream_unreachable": 502,
    "upstream_refused": 502,
    "upstream_malformed": 502,
    "upstream_truncated": 502,
    "upstream_error": 502,
    "upstream_timeout": 504,
    "upstream_overloaded": 503,
    "upstream_rejected": 400,
}


def answering(status: int, body: bytes = CANARY.encode(), kind: str = "text/html", **more: Any) -> Play:
    """A whole answer."""

    async def play(peer: Peer) -> None:
        await peer.document(body, status, kind, **more)

    return play


def sending(data: bytes, then: str = "close") -> Play:
    """These bytes, whatever they are, and then an end of this kind."""

    async def play(peer: Peer) -> None:
        await peer.write(data)
        await after(peer, then)

    return play


def dripping(first: bytes, each: Iterable[bytes]) -> Play:
    """Bytes, then more and more of them, a little at a time."""

    async def play(peer: Peer) -> None:
        await peer.write(first)
        for part in each:
            if peer.closed.is_set():
                return
            await peer.write(part)
            await asyncio.sleep(0.02)
        await peer.hang()

    return play


async def after(peer: Peer, then: str) -> None:
    """End a connection, or leave it open."""
    if then == "close":
        peer.close()
    elif then == "half-close":
        peer.writer.write_eof()
        await peer.hang()
    elif then == "reset":
        await asyncio.sleep(0.01)  # what was sent before is not to be overtaken
        peer.reset()
    elif then == "end":
        await peer.end()
    else:
        await peer.hang()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
COMMENT = b"7\r\n: ping\n\r\n"


def sized(size: str, body: bytes = b"{}") -> bytes:
    """An answer that calls itself so long."""
    return HEAD + f"Content-Length: {size}\r\n\r\n".encode() + body


EARLY: dict[str, tuple[Play, str]] = {
    "reset before the head": (sending(b"", "reset"), "upstream_unreachable"),
    "close before the head": (sending(b""), "upstream_unreachable"),
    "half-close before the head": (sending(b"", "half-close"), "upstream_unreachable"),
    "hang before the head": (sending(b"", "hang"), "upstream_timeout"),
    "half a head, then close": (sending(HEAD), "upstream_truncated"),
    "half a head, then half-close": (sending(HEAD, "half-close"), "upstream_truncated"),
    "half a head, then reset": (sending(HEAD, "reset"), "upstream_truncated"),
    "half a head, then hang": (sending(HEAD, "hang"), "upstream_timeout"),
    "a head in drips": (dripping(HEAD, repeat(b"X: y\r\n", 500)), "upstream_timeout"),
    "head, then hang": (sending(CHUNKED, "hang"), "upstream_timeout"),
    "head, then reset": (sending(CHUNKED, "reset"), "upstream_truncated"),
    "head, then close": (sending(CHUNKED), "upstream_truncated"),
    "head, then half-close": (sending(CHUNKED, "half-close"), "upstream_truncated"),
    "half a chunk, then hang": (sending(CHUNKED + b"100\r\n{", "hang"), "upstream_timeout"),
    "short content-length": (sending(sized("99")), "upstream_truncated"),
    "short content-length, then hang": (sending(sized("99"), "hang"), "upstream_timeout"),
    "long content-length": (sending(sized("2", b"{}" + b"x" * 1000), "hang"), "upstream_malformed"),
    "negative content-length": (sending(sized("-2"), "hang"), "upstream_malformed"),
    "content-length in words": (sending(sized("two"), "hang"), "upstream_malformed"),
    "content-length beyond 64 bits": (sending(sized("9" * 30), "hang"), "upstream_malformed"),
    "two content-lengths": (sending(sized("2\r\nContent-Length: 3"), "hang"), "upstream_malformed"),
    "100 and nothing more": (sending(b"HTTP/1.1 100 Continue\r\n\r\n", "hang"), "upstream_timeout"),
    "103 without end": (sending(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 5000, "hang"), "upstream_malformed"),
    "101": (sending(b"HTTP/1.1 101 x\r\nUpgrade: y\r\nConnection: upgrade\r\n\r\n", "hang"), "upstream_malformed"),
    "not HTTP": (sending(b"SSH-2.0-OpenSSH_9.2\r\n", "hang"), "upstream_malformed"),
    "another HTTP": (sending(b"HTTP/9.9 200 OK\r\n\r\n", "hang"), "upstream_malformed"),
    "binary": (sending(bytes(range(256)), "hang"), "upstream_malformed"),
    "HTTP/2 preface": (sending(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", "hang"), "upstream_malformed"),
    "a TLS alert": (sending(b"\x15\x03\x01\x00\x02\x02\x46", "hang"), "upstream_malformed"),
    "broken chunk size": (sending(CHUNKED + b"zz\r\n{}\r\n", "hang"), "upstream_malformed"),
    "chunk size beyond 64 bits": (sending(CHUNKED + b"f" * 17 + b"\r\n{}", "hang"), "upstream_malformed"),
    "broken chunk end": (sending(CHUNKED + b"2\r\n{}xx", "hang"), "upstream_malformed"),
    "endless head": (sending(HEAD + b"X: " + b"y" * 100_000, "hang"), "upstream_malformed"),
    "ten thousand header lines": (sending(HEAD + b"X-Bomb: y\r\n" * 10_000, "hang"), "upstream_malformed"),
    "a header line of 1 MiB": (sending(HEAD + b"X: " + b"y" * 2**20 + b"\r\n\r\n", "hang"), "upstream_malformed"),
    "NUL in a header": (sending(HEAD + b"X: a\0b\r\n\r\n", "hang"), "upstream_malformed"),
    "a header without a name": (sending(HEAD + b": x\r\n\r\n", "hang"), "upstream_malformed"),
    "both lengths": (
        sending(HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", "hang"),
        "upstream_malformed",
    ),
    "html": (answering(200, b"<html>" + CANARY.encode()), "upstream_malformed"),
    "empty": (answering(200, b""), "upstream_malformed"),
    "a list": (answering(200, b"[]", "application/json"), "upstream_malformed"),
    "no choices": (answering(200, b'{"object":"x"}', "application/json"), "upstream_malformed"),
    "half a document": (answering(200, b'{"choices":[{"text":"a', "application/json"), "upstream_malformed"),
    "invalid UTF-8": (answering(200, b'{"choices":"\xff\xfe"}', "application/json"), "upstream_malformed"),
    "UTF-16": (answering(200, '{"choices":[]}'.encode("utf-16"), "application/json"), "upstream_malformed"),
    "deep JSON": (answering(200, b"[" * 100_000, "application/json"), "upstream_malformed"),
    "gzip": (answering(200, gzip.compress(b"0" * 10_000_000), content_encoding="gzip"), "upstream_malformed"),
    "six encodings": (answering(200, b"\x1f\x8b" * 99, content_encoding="gzip, br" * 3), "upstream_malformed"),
    "204": (sending(b"HTTP/1.1 204 No Content\r\n\r\n", "hang"), "upstream_refused"),
    "304": (sending(b"HTTP/1.1 304 Not Modified\r\n\r\n", "hang"), "upstream_refused"),
    "401": (answering(401), "upstream_refused"),
    "401 with a challenge": (answering(401, www_authenticate='Basic realm="x"'), "upstream_refused"),
    "403": (answering(403), "upstream_refused"),
    "404": (answering(404), "upstream_refused"),
    "407": (answering(407, proxy_authenticate="Basic"), "upstream_refused"),
    "418": (answering(418), "upstream_refused"),
    "500": (answering(500), "upstream_refused"),
    "500 empty": (answering(500, b""), "upstream_refused"),
    "500 of 1 MiB": (answering(500, b"x" * 2**20), "upstream_refused"),
    "502": (answering(502), "upstream_refused"),
    "504": (answering(504), "upstream_refused"),
    "599": (answering(599), "upstream_refused"),
    "400": (answering(400), "upstream_rejected"),
    "413": (answering(413), "upstream_rejected"),
    "422": (answering(422), "upstream_rejected"),
    "429": (answering(429), "upstream_overloaded"),
    "503": (answering(503), "upstream_overloaded"),
    "529": (answering(529), "upstream_overloaded"),
    "error without end": (sending(b"HTTP/1.1 500 x\r\nContent-Length: 9\r\n\r\nhalf", "hang"), "upstream_refused"),
}
ON_TIME = frozenset(name for name, (_, code) in EARLY.items() if code != "upstream_timeout") - {"error without end"}
"""Those that need no limit in time to be noticed."""


async def huge_chunk(peer: Peer) -> None:
    """A chunk of a gigabyte that has neither a line end nor an end."""
    await peer.write(CHUNKED + b"40000000\r\n")
    while not peer.closed.is_set():
        await peer.write(b"x" * 65_536)


PIECE: Callable[[str], bytes] = lambda kind: piece(kind, "one")  # noqa: E731 (short, and used below only)
Late = tuple["Callable[[str], Iterable[bytes]]", str, str]
LATE: dict[str, Late] = {
    "reset": (lambda _kind: [], "reset", "upstream_truncated"),
    "close": (lambda _kind: [], "close", "upstream_truncated"),
    "half-close": (lambda _kind: [], "half-close", "upstream_truncated"),
    "proper end without an end mark": (lambda _kind: [], "end", "upstream_truncated"),
    "finish without an end mark, then a cut": (lambda kind: stream(kind, [])[:-1], "close", "upstream_truncated"),
    "half an event": (lambda kind: [PIECE(kind)[:30]], "close", "upstream_truncated"),
    "half an event, then reset": (lambda kind: [PIECE(kind)[:30]], "reset", "upstream_truncated"),
    "half an event, then a proper end": (lambda kind: [PIECE(kind)[:30]], "end", "upstream_truncated"),
    "stall": (lambda _kind: [], "hang", "upstream_timeout"),
    "stall in an event": (lambda kind: [PIECE(kind)[:30]], "hang", "upstream_timeout"),
    "an error": (lambda _kind: [event({"error": {"message": CANARY}})], "end", "upstream_error"),
    "an error, then an end mark": (lambda _k: [event({"error": {"message": CANARY}}), DONE], "end", "upstream_error"),
    "an error of older servers": (lambda _k: [event({"object": "error", "message": CANARY})], "end", "upstream_error"),
    "event too big": (lambda _kind: [b"data: " + b"x" * 65_536, *[b"x" * 65_536] * 20], "hang", "upstream_malformed"),
    "line without end": (lambda _kind: repeat(b"x" * 65_536, 40), "hang", "upstream_malformed"),
    "garbage": (lambda _kind: [CANARY.encode() + b"\n\n"], "hang", "upstream_malformed"),
    "broken chunk": (lambda _kind: [], "zz\r\n", "upstream_malformed"),
    "chunk size beyond 64 bits": (lambda _kind: [], "f" * 17 + "\r\n", "upstream_malformed"),
    "trailers without end": (lambda _kind: [], "0\r\n" + "X: y\r\n" * 20_000, "upstream_malformed"),
}


def late(name: str) -> Play:
    """The play of a stream that begins well."""
    more, then, _ = LATE[name]

    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "one"))
        await asyncio.sleep(0.02)  # a part of its own
        for part in more(peer.kind):
            await peer.chunk(part)
        if then.endswith("\r\n"):
            await peer.write(then.encode())
        await after(peer, then)

    return play


async def _whole(peer: Peer, then: bytes) -> None:
    if peer.json["stream"]:
        await peer.head()
        await peer.events(stream(peer.kind, [ALL]))
        await peer.write(b"0\r\n\r\n" + then)
    else:
        await peer.document(document(peer.kind, ALL))
        await peer.write(then)


def following(then: bytes) -> Play:
    """A proper answer with these bytes right after it."""
    return lambda peer: _whole(peer, then)


AFTER: dict[str, Play] = {
    "garbage": following(CANARY.encode()),
    "an answer that nobody asked for": following(sized("2")),
    "an end of line too many": following(b"\r\n"),
    "a head without end": following(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000),
    "binary": following(bytes(range(256)) * 400),
}


@dataclass(frozen=True, kw_only=True)
class Door:
    """Where a model is registered whose server cannot be talked to."""

    endpoint: str
    options: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def refused(_folder: Path) -> Iterator[Door]:
    """A port at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield Door(endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}/v1")


@contextlib.contextmanager
def unanswered(_folder: Path) -> Iterator[Door]:
    """An address where connecting never ends."""
    with black_hole() as port:
        yield Door(endpoint=f"http://127.0.0.1:{port}/v1")


class _Odd(asyncio.Protocol):
    """The side of a connection that does something else than shake hands."""

    def __init__(self, says: bytes, then: str) -> None:
        self.says, self.then = says, then
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, _data: bytes) -> None:
        self.transport.write(self.says)
        if self.then == "reset":
            linger = (1).to_bytes(4, "little") + bytes(4)
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.transport.abort()
        elif self.then == "close":
            self.transport.close()


def odd(says: bytes, then: str) -> Callable[[Path], contextlib.AbstractAsyncContextManager[Door]]:
    """A server that answers an offer of TLS with these bytes."""

    @contextlib.asynccontextmanager
    async def door(_folder: Path) -> AsyncIterator[Door]:
        server = await asyncio.get_running_loop().create_server(lambda: _Odd(says, then), "127.0.0.1", 0)
        async with server:
            yield Door(endpoint=f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")

    return door


def showing(
    make: Callable[[Path], tuple[ssl.SSLContext, bytes]],
) -> Callable[[Path], contextlib.AbstractAsyncContextManager[Door]]:
    """A TLS server with a context of this kind, and the authorities that its client trusts."""

    @contextlib.asynccontextmanager
    async def door(folder: Path) -> AsyncIterator[Door]:
        context, trusted = make(folder)
        (folder / "trusted.pem").write_bytes(trusted)
        server = await asyncio.start_server(_cut, "127.0.0.1", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            yield Door(endpoint=f"https://127.0.0.1:{port}/v1", options={"ca_file": str(folder / "trusted.pem")})

    return door


async def _cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take a request and go away in the middle of the answer's head, without a word of TLS."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        await writer.drain()
        await asyncio.sleep(0.01)  # what was sent before is not to be overtaken
    writer.transport.abort()


def _self_signed(folder: Path) -> tuple[ssl.SSLContext, bytes]:
    return shown(certificate("127.0.0.1"), folder), pem(certificate("another authority"))


def _expired(folder: Path) -> tuple[ssl.SSLContext, bytes]:
    authority = certificate("authority")
    return shown(certificate("127.0.0.1", issuer=authority, days=-1), folder), pem(authority)


def _of_another(folder: Path) -> tuple[ssl.SSLContext, bytes]:
    authority = certificate("authority")
    return shown(certificate("gpu.example", issuer=authority), folder), pem(authority)


def _right(folder: Path) -> tuple[ssl.SSLContext, bytes]:
    authority = certificate("authority")
    return shown(certificate("127.0.0.1", issuer=authority), folder), pem(authority)


def _old(folder: Path) -> tuple[ssl.SSLContext, bytes]:
    context, trusted = _right(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context, trusted


DOORS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "nobody listens": (refused, "upstream_unreachable"),
    "connecting never ends": (unanswered, "upstream_timeout"),
    "TLS: hangs after the hello": (odd(b"", "hang"), "upstream_timeout"),
    "TLS: reset after the hello": (odd(b"", "reset"), "upstream_unreachable"),
    "TLS: close after the hello": (odd(b"", "close"), "upstream_unreachable"),
    "TLS: plain HTTP": (odd(b"HTTP/1.1 400 x\r\n\r\n", "close"), "upstream_unreachable"),
    "TLS: garbage": (odd(b"\x16\x03\x03\x00\x05hello", "close"), "upstream_unreachable"),
    "TLS: an alert": (odd(b"\x15\x03\x03\x00\x02\x02\x28", "close"), "upstream_unreachable"),
    "TLS: half a record": (odd(b"\x16\x03\x03\x40\x00\x02", "close"), "upstream_unreachable"),
    "TLS: nobody's certificate": (showing(_self_signed), "upstream_unreachable"),
    "TLS: an expired certificate": (showing(_expired), "upstream_unreachable"),
    "TLS: another's certificate": (showing(_of_another), "upstream_unreachable"),
    "TLS: 1.1 at most": (showing(_old), "upstream_unreachable"),
    "TLS: cut in an answer": (showing(_right), "upstream_truncated"),
}
"""Servers that are not to be talked to, each given a folder for its papers."""


def _gives(*found: str) -> Callable[[], Any]:
    return lambda: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 1)) for address in found]


def _raises(number: int) -> Callable[[], Any]:
    def resolve() -> Any:
        raise socket.gaierror(number, "as a test says")

    return resolve


NAMES: dict[str, tuple[Callable[[], Any] | None, str]] = {
    "no such name": (_raises(socket.EAI_NONAME), "upstream_unreachable"),
    "name server fails": (_raises(socket.EAI_AGAIN), "upstream_unreachable"),
    "name without an address": (_gives(), "upstream_unreachable"),
    "a hundred addresses, nobody there": (_gives(*(f"127.0.0.{n}" for n in range(1, 101))), "upstream_unreachable"),
    "one of them a metadata service": (_gives("127.0.0.1", "169.254.169.254"), "upstream_unreachable"),
    "name server hangs": (None, "upstream_timeout"),
}
"""What the resolver does; None: nothing."""


class Resolver:
    """An event loop whose name server does as a test says; everything else is the loop's own."""

    def __init__(self, says: Callable[[], Any] | None) -> None:
        self._says = says

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio.get_running_loop(), name)

    async def getaddrinfo(self, host: str, *rest: Any, **more: Any) -> Any:
        """What the resolver finds; addresses need none."""
        if host != "models.example":
            return await asyncio.get_running_loop().getaddrinfo(host, *rest, **more)
        return await asyncio.Event().wait() if self._says is None else self._says()

"""An HTTP client that hides nothing: it sends the bytes it is told to and shows the bytes that came."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

RESET = struct.pack("ii", 1, 0)
PATIENCE_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A response as it came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    whole: bool
    """Whether the body ended as HTTP says that it must."""

    def header(self, name: str) -> str | None:
        """A header's value, or None."""
        return dict(self.headers).get(name)

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send bytes as they stand."""
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> tuple[int, tuple[tuple[str, str], ...]]:
        """Status and headers; names in lower case."""
        async with asyncio.timeout(PATIENCE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return int(first.split(" ")[1]), tuple((name.lower(), value.strip()) for name, _, value in pairs)

    async def chunk(self) -> bytes:
        """The next chunk of a chunked body; empty at its proper end."""
        async with asyncio.timeout(PATIENCE_S):
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            return (await self.reader.readexactly(size + 2))[:-2]

    async def answer(self, *, bodiless: bool = False) -> Answer:
        """The whole response."""
        status, headers = await self.head()
        named = dict(headers)
        parts: list[bytes] = []
        whole = True
        try:
            if bodiless:
                pass
            elif named.get("transfer-encoding") == "chunked":
                while part := await self.chunk():
                    parts.append(part)
            elif "content-length" in named:
                async with asyncio.timeout(PATIENCE_S):
                    parts.append(await self.reader.readexactly(int(named["content-length"])))
        except (asyncio.IncompleteReadError, ConnectionError):
            whole = False
        return Answer(status=status, headers=headers, body=b"".join(parts), whole=whole)

    async def closed(self) -> bool:
        """Whether the other side has closed, with nothing more to read."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True

    def leave(self, *, reset: bool = False) -> None:
        """Go away, politely or not."""
        if reset:
            self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.writer.transport.abort()


@contextlib.asynccontextmanager
async def line(port: int, *, receive_buffer: int = 0) -> AsyncIterator[Line]:
    """A connection to loopback that is closed at the end."""
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.setblocking(False)  # noqa: FBT003 (the standard library's signature)
    try:
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    except OSError:
        sock.close()
        raise
    reader, writer = await asyncio.open_connection(sock=sock, limit=4096 if receive_buffer else 2**20)
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


def request(method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a request; a header whose value is empty is left out."""
    fields = {"Host": "homeport.test", "Content-Type": "application/json"}
    if body is not None:
        fields["Content-Length"] = str(len(body))
    fields |= headers or {}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")

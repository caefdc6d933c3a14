"""An HTTP proxy on loopback: tunnels and requests in absolute form, counted, refused or let through with a password."""

from __future__ import annotations

import asyncio
import contextlib
import re
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping


@dataclass(kw_only=True)
class ForwardProxy:
    """What it was asked, and how it answers."""

    asked: list[str] = field(default_factory=list)
    """First lines of the requests that it saw, without the version."""
    heads: list[bytes] = field(default_factory=list)
    """Their heads."""
    wants: str = ""
    """`user:password` without which it answers 407."""
    refuse: bytes = b""
    """What it answers instead, a head."""
    hosts: Mapping[str, int] = field(default_factory=dict)
    """Names that it alone can resolve, with the port on loopback."""
    connections: int = 0
    port: int = 0
    secure: bool = False
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def url(self, who: str = "") -> str:
        """What a model's option says; `who` is user and reference."""
        return f"{'https' if self.secure else 'http'}://{who and f'{who}@'}127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def listening(self, context: ssl.SSLContext | None = None) -> AsyncIterator[ForwardProxy]:
        """Serve until the block ends."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, ssl=context)
        self.port, self.secure = server.sockets[0].getsockname()[1], context is not None
        try:
            yield self
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        # a connection that its other side ends in whatever way is over
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            while await self._one(reader, writer):
                pass
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        first = head.partition(b"\r\n")[0].decode("latin-1")
        self.asked.append(first.rpartition(" ")[0])
        self.heads.append(head)
        if refusal := self._refusal(head):
            writer.write(refusal)
            await writer.drain()
            return False
        method, target, _ = first.split(" ")
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            await self._tunnel(reader, writer, await self._to(host, int(port)))
            return False
        return await self._forward(head, target, reader, writer)

    def _refusal(self, head: bytes) -> bytes:
        if self.refuse:
            return self.refuse
        known = b"Proxy-Authorization: Basic " + b64encode(self.wants.encode())
        if self.wants and known not in head.split(b"\r\n"):
            return b'HTTP/1.1 407 Proxy\r\nProxy-Authenticate: Basic realm="p"\r\nContent-Length: 0\r\n\r\n'
        return b""

    async def _to(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.hosts.get(host, port))

    async def _tunnel(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        other: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, other[1]), pump(other[0], writer))

    async def _forward(
        self, head: bytes, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Pass one request on and its answer back; whether another may follow."""
        parts = urlsplit(target)
        there, out = await self._to(parts.hostname or "", parts.port or 80)
        path = (parts.path + (f"?{parts.query}" if parts.query else "")).encode()
        try:
            out.write(head.replace(target.encode(), path, 1) + await reader.readexactly(_length(head) or 0))
            return await _answered(there, writer)
        finally:
            out.close()


def _length(head: bytes) -> int | None:
    found = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    return int(found[1]) if found else None


async def _answered(there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    head = await there.readuntil(b"\r\n\r\n")
    writer.write(head)
    length = _length(head)
    if length is None and b"chunked" not in head:
        await pump(there, writer)
        return False
    while length is None:
        size = await there.readuntil(b"\r\n")
        writer.write(size + await there.readexactly(int(size, 16) + 2))
        await writer.drain()
        length = None if int(size, 16) else 0
    writer.write(await there.readexactly(length))
    await writer.drain()
    return True


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes, until its end."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()

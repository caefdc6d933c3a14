"""A model server that does exactly what a test says, byte by byte, and remembers what it heard."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that makes a close a reset."""
WORDS = ("one", " + ", "two")
"""What is answered unless a test says otherwise."""
USAGE = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}


@dataclass(kw_only=True)
class Peer:
    """One request that the model server heard, and the means to answer it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    writer: asyncio.StreamWriter
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    closed_at: float = 0.0
    """By time.perf_counter()."""
    accepted: int = 0
    """Bytes of the answer that the kernel took."""

    @property
    def json(self) -> dict[str, Any]:
        """The request's body."""
        return json.loads(self.body)

    @property
    def kind(self) -> str:
        """Whether text or chat was asked for."""
        return "chat" if "/chat/completions" in self.target else "text"

    async def write(self, data: bytes) -> None:
        """Send bytes as they stand."""
        self.writer.write(data)
        await self.writer.drain()
        self.accepted += len(data)

    async def head(self, status: int = 200, kind: str = "text/event-stream", **more: str | int) -> None:
        """Send a head; without a content_length the body is chunked."""
        lines = [f"HTTP/1.1 {status} Scripted", f"Content-Type: {kind}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
        if "content_length" not in more:
            lines.append("Transfer-Encoding: chunked")
        await self.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def chunk(self, data: bytes) -> None:
        """Send a piece of a chunked body."""
        await self.write(b"%x\r\n%b\r\n" % (len(data), data))

    async def end(self) -> None:
        """End a chunked body."""
        await self.write(b"0\r\n\r\n")

    async def document(self, data: Any, status: int = 200, kind: str = "application/json", **more: str | int) -> None:
        """Send a whole answer: bytes as they stand, anything else as JSON."""
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        await self.head(status, kind, content_length=len(body), **more)
        await self.write(body)

    async def events(self, events: Iterable[bytes]) -> None:
        """Send each event as a chunk of its own."""
        for event in events:
            await self.chunk(event)

    def reset(self) -> None:
        """Cut the connection with a reset, unless the other side was faster."""
        sock = self.writer.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.writer.transport.abort()

    def close(self) -> None:
        """End the connection with a FIN."""
        self.writer.close()

    async def hang(self) -> None:
        """Say nothing until the other side goes away."""
        await self.closed.wait()


class ModelServer:
    """Listens on loopback; `play` says how a request is answered, at first as a well-behaved model would."""

    def __init__(self) -> None:
        self.heard: list[Peer] = []
        self.listed: list[Peer] = []
        """Questions of what is served here, and with what settings, where they are kept apart."""
        self.catalogue: Callable[[Peer], Awaitable[None]] | None = None
        """Answers those apart from what is heard: a house may put them at any time. None: as `play` does."""
        self.words: list[str] = list(WORDS)
        self.play: Callable[[Peer], Awaitable[None]] = self.behave
        self.arrival = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server
        self.port = 0

    @property
    def url(self) -> str:
        """What a model is registered with."""
        return f"http://127.0.0.1:{self.port}/v1"

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[ModelServer]:
        """Serve until the block ends."""
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self._server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def forget(self) -> None:
        """Behave again, with nothing heard."""
        self.heard.clear()
        self.listed.clear()
        self.catalogue = self.catalogue and self.behave
        self.words = list(WORDS)
        self.play = self.behave
        self.arrival.clear()

    async def next(self, number: int = 1) -> Peer:
        """The request with this number, once it has come."""
        async with asyncio.timeout(30):
            while len(self.heard) < number:
                self.arrival.clear()
                await self.arrival.wait()
        return self.heard[number - 1]

    async def behave(self, peer: Peer, words: Sequence[str] = ()) -> None:
        """Answer as an honest OpenAI-compatible server does, in these words or in its own."""
        words = words or self.words
        if peer.target.endswith("/models"):
            await peer.document({"object": "list", "data": [{"id": "served"}]})
        elif peer.target.endswith(("/props", "/tokenize")):
            await peer.document({"error": {"message": "not found"}}, 404)
        elif peer.target.partition("?")[0].endswith("/embeddings"):
            await peer.document(vectors(peer.json))
        elif peer.json["stream"]:
            await peer.head()
            await peer.events(stream(peer.kind, words))
            await peer.end()
        else:
            await peer.document(document(peer.kind, "".join(words)))

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        writer.transport.set_write_buffer_limits(0)
        peers: list[Peer] = []
        try:
            while peer := await _request(reader, writer):
                peers.append(peer)
                self._answer(peer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            for peer in peers:
                peer.closed_at = peer.closed_at or time.perf_counter()
                peer.closed.set()
            writer.close()
            if task is not None:
                self._tasks.discard(task)

    def _answer(self, peer: Peer) -> None:
        apart = peer.target.endswith(("/models", "/props")) and self.catalogue
        (self.listed if apart else self.heard).append(peer)
        self.arrival.set()
        answer = asyncio.create_task(_played(apart or self.play, peer))
        self._tasks.add(answer)
        answer.add_done_callback(self._tasks.discard)


async def _played(play: Callable[[Peer], Awaitable[None]], peer: Peer) -> None:
    # uvloop raises RuntimeError where the transport is closed already
    with contextlib.suppress(ConnectionError, RuntimeError):
        await play(peer)


async def _request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Peer | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Peer(method=method, target=target, headers=headers, body=body, writer=writer)


def event(data: Any) -> bytes:
    """One server-sent event, as model servers write it."""
    return b"data: " + json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def piece(kind: str, text: str, finish: str | None = None) -> bytes:
    """An event with a piece of text."""
    choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
    choice |= {"text": text} if kind == "text" else {"delta": {"content": text}}
    name = "text_completion" if kind == "text" else "chat.completion.chunk"
    return event({"id": "up-1", "object": name, "created": 1, "model": "served", "choices": [choice]})


def usage_event() -> bytes:
    """The event that reports the usage."""
    return event({"id": "up-1", "object": "x", "created": 1, "model": "served", "choices": [], "usage": USAGE})


def stream(kind: str, words: Iterable[str]) -> list[bytes]:
    """Every event of a proper stream."""
    return [*(piece(kind, word) for word in words), piece(kind, "", "stop"), usage_event(), DONE]


VECTOR = (0.5, -0.25, 3.0)
"""Numbers that 32 bits hold exactly."""


def vectors(asked: dict[str, Any]) -> dict[str, Any]:
    """A proper answer with a vector for each input, in the form that was asked for."""
    given = asked["input"]
    several = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
    packed = base64.b64encode(struct.pack("<3f", *VECTOR)).decode()
    vector = packed if asked.get("encoding_format") == "base64" else list(VECTOR)
    data = [{"object": "embedding", "index": at, "embedding": vector} for at in range(len(several))]
    usage = {"prompt_tokens": 11, "total_tokens": 11}
    return {"object": "list", "data": data, "model": asked["model"], "usage": usage}


def document(kind: str, text: str) -> dict[str, Any]:
    """A proper answer that is not streamed."""
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
    choice |= {"text": text} if kind == "text" else {"message": {"role": "assistant", "content": text}}
    name = "text_completion" if kind == "text" else "chat.completion"
    return {"id": "up-1", "object": name, "created": 1, "model": "served", "choices": [choice], "usage": USAGE}

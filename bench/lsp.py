"""What the language server adds to a completion, and how many keystrokes it answers by itself.

    .venv/bin/python bench/lsp.py [--lines 2000] [--requests 300]
    HOMEPORT_TOKEN=hp_… .venv/bin/python bench/lsp.py --trace tests/lsp/traces/inventory.txt [--url URL] [--keys 400]

A small HTTP server, a process of its own, stands for Homeport and answers at once. The same questions are sent to
it directly, by the language server's own client, and by way of `homeport lsp` over its standard input and output,
from an editor that only writes and reads JSON. What the second takes longer is what the language server adds.
Questions are asked by hand, so that no pause in typing is waited for.

With --trace, keys that somebody typed are replayed in front of a real Homeport and its model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop
from keystrokes import replay

from homeport.lsp.asking import Homeport, Place
from homeport.lsp.options import Options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

URI = "file:///project/module.py"
SAID = "total = sum(item.price for item in items)"


class Answering:
    """Stands for Homeport: whatever is asked, the answer is there at once."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        while head := await _head(reader):
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(length)
            self.asked += 1
            body = json.dumps({"choices": [{"text": f"{SAID}  # {self.asked}"}]}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
        writer.close()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


class Editor:
    """Speaks to a language server as an editor does, with as little work of its own as can be."""

    def __init__(self, pid: int, writer: asyncio.StreamWriter, reader: asyncio.StreamReader) -> None:
        self.pid = pid
        self._in, self._out = writer, reader
        self._number = 0

    async def ask(self, method: str, params: object) -> Any:  # noqa: ANN401 (any JSON document)
        """A request and its answer; what the server says besides is passed over."""
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        while (said := await self._heard()).get("id") != self._number or "method" in said:
            pass
        return said["result"]

    def say(self, method: str, params: object) -> None:
        """A notification."""
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._in.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    async def _heard(self) -> dict[str, Any]:
        head = await self._out.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
        return json.loads(await self._out.readexactly(length))


@asynccontextmanager
async def editing(url: str, text: str) -> AsyncIterator[Editor]:
    """An editor with its language server and one open document."""
    program = Path(sys.executable).with_name("homeport")
    arguments = [program, "lsp", "--url", url]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe)
    if process.stdin is None or process.stdout is None:
        raise RuntimeError(program)
    editor = Editor(process.pid, process.stdin, process.stdout)
    await editor.ask("initialize", {"capabilities": {"textDocument": {"inlineCompletion": {}}}, "processId": None})
    editor.say("initialized", {})
    document = {"uri": URI, "languageId": "python", "version": 1, "text": text}
    editor.say("textDocument/didOpen", {"textDocument": document})
    yield editor
    await editor.ask("shutdown", None)
    editor.say("exit", None)
    await process.wait()


async def answer() -> None:
    """Be the server, and say where."""
    server = await asyncio.start_server(Answering(), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def processor_s(pid: int) -> float:
    """Processor time that a process has used, on Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def code(lines: int) -> str:
    """A module of so many lines."""
    return "".join(
        f"def function_{number}(items, factor={number}):\n    return factor\n" for number in range(lines // 2)
    )


def figures(name: str, took: list[float]) -> float:
    """Print a line; gives the median, in milliseconds."""
    took = sorted(each * 1000 for each in took)
    middle, high = statistics.median(took), took[int(len(took) * 0.95)]
    print(f"{name:<34} median {middle:6.2f} ms   p95 {high:6.2f} ms")
    return middle


async def measure(lines: int, requests: int) -> None:
    """Ask the same directly and by way of the language server, in turns."""
    text = code(lines)
    server = await asyncio.create_subprocess_exec(sys.executable, __file__, "--answer", stdout=asyncio.subprocess.PIPE)
    url = (await server.stdout.readline()).decode().strip()
    homeport = Homeport(Options(url=url), "bench")
    direct: list[float] = []
    asked: list[float] = []
    known: list[float] = []
    async with editing(url, text) as editor:
        used = processor_s(editor.pid)
        for number in range(requests):
            typed = text + f"value_{number} = "
            began = time.perf_counter()
            await homeport.complete(Place(typed, len(typed), "module.py", "python"))
            direct.append(time.perf_counter() - began)
            asked.append(await _inline(editor, typed, number))
            known.append(await _inline(editor, typed + "total", number))
        used = processor_s(editor.pid) - used
    print(f"{lines} lines, {len(text):,} characters, {requests} requests each")
    least = figures("Homeport, asked directly", direct)
    most = figures("by way of the language server", asked)
    figures("what is known already", known)
    print(f"the language server adds {most - least:.2f} ms to a completion (median)")
    print(f"its own processor time: {used * 1000 / 2 / requests:.2f} ms a suggestion, asked or known")
    await homeport.close()
    server.terminate()
    await server.wait()


async def typing_along(keys: str, url: str) -> None:
    """Replay keys in front of a real model, and print how many needed no question."""
    homeport = Homeport(Options(url=url, token=os.environ.get("HOMEPORT_TOKEN", "")), "bench")
    began = time.perf_counter()
    found = await replay(keys, homeport.complete)
    took = time.perf_counter() - began
    print(f"{found.keys} keystrokes, {found.asked} questions, {found.share:.0%} answered without one, {took:.0f} s")
    await homeport.close()


async def _inline(editor: Editor, text: str, version: int) -> float:
    """How long it takes from a keystroke to its suggestion, in seconds."""
    lines = text.split("\n")
    document = {"uri": URI, "version": version + 2}
    began = time.perf_counter()
    editor.say("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})
    place = {"line": len(lines) - 1, "character": len(lines[-1])}
    params = {"textDocument": {"uri": URI}, "position": place, "context": {"triggerKind": 1}}
    method = "textDocument/inlineCompletion"
    found = await editor.ask(method, params)
    if not found["items"]:
        raise RuntimeError(method)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--trace", type=Path, help="a file of keys")
    parser.add_argument("--keys", type=int, help="replay only so many of them")
    parser.add_argument("--url", default="http://127.0.0.1:5050", help="the Homeport that is asked")
    parser.add_argument("--answer", action="store_true", help="be the server that stands for Homeport")
    given = parser.parse_args()
    if given.trace:
        uvloop.run(typing_along(given.trace.read_text(encoding="utf-8")[: given.keys], given.url))
    else:
        uvloop.run(answer() if given.answer else measure(given.lines, given.requests))


if __name__ == "__main__":
    main()

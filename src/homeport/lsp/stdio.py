"""The language server on standard input and output.

Where the system lets an event loop read pipes it does so itself: the library's own way, a thread for every line,
costs milliseconds on a busy machine, at each keystroke.
"""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from threading import Event
from typing import TYPE_CHECKING

from pygls.io_ import StdoutWriter, run_async

if TYPE_CHECKING:
    from homeport.lsp.server import Server


END_S = 5.0
"""How long an editor that left without a word is waited for: what was shown is told, files are removed."""


def run(server: Server) -> None:
    """Serve one editor until it leaves; raises SystemExit with the code that the protocol wants."""
    if sys.platform == "win32" or not is_pipe():
        server.start_io()
        return
    import uvloop  # noqa: PLC0415 (there is none for Windows)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_served(server))


def is_pipe() -> bool:
    """Whether standard input is what an editor makes of it: an event loop reads neither files nor /dev/null."""
    mode = os.fstat(sys.stdin.fileno()).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


async def _served(server: Server) -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    server.protocol.set_writer(StdoutWriter(sys.stdout.buffer))
    try:
        await run_async(Event(), reader, server.protocol, error_handler=server.report_server_error)
    finally:
        async with asyncio.timeout(END_S):
            await server.end()

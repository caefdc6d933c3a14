"""An address where connecting never ends."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SYN_SENT = "02"


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A port on loopback whose queue of connections is full: further ones wait for ever."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)  # noqa: FBT003 (the standard library's signature)
            with contextlib.suppress(BlockingIOError):
                filler.connect(("127.0.0.1", port))
        yield port


def connecting_to(port: int) -> int:
    """How many sockets of this machine are trying to connect to `port`."""
    return Path("/proc/net/tcp").read_text().count(f":{port:04X} {SYN_SENT} ")

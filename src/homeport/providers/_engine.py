"""The engine behind the platform "embedded": a supervised llama.cpp on this machine's CPU."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sys
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from homeport.domain.errors import BadConfiguration
from homeport.domain.models import Limits, Model, Secret
from homeport.kit.child import Child, ChildError, with_last_words
from homeport.providers import _weights
from homeport.providers._last_words import last_words
from homeport.providers._llama_server import KEY_VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

PLATFORM = "embedded"
NAME = "smollm2"
NAMED = "embedded model"
"""What its process is called in the log."""
SLOTS = 2
SLOT_TOKENS = 4096
MOST_THREADS = 4
PROMPT_TOKENS = 180
"""Two cores read some 300 tokens a second: the first token of a completion comes within 0.6 s."""
PROBE_S = 2.0
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
"""What the engine may see of our environment; the rest holds keys that are none of its business."""


def default_model() -> Model:
    """The registration that `homeport up` makes."""
    return Model(
        name=NAME,
        platform=PLATFORM,
        family="smollm",
        identifier=NAME,
        limits=Limits(
            context_tokens=SLOT_TOKENS,
            output_tokens=1024,
            prompt_tokens=PROMPT_TOKENS,
            concurrency=SLOTS,
            queue=32,
            queue_s=20.0,
        ),
    )


class Engine:
    """Runs the weights in a child process and tells where it answers."""

    def __init__(self, *, threads: int = 0, weights: Path | None = None) -> None:
        self._threads = threads or min(MOST_THREADS, _cores())
        self._weights = weights
        self._key = Secret(secrets.token_urlsafe(32))
        self._said: tuple[int, str] = (0, "")
        self.child: Child | None = None

    async def start(self) -> None:
        """Check the weights and start; raises BadConfiguration."""
        if self.child is not None:
            return
        if find_spec("xllamacpp") is None:
            saw = "The package xllamacpp, which runs the embedded model, is missing."
            raise BadConfiguration(saw, _weights.INSTALL)
        file = await asyncio.to_thread(_weights.checked, self._weights)
        child = Child(self._command(file), self._env(), self._ready, name=NAMED, on_line=self._heard, shown=last_words)
        self.child = child
        try:
            await child.start()
        except ChildError as error:
            self.child = None
            fix = f"Is {file} a GGUF model that llama.cpp can load, and is there memory for it?"
            raise BadConfiguration(str(error), fix) from error

    async def stop(self) -> None:
        """Stop the child; it leaves nothing behind."""
        child, self.child = self.child, None
        if child is not None:
            await child.stop()

    @property
    def address(self) -> str:
        """Where it answers now; empty while it does not run."""
        return self._said[1] if self.child is not None and self.child.running else ""

    def locate(self, model: Model) -> Model:
        """An embedded model as it can be reached now; without an endpoint while the engine is down."""
        if not self.address:
            return replace(model, endpoint="", key=Secret(), trouble=self.trouble)
        return replace(model, endpoint=f"{self.address}/v1", key=self._key)

    @property
    def trouble(self) -> str:
        """What is wrong with the engine, and how its log ends; empty when nothing is."""
        if self.address:
            return ""
        if self.child is None:
            return "The embedded model's engine was not started."
        how = self.child.ended and f" ({self.child.ended})"
        return with_last_words(f"The embedded model's engine died{how} and is being restarted.", self.child.last_words)

    def _command(self, file: Path) -> list[str]:
        options = {
            "model": file,
            "alias": NAME,
            "context": SLOTS * SLOT_TOKENS,
            "parallel": SLOTS,
            "threads": self._threads,
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        # -P: what lies in the working directory must not be imported
        return [sys.executable, "-P", "-m", "homeport.providers._llama_server", *arguments]

    def _env(self) -> dict[str, str]:
        known = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return {**known, KEY_VARIABLE: self._key.reveal()}

    def _heard(self, line: str) -> None:
        """Take the address from the line with which the engine says that it is ready."""
        match line.split():
            case ["ready", pid, address] if pid.isdecimal():
                self._said = int(pid), address

    async def _ready(self) -> bool:
        """Whether the process that runs now has said where it answers, and answers there."""
        pid, address = self._said
        if self.child is None or self.child.pid != pid:
            return False
        return await _healthy(address)


async def _healthy(address: str) -> bool:
    """Ask llama.cpp's `/health`: 200 once the weights are loaded, 503 before."""
    parts = urlsplit(address)
    try:
        async with asyncio.timeout(PROBE_S):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                writer.write(f"GET /health HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return False


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

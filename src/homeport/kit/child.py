"""A child process that is started, watched, restarted and stopped with its parent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import deque
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

log = structlog.get_logger()

TAIL_LINES = 50
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
"""Seconds before a restart: doubled each time, and back to the first after a run that lasted."""
LASTED_S = 60.0
READY = "ready "


class ChildError(Exception):
    """The child did not get ready; the text holds its last words."""


class Child:
    """One supervised process.

    It says that it is ready with a line `ready TEXT` on its standard output, and it must end when
    its standard input does: that is how it notices that its parent is gone, however it went.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, env: Mapping[str, str], ready_s: float = 60.0, stop_s: float = 5.0
    ) -> None:
        self.name = name
        self.said = ""
        """What stood after `ready`; empty while it is not."""
        self.restarts = 0
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        """The last lines it wrote."""
        self._command = tuple(command)
        self._env = {**os.environ, **env}
        self._ready_s = ready_s
        self._stop_s = stop_s
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether it is ready now."""
        return bool(self.said)

    @property
    def pid(self) -> int:
        """Its process id; 0 while there is none."""
        return self._process.pid if self._process else 0

    @property
    def last_words(self) -> str:
        """The last line it wrote."""
        return self.tail[-1] if self.tail else "it wrote nothing"

    async def start(self) -> None:
        """Start it and wait until it is ready; raises ChildError."""
        await self._launch()
        self._watching = asyncio.create_task(self._watch())

    async def _launch(self) -> None:
        self._process = process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._env,
            # Ctrl-C in the terminal is for the parent, which stops the child in order
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._ready_s):
                await self._until_ready(process)
        except TimeoutError:
            await self._end(process)
            message = f"{self.name} was not ready within {self._ready_s:g} s; its last line: {self.last_words}"
            raise ChildError(message) from None
        except BaseException:
            await self._end(process)
            raise

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 (a pipe was asked for)
        while line := await process.stdout.readline():
            text = line.decode("utf-8", "replace").rstrip()
            if text.startswith(READY):
                self.said = text.removeprefix(READY)
                log.info("child ready", child=self.name, pid=process.pid)
                return
            self.tail.append(text)
        code = await process.wait()
        message = f"{self.name} ended with code {code} before it was ready; its last line: {self.last_words}"
        raise ChildError(message)

    async def _watch(self) -> None:
        """Read what it writes; when it ends, start it again."""
        wait_s = FIRST_WAIT_S
        loop = asyncio.get_running_loop()
        while self._process is not None:
            began = loop.time()
            await self._read_to_end(self._process)
            self.said = ""
            code = await self._process.wait()
            wait_s = FIRST_WAIT_S if loop.time() - began > LASTED_S else min(wait_s * 2, LONGEST_WAIT_S)
            log.error("child ended", child=self.name, code=code, last_line=self.last_words, again_in_s=wait_s)
            await asyncio.sleep(wait_s)
            self.restarts += 1
            try:
                await self._launch()
            except (ChildError, OSError) as error:
                log.error("child did not start", child=self.name, reason=str(error))  # noqa: TRY400 (the sentence says it)

    async def _read_to_end(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 (a pipe was asked for)
        with contextlib.suppress(ValueError):  # a line longer than the reader's limit
            while line := await process.stdout.readline():
                self.tail.append(line.decode("utf-8", "replace").rstrip()[:500])

    async def stop(self) -> None:
        """End it: asked first, killed when it does not listen. Leaves nothing behind."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
            self._watching = None
        process, self._process, self.said = self._process, None, ""
        if process is not None:
            await self._end(process)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        _signal(process, signal.SIGTERM)
        try:
            async with asyncio.timeout(self._stop_s):
                await process.wait()
        except TimeoutError:
            _signal(process, signal.SIGKILL)
            await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Signal the whole session that the child leads."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)

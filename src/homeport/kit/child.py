"""One child process, kept running: started, watched, restarted, stopped; it never outlives us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Awaitable, Callable, Mapping, Sequence

log = structlog.get_logger()

LEASH = str(Path(__file__).with_name("leash.py"))
TAIL_LINES = 100
"""Lines of its output that are kept."""
LINE_LIMIT = 1000
"""Characters that are kept of one line."""
PROBE_S = 0.05
"""How often a starting child is asked whether it is ready."""
LAST_WORDS_S = 1.0
"""How long its output is still read after its end."""


class ChildError(Exception):
    """The child ended, or took too long, before it was ready; `last_words` are fit to be shown."""

    def __init__(self, saw: str, last_words: Sequence[str]) -> None:
        super().__init__(with_last_words(saw, last_words))
        self.saw = saw
        self.last_words = tuple(last_words)


def with_last_words(saw: str, last_words: Sequence[str]) -> str:
    """A sentence about a child, and how its log ends, where it said anything."""
    return f"{saw} Its log ends: {' | '.join(last_words)}" if last_words else saw


def untouched(lines: Sequence[str]) -> Sequence[str]:
    """The last line as it is: for children that are told nothing secret."""
    return lines[-1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for a child; seconds."""

    ready_s: float = 60.0
    """From its start until it is ready."""
    grace_s: float = 5.0
    """From SIGTERM until SIGKILL."""
    first_pause_s: float = 0.2
    """Before the first restart; doubled for each one that follows."""
    longest_pause_s: float = 30.0
    steady_s: float = 60.0
    """How long it must have run before its next end counts as a first one again."""


class Child:
    """A command that is kept running, in a process group of its own.

    Its standard input is a pipe that nobody writes to: it ends when we do. Its output goes to
    `on_line`, line by line, and the last lines are kept; `shown` makes of them what people may
    see. `ready` is asked until it says yes.
    It is bound to the thread that starts it: when that thread ends, the kernel ends the child.
    """

    def __init__(  # noqa: PLR0913 (three of them only listen, and most children need none)
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        ready: Callable[[], Awaitable[bool]],
        *,
        name: str = "child",
        on_line: Callable[[str], None] = lambda _line: None,
        shown: Callable[[Sequence[str]], Sequence[str]] = untouched,
        patience: Patience = Patience(),
    ) -> None:
        self._command = tuple(command)
        self._env = dict(env)
        self._probe = ready
        self._name = name
        self._on_line = on_line
        self._shown = shown
        self._told: tuple[str, ...] | None = None
        self._patience = patience
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._held_open: int | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._is_ready = False
        self._pause_s = patience.first_pause_s
        self._ended = ""
        self.restarts = 0
        """How often it was started again after it had died."""

    @property
    def running(self) -> bool:
        """Whether it is alive and was ready."""
        return self._is_ready and self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """Process id while it lives."""
        alive = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process and alive else None

    @property
    def ended(self) -> str:
        """How it ended the last time, for people; empty before."""
        process = self._process
        return _how(process) if process and process.returncode is not None else self._ended

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines of its output, the newest last; those of earlier starts included."""
        return tuple(self._lines)

    @property
    def last_words(self) -> tuple[str, ...]:
        """What people may see of the tail."""
        if self._told is None:
            self._told = tuple(self._shown(self.tail))
        return self._told

    async def start(self) -> None:
        """Start it and wait until it is ready, then keep it running; raises ChildError."""
        if self._keeper is not None:
            return
        await self._launch()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End it and wait until it and all that it started are gone."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        await self._end()

    async def _launch(self) -> None:
        started = asyncio.get_running_loop().time()
        spawning = asyncio.create_task(self._spawn())
        try:
            # whoever cancels us here must not leave a process that nobody knows of
            self._process = await asyncio.shield(spawning)
            await self._until_ready(self._process)
        except BaseException:
            self._process = await spawning
            await self._end()
            raise
        self._is_ready = True
        after_s = round(asyncio.get_running_loop().time() - started, 3)
        log.info("child ready", child=self._name, pid=self._process.pid, after_s=after_s)

    async def _spawn(self) -> Process:
        """Start it with pipes of our own: asyncio's would hide its end while a grandchild holds them."""
        stdin, self._held_open = os.pipe()
        output, stdout = os.pipe()
        self._reader = asyncio.create_task(self._read(output))
        try:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", LEASH, str(os.getpid()), *self._command),
                env=self._env,
                stdin=stdin,
                stdout=stdout,
                stderr=stdout,
                start_new_session=True,
            )
        except BaseException:
            self._let_go()
            raise
        finally:
            os.close(stdin)
            os.close(stdout)

    def _let_go(self) -> None:
        """Close the standard input that we held open."""
        if self._held_open is not None:
            os.close(self._held_open)
            self._held_open = None

    async def _until_ready(self, process: Process) -> None:
        ended = asyncio.create_task(process.wait())
        try:
            async with asyncio.timeout(self._patience.ready_s):
                while not await self._probe():
                    await asyncio.wait((ended,), timeout=PROBE_S)
                    if ended.done():
                        raise await self._died_early(process)
        except TimeoutError:
            saw = f"The {self._name} was not ready within {self._patience.ready_s:g} s."
            raise ChildError(saw, self.last_words) from None
        finally:
            ended.cancel()

    async def _died_early(self, process: Process) -> ChildError:
        if self._reader is not None:
            await asyncio.wait((self._reader,), timeout=PROBE_S)  # its last line says why
        self._ended = _how(process)
        return ChildError(f"The {self._name} ended while starting ({self._ended}).", self.last_words)

    async def _keep(self) -> None:
        """Start it again whenever it dies."""
        loop = asyncio.get_running_loop()
        while self._process is not None:
            since = loop.time()
            await self._process.wait()
            self._is_ready = False
            self._ended = _how(self._process)
            await self._end()
            log.error("child died", child=self._name, how=self._ended, last_words=self.last_words)
            if loop.time() - since >= self._patience.steady_s:
                self._pause_s = self._patience.first_pause_s
            await self._start_again()

    async def _start_again(self) -> None:
        while True:
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(self._pause_s * 2, self._patience.longest_pause_s)
            self.restarts += 1
            try:
                await self._launch()
            except (ChildError, OSError) as error:
                log.error("child not restarted", child=self._name, reason=str(error), again_in_s=self._pause_s)  # noqa: TRY400 (the reason says it all)
            else:
                return

    async def _end(self) -> None:
        """Ask it to go, make it go, and take along whatever it started."""
        self._is_ready = False
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            await self._ask_to_go(process)
        _signal(process, signal.SIGKILL)
        await process.wait()
        self._let_go()
        await self._finish_reading()
        self._process = None

    async def _ask_to_go(self, process: Process) -> None:
        _signal(process, signal.SIGTERM)
        try:
            async with asyncio.timeout(self._patience.grace_s):
                await process.wait()
        except TimeoutError:
            log.warning("child killed", child=self._name, after_s=self._patience.grace_s)

    async def _finish_reading(self) -> None:
        """Take in its last lines; a descendant that left the group may hold the pipe for ever."""
        if self._reader is not None:
            await asyncio.wait((self._reader,), timeout=LAST_WORDS_S)
            self._reader.cancel()
            self._reader = None

    async def _read(self, output: int) -> None:
        """Keep its output flowing, whatever it writes: a full pipe would stop it."""
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(output, "rb", buffering=0)
        )
        held = ""
        try:
            while data := await stream.read(16 * 1024):
                *lines, held = (held + data.decode("utf-8", "replace")).split("\n")
                for line in lines:
                    self._line(line)
                held = held[:LINE_LIMIT]
            self._line(held)
        finally:
            transport.close()

    def _line(self, line: str) -> None:
        text = line.rstrip()[:LINE_LIMIT]
        if text:
            self._lines.append(text)
            self._told = None
            self._on_line(text)


def _signal(process: Process, number: signal.Signals) -> None:
    """To its whole group, which bears its number; a group that is gone is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _how(process: Process) -> str:
    """How it ended, for people."""
    code = process.returncode
    if code is None or code >= 0:
        return f"exit status {code}"
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-code).name}"
    return f"killed by signal {-code}"

"""Logs: JSON lines for machines, readable lines for people, written off the event loop.

Field names are those of GitLab's AI Gateway (`message`, `timestamp`, `correlation_id`, …), so
that what reads its logs reads ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import select
import sys
import threading
import time
from collections import deque
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from pathlib import Path

FLUSH_S = 0.05
"""How long a line may wait for company before it is written."""
STALL_S = 5.0
"""How long a pipe that is full may take before lines for it are lost."""
CLOSE_S = 2.0
"""How long anybody waits for a line to be written."""
PATIENT_ORDERS = 2
"""Batches not written yet with which somebody still waits for one more."""
WAITING = 10_000
"""Lines that may wait; beyond that the oldest are dropped and counted."""
CLEAR = b"\r\x1b[2K"
"""Empties the terminal's line, where a spinner may turn: it draws itself anew below."""

Line = dict[str, Any]


class Screen:
    """A descriptor that somebody else opened: standard error."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: memoryview) -> int:
        """Write some of it; gives how many bytes. Raises OSError."""
        return _some(self._descriptor, data)

    def follow(self) -> None:
        """Nothing to do: it stays what it is."""

    def close(self) -> None:
        """Nothing to do: it is not ours."""


class LogFile:
    """A file that is appended to, and found again after it was moved away, emptied or deleted."""

    def __init__(self, file: Path) -> None:
        """Open the file, and make its folder; raises OSError that says which setting names it."""
        self._file = file
        try:
            self._descriptor, self._place = _appending(file)
        except OSError as error:
            message = (
                f"The log file {file} cannot be written: {error.strerror}. Set HOMEPORT_LOG_FILE (or "
                "AIGW_LOGGING__TO_FILE) to one that can; without it, lines go to standard error alone."
            )
            raise OSError(error.errno, message) from error

    def write(self, data: memoryview) -> int:
        """Write some of it; gives how many bytes. Raises OSError."""
        return _some(self._descriptor, data)

    def follow(self) -> None:
        """Open the file anew where its name means another one by now (logrotate's rename and create).

        Where that fails the old one goes on being written: a moved file is better than none.
        """
        with contextlib.suppress(OSError):
            if self._named() == self._place:
                return
            descriptor, self._place = _appending(self._file)
            os.close(self._descriptor)
            self._descriptor = descriptor

    def _named(self) -> tuple[int, int] | None:
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


class Rotated(LogFile):
    """A file that nobody has to rotate: beyond a size it is set aside, and the one set aside before it is gone."""

    def __init__(self, file: Path, most: int) -> None:
        """`most`: bytes."""
        super().__init__(file)
        self._most = most

    @override
    def follow(self) -> None:
        with contextlib.suppress(OSError):
            if self._file.stat().st_size > self._most:
                self._file.replace(self._file.with_name(f"{self._file.name}.1"))
        super().follow()


def _appending(file: Path) -> tuple[int, tuple[int, int]]:
    """A descriptor that appends to the file, and which file that is."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # a pipe that nobody reads must not hold up the start
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o640)
    found = os.fstat(descriptor)
    return descriptor, (found.st_dev, found.st_ino)


def _some(descriptor: int, data: memoryview) -> int:
    """Write some of the data, and wait a while for a descriptor that does not take any now."""
    try:
        return os.write(descriptor, data)
    except BlockingIOError:
        room = select.poll()
        room.register(descriptor, select.POLLOUT)
        room.poll(STALL_S * 1000)
        return os.write(descriptor, data)


class Sink:
    """Where lines go: a bounded queue that one thread empties in batches.

    The thread is nobody's to wait for: whoever stops reading a pipe loses lines, and holds up neither a
    request nor the end of the process.
    """

    def __init__(self, target: Screen | LogFile, told: Callable[[int], bytes] = lambda _lost: b"") -> None:
        """`told` makes the line that says how many were lost, for when there is room again."""
        self._target = target
        self._told = told
        self._waiting: deque[bytes] = deque(maxlen=WAITING)
        self._turn = threading.Condition()
        self._asked = self._done = 0
        self._thread: threading.Thread | None = None
        self._closing = False
        self._scheduled = False
        self._torn = False
        self._untold = 0
        self.dropped = 0
        """Lines lost to a full queue or a full disk."""

    def write(self, line: bytes) -> None:
        """Queue a line; without a running loop it is waited for, within reason."""
        if len(self._waiting) == WAITING:
            self.dropped += 1
        self._waiting.append(line)
        if self._scheduled:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._wait_for(self._hand_over())
            return
        self._scheduled = True
        loop.call_later(FLUSH_S, self._hand_over)

    def _hand_over(self) -> int:
        """Ask the thread to write what waits; gives the number of the order."""
        self._scheduled = False
        with self._turn:
            self._asked += 1
            self._turn.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="log", daemon=True)
                self._thread.start()
            return self._asked

    def _wait_for(self, order: int) -> None:
        """Wait until it is done; once that took too long, nobody waits until the thread gets ahead again."""
        with self._turn:
            if order - self._done <= PATIENT_ORDERS:
                self._turn.wait_for(lambda: self._done >= order, CLOSE_S)

    def _work(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._asked > self._done or self._closing)
                order, closing = self._asked, self._closing
            self.flush()
            with self._turn:
                self._done = order
                self._turn.notify_all()
            if closing:
                return

    def flush(self) -> None:
        """Write everything that waits; a disk that refuses loses lines, not requests."""
        lines: list[bytes] = []
        with contextlib.suppress(IndexError):
            while True:
                lines.append(self._waiting.popleft())
        if not lines:
            return
        self._target.follow()
        # what a full disk cut off in the middle must not spoil the next line
        ahead = (b"\n" if self._torn else b"") + (self._told(self._untold) if self._untold else b"")
        data = ahead + b"".join(lines)
        done = self._put(data)
        if done >= len(ahead):
            self._untold = 0
        if done:
            self._torn = data[done - 1 : done] != b"\n"
        lost = len(lines) - _whole(lines, done - len(ahead))
        self._untold += lost
        self.dropped += lost

    def _put(self, data: bytes) -> int:
        """Write as much of it as can be; gives how many bytes that were."""
        view, done = memoryview(data), 0
        with contextlib.suppress(OSError):
            while done < len(data):
                done += self._target.write(view[done:])
        return done

    def close(self) -> None:
        """Write what waits and stop the thread, but do not wait for it longer than CLOSE_S."""
        if self._waiting:
            self._hand_over()
        if self._thread is not None:
            with self._turn:
                self._closing = True
                self._turn.notify_all()
            self._thread.join(CLOSE_S)
            if self._thread.is_alive():
                self.dropped += len(self._waiting)
                return
            self._thread, self._closing = None, False
        self._target.close()


def _whole(lines: list[bytes], size: int) -> int:
    """How many of the lines the first `size` bytes hold whole."""
    return sum(end <= size for end in accumulate(map(len, lines)))


class Logs:
    """The log outputs of one process."""

    def __init__(self, *, level: str = "INFO", as_json: bool | None = None, file: Path | None = None) -> None:
        """Raises OSError when the file cannot be written."""
        self.json = as_json if as_json is not None else not sys.stderr.isatty()
        self._level = _level(level)
        self._spins = os.environ.get("TERM", "") not in {"", "dumb", "unknown"}
        self._screen = Sink(Screen(sys.stderr.fileno()), _lost_as_json if self.json else _lost_readable)
        self._file = Sink(LogFile(file), _lost_as_json) if file is not None else None
        self._sinks = [self._file, self._screen] if self._file else [self._screen]

    @property
    def dropped(self) -> int:
        """Lines lost so far."""
        return sum(sink.dropped for sink in self._sinks)

    def install(self) -> None:
        """Make structlog and the standard library's logging write here."""
        structlog.configure(
            processors=[_stamp, structlog.processors.ExceptionRenderer(), self._emit],
            wrapper_class=structlog.make_filtering_bound_logger(self._level),
            logger_factory=structlog.ReturnLoggerFactory(),
            cache_logger_on_first_use=False,
        )
        logging.basicConfig(handlers=[_Forward()], level=max(self._level, logging.WARNING), force=True)

    def request(self, line: Line) -> None:
        """The line of a request, framed already. It goes around structlog's processors: there are so many of them."""
        if self._level <= logging.INFO:
            self._emit(None, "info", line)

    def _emit(self, _logger: object, _method: str, line: MutableMapping[str, Any]) -> str:
        if self.json or self._file:
            data = _dumped(line)
            if self._file:
                self._file.write(data)
            if self.json:
                self._screen.write(data)
                return ""
        watched = sys.stderr.isatty()
        clear = CLEAR if watched and self._spins else b""
        self._screen.write(clear + readable(line, colours=watched).encode("utf-8", "replace") + b"\n")
        return ""

    def close(self) -> None:
        """Write what waits, as far as somebody takes it."""
        self._file = None
        for sink in self._sinks:
            sink.close()


class _Forward(logging.Handler):
    """Bring the standard library's records (uvicorn, asyncio, alembic) into the same stream."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger().bind(logger=record.name)
        log.log(record.levelno, record.getMessage(), **({"exc_info": record.exc_info} if record.exc_info else {}))


def _level(name: str) -> int:
    """A level by its name or number; one that we do not know is INFO."""
    return int(name) if name.isdecimal() else logging.getLevelNamesMapping().get(name.upper(), logging.INFO)


def _dumped(line: MutableMapping[str, Any]) -> bytes:
    """The line as JSON, whatever it holds."""
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # half a surrogate pair, or a number beyond 64 bits
        return json.dumps(line, default=str, skipkeys=True).encode() + b"\n"


def _stamp(_logger: object, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    level = "warning" if method == "warn" else method
    stamped = frame(time.time(), level, line.pop("logger", "homeport"), line.pop("event", ""))
    stamped.update(line)
    return stamped


def frame(at: float, level: str, logger: str, message: str) -> Line:
    """What every line begins with."""
    return {
        "timestamp": moment(at),
        "level": level,
        "logger": logger,
        "message": message,
        "type": "mlops",
        "stage": "main",
    }


_MILLISECONDS = tuple(f".{number:03d}Z" for number in range(1000))


def moment(at: float) -> str:
    """Unix seconds as ISO 8601 in UTC, to the millisecond."""
    whole = int(at)
    return _second(whole) + _MILLISECONDS[int((at - whole) * 1000)]


@lru_cache(maxsize=4)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _lost(count: int) -> Line:
    return frame(time.time(), "warning", "homeport", "log lines were lost: the disk was full, or nobody read them") | {
        "lost": count
    }


def _lost_as_json(count: int) -> bytes:
    return orjson.dumps(_lost(count), option=orjson.OPT_APPEND_NEWLINE)


def _lost_readable(count: int) -> bytes:
    return readable(_lost(count)).encode() + b"\n"


_COLOURS = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "1;31"}
_HIDDEN = {"timestamp", "level", "logger", "message", "type", "stage", "exception"}


def readable(line: MutableMapping[str, Any], *, colours: bool = False) -> str:
    """A line for people: time, level, message, then facts as `key=value`."""

    def paint(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if colours else text

    level = str(line.get("level", "info"))
    facts = " ".join(
        f"{paint(key, '2')}={_plain(value)}" for key, value in line.items() if key not in _HIDDEN and value is not None
    )
    head = f"{paint(str(line.get('timestamp', ''))[11:19], '2')} {paint(f'{level:<7}', _COLOURS.get(level, '0'))}"
    trouble = f"\n{line['exception']}" if line.get("exception") else ""
    return f"{head} {_shown(line.get('message', ''))}  {facts}".rstrip() + trouble


def _plain(value: object) -> str:
    text = _shown(value)
    return f'"{text}"' if " " in text else text


def _shown(value: object) -> str:
    """Text that cannot end its line or reach for the terminal."""
    text = str(value).replace("\n", "\\n")
    return "".join(char if char.isprintable() else "?" for char in text)

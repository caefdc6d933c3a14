"""Logs: JSON lines for machines, readable lines for people, written off the event loop.

Field names are those of GitLab's AI Gateway (`message`, `timestamp`, `correlation_id`, …), so
that what reads its logs reads ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from pathlib import Path

FLUSH_S = 0.05
"""How long a line may wait for company before it is written."""
WAITING = 10_000
"""Lines that may wait; beyond that the oldest are dropped and counted."""

Line = dict[str, Any]


class Sink:
    """Where lines go: a bounded queue that one thread empties in batches."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting: deque[bytes] = deque(maxlen=WAITING)
        self._writer: ThreadPoolExecutor | None = None
        self._scheduled = False
        self.dropped = 0
        """Lines lost to a full queue or a full disk."""

    def write(self, line: bytes) -> None:
        """Queue a line; without a running loop it is written at once."""
        if len(self._waiting) == WAITING:
            self.dropped += 1
        self._waiting.append(line)
        if self._scheduled:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        self._scheduled = True
        loop.call_later(FLUSH_S, self._hand_over)

    def _hand_over(self) -> None:
        self._scheduled = False
        if self._writer is None:
            self._writer = ThreadPoolExecutor(1, thread_name_prefix="log")
        self._writer.submit(self.flush)

    def flush(self) -> None:
        """Write everything that waits; a disk that refuses loses lines, not requests."""
        lines: list[bytes] = []
        with contextlib.suppress(IndexError):
            while True:
                lines.append(self._waiting.popleft())
        if not lines:
            return
        data = b"".join(lines)
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            self.dropped += len(lines)

    def close(self) -> None:
        """Write what waits and stop the thread."""
        self._scheduled = False
        if self._writer is not None:
            self._writer.shutdown(wait=True)
            self._writer = None
        self.flush()


class Logs:
    """The log outputs of one process."""

    def __init__(self, *, level: str = "INFO", as_json: bool | None = None, file: Path | None = None) -> None:
        self.json = as_json if as_json is not None else not sys.stderr.isatty()
        self._level = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
        self._screen = Sink(sys.stderr.fileno())
        self._file: Sink | None = None
        self._opened: int | None = None
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
            self._file = Sink(self._opened)

    @property
    def dropped(self) -> int:
        """Lines lost so far."""
        return self._screen.dropped + (self._file.dropped if self._file else 0)

    def install(self) -> None:
        """Make structlog and the standard library's logging write here."""
        structlog.configure(
            processors=[_stamp, structlog.processors.ExceptionRenderer(), self._emit],
            wrapper_class=structlog.make_filtering_bound_logger(self._level),
            logger_factory=structlog.ReturnLoggerFactory(),
            cache_logger_on_first_use=False,
        )
        logging.basicConfig(handlers=[_Forward()], level=max(self._level, logging.WARNING), force=True)

    def request(self, at: float, message: str, facts: Line) -> None:
        """The line of a request that ended `at`. It goes around structlog's processors: there are so many of them."""
        if self._level <= logging.INFO:
            self._emit(None, "info", _frame(at, "info", "api.access", message) | facts)

    def _emit(self, _logger: object, _method: str, line: MutableMapping[str, Any]) -> str:
        if self.json or self._file:
            data = orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE)
            if self._file:
                self._file.write(data)
            if self.json:
                self._screen.write(data)
                return ""
        self._screen.write(readable(line, colours=sys.stderr.isatty()).encode("utf-8", "replace") + b"\n")
        return ""

    def close(self) -> None:
        """Write what waits."""
        self._screen.close()
        if self._file and self._opened is not None:
            self._file.close()
            os.close(self._opened)
            self._file = None


class _Forward(logging.Handler):
    """Bring the standard library's records (uvicorn, asyncio, alembic) into the same stream."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger().bind(logger=record.name)
        log.log(record.levelno, record.getMessage(), **({"exc_info": record.exc_info} if record.exc_info else {}))


def _stamp(_logger: object, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    level = "warning" if method == "warn" else method
    stamped = _frame(time.time(), level, line.pop("logger", "homeport"), line.pop("event", ""))
    stamped.update(line)
    return stamped


def _frame(at: float, level: str, logger: str, message: str) -> Line:
    return {
        "timestamp": f"{_second(int(at))}.{int(at % 1 * 1000):03d}Z",
        "level": level,
        "logger": logger,
        "message": message,
        "type": "mlops",
        "stage": "main",
    }


@lru_cache(maxsize=2)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


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

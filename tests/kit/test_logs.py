"""Log lines: their fields, their bounds, and what becomes of them when the disk refuses."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from house import eventually
from hypothesis import given
from hypothesis import strategies as st

from homeport.kit.logs import WAITING, Logs, Sink, readable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[tuple[Logs, Path]]:
    """Logs that are installed, and the file that they write."""
    file = tmp_path / "new" / "homeport.log"
    found = Logs(level="INFO", as_json=False, file=file)
    found.install()
    yield found, file
    found.close()
    structlog.reset_defaults()
    logging.getLogger().handlers.clear()


def read(logs: tuple[Logs, Path]) -> list[dict[str, Any]]:
    logs[0].close()
    return [json.loads(line) for line in logs[1].read_text().split("\n") if line]


def test_fields_of_a_line(logs: tuple[Logs, Path]) -> None:
    log = structlog.get_logger()
    log.info("hello", correlation_id="abc", count=3, nothing=None)
    log.debug("too quiet")
    log.warning("careful", logger="room")
    one, two = read(logs)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one.pop("timestamp"))
    assert one == {
        "level": "info",
        "logger": "homeport",
        "message": "hello",
        "type": "mlops",
        "stage": "main",
        "correlation_id": "abc",
        "count": 3,
        "nothing": None,
    }
    assert (two["level"], two["logger"]) == ("warning", "room")


def test_lines_of_other_libraries_come_along(logs: tuple[Logs, Path]) -> None:
    logging.getLogger("uvicorn.error").error("cannot %s", "bind")
    logging.getLogger("asyncio").info("too quiet")
    try:
        int("inner")
    except ValueError:
        logging.getLogger("x").exception("it broke")
    one, two = read(logs)
    assert (one["level"], one["logger"], one["message"]) == ("error", "uvicorn.error", "cannot bind")
    assert "ValueError: invalid literal" in two["exception"]


def test_line_of_a_request(logs: tuple[Logs, Path]) -> None:
    logs[0].request(1_700_000_000.5, "GET / 200", {"correlation_id": "abc", "status_code": 200})
    (line,) = read(logs)
    assert line["timestamp"] == "2023-11-14T22:13:20.500Z"
    assert (line["logger"], line["message"], line["status_code"]) == ("api.access", "GET / 200", 200)


@pytest.mark.parametrize(("level", "kept"), [("DEBUG", 3), ("info", 3), ("WARNING", 1), ("ERROR", 0), ("nonsense", 3)])
def test_levels(tmp_path: Path, level: str, kept: int) -> None:
    found = Logs(level=level, as_json=False, file=tmp_path / "x.log")
    found.install()
    structlog.get_logger().info("one")
    structlog.get_logger().warning("two")
    found.request(0.0, "three", {})
    found.close()
    structlog.reset_defaults()
    logging.getLogger().handlers.clear()
    assert len((tmp_path / "x.log").read_text().splitlines()) == kept


def test_file_is_appended_to_and_private(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    for _ in range(2):
        found = Logs(as_json=False, file=file)
        found.request(0.0, "line", {})
        found.close()
    assert len(file.read_text().splitlines()) == 2
    assert file.stat().st_mode & 0o007 == 0


def test_odd_values_do_not_break_a_line(logs: tuple[Logs, Path]) -> None:
    structlog.get_logger().info("x", path=logs[1], error=ValueError("v"), many={"a": [1, {2}]}, big=2.5)
    (line,) = read(logs)
    assert line["path"] == str(logs[1])
    assert line["error"] == "v"


def test_forged_lines_stay_in_theirs(logs: tuple[Logs, Path]) -> None:
    structlog.get_logger().info('x\n{"forged": 1}', name="\r\n\x1b[31m\u2028\0", **{"a\nb": 1})
    (line,) = read(logs)
    assert "forged" not in line


def test_forged_lines_stay_in_theirs_for_people_too(capfd: pytest.CaptureFixture[str]) -> None:
    found = Logs(as_json=False)
    found.request(0.0, "x\nforged", {"name": "\r\nforged\x1b[31m"})
    found.close()
    shown = capfd.readouterr().err
    assert shown.count("\n") == 1
    assert shown.rstrip("\n").isprintable()


async def test_lines_leave_the_loop_in_batches(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    sink = Sink(descriptor)
    for number in range(1000):
        sink.write(b"%d\n" % number)
    assert file.read_bytes() == b""
    await eventually(lambda: file.read_bytes().count(b"\n") == 1000)
    assert file.read_bytes() == b"".join(b"%d\n" % number for number in range(1000))
    sink.close()
    os.close(descriptor)


async def test_full_queue_drops_the_oldest_and_counts(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    sink = Sink(descriptor)
    for number in range(WAITING + 7):
        sink.write(b"%d\n" % number)
    assert sink.dropped == 7
    sink.close()
    os.close(descriptor)
    lines = file.read_bytes().split()
    assert (len(lines), lines[0]) == (WAITING, b"7")


async def test_full_disk_loses_lines_not_requests() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    sink = Sink(descriptor)
    for _ in range(5):
        sink.write(b"x\n")
    await eventually(lambda: sink.dropped == 5)
    sink.write(b"y\n")
    sink.close()
    assert sink.dropped == 6
    os.close(descriptor)


async def test_reader_who_stops_reading_does_not_stop_the_loop() -> None:
    reader, writer = os.pipe()
    sink = Sink(writer)
    started = asyncio.get_running_loop().time()
    for _ in range(50):
        sink.write(b"x" * 10_000)
        await asyncio.sleep(0.002)
    assert asyncio.get_running_loop().time() - started < 2
    drained = asyncio.create_task(asyncio.to_thread(drain, reader, 500_000))
    await drained
    await asyncio.to_thread(sink.close)
    os.close(reader)
    os.close(writer)


def drain(descriptor: int, size: int) -> None:
    while size > 0:
        size -= len(os.read(descriptor, 65_536))


def test_readable_line() -> None:
    line = {
        "timestamp": "2026-11-25T01:02:03.456Z",
        "level": "info",
        "logger": "x",
        "message": "GET / 200",
        "type": "mlops",
        "a": 1,
        "b": "two words",
        "c": None,
        "exception": "Traceback",
    }
    assert readable(line) == '01:02:03 info    GET / 200  a=1 b="two words"\nTraceback'
    assert "\x1b[32minfo" in readable(line, colours=True)


@given(st.text(), st.text(min_size=1))
def test_readable_line_is_one_line_of_printable_text(value: str, message: str) -> None:
    assert readable({"message": "m", "value": value}).isprintable()
    assert readable({"message": message, "level": "info"}).isprintable()

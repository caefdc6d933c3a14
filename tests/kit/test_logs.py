"""Log lines: their fields, their bounds, and what becomes of them when the disk refuses."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from disks import disk_of
from house import eventually
from hypothesis import given
from hypothesis import strategies as st

from homeport.kit import logs as kit
from homeport.kit.logs import WAITING, LogFile, Logs, Screen, Sink, frame, readable

if TYPE_CHECKING:
    from collections.abc import Iterator


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


def line_of(logs: Logs, message: str, at: float = 0.0, **facts: Any) -> None:
    """Write a request's line."""
    logs.request(frame(at, "info", "api.access", message) | facts)


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
    line_of(logs[0], "GET / 200", at=1_700_000_000.5, correlation_id="abc", status_code=200)
    (line,) = read(logs)
    assert line["timestamp"] == "2023-11-14T22:13:20.500Z"
    assert (line["logger"], line["message"], line["status_code"]) == ("api.access", "GET / 200", 200)


@pytest.mark.parametrize(
    ("level", "kept"), [("DEBUG", 3), ("info", 3), ("WARNING", 1), ("ERROR", 0), ("nonsense", 3), ("30", 1)]
)
def test_levels(tmp_path: Path, level: str, kept: int) -> None:
    found = Logs(level=level, as_json=False, file=tmp_path / "x.log")
    found.install()
    structlog.get_logger().info("one")
    structlog.get_logger().warning("two")
    line_of(found, "three")
    found.close()
    structlog.reset_defaults()
    logging.getLogger().handlers.clear()
    assert len((tmp_path / "x.log").read_text().splitlines()) == kept


def test_file_is_appended_to_and_private(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    for _ in range(2):
        found = Logs(as_json=False, file=file)
        line_of(found, "line")
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
    line_of(found, "x\nforged", name="\r\nforged\x1b[31m")
    found.close()
    shown = capfd.readouterr().err
    assert shown.count("\n") == 1
    assert shown.rstrip("\n").isprintable()


@pytest.mark.parametrize(("kind", "begins"), [("xterm", "\r\x1b[2K\x1b[2m"), ("dumb", "\x1b[2m")])
def test_a_line_takes_the_place_of_a_spinner_on_a_terminal_that_may_show_one(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str, begins: str
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", kind)
    found = Logs()
    line_of(found, "child ready")
    found.close()
    assert capfd.readouterr().err.startswith(begins)


async def test_lines_leave_the_loop_in_batches(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    sink = Sink(Screen(descriptor))
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
    sink = Sink(Screen(descriptor))
    for number in range(WAITING + 7):
        sink.write(b"%d\n" % number)
    assert sink.dropped == 7
    sink.close()
    os.close(descriptor)
    lines = file.read_bytes().split()
    assert (len(lines), lines[0]) == (WAITING, b"7")


async def test_full_disk_loses_lines_not_requests() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    sink = Sink(Screen(descriptor))
    for _ in range(5):
        sink.write(b"x\n")
    await eventually(lambda: sink.dropped == 5)
    sink.write(b"y\n")
    sink.close()
    assert sink.dropped == 6
    os.close(descriptor)


def test_a_full_disk_is_survived_and_told(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    found = Logs(as_json=False, file=file)
    line_of(found, "before")
    with disk_of(file.stat().st_size + 50):
        for _ in range(3):
            line_of(found, "lost")
    assert found.dropped == 3
    line_of(found, "after", filler="x" * 10)
    found.close()
    first, torn, told, last = file.read_text().splitlines()
    assert json.loads(first)["message"] == "before"
    assert len(torn) == 50
    assert json.loads(told)["lost"] == 3
    assert json.loads(last)["message"] == "after"


def test_a_full_disk_between_two_lines_tears_none(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    sink = Sink(LogFile(file), lambda lost: b"%d lost\n" % lost)
    sink.write(b"one\n")
    with disk_of(4):
        sink.write(b"two\n")
    sink.write(b"three\n")
    sink.close()
    assert file.read_bytes() == b"one\n1 lost\nthree\n"


def test_a_disk_that_fills_up_while_it_is_told(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    sink = Sink(LogFile(file), lambda lost: b"%d lost\n" % lost)
    with disk_of(0):
        sink.write(b"one\n")
    with disk_of(3):
        sink.write(b"two\n")
    with disk_of(11):
        sink.write(b"three\n")
    sink.write(b"four\n")
    sink.close()
    assert file.read_bytes() == b"1 l\n2 lost\n1 lost\nfour\n"
    assert sink.dropped == 3


@pytest.fixture
def appended(tmp_path: Path) -> Iterator[tuple[Sink, Path]]:
    """A log file with a line in it."""
    file = tmp_path / "logs" / "x.log"
    sink = Sink(LogFile(file))
    sink.write(b"one\n")
    yield sink, file
    sink.close()


def test_rename_and_create(appended: tuple[Sink, Path]) -> None:
    sink, file = appended
    file.rename(file.with_suffix(".1"))
    file.touch(mode=0o600)
    sink.write(b"two\n")
    assert (file.with_suffix(".1").read_bytes(), file.read_bytes()) == (b"one\n", b"two\n")


def test_rename_without_create(appended: tuple[Sink, Path]) -> None:
    sink, file = appended
    file.rename(file.with_suffix(".1"))
    sink.write(b"two\n")
    assert (file.with_suffix(".1").read_bytes(), file.read_bytes()) == (b"one\n", b"two\n")
    assert file.stat().st_mode & 0o007 == 0


def test_copy_and_truncate(appended: tuple[Sink, Path]) -> None:
    sink, file = appended
    shutil.copy(file, file.with_suffix(".1"))
    os.truncate(file, 0)
    sink.write(b"two\n")
    assert (file.with_suffix(".1").read_bytes(), file.read_bytes()) == (b"one\n", b"two\n")


def test_deleted_file(appended: tuple[Sink, Path]) -> None:
    sink, file = appended
    file.unlink()
    sink.write(b"two\n")
    assert file.read_bytes() == b"two\n"


def test_deleted_folder(appended: tuple[Sink, Path]) -> None:
    sink, file = appended
    shutil.rmtree(file.parent)
    sink.write(b"two\n")
    assert file.read_bytes() == b"two\n"


def test_a_file_that_cannot_be_opened_again_stays_the_old_one(appended: tuple[Sink, Path]) -> None:
    sink, file = appended
    moved = file.rename(file.with_suffix(".1"))
    file.mkdir()
    sink.write(b"two\n")
    assert (moved.read_bytes(), sink.dropped) == (b"one\ntwo\n", 0)
    file.rmdir()
    sink.write(b"three\n")
    assert (moved.read_bytes(), file.read_bytes()) == (b"one\ntwo\n", b"three\n")


def test_many_rotations_leak_no_descriptor(appended: tuple[Sink, Path]) -> None:
    sink, file = appended
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (of this process)
    for number in range(50):
        file.rename(file.with_suffix(f".{number}"))
        sink.write(b"%d\n" % number)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 (of this process)
    assert lines_below(file.parent) == sorted([b"one", *(b"%d" % number for number in range(50))])


def lines_below(folder: Path) -> list[bytes]:
    return sorted(line for each in folder.iterdir() for line in each.read_bytes().split())


async def test_rotation_under_load_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    sink = Sink(LogFile(file))
    for number in range(6):
        for line in range(100):
            sink.write(b"%d-%d\n" % (number, line))
        if number % 2:
            file.rename(tmp_path / f"x.log.{number}")
        await asyncio.sleep(kit.FLUSH_S * 1.2)
    await asyncio.to_thread(sink.close)
    assert lines_below(tmp_path) == sorted(b"%d-%d" % (number, line) for number in range(6) for line in range(100))


@pytest.mark.parametrize("where", ["/proc/x.log", "/proc/new/x.log", "/dev/full/x.log", "/"])
def test_a_file_that_cannot_be_is_said_at_the_start(where: str) -> None:
    with pytest.raises(OSError, match=rf"The log file {where} cannot be written: .*HOMEPORT_LOG_FILE"):
        Logs(file=Path(where))


def test_another_process_may_write_the_same_file(appended: tuple[Sink, Path]) -> None:
    sink, file = appended
    other = Sink(LogFile(file))
    for number in range(20):
        (sink if number % 2 else other).write(b"%d\n" % number)
    other.close()
    assert file.read_bytes().split() == [b"one", *(b"%d" % number for number in range(20))]


async def test_reader_who_stops_reading_does_not_stop_the_loop() -> None:
    reader, writer = os.pipe()
    sink = Sink(Screen(writer))
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


def test_nobody_waits_for_a_reader_who_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit, "CLOSE_S", 0.05)
    reader, writer = os.pipe()
    sink = Sink(Screen(writer))
    started = time.perf_counter()
    for _ in range(30):
        sink.write(b"x" * 9_999 + b"\n")
    sink.close()
    sink.write(b"after the end\n")
    assert time.perf_counter() - started < 2
    assert sink.dropped > 0
    os.close(reader)  # frees the thread, which finds the pipe broken
    threads = [each for each in threading.enumerate() if each.name == "log"]
    for each in threads:
        each.join(5)
    os.close(writer)


def test_the_process_ends_although_nobody_reads_its_errors(tmp_path: Path) -> None:
    code = (
        "from homeport.kit import logs as kit\n"
        "kit.CLOSE_S = 0.2\n"
        "logs = kit.Logs(as_json=True)\n"
        "for _ in range(40): logs.request({'message': 'x' * 5000})\n"
        "logs.close()"
    )
    reader, writer = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", code], stderr=writer, cwd=tmp_path)  # noqa: S603 (our own interpreter)
    assert process.wait(30) == 0
    os.close(reader)
    os.close(writer)


def test_a_pipe_that_does_not_block_is_waited_for() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    sink = Sink(Screen(writer))
    draining = threading.Thread(target=drain, args=(reader, 500_000))
    draining.start()
    for _ in range(50):
        sink.write(b"x" * 9_999 + b"\n")
    sink.close()
    draining.join(5)
    assert sink.dropped == 0
    os.close(reader)
    os.close(writer)


def test_standard_output_can_be_the_file(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom homeport.kit.logs import Logs\n"
        "logs = Logs(as_json=True, file=Path('/dev/stdout'))\nlogs.request({'message': 'hello'})\nlogs.close()"
    )
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)  # noqa: S603 (our own interpreter)
    assert ran.stdout == ran.stderr
    assert json.loads(ran.stdout)["message"] == "hello"


@pytest.mark.parametrize("value", ["\ud800", 2**70, {1: 2}, b"\xff", float("nan")])
def test_a_line_is_written_whatever_it_holds(tmp_path: Path, value: object) -> None:
    file = tmp_path / "x.log"
    found = Logs(as_json=False, file=file)
    line_of(found, "line", value=value)
    found.close()
    assert json.loads(file.read_text())["message"] == "line"


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

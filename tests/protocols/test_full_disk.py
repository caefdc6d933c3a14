"""A disk that is full: requests are answered all the same, and what could not be written down is counted and said."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING, Any

from disks import disk_of
from house import opened
from structlog.testing import capture_logs

from homeport.diagnostics._front_door import FrontDoor
from homeport.diagnostics._scene import Scene
from homeport.diagnostics.metrics import CHECK
from homeport.kit import server
from homeport.kit.settings import load
from homeport.kit.upstream_http import HttpUpstream
from homeport.store import request_log
from homeport.store.log_search import Sought
from homeport.store.request_log import RequestLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from house import House

    from homeport.diagnostics import Finding

CHAT = {"model": "words-model", "messages": [{"role": "user", "content": "hello"}]}


async def test_the_request_log_loses_the_oldest_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"TOGETHER_S": 0.0, "AGAIN_S": 0.01, "WAITING": 3}.items():
        monkeypatch.setattr(request_log, name, value)
    log = await RequestLog.open(f"sqlite+aiosqlite:///{tmp_path / 'requests.db'}")
    async with opened(request_log=log) as house:
        following = asyncio.create_task(log.follow())
        with disk_of(4096), capture_logs() as lines:
            for number in range(8):
                answer = await house.post("/v1/chat/completions", CHAT, X_Request_ID=f"number-{number}")
                assert (answer.status, answer.header("x-request-id")) == (200, f"number-{number}")
                house.app.door.book.settle()
            await _until(lambda: any("lost" in line for line in lines))
        said = {line["event"]: line for line in lines if line["log_level"] == "warning"}
        assert said["requests not written down yet"]["waiting"] >= 1
        assert said["requests were lost to the request log: it could not be written"]["lost"] >= 1
        await _until(lambda: not log.waiting)
        await house.post("/v1/chat/completions", CHAT, X_Request_ID="number-8")
        house.app.door.book.settle()
        await _until(lambda: not log.waiting)
        assert house.metrics.registry.get_sample_value("homeport_request_log_lost") == log.lost
        following.cancel()
    kept = [each.correlation_id for each in await log.search(Sought(), 20)]
    assert len(kept) == 9 - log.lost
    assert kept[:4] == ["number-8", "number-7", "number-6", "number-5"]
    await log.close()


async def test_the_log_file_survives_a_full_disk_a_removed_file_and_logrotate(tmp_path: Path) -> None:
    file = tmp_path / "gateway.log"
    async with opened(file=file) as house:
        sink: Any = house.logs._file  # noqa: SLF001 (standard error may be a file of that disk, too)

        async def asked(number: int) -> None:
            answer = await house.post("/v1/chat/completions", CHAT, X_Request_ID=f"number-{number}")
            assert answer.status == 200
            house.app.door.book.settle()

        await asked(0)
        await _until(lambda: b"number-0" in file.read_bytes())
        with disk_of(file.stat().st_size):
            await asked(1)
            await _until(lambda: sink.dropped == 1)
        file.unlink()
        await asked(2)
        await _until(lambda: file.exists() and b"number-2" in file.read_bytes())
        rotated = file.rename(tmp_path / "gateway.log.1")
        await asked(3)
        await _until(lambda: file.exists() and b"number-3" in file.read_bytes())
        assert (b"number-2" in rotated.read_bytes(), b"number-2" in file.read_bytes()) == (True, False)
        assert b'"lost":1' in rotated.read_bytes()
        found = await _doctor_sees(house)
        lost = house.logs.dropped
        assert house.metrics.registry.get_sample_value("homeport_lost_log_lines") == lost
        assert (found.status, found.saw) == ("warn", f"Lost since the server began: {lost} lines of the log.")


async def _doctor_sees(house: House) -> Finding:
    """What its check of the metrics says."""
    with closing(server.listen("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    stop = house.metrics.serve("127.0.0.1", port)
    upstream = HttpUpstream()
    try:
        door = FrontDoor(upstream, f"http://127.0.0.1:{house.port}")
        return await CHECK.look(Scene(settings=load(metrics_port=port), upstream=upstream, door=door))
    finally:
        await upstream.close()
        stop()


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.01)

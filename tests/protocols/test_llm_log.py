"""`llm.log`: a line for each request that asked a feature, content only where it may be, and no harm by its disk."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from disks import disk_of
from house import House, opened

from homeport.kit.logs import Rotated, Sink
from homeport.protocols._llm_log import LlmLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CHAT = {"model": "words-model", "messages": [{"role": "user", "content": "my canary is yellow"}]}
CODE = {"prompt": "canary = ", "suffix": "\n", "max_tokens": 8}


@asynccontextmanager
async def logged(file: Path, most: int = 1_000_000, **settings: Any) -> AsyncIterator[tuple[House, Sink]]:
    """A house that has the log and keeps requests for nothing else."""
    sink = Sink(Rotated(file, most))
    try:
        llm_log = LlmLog(sink.write, lambda: sink.dropped)
        async with opened(llm_log=llm_log, request_log=_Nowhere(), **settings) as house:
            yield house, sink
    finally:
        sink.close()


class _Nowhere:
    lost = lost_content = waiting = 0

    def enter(self, entry: object) -> None:
        """Forget it."""


def lines(house: House, sink: Sink, file: Path) -> list[dict[str, Any]]:
    house.app.door.book.settle()
    sink.flush()
    return [json.loads(each) for each in file.read_text().splitlines()]


async def test_its_fields(tmp_path: Path) -> None:
    file = tmp_path / "llm.log"
    async with logged(file) as (house, sink):
        answer = await house.post("/v1/chat/completions", CHAT)
        await house.get("/v1/models")
        (line,) = lines(house, sink, file)
    assert line.pop("time").endswith("Z")
    assert line.pop("duration_s") > 0
    assert line == {
        "severity": "INFO",
        "correlation_id": answer.header("x-request-id"),
        "meta.caller_id": "/v1/chat/completions",
        "meta.user": "ada",
        "message": "words-model was asked for chat: completed",
        "class": "Homeport",
        "ai_event_name": "response_received",
        "ai_component": "abstraction_layer",
        "unit_primitive": "chat",
        "ai_request_type": "chat",
        "completion_service_name": "words-model",
        "stream": False,
        "status": 200,
    }


async def test_a_failure_has_its_code(tmp_path: Path) -> None:
    file = tmp_path / "llm.log"
    async with logged(file) as (house, sink):
        house.models.play = lambda peer: peer.document({"error": "canary"}, status=500)
        await house.post("/v1/chat/completions", CHAT)
        (line,) = lines(house, sink, file)
    assert (line["severity"], line["ai_event_name"]) == ("ERROR", "error_response_received")
    assert line["ai_error_code"] == "upstream_refused"
    assert "canary" not in json.dumps(line)


async def test_content_of_chat_only_while_it_may_be_logged_and_of_code_never(tmp_path: Path) -> None:
    file = tmp_path / "llm.log"
    async with logged(file, log_content="header") as (house, sink):
        await house.post("/v1/chat/completions", CHAT)
        await house.post("/v1/chat/completions", CHAT, X_Gitlab_Enabled_Instance_Verbose_Ai_Logs="true")
        await house.post("/v1/completions", CODE, X_Gitlab_Enabled_Instance_Verbose_Ai_Logs="true")
        silent, told, code = lines(house, sink, file)
    assert "prompt" not in silent
    assert "my canary is yellow" in told["prompt"][0]
    assert told["response_from_llm"] == ["one + two"]
    assert "canary" not in json.dumps(code)


async def test_a_full_disk_loses_lines_and_counts_them_and_no_request(tmp_path: Path) -> None:
    file = tmp_path / "llm.log"
    async with logged(file) as (house, sink):
        with disk_of(0):
            assert (await house.post("/v1/chat/completions", CHAT)).status == 200
            assert lines(house, sink, file) == []
        assert sink.dropped == 1
        assert house.metrics.registry.get_sample_value("homeport_llm_log_lost") == 1
        await house.post("/v1/chat/completions", CHAT)
        assert len(lines(house, sink, file)) == 1


async def test_a_file_that_is_taken_away_or_too_long(tmp_path: Path) -> None:
    file = tmp_path / "llm.log"
    async with logged(file, most=10) as (house, sink):
        for _ in range(2):
            await house.post("/v1/chat/completions", CHAT)
            assert len(lines(house, sink, file)) == 1
        assert file.with_name("llm.log.1").exists()
        file.unlink()
        await house.post("/v1/chat/completions", CHAT)
        assert len(lines(house, sink, file)) == 1

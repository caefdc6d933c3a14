"""What a client is told when a model server fails, in every way to ask."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from faults import CANARY, STATUS
from ways import TOLD, ended, error_text, failure, last_failure, lines, sse, streamed_text

if TYPE_CHECKING:
    from house import House
    from ways import Way
    from wire import Answer

LINES = "application/x-ndjson; charset=utf-8"


async def everyone(house: House, ways: list[tuple[Way, bool]]) -> list[tuple[Way, bool, Answer]]:
    """Each way's answer, all asked at the same time."""
    answers = await asyncio.gather(*(house.post(way.path, way.body(stream)) for way, stream in ways))
    return [(way, stream, answer) for (way, stream), answer in zip(ways, answers, strict=True)]


def check_early(way: Way, answer: Answer, code: str) -> None:
    """A failure before the first byte has a status and a document."""
    status = way.status(STATUS[code], 429 if code == "upstream_overloaded" and not way.prompt else 421)
    assert (answer.status, answer.whole) == (status, True), way.name
    text = error_text(way, answer)
    assert "-model'" in text
    assert str(answer.header("x-request-id")) in text
    assert CANARY not in answer.body.decode()
    assert answer.header("content-type") == (LINES if way.style == "lines" else "application/json")
    if not way.gitlab:
        assert failure(way, answer.json)[1] == code


def check_late(way: Way, answer: Answer, code: str) -> None:
    """What came is there; the failure is said in the protocol's way; nobody can take it for a proper end."""
    check_broken(way, answer, code)
    assert streamed_text(way, answer.body) == "one"


def check_broken(way: Way, answer: Answer, code: str) -> None:
    """No client can take the answer for a whole one, and the failure is said where its protocol has a place for it."""
    assert answer.status == 200
    assert CANARY not in answer.body.decode()
    assert answer.whole is (way.style == "lines"), way.name
    if way.style == "lines":
        last = lines(answer.body)[-1]
        assert (last["type"], last["data"]["retryable"]) == (
            "error",
            code not in {"upstream_timeout", "internal_error"},
        )
        assert str(answer.header("x-request-id")) in last["data"]["message"]
        return
    assert not ended(way, answer)
    if way.style == "sse":
        name, data = sse(answer.body)[-1]
        assert (name, data["code"], data["correlation_id"]) == ("error", code, answer.header("x-request-id"))
    if way.style in TOLD:
        assert last_failure(way, answer.body)[1:] == (code, answer.header("x-request-id"))

"""Traces: what a collector gets of a request, and what becomes of them where it takes none."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from house import House, opened
from script import ModelServer, Peer

from homeport.kit.settings import load
from homeport.protocols import _spans

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CHAT = {"model": "words-model", "messages": [{"role": "user", "content": "my canary is yellow"}]}
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector:
    """Takes traces as long as `status` says so."""

    def __init__(self, server: ModelServer) -> None:
        self.server = server
        self.status = 200
        server.play = self.play

    async def play(self, peer: Peer) -> None:
        await peer.document({}, status=self.status)

    @property
    def spans(self) -> list[dict[str, Any]]:
        """Every span that came, with its attributes as a dictionary."""
        scoped = [peer.json["resourceSpans"][0]["scopeSpans"][0]["spans"] for peer in self.server.heard]
        return [{**span, "attributes": _plain(span["attributes"])} for spans in scoped for span in spans]


def _plain(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in attributes}


@asynccontextmanager
async def traced(**settings: Any) -> AsyncIterator[tuple[House, Collector]]:
    async with (
        ModelServer().listening() as server,
        opened(otlp_endpoint=f"http://127.0.0.1:{server.port}", **settings) as house,
    ):
        yield house, Collector(server)


async def settled(house: House) -> bool:
    house.app.door.book.settle()
    assert house.app.door.book.spans is not None
    return await house.app.door.book.spans.settle()


async def test_a_request_becomes_a_trace() -> None:
    async with traced(otlp_headers="X-Scope-OrgID=me,Authorization=Basic%20abc", log_content="always") as (house, them):
        parent = f"00-{TRACE}-{SPAN}-01"
        answer = await house.post("/v1/chat/completions", CHAT, traceparent=parent)
        assert answer.status == 200
        assert await settled(house)
        (peer,) = them.server.heard
        assert (peer.target, peer.headers["x-scope-orgid"]) == ("/v1/traces", "me")
        assert peer.headers["authorization"] == "Basic abc"
        first, *others = them.spans
        assert (first["traceId"], first["parentSpanId"], first["kind"]) == (TRACE, SPAN, 2)
        assert first["name"] == "POST /v1/chat/completions"
        assert first["attributes"]["homeport.correlation_id"] == answer.header("x-request-id")
        assert first["attributes"]["http.response.status_code"] == "200"
        assert {(each["traceId"], each["parentSpanId"]) for each in others} == {(TRACE, first["spanId"])}
        assert {"admit", "prepare", "chat words-model"} <= {each["name"] for each in others}
        asked = next(each for each in others if each["kind"] == 3)
        assert asked["attributes"] == {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "words-model",
            "gen_ai.usage.input_tokens": "11",
            "gen_ai.usage.output_tokens": "3",
            "homeport.family": "general",
        }
        for each in them.spans:
            assert int(first["startTimeUnixNano"]) <= int(each["startTimeUnixNano"]) <= int(each["endTimeUnixNano"])
            assert int(each["endTimeUnixNano"]) <= int(first["endTimeUnixNano"])
        assert b"canary" not in peer.body
        assert b"ada" not in peer.body


@pytest.mark.parametrize("parent", ["", "x", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01\xff", "00" * 4000])
async def test_without_a_callers_trace_the_id_is_the_trace(parent: str) -> None:
    async with traced() as (house, them):
        answer = await house.post("/v1/chat/completions", CHAT, **({"traceparent": parent} if parent else {}))
        await house.post("/v1/chat/completions", CHAT, X_Request_Id="an-id-of-mine")
        assert await settled(house)
        first, second = (each for each in them.spans if each["kind"] == 2)
        assert first["traceId"] == answer.header("x-request-id")
        assert "parentSpanId" not in first
        assert len(second["traceId"]) == 32


async def test_a_failure_is_one() -> None:
    async with traced() as (house, them):
        house.models.play = lambda peer: peer.document({"error": "no"}, status=500)
        assert (await house.post("/v1/chat/completions", CHAT)).status == 502
        assert await settled(house)
        first = next(each for each in them.spans if each["kind"] == 2)
        assert first["status"] == {"code": 2}
        assert first["attributes"]["error.type"] == "upstream_refused"


async def test_a_collector_that_is_busy_gets_them_later_and_one_that_refuses_loses_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_spans, "WAITING", 2)
    async with traced() as (house, them):
        them.status = 503
        for _ in range(3):
            assert (await house.post("/v1/chat/completions", CHAT)).status == 200
        assert not await settled(house)
        assert house.app.door.book.spans is not None
        assert house.app.door.book.spans.lost == 1
        them.status = 200
        assert await settled(house)
        assert len({each["traceId"] for each in them.spans}) == 2
        them.status = 400
        await house.post("/v1/chat/completions", CHAT)
        assert await settled(house)
        assert house.app.door.book.spans.lost == 2
        told = [each["message"] for each in house.logs.lines if "traces" in each["message"]]
        assert told == ["traces cannot be sent yet", "traces are refused and lost"]


async def test_nothing_is_sent_unless_it_is_asked_for(house: House) -> None:
    assert house.app.door.book.spans is None


@pytest.mark.parametrize("text", ["x", "a b=1", "=1", "a:b=1", "X-A=%0d%0aX-B: 1", "Host=a", "X-A="])
def test_headers_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="name=value"):
        load(otlp_headers=text)

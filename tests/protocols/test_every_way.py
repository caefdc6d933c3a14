"""What holds for every way to ask: whole exchanges over a real connection."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from house import KEY, TOKEN, asking
from script import piece
from ways import ASKED, STREAMED, WAYS, ended, error_text, named, text_of

if TYPE_CHECKING:
    from house import House
    from script import Peer
    from ways import Way

ID = re.compile(r"[0-9a-f]{32}")
each_request = pytest.mark.parametrize(("way", "stream"), ASKED, ids=named)
each_way = pytest.mark.parametrize("way", WAYS, ids=named)
STREAM_TYPES = {
    "openai": "text/event-stream; charset=utf-8",
    "raw": "text/event-stream; charset=utf-8",
    "sse": "text/event-stream; charset=utf-8",
    "lines": "application/x-ndjson; charset=utf-8",
    "mistral": "text/event-stream; charset=utf-8",
    "llama": "text/event-stream; charset=utf-8",
    "ollama": "application/x-ndjson; charset=utf-8",
}


@each_request
async def test_text_of_the_model_arrives(house: House, way: Way, *, stream: bool) -> None:
    answer = await house.post(way.path, way.body(stream))
    assert (answer.status, answer.whole) == (200, True)
    assert text_of(way, answer, stream=stream) == "one + two"
    assert answer.header("content-type") == (STREAM_TYPES[way.style] if stream else "application/json")
    assert answer.header("cache-control") == "no-store"
    assert ("transfer-encoding" in dict(answer.headers)) is stream
    assert (answer.header("x-process-time") is not None) is way.gitlab
    assert answer.header("server") is None
    if stream:
        assert ended(way, answer)


@each_request
async def test_upstream_hears_what_it_must_and_nothing_else(house: House, way: Way, *, stream: bool) -> None:
    answer = await house.post(way.path, way.body(stream), X_Request_ID="client-7", Cookie="c=1", X_Other="no")
    (peer,) = house.models.heard
    assert answer.header("x-request-id") == "client-7"
    assert peer.headers == {
        "host": f"127.0.0.1:{house.models.port}",
        "x-request-id": "client-7",
        "x-homeport-via": peer.headers["x-homeport-via"],
        "accept-encoding": "identity",
        "content-type": "application/json",
        "authorization": f"Bearer {KEY}",
        "content-length": str(len(peer.body)),
    }
    assert peer.json["model"].startswith("served-")
    assert peer.json["stream"] is stream


@each_request
async def test_record_has_the_facts(house: House, way: Way, *, stream: bool) -> None:
    answer = await house.post(way.path, way.body(stream), User_Agent="tester/1")
    record = await house.record()
    assert re.fullmatch(rf'127\.0\.0\.1:\d+ - "POST {re.escape(way.logged)} HTTP/1\.1" 200', record["message"])
    expected = {
        "correlation_id": answer.header("x-request-id"),
        "outcome": "completed",
        "status_code": 200,
        "caller": "ada",
        "token": "all",
        "user_agent": "tester/1",
        "prompt_tokens": 11,
        "answer_tokens": 3,
        "finish": "stop",
        "client_ip": "127.0.0.1",
    }
    assert {name: record.get(name) for name in expected} == expected
    assert 0 < record["first_chunk_duration_s"] <= record["duration_s"] < 5


@each_way
async def test_odd_request_ids_are_replaced(house: House, way: Way) -> None:
    for given in ("", "a b", "http://x/", "10.0.0.1:80", "x" * 65, "-lead", "é", "a\tb"):
        answer = await house.post(way.path, b"{", X_Request_ID=given)
        assert ID.fullmatch(answer.header("x-request-id") or "")
        assert str(answer.header("x-request-id")) in error_text(way, answer)


@each_way
async def test_good_request_id_is_echoed_in_errors(house: House, way: Way) -> None:
    answer = await house.post(way.path, b"{", X_Request_ID="Trace_1.a-b")
    assert answer.header("x-request-id") == "Trace_1.a-b"
    assert "Trace_1.a-b" in error_text(way, answer)
    assert answer.header("cache-control") == "no-store"
    assert (answer.header("x-process-time") is not None) is way.gitlab


@each_way
async def test_without_a_credential(house: House, way: Way) -> None:
    answer = await house.post(way.path, way.plain, token="")
    assert answer.status == 401
    assert answer.header("www-authenticate") == "Bearer"
    assert "no credential" in error_text(way, answer)
    assert not house.models.heard


@each_way
async def test_with_too_few_rights(house: House, way: Way) -> None:
    token = house.admit(scopes=frozenset({"read_models"}))
    answer = await house.post(way.path, way.plain, token=token)
    assert answer.status == 403
    assert "lacks the scope" in error_text(way, answer)
    assert not house.models.heard


@each_way
async def test_other_methods_are_refused_with_allow(house: House, way: Way) -> None:
    for method in ("GET", "PUT", "DELETE", "OPTIONS", "PATCH"):
        answer = await house.ask(method, way.path)
        assert (answer.status, answer.header("allow")) == (405, "POST")
        assert b'"param":"POST"' not in answer.body
        assert "Use POST" in error_text(way, answer)
    head = await house.ask("HEAD", way.path)
    assert (head.status, head.body) == (405, b"")


@each_request
async def test_unassigned_and_disabled_features(house: House, way: Way, *, stream: bool) -> None:
    for assignment, code in (("unassigned", "feature_unassigned"), ("disabled", "feature_disabled")):
        for feature in ("code_completions", "code_generations", "chat"):
            house.assign(feature, assignment)
        answer = await house.post(way.path, way.body(stream))
        assert answer.status == way.status(409, 421)
        assert error_text(way, answer)
        assert (await house.record(len(house.records())))["error_code"] == code
    assert not house.models.heard


@each_request
async def test_no_suggestion(house: House, way: Way, *, stream: bool) -> None:
    house.models.words = []
    answer = await house.post(way.path, way.body(stream))
    if way.prompt or way.style == "lines":
        assert "The model 'words-model' gave an empty answer." in error_text(way, answer)
        return
    assert (answer.status, answer.whole) == (200, True)
    assert text_of(way, answer, stream=stream) == ""
    if way.gitlab and not stream:
        assert answer.json["choices"] == []


@pytest.mark.parametrize("way", STREAMED, ids=named)
async def test_pieces_arrive_while_the_model_still_speaks(house: House, way: Way) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "one"))
        await peer.hang()

    house.models.play = play
    async with house.line() as wire:
        await wire.send(asking("POST", way.path, way.streaming))
        assert (await wire.head())[0] == 200
        seen = b""
        while b"one" not in seen:
            seen += await wire.chunk()
        assert not house.models.heard[0].closed.is_set()


@each_request
async def test_awkward_text_survives(house: House, way: Way, *, stream: bool) -> None:
    house.models.words = ["é", "漢字", "\U0001f680", "\u2028", '"\\', "\ttab", "{x}"]
    answer = await house.post(way.path, way.body(stream))
    assert text_of(way, answer, stream=stream) == "".join(house.models.words)


async def test_one_connection_serves_many_requests(house: House) -> None:
    async with house.line() as wire:
        for way, stream in ASKED:
            await wire.send(asking("POST", way.path, way.body(stream)))
            answer = await wire.answer()
            assert (answer.status, answer.whole) == (200, True)
            await wire.send(asking("POST", way.path, b"["))
            assert (await wire.answer()).status in {400, 422}


async def test_pipelined_requests_are_answered_in_order(house: House) -> None:
    async with house.line() as wire:
        for n, (way, stream) in enumerate(ASKED):
            wire.writer.write(asking("POST", way.path, way.body(stream), {"X-Request-ID": f"n{n}"}))
        for n, _ in enumerate(ASKED):
            assert (await wire.answer()).header("x-request-id") == f"n{n}"


@each_way
async def test_connection_close_ends_the_connection(house: House, way: Way) -> None:
    async with house.line() as wire:
        await wire.send(asking("POST", way.path, way.plain, {"Connection": "close"}))
        answer = await wire.answer()
        assert (answer.status, answer.whole, answer.header("connection")) == (200, True, "close")
        assert await wire.closed()


async def test_expect_100_continue(house: House) -> None:
    body = b'{"messages": [{"role": "user", "content": "hi"}]}'
    head = asking("POST", "/v1/chat/completions", body, {"Expect": "100-continue"}).removesuffix(body)
    async with house.line() as wire:
        await wire.send(head)
        assert (await wire.head())[0] == 100
        await wire.send(body)
        assert (await wire.answer()).status == 200


@pytest.mark.parametrize("carrier", ["Authorization", "X-Api-Key", "Api-Key"])
async def test_each_carrier_of_a_token(house: House, carrier: str) -> None:
    value = f"bEaReR {TOKEN}" if carrier == "Authorization" else TOKEN
    answer = await house.ask("GET", "/v1/models", None, {carrier: value}, token="")
    assert answer.status == 200

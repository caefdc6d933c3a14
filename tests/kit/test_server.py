"""The HTTP server's own limits, on raw connections."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
from house import TOKEN, asking, eventually, opened
from script import piece, stream
from ways import MESSAGES
from wire import line

from homeport.kit.server import WAITING, Server, Times, configure, listen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from house import House
    from wire import Answer, Line

CHAT = {"messages": MESSAGES}
LIMIT_S = 0.25


@pytest.fixture(scope="module")
async def open_house() -> AsyncIterator[House]:
    """A house whose limits are short enough to be waited for."""
    times = {"head_s": LIMIT_S, "body_s": LIMIT_S, "keep_alive_s": LIMIT_S, "write_stall_s": LIMIT_S}
    async with opened(**times, body_limit=64 * 1024, connections=60) as house:
        yield house


def refused(answer: Answer, status: int, code: str) -> None:
    """A refusal before there is a request: OpenAI's and GitLab's clients can both read it."""
    assert (answer.status, answer.whole) == (status, True)
    assert answer.header("connection") == "close"
    assert answer.header("content-type") == "application/json"
    body = answer.json
    assert body["error"]["code"] == code
    assert body["detail"][0]["msg"] == body["error"]["message"]
    assert str(answer.header("x-request-id")) in body["error"]["message"]
    assert re.fullmatch("[0-9a-f]{32}", answer.header("x-request-id") or "")


async def raw(house: House, data: bytes, status: int, code: str) -> None:
    """Send bytes that are refused, once, and the connection closed."""
    before = len(house.logs.lines)
    async with house.line() as wire:
        await wire.send(data)
        refused(await wire.answer(), status, code)
        assert await wire.closed()
    lines = [each for each in house.logs.lines[before:] if each["message"] == "request refused"]
    assert [(each["status_code"], each["error_code"]) for each in lines] == [(status, code)]


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"FOO / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        b"GET a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET nothing HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        bytes(range(1, 200)),
    ],
)
async def test_no_http(house: House, data: bytes) -> None:
    await raw(house, data, 400, "bad_request")


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: -1",
        "Content-Length: 5, 5",
        "Content-Length: 0x5",
        "Content-Length: 99999999999999999999999",
        "Content-Length: 5 5",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding:\x0bchunked",
        "Transfer-Encoding : chunked",
    ],
)
async def test_lengths_that_disagree_are_never_two_requests(house: House, headers: str) -> None:
    smuggled = b"0\r\n\r\nGET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n"
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n".encode("latin-1")
    async with house.line() as wire:
        await wire.send(head + smuggled)
        answer = await wire.answer()
        assert 400 <= answer.status < 500
        assert await wire.closed()
    await eventually(house.quiet)
    assert house.asked <= 1
    assert not [record for record in house.records() if record["path"] == "/v1/models"]


@pytest.mark.parametrize(
    "body", [b"zz\r\nx\r\n0\r\n\r\n", b"-1\r\n\r\n", b"5;\x00\r\nhello\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFFF\r\n"]
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v2/code/completions"])
@pytest.mark.parametrize("apart", [True, False], ids=["later", "at once"])
async def test_broken_chunks(house: House, body: bytes, path: str, apart: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    """The request that the body belongs to is the one that is refused, in its protocol's words and under its id."""
    head = asking("POST", path, None, {"Transfer-Encoding": "chunked", "X-Request-Id": "mine-1"})
    gitlab = path.startswith("/v2/")
    status = 422 if gitlab else 400
    async with house.line() as wire:
        await wire.send(head if apart else head + body)
        if apart:
            await eventually(lambda: house.asked == 1)
            await wire.send(body)
        answer = await wire.answer()
        assert (answer.status, answer.header("x-request-id")) == (status, "mine-1")
        assert answer.header("connection") == "close"
        assert ("detail" in answer.json) is gitlab
        assert await wire.closed()
    record = await house.record()
    assert (record["outcome"], record["error_code"], record["status_code"]) == ("rejected", "bad_request", status)
    assert {line["logger"] for line in house.logs.lines} == {"api.access"}


@pytest.mark.parametrize(
    "host",
    ["", " ", "a/b?c=", "a#x", "a b", "user@host", "a,b", "a\\b", "[::1", "a:port", "a:123456", "é", "a%00", "x" * 300],
)
async def test_malformed_host(house: House, host: str) -> None:
    data = f"GET /v1/models HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    await raw(house, data, 400, "bad_request")


@pytest.mark.parametrize("host", ["a", "a.b-c_d", "127.0.0.1:5050", "[::1]:5050", "localhost", "xn--e1aybc", "A.B:1"])
async def test_well_formed_host(house: House, host: str) -> None:
    async with house.line() as wire:
        await wire.send(f"GET /monitoring/healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert (await wire.answer()).status == 200


@pytest.mark.parametrize("hosts", ["", "Host: a\r\nHost: b\r\n", "Host: a\r\nhOsT: a\r\n", "Host: a\r\nHost: b/c\r\n"])
async def test_exactly_one_host(house: House, hosts: str) -> None:
    """RFC 9112, 3.2; a proxy in front and we could otherwise mean different ones."""
    await raw(house, f"GET /v1/models HTTP/1.1\r\n{hosts}\r\n".encode(), 400, "bad_request")


async def test_http_1_0_needs_no_host_and_takes_no_two(house: House) -> None:
    async with house.line() as wire:
        await wire.send(b"GET /monitoring/healthz HTTP/1.0\r\n\r\n")
        assert (await wire.answer()).status == 200
    await raw(house, b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400, "bad_request")


async def test_host_is_asked_of_every_request_on_a_connection(house: House) -> None:
    async with house.line() as wire:
        await wire.send(asking("GET", "/monitoring/healthz"))
        assert (await wire.answer()).status == 200
        await wire.send(b"GET /monitoring/healthz HTTP/1.1\r\n\r\n")
        refused(await wire.answer(), 400, "bad_request")
        assert await wire.closed()


async def test_number_of_headers(house: House) -> None:
    for more, status in ((98, 200), (101, 431), (5000, 431)):
        fields = "".join(f"X-{n}: 1\r\n" for n in range(more))
        data = f"GET /monitoring/healthz HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode()
        if status == 431:
            await raw(house, data, 431, "headers_too_large")
            continue
        async with house.line() as wire:
            await wire.send(data)
            assert (await wire.answer()).status == 200


@pytest.mark.parametrize("size", [40_000, 200_000])
async def test_size_of_headers(house: House, size: int) -> None:
    await raw(house, b"GET / HTTP/1.1\r\nHost: a\r\nX: %b\r\n\r\n" % (b"x" * size), 431, "headers_too_large")


async def test_trailers_join_no_headers(house: House) -> None:
    body = json.dumps(CHAT).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n"
    head += "Transfer-Encoding: chunked\r\nX-Request-Id: before\r\n\r\n"
    trailers = "Authorization: Bearer other\r\nX-Request-Id: after\r\n" + "X-More: 1\r\n" * 300
    async with house.line() as wire:
        await wire.send(head.encode())
        await wire.send(b"%x\r\n%b\r\n0\r\n" % (len(body), body) + trailers.encode() + b"\r\n")
        answer = await wire.answer()
    assert (answer.status, answer.header("x-request-id")) == (200, "before")


async def test_endless_header_line(house: House) -> None:
    """The parser shows a line only when it ends: one that never does is bounded all the same."""
    async with house.line() as wire:
        await wire.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 10_000_000 and not wire.reader._buffer:  # noqa: SLF001 (the answer may come at any time)
                await wire.send(b"x" * 16_384)
                sent += 16_384
                await asyncio.sleep(0)
        assert sent < 2_000_000


async def test_options_of_the_server(house: House) -> None:
    async with house.line() as wire:
        await wire.send(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await wire.answer()).status == 404


async def test_long_url(house: House) -> None:
    for size in (7_000, 30_000):
        async with house.line() as wire:
            await wire.send(b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"x" * size))
            answer = await wire.answer()
            assert answer.status in {404, 431}
            assert len(answer.body) < 2000


@pytest.mark.parametrize("begun", [b"", b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX: y", b"\r\n\r\n"])
async def test_head_that_never_ends(house: House, begun: bytes) -> None:
    started = asyncio.get_running_loop().time()
    async with house.line() as wire:
        await wire.send(begun)
        refused(await wire.answer(), 408, "request_timeout")
        assert await wire.closed()
    assert LIMIT_S * 0.9 < asyncio.get_running_loop().time() - started < LIMIT_S + 2


async def drip(wire: Line, data: bytes) -> None:
    """Send a byte now and then until the other side has had enough."""
    with contextlib.suppress(ConnectionError):
        for byte in data:
            await wire.send(bytes([byte]))
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("after", ["first", "later", "line ends"])
async def test_dripped_head(house: House, after: str) -> None:
    async with house.line() as wire:
        if after != "first":
            await wire.send(asking("GET", "/monitoring/healthz"))
            assert (await wire.answer()).status == 200
        dripped = b"\r\n" * 500 if after == "line ends" else b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100
        dripping = asyncio.create_task(drip(wire, dripped))
        answer = await wire.answer()
        dripping.cancel()
        refused(answer, 408, "request_timeout")


async def test_dripped_body(house: House) -> None:
    started = asyncio.get_running_loop().time()
    async with house.line() as wire:
        await wire.send(asking("POST", "/v1/chat/completions", None, {"Content-Length": "5000"}))
        dripping = asyncio.create_task(drip(wire, b" " * 5000))
        answer = await wire.answer()
        dripping.cancel()
        assert (answer.status, answer.json["error"]["code"]) == (408, "request_timeout")
        assert answer.header("connection") == "close"
        assert await wire.closed()
    assert asyncio.get_running_loop().time() - started < LIMIT_S + 2
    assert (await house.record())["outcome"] == "rejected"


async def test_dripped_body_in_gitlabs_words(house: House) -> None:
    async with house.line() as wire:
        await wire.send(asking("POST", "/v2/code/completions", None, {"Transfer-Encoding": "chunked"}))
        answer = await wire.answer()
        assert (answer.status, answer.json["detail"][0]["type"]) == (408, "request_timeout")


async def test_body_of_a_refused_request_cannot_hold_the_connection(house: House) -> None:
    started = asyncio.get_running_loop().time()
    async with house.line() as wire:
        await wire.send(asking("POST", "/v1/chat/completions", None, {"Content-Length": "5000"}, token=""))
        assert (await wire.answer()).status == 401
        await drip(wire, b" " * 100)
        assert await wire.closed()
    assert asyncio.get_running_loop().time() - started < 3


async def test_body_of_a_refused_request_is_skipped(house: House) -> None:
    """The connection goes on with the next request where the first one's body ends."""
    body = json.dumps(CHAT).encode()
    async with house.line() as wire:
        for token, status in (("", 401), (TOKEN, 200), ("", 401), (TOKEN, 200)):
            await wire.send(asking("POST", "/v1/chat/completions", body, token=token))
            assert (await wire.answer()).status == status
        await wire.send(asking("POST", "/v1/chat/completions", b"x" * 1_000_000))
        assert (await wire.answer()).status == 413
        await wire.send(asking("GET", "/v1/models"))
        assert (await wire.answer()).status == 200


AFTER = {
    "garbage": (b"GARBAGE\r\n\r\n", 400, "bad_request"),
    "a bad host": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "bad_request"),
    "a huge head": (b"GET / HTTP/1.1\r\nHost: a\r\nX: %b\r\n\r\n" % (b"x" * 100_000), 431, "headers_too_large"),
    "a broken body": (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
        400,
        "bad_request",
    ),
}


@pytest.fixture
def held(house: House) -> tuple[House, asyncio.Event]:
    """A house whose model sends one piece and goes on when the event is set."""
    go_on = asyncio.Event()

    async def play(peer: Any) -> None:
        if not peer.json["stream"]:
            await go_on.wait()
            return await house.models.behave(peer)
        first, *rest = stream(peer.kind, ["one", "two"])
        await peer.head()
        await peer.chunk(first)
        await go_on.wait()
        await peer.events(rest)
        return await peer.end()

    house.models.play = play
    return house, go_on


@pytest.mark.parametrize("what", AFTER)
@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])
async def test_what_follows_a_request_does_not_touch_its_answer(
    held: tuple[House, asyncio.Event],
    what: str,
    streamed: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    """Each request has its own answer, in order (RFC 9112, 9.3.2): a refusal comes after those before it."""
    house, go_on = held
    after, status, code = AFTER[what]
    body = CHAT | {"stream": streamed}
    async with house.line() as wire:
        await wire.send(asking("POST", "/v1/chat/completions", body, {"X-Request-Id": "mine-1"}))
        await house.models.next()
        await wire.send(after + b"more garbage\r\n\r\n")
        await eventually(lambda: "request refused" in {line["message"] for line in house.logs.lines})
        go_on.set()
        answer = await wire.answer()
        assert (answer.status, answer.whole, answer.header("x-request-id")) == (200, True, "mine-1")
        assert b"HTTP/1.1" not in answer.body
        text = b"two" if streamed else b"one + two"
        assert text in answer.body
        refused(await wire.answer(), status, code)
        assert await wire.closed()
    (record,) = house.records()
    assert (record["outcome"], record["correlation_id"]) == ("completed", "mine-1")


async def test_two_requests_and_garbage_in_one_piece(house: House) -> None:
    async with house.line() as wire:
        await wire.send(asking("GET", "/v1/models") * 2 + b"GARBAGE\r\n\r\n")
        assert [(await wire.answer()).status for _ in range(2)] == [200, 200]
        refused(await wire.answer(), 400, "bad_request")
        assert await wire.closed()


async def test_leaving_after_garbage_is_noticed(held: tuple[House, asyncio.Event]) -> None:
    house, _ = held
    async with house.line() as wire:
        await wire.send(asking("POST", "/v1/chat/completions", CHAT) + b"GARBAGE\r\n\r\n")
        peer = await house.models.next()
        await wire.send(b"x" * 300_000)
        wire.leave()
        await asyncio.wait_for(peer.closed.wait(), 2)
    assert (await house.record())["outcome"] == "client_closed"


async def test_garbage_in_a_refused_body_gets_no_second_answer(house: House) -> None:
    async with house.line() as wire:
        await wire.send(asking("POST", "/v1/chat/completions", None, {"Transfer-Encoding": "chunked"}, token=""))
        assert (await wire.answer()).status == 401
        await wire.send(b"zz\r\n")
        assert await wire.closed()


@pytest.mark.parametrize("line", [b"X: " + b"x" * 10**6, b"X: y\r\n" * 10**5], ids=["one", "many"])
@pytest.mark.parametrize("token", [TOKEN, ""], ids=["known", "unknown"])
async def test_trailers_without_end(token: str, line: bytes) -> None:
    """The parser joins a line anew with each piece: without a bound one client would take all of the loop's time."""
    head = asking("POST", "/v1/chat/completions", None, {"Transfer-Encoding": "chunked"}, token=token)
    async with opened(body_s=60) as house, house.line() as wire:
        with contextlib.suppress(ConnectionError):
            await wire.send(head + b"2\r\n{}\r\n0\r\n" + line)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            assert (await wire.answer()).status == (400 if token else 401)
        assert await wire.closed()


async def test_trailers_and_pieces_of_framing_within_bounds(house: House) -> None:
    body = json.dumps(CHAT).encode()
    async with house.line() as wire:
        await wire.send(asking("POST", "/v1/chat/completions", None, {"Transfer-Encoding": "chunked"}))
        for byte in body:
            await wire.send(b"1;x=" + b"y" * 5000)
            await asyncio.sleep(0)
            await wire.send(b"\r\n%c\r\n" % byte)
        await wire.send(b"0\r\n" + b"X: y\r\n" * 1000 + b"\r\n")
        assert (await wire.answer()).status == 200
        await wire.send(asking("GET", "/v1/models"))
        assert (await wire.answer()).status == 200


async def test_requests_that_wait_are_bounded(house: House) -> None:
    """One piece of what is read holds thousands, each a hundred times larger in memory."""
    async with house.line() as wire:
        await wire.send(asking("GET", "/monitoring/healthz") * 1500)
        for _ in range(WAITING + 1):
            assert (await wire.answer()).status == 200
        refused(await wire.answer(), 429, "too_many_requests")
        assert await wire.closed()
    assert house.asked == WAITING + 1


async def test_late_body_of_the_next_request_does_not_end_this_one(held: tuple[House, asyncio.Event]) -> None:
    house, go_on = held
    late = asking("POST", "/v1/chat/completions", None, {"Content-Length": "100"})
    async with house.line() as wire:
        await wire.send(asking("POST", "/v1/chat/completions", CHAT) + late)
        await house.models.next()
        await asyncio.sleep(LIMIT_S * 1.5)  # that it ends nothing takes as long as it would to end it
        go_on.set()
        assert (await wire.answer()).status == 200
        second = await wire.answer()
        assert (second.status, second.json["error"]["code"]) == (408, "request_timeout")
        assert await wire.closed()
    await eventually(lambda: len(house.records()) == 2)
    assert [record["outcome"] for record in house.records()] == ["completed", "rejected"]


async def test_next_head_behind_a_long_body_is_not_counted_with_it(house: House) -> None:
    async with house.line() as wire:
        first = asking("POST", "/v1/chat/completions", json.dumps(CHAT).encode().ljust(60_000))
        second = asking("GET", "/v1/models")
        await wire.send(first + first + second[:10])
        assert [(await wire.answer()).status for _ in range(2)] == [200, 200]
        await wire.send(second[10:])
        assert (await wire.answer()).status == 200


async def test_idle_connection_is_closed(house: House) -> None:
    async with house.line() as wire:
        await wire.send(asking("GET", "/monitoring/healthz"))
        assert (await wire.answer()).status == 200
        started = asyncio.get_running_loop().time()
        assert await wire.closed()
        assert LIMIT_S * 0.8 < asyncio.get_running_loop().time() - started < LIMIT_S + 2


async def test_limits_do_not_touch_a_request_that_runs(house: House) -> None:
    async def play(peer: Any) -> None:
        await asyncio.sleep(LIMIT_S * 1.3)
        await house.models.behave(peer)

    house.models.play = play
    house.limit(first_token_s=5)
    assert (await house.post("/v1/chat/completions", CHAT)).status == 200


async def test_http_1_0(house: House) -> None:
    async with house.line() as wire:
        await wire.send(asking("GET", "/v1/models").replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert (await wire.answer()).status == 200
        assert await wire.closed()


async def test_stream_to_http_1_0_ends_with_the_connection(house: House) -> None:
    async with house.line() as wire:
        await wire.send(
            asking("POST", "/v1/chat/completions", CHAT | {"stream": True}).replace(b"HTTP/1.1", b"HTTP/1.0")
        )
        status, _ = await wire.head()
        rest = await wire.reader.read()
        assert status == 200
        assert b"[DONE]" in rest


JAVA = {
    "Connection": "Upgrade, HTTP2-Settings",
    "HTTP2-Settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
    "Upgrade": "h2c",
    "User-Agent": "Java-http-client/21.0.5",
}
"""What java.net.http.HttpClient sends with its first request unless told otherwise."""


def cut(data: bytes, how: str) -> list[bytes]:
    """A request as it may arrive: in one piece, head before body, or in small pieces, within the limit by far."""
    head, _, body = data.partition(b"\r\n\r\n")
    whole = {"together": [data], "head first": [head + b"\r\n\r\n", body]}
    return whole.get(how) or [data[at : at + 7] for at in range(0, len(data), 7)]


@pytest.mark.parametrize("how", ["together", "head first", "small pieces"])
@pytest.mark.parametrize("length", ["content-length", "chunked"])
async def test_upgrade_is_not_taken_and_the_request_served(house: House, how: str, length: str) -> None:
    """RFC 9110, 7.8: whoever cannot or will not upgrade goes on in HTTP/1.1. Java asks so with its first POST."""
    body = json.dumps(CHAT).encode()
    data = asking("POST", "/v1/chat/completions", body, JAVA)
    if length == "chunked":
        head = asking("POST", "/v1/chat/completions", None, JAVA | {"Transfer-Encoding": "chunked"})
        data = head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    async with house.line() as wire:
        for number in range(2):
            for piece in cut(data, how):
                await wire.send(piece)
                await asyncio.sleep(0)
            answer = await wire.answer()
            assert (answer.status, answer.whole) == (200, True)
            assert answer.header("upgrade") is None
            assert house.models.heard[number].json["messages"] == MESSAGES
    records = [await house.record(number) for number in (1, 2)]
    assert {record["user_agent"] for record in records} == {JAVA["User-Agent"]}
    assert {line["logger"] for line in house.logs.lines} == {"api.access"}


async def test_upgrade_to_websocket_is_not_taken(house: House) -> None:
    fields = {"Connection": "keep-alive, Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x"}
    async with house.line() as wire:
        await wire.send(asking("GET", "/v1/models", None, fields) + asking("GET", "/monitoring/healthz"))
        assert [(await wire.answer()).status for _ in range(2)] == [200, 200]
    await house.record(2)
    assert {line["logger"] for line in house.logs.lines} == {"api.access"}


async def test_stream_after_a_declined_upgrade_is_ended_when_its_client_leaves(house: House) -> None:
    async def play(peer: Any) -> None:
        await peer.hang()

    house.models.play = play
    async with house.line() as wire:
        await wire.send(asking("POST", "/v1/chat/completions", CHAT, JAVA))
        peer = await house.models.next()
        wire.leave()
        await asyncio.wait_for(peer.closed.wait(), 2)
    assert (await house.record())["outcome"] == "client_closed"


async def test_connections_are_counted(house: House) -> None:
    async with contextlib.AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(house.line()) for _ in range(60)]
        await eventually(lambda: len(house.server.server_state.connections) == 60)
        async with house.line() as wire:
            refused(await wire.answer(), 503, "too_many_connections")
        await lines[0].send(asking("GET", "/monitoring/healthz"))
        assert (await lines[0].answer()).status == 200
    await eventually(lambda: not house.server.server_state.connections)
    assert (await house.get("/monitoring/healthz")).status == 200


async def test_new_client_is_answered_while_many_loiter(house: House) -> None:
    async with contextlib.AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(house.line()) for _ in range(50)]
        for wire in lines:
            await wire.send(b"GET / HTTP/1.1\r\nX: ")
        started = asyncio.get_running_loop().time()
        assert (await house.get("/v1/models")).status == 200
        assert asyncio.get_running_loop().time() - started < 0.5


async def test_client_that_stops_reading_is_cut(house: House) -> None:
    async def play(peer: Any) -> None:
        await peer.head()
        while not peer.closed.is_set():
            await peer.chunk(piece(peer.kind, "x" * 30_000))

    house.models.play = play
    house.limit(first_token_s=9, idle_s=9, total_s=9)
    async with house.line(receive_buffer=4096) as wire:
        await wire.send(asking("POST", "/v1/chat/completions", CHAT | {"stream": True}))
        peer = await house.models.next()
        await asyncio.wait_for(peer.closed.wait(), LIMIT_S * 2 + 2)
    record = await house.record()
    assert (record["outcome"], record["phase"]) == ("client_closed", "streaming")


@contextlib.asynccontextmanager
async def answering(size: int) -> AsyncIterator[tuple[Server, int]]:
    """The server alone, with small buffers below it, before an application whose answers are large."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"%d" % size)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * size, "more_body": False})

    times = Times(keep_alive_s=LIMIT_S, stall_s=LIMIT_S, drain_s=LIMIT_S)
    server = Server(configure(app, times), on_start=lambda: None, on_stop=lambda: None)
    with listen("127.0.0.1", 0) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        serving = asyncio.create_task(server.serve([listener]))
        yield server, listener.getsockname()[1]
        server.should_exit = True
        await serving


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
async def test_client_that_never_takes_the_end_is_cut(connection: str) -> None:
    """What is left is too little to pause whoever writes, and nobody writes any more."""
    async with answering(60_000) as (server, port), line(port, receive_buffer=4096) as wire:
        open_ones = server.server_state.connections
        await wire.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: %b\r\n\r\n" % connection.encode())
        await eventually(lambda: any(each.transport.get_write_buffer_size() for each in open_ones))
        await eventually(lambda: not open_ones)


async def test_client_that_takes_the_end_slowly_gets_it() -> None:
    async with answering(60_000) as (server, port), line(port, receive_buffer=4096) as wire:
        await wire.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await wire.head()
        started = asyncio.get_running_loop().time()
        for _ in range(12):
            assert len(await wire.reader.readexactly(5000)) == 5000
            await asyncio.sleep(LIMIT_S / 4)
        assert asyncio.get_running_loop().time() - started > 2 * LIMIT_S
        assert await wire.closed()
        await eventually(lambda: not server.server_state.connections)


def test_a_taken_port_is_named() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"Port {port} on 127.0.0.1 cannot be used"):
            listen("127.0.0.1", port)


def test_listening_on_ipv6() -> None:
    with listen("::1", 0) as listener:
        assert listener.getsockname()[0] == "::1"

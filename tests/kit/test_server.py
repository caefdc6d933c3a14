"""The HTTP server's own limits, on raw connections."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from house import TOKEN, asking, eventually, opened
from ways import MESSAGES

from homeport.kit.server import listen

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
async def test_broken_chunks(house: House, body: bytes) -> None:
    async with house.line() as wire:
        await wire.send(asking("POST", "/v1/chat/completions", None, {"Transfer-Encoding": "chunked"}) + body)
        assert (await wire.answer()).status == 400
        assert await wire.closed()


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


async def test_a_second_host_is_checked_too(house: House) -> None:
    await raw(house, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b/c\r\n\r\n", 400, "bad_request")


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


async def test_upgrade_is_not_spoken(house: House) -> None:
    head = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: {}\r\n\r\n"
    for kind in ("websocket", "h2c"):
        async with house.line() as wire:
            await wire.send(head.format(kind).encode())
            assert (await wire.answer()).status in {200, 400}


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
            await peer.chunk(b"data: " + b"x" * 30_000 + b"\n\n")

    house.models.play = play
    house.limit(first_token_s=9, idle_s=9, total_s=9)
    async with house.line(receive_buffer=4096) as wire:
        await wire.send(asking("POST", "/v1/chat/completions", CHAT | {"stream": True}))
        peer = await house.models.next()
        await asyncio.wait_for(peer.closed.wait(), LIMIT_S * 2 + 2)
    record = await house.record()
    assert (record["outcome"], record["phase"]) == ("client_closed", "streaming")


def test_a_taken_port_is_named() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"Port {port} on 127.0.0.1 cannot be used"):
            listen("127.0.0.1", port)


def test_listening_on_ipv6() -> None:
    with listen("::1", 0) as listener:
        assert listener.getsockname()[0] == "::1"

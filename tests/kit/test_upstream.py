"""The HTTP/1.1 client: reuse, bounds, limits in time, addresses, TLS."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from blackhole import black_hole
from house import eventually
from papers import certificate, secured, shown, written

from homeport.kit import upstream_http
from homeport.kit.addresses import parse_networks
from homeport.kit.settings import load
from homeport.kit.upstream import Call, Malformed, TooMuch, Truncated, Unreachable, UpstreamTooLate
from homeport.kit.upstream_http import AT_ONCE, READ_AHEAD, HttpUpstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from papers import Paper
    from script import ModelServer, Peer

HEAD = b"HTTP/1.1 200 OK\r\n"


def call(server: ModelServer, **more: Any) -> Call:
    usual = {"url": f"{server.url}/x", "body": b"{}", "connect_s": 1, "first_byte_s": 0.3, "idle_s": 0.3, "total_s": 2}
    return Call(**(usual | more))


def answer_with(server: ModelServer, data: bytes, then: str = "") -> None:
    async def play(peer: Peer) -> None:
        await peer.write(data)
        if then == "close":
            peer.close()

    server.play = play


async def fetch(upstream: HttpUpstream, wanted: Call) -> bytes:
    reply = await upstream.open(wanted)
    try:
        return await reply.read(10**7)
    finally:
        reply.close()


def connections(server: ModelServer) -> int:
    return len({id(peer.writer) for peer in server.heard})


async def test_what_is_sent(server: ModelServer, upstream: HttpUpstream) -> None:
    answer_with(server, HEAD + b"Content-Length: 2\r\n\r\nok")
    assert await fetch(upstream, call(server, headers={"A": "é\t~"}, url=f"{server.url}/x?y=%20z")) == b"ok"
    assert await fetch(upstream, call(server, method="GET", body=b"")) == b"ok"
    post, get = server.heard
    assert (post.method, post.target, post.body) == ("POST", "/v1/x?y=%20z", b"{}")
    assert post.headers == {"host": f"127.0.0.1:{server.port}", "a": "é\t~", "content-length": "2"}
    assert (get.method, get.headers) == ("GET", {"host": f"127.0.0.1:{server.port}"})


async def test_a_connection_is_used_again(server: ModelServer, upstream: HttpUpstream) -> None:
    bodies = [
        b"Content-Length: 2\r\n\r\nok",
        b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nTrailer: x\r\n\r\n",
    ]
    for body in bodies * 3:
        answer_with(server, HEAD + body)
        assert await fetch(upstream, call(server)) == b"ok"
    assert connections(server) == 1


async def test_a_connection_to_a_metadata_service_serves_no_other_call(
    server: ModelServer, upstream: HttpUpstream
) -> None:
    answer_with(server, HEAD + b"Content-Length: 2\r\n\r\nok")
    for metadata in (True, False, True, False):
        await fetch(upstream, call(server, metadata=metadata))
    first, second, third, fourth = (id(peer.writer) for peer in server.heard)
    assert first == third != second == fourth


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        HEAD + b"\r\nok",
    ],
)
async def test_a_connection_that_ends_is_not(server: ModelServer, upstream: HttpUpstream, answer: bytes) -> None:
    answer_with(server, answer, "close")
    for _ in range(2):
        assert await fetch(upstream, call(server)) == b"ok"
    assert connections(server) == 2


async def test_bytes_that_nobody_asked_for_end_the_connection(server: ModelServer, upstream: HttpUpstream) -> None:
    """Else a server could answer the next request before it was made."""
    forged = HEAD + b"Content-Length: 6\r\n\r\nforged"
    answer_with(server, HEAD + b"Content-Length: 2\r\n\r\nok" + forged)
    assert await fetch(upstream, call(server)) == b"ok"
    await asyncio.sleep(0.01)
    answer_with(server, HEAD + b"Content-Length: 4\r\n\r\ntrue")
    assert await fetch(upstream, call(server)) == b"true"
    assert connections(server) == 2

    async def late(peer: Peer) -> None:
        await peer.write(HEAD + b"Content-Length: 2\r\n\r\nok")
        await asyncio.sleep(0.01)
        await peer.write(forged)

    server.play = late
    assert await fetch(upstream, call(server)) == b"ok"
    await asyncio.sleep(0.03)
    answer_with(server, HEAD + b"Content-Length: 4\r\n\r\ntrue")
    assert await fetch(upstream, call(server)) == b"true"
    assert connections(server) == 3


async def test_an_answer_that_was_not_read_ends_the_connection(server: ModelServer, upstream: HttpUpstream) -> None:
    answer_with(server, HEAD + b"Content-Length: 9\r\n\r\nhalf")
    reply = await upstream.open(call(server))
    assert await reply.part() == b"half"
    reply.close()
    await asyncio.wait_for(server.heard[0].closed.wait(), 5)


async def test_an_old_connection_is_not_used(server: ModelServer, upstream: HttpUpstream) -> None:
    answer_with(server, HEAD + b"Content-Length: 2\r\n\r\nok")
    await fetch(upstream, call(server))
    ((wire,),) = upstream._idle.values()  # noqa: SLF001 (the alternative is to wait for four seconds)
    wire.idle_since -= 5
    await fetch(upstream, call(server))
    assert connections(server) == 2


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_connection_that_was_given_up(server: ModelServer, upstream: HttpUpstream, *, allowed: bool) -> None:
    """What meets one goes out once more if it may, and those beside it are not tried."""
    asked: list[bool] = []
    used: set[int] = set()

    def may_resend() -> bool:
        asked.append(allowed)
        return allowed

    async def once(peer: Peer) -> None:
        if id(peer.writer) in used:
            peer.close()
            return
        used.add(id(peer.writer))
        await peer.write(HEAD + b"Content-Length: 2\r\n\r\nok")

    upstream.may_resend = may_resend
    server.play = once
    await asyncio.gather(*(fetch(upstream, call(server, first_byte_s=5, total_s=5)) for _ in range(3)))
    assert (connections(server), asked) == (3, [])
    if allowed:
        assert await fetch(upstream, call(server)) == b"ok"
    else:
        with pytest.raises(Unreachable, match="closed"):
            await fetch(upstream, call(server))
    assert asked == [allowed]
    assert await fetch(upstream, call(server)) == b"ok"
    assert len(server.heard) == (7 if allowed else 5)


async def test_connections_that_nobody_uses_again_are_closed(
    server: ModelServer, upstream: HttpUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that keeps its side open for ever does not keep ours."""
    monkeypatch.setattr(upstream_http, "KEEP_ALIVE_S", 0.1)
    answer_with(server, HEAD + b"Content-Length: 2\r\n\r\nok")
    await asyncio.gather(*(fetch(upstream, call(server)) for _ in range(5)))
    async with asyncio.timeout(5):
        await asyncio.gather(*(peer.closed.wait() for peer in server.heard))
    await eventually(lambda: not upstream._idle)  # noqa: SLF001 (connections that wait for a next call)
    assert await fetch(upstream, call(server)) == b"ok"


async def test_announcements_are_not_the_answer(server: ModelServer, upstream: HttpUpstream) -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    answer_with(server, early + HEAD + b"X-Name: \xe9\r\nContent-Length: 2\r\n\r\nok")
    for _ in range(2):
        reply = await upstream.open(call(server))
        assert (reply.status, reply.header("x-NAME"), reply.header("link")) == (200, "é", "")
        assert await reply.read(10) == b"ok"
        reply.close()
    assert connections(server) == 1


async def test_too_long_a_body(server: ModelServer, upstream: HttpUpstream) -> None:
    answer_with(server, HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000)
    reply = await upstream.open(call(server))
    with pytest.raises(TooMuch, match="more than 999 bytes"):
        await reply.read(999)
    reply.close()


async def test_reading_ahead_is_bounded(server: ModelServer, upstream: HttpUpstream) -> None:
    total = 50_000_000

    async def play(peer: Peer) -> None:
        await peer.head(content_length=total)
        for _ in range(total // 50_000):
            await peer.write(b"x" * 50_000)

    server.play = play
    reply = await upstream.open(call(server, first_byte_s=9, idle_s=9, total_s=30))
    await eventually(lambda: reply._wire._paused)  # noqa: SLF001 (what waits in memory)
    await asyncio.sleep(0.05)
    assert reply._wire._size <= READ_AHEAD + AT_ONCE  # noqa: SLF001 (one read above the mark)
    size = 0
    while part := await reply.part():
        size += len(part)
    assert size == total
    reply.close()


@pytest.mark.parametrize("line", [b"X: " + b"x" * 10**6, b"X: y\r\n" * 10**5], ids=["one", "many"])
async def test_trailers_without_end(server: ModelServer, upstream: HttpUpstream, line: bytes) -> None:
    answer_with(server, HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n" + line)
    with pytest.raises(Malformed):
        await fetch(upstream, call(server, idle_s=9, total_s=9))


async def test_a_trailer_is_no_header(server: ModelServer, upstream: HttpUpstream) -> None:
    answer_with(server, HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\nX: z\r\n\r\n")
    reply = await upstream.open(call(server))
    assert (await reply.read(10), reply.header("x")) == (b"ok", "")
    reply.close()


async def test_pieces_of_framing_are_no_head(server: ModelServer, upstream: HttpUpstream) -> None:
    """However many chunks come in pieces, only what stands between two of them is counted."""

    async def play(peer: Peer) -> None:
        await peer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(20):
            await peer.write(b"1;x=" + b"y" * 5000)
            await asyncio.sleep(0.005)
            await peer.write(b"\r\nz\r\n")
        await peer.write(b"0\r\n\r\n")

    server.play = play
    assert await fetch(upstream, call(server)) == b"z" * 20


async def test_limits_in_time(server: ModelServer, upstream: HttpUpstream) -> None:
    async def nothing(peer: Peer) -> None:
        await peer.hang()

    async def drip(peer: Peer) -> None:
        await peer.head()
        while not peer.closed.is_set():
            await peer.chunk(b"x")
            await asyncio.sleep(0.03)

    async def head_only(peer: Peer) -> None:
        await peer.head()
        await peer.hang()

    async def stall(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(b"x")
        await peer.hang()

    for play, more, phase in (
        (nothing, {}, "first byte"),
        (head_only, {"idle_s": 9}, "first byte"),
        (stall, {"first_byte_s": 9}, "idle"),
        (drip, {"total_s": 0.3}, "total"),
    ):
        server.play = play
        started = asyncio.get_running_loop().time()
        with pytest.raises(UpstreamTooLate) as late:
            await fetch(upstream, call(server, **more))
        assert late.value.phase == phase
        assert 0.2 < asyncio.get_running_loop().time() - started < 2
        await asyncio.wait_for(server.heard[-1].closed.wait(), 5)


async def test_first_token_may_take_longer_than_a_pause(server: ModelServer, upstream: HttpUpstream) -> None:
    """A server that sends its head at once and then reads a long prompt is not idle."""

    async def play(peer: Peer) -> None:
        await peer.head()
        await asyncio.sleep(0.25)
        await peer.chunk(b"first")
        await peer.end()

    server.play = play
    assert await fetch(upstream, call(server, first_byte_s=2, idle_s=0.1)) == b"first"


async def test_a_reader_that_takes_its_time_is_not_the_servers_fault(
    server: ModelServer, upstream: HttpUpstream
) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(b"one")
        await peer.chunk(b"two")
        await peer.end()

    server.play = play
    reply = await upstream.open(call(server, first_byte_s=0.1, idle_s=0.1))
    assert await reply.part()
    await asyncio.sleep(0.3)
    while await reply.part():
        pass
    reply.close()


async def test_connecting_has_a_limit_of_its_own(upstream: HttpUpstream) -> None:
    with black_hole() as port:
        with pytest.raises(UpstreamTooLate) as late:
            await upstream.open(Call(url=f"http://127.0.0.1:{port}/", connect_s=0.1))
        assert late.value.phase == "connect"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:1/", "refused"),
        ("http://nobody.invalid/", "dns"),
        ("http://169.254.169.254/latest/meta-data", "denied"),
        ("http://169.254.170.2/", "denied"),
        ("http://2852039166/", "denied"),
        ("http://0xA9FEA9FE/", "denied"),
        ("http://0251.0376.0251.0376/", "denied"),
        ("http://169.16689662/", "denied"),
        ("http://[::ffff:169.254.169.254]/", "denied"),
        ("http://[::ffff:a9fe:a9fe]/", "denied"),
        ("http://[64:ff9b::169.254.169.254]/", "denied"),
        ("http://[2002:a9fe:a9fe::]/", "denied"),
        ("http://[fd00:ec2::254]/", "denied"),
        ("http://[fe80::1]/", "denied"),
        ("http://100.100.100.200/", "denied"),
        ("http://192.0.0.192/", "denied"),
        ("http://168.63.129.16/", "denied"),
        ("http://0.0.0.0/", "denied"),
        ("http://0/", "denied"),
        ("http://[::]/", "denied"),
        ("http://224.0.0.1/", "denied"),
        ("http://255.255.255.255/", "denied"),
        ("http://[ff02::1]/", "denied"),
        ("ftp://127.0.0.1/", "url"),
        ("file:///etc/passwd", "url"),
        ("http:///x", "url"),
        ("//127.0.0.1/", "url"),
        ("127.0.0.1:80", "url"),
        ("", "url"),
        ("http://a@127.0.0.1/", "url"),
        ("http://a:b@127.0.0.1/", "url"),
        ("http://127.0.0.1:port/", "url"),
        ("http://127.0.0.1:70000/", "url"),
        ("http://[::1/", "url"),
        ("http://127.0.0.1/a b", "url"),
        ("http://127.0.0.1/é", "url"),
        ("http://é.test/", "url"),
        ("http://127.0.0.1/\x7f", "url"),
        ("http://127.0.0.1\0.test/", "url"),
        ("http://127.0.0.1\x7f/", "url"),
        ("http://local host/", "url"),
        ("http://a..b/", "dns"),
        ("http://.localhost/", "dns"),
        (f"https://{'a' * 64}.test/", "dns"),
    ],
)
async def test_where_it_does_not_go(upstream: HttpUpstream, url: str, why: str) -> None:
    with pytest.raises(Unreachable) as refusal:
        await upstream.open(Call(url=url, connect_s=2))
    assert refusal.value.why == why


async def test_networks_that_the_operator_denies(server: ModelServer) -> None:
    upstream = HttpUpstream(denied_networks=parse_networks(["127.0.0.0/8"]))
    for host in ("127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"):
        with pytest.raises(Unreachable) as refusal:
            await upstream.open(Call(url=f"http://{host}:{server.port}/"))
        assert refusal.value.why == "denied"
    await upstream.close()
    assert not server.heard


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\rb", "a\0b", "\x7f", "✓"])
async def test_a_header_stays_in_its_line(server: ModelServer, upstream: HttpUpstream, value: str) -> None:
    with pytest.raises(Unreachable) as refusal:
        await upstream.open(call(server, headers={"X-Key": value}))
    assert (refusal.value.why, refusal.value.detail) == ("header", "X-Key")
    assert not server.heard


async def test_closing_wakes_whoever_waits(server: ModelServer) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.hang()

    server.play = play
    upstream = HttpUpstream()
    reading = asyncio.create_task(fetch(upstream, call(server, first_byte_s=9)))
    await server.next()
    await eventually(lambda: upstream._busy)  # noqa: SLF001 (connections in use)
    await upstream.close()
    with pytest.raises((Truncated, Unreachable)):
        await reading


async def test_not_http(server: ModelServer, upstream: HttpUpstream) -> None:
    switched = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    for data in (
        switched,
        b"+OK hello\r\n",
        b"HTTP/1.1 999999 x\r\n\r\n",
        HEAD + b"Content-Length: x\r\n\r\n",
        b"\0" * 100,
    ):
        answer_with(server, data)
        with pytest.raises(Malformed):
            await fetch(upstream, call(server))


async def test_networks_that_are_denied_later(server: ModelServer, upstream: HttpUpstream) -> None:
    answer = HEAD + b"Content-Length: 2\r\n\r\nok"
    answer_with(server, answer[:-1])
    in_use = await upstream.open(call(server))
    answer_with(server, answer)
    assert await fetch(upstream, call(server)) == b"ok"
    upstream.deny(parse_networks(["127.0.0.0/8"]))
    await server.heard[0].write(b"k")
    assert await in_use.read(10) == b"ok"
    in_use.close()
    with pytest.raises(Unreachable) as refusal:
        await upstream.open(call(server))
    assert refusal.value.why == "denied"
    upstream.deny(())
    assert await fetch(upstream, call(server)) == b"ok"
    assert connections(server) == 3


# TLS


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paper]:
    """A certificate authority that this process trusts."""
    paper = certificate("authority")
    monkeypatch.setenv("SSL_CERT_FILE", str(written(paper, tmp_path, "ca.pem")))
    return paper


async def test_tls(authority: Paper, tmp_path: Path, upstream: HttpUpstream) -> None:
    async with secured(shown(certificate("127.0.0.1", issuer=authority), tmp_path)) as port:
        assert await fetch(upstream, Call(url=f"https://127.0.0.1:{port}/")) == b"ok"


@pytest.mark.parametrize("fault", ["wrong name", "expired", "unknown authority", "self-signed"])
async def test_tls_that_is_not_trusted(authority: Paper, tmp_path: Path, upstream: HttpUpstream, fault: str) -> None:
    papers = {
        "wrong name": lambda: certificate("other.test", issuer=authority),
        "expired": lambda: certificate("127.0.0.1", issuer=authority, days=-1),
        "unknown authority": lambda: certificate("127.0.0.1", issuer=certificate("stranger")),
        "self-signed": lambda: certificate("127.0.0.1"),
    }
    async with secured(shown(papers[fault](), tmp_path)) as port:
        with pytest.raises(Unreachable) as refusal:
            await upstream.open(Call(url=f"https://127.0.0.1:{port}/"))
    assert refusal.value.why == "tls"
    assert refusal.value.detail


@pytest.mark.parametrize("variable", ["HOMEPORT_CA_FILE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
async def test_tls_by_an_authority_of_the_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    authority = certificate("authority")
    monkeypatch.setenv(variable, str(written(authority, tmp_path, "ca.pem")))
    upstream = HttpUpstream(ca_file=load().ca_file)
    async with secured(shown(certificate("127.0.0.1", issuer=authority), tmp_path)) as port:
        assert await fetch(upstream, Call(url=f"https://127.0.0.1:{port}/")) == b"ok"
    await upstream.close()


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
async def test_authorities_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    upstream = HttpUpstream(ca_file=file)
    for _ in range(2):
        with pytest.raises(Unreachable, match=r"ca\.pem cannot be read") as refusal:
            await upstream.open(Call(url="https://127.0.0.1:9/"))
        assert refusal.value.why == "certificate"
    await upstream.close()


async def test_tls_to_who_does_not_speak_it(upstream: HttpUpstream) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    plain = await asyncio.start_server(greet, "127.0.0.1", 0)
    with pytest.raises(Unreachable) as refusal:
        await upstream.open(Call(url=f"https://127.0.0.1:{plain.sockets[0].getsockname()[1]}/"))
    assert refusal.value.why == "plain"
    plain.close()


async def test_tls_handshake_that_stalls(upstream: HttpUpstream) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(1000):
                pass
        writer.close()

    mute = await asyncio.start_server(silent, "127.0.0.1", 0)
    with pytest.raises(UpstreamTooLate) as late:
        await upstream.open(Call(url=f"https://127.0.0.1:{mute.sockets[0].getsockname()[1]}/", connect_s=0.2))
    assert late.value.phase == "connect"
    mute.close()

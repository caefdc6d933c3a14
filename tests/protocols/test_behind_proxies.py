"""nginx and HAProxy, the real ones, between Homeport and a model server, and between a client and Homeport.

These run where both programs are, which `sh bench/setup.sh` and so `.ci/run` see to; elsewhere pytest reports them as
skipped and says what to run.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from house import asking, eventually
from middlemen import MISSING, free_port, haproxy, nginx
from papers import certificate, pem, written
from script import piece, stream
from told import check_broken, check_early, everyone
from ways import ASKED, STREAMED, WAYS, ended, named, streamed_text, text_of
from wire import line

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from house import House
    from script import Peer
    from ways import Way

    Proxy = Callable[..., AbstractAsyncContextManager[int]]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
each_proxy = pytest.mark.parametrize("proxy", [nginx, haproxy], ids=["nginx", "haproxy"])
UNBUFFERED = "proxy_buffering off;"
SWIFT = "option abortonclose\n    option http-no-delay"
"""HAProxy passes on at once that a client left, and each piece of a stream."""
STREAMS = [(way, True) for way in STREAMED]


def lead_to(house: House, port: int, options: dict[str, str] | None = None) -> None:
    """Let every model be behind this port, by TLS where there are options."""
    endpoint = f"http{'s' if options else ''}://127.0.0.1:{port}/v1"
    models = house.snapshot.models.values()
    house.snapshot = house.snapshot.with_models(
        *(replace(each, endpoint=endpoint, options=options or {}) for each in models)
    )


# in front of a model server


@each_proxy
async def test_tls_of_a_model_server_ends_at_its_proxy(house: House, proxy: Proxy, tmp_path: Path) -> None:
    authority = certificate("authority")
    (tmp_path / "ca.pem").write_bytes(pem(authority))
    paper = written(certificate("127.0.0.1", issuer=authority), tmp_path, "server.pem")
    async with proxy(tmp_path, house.models.port, paper=paper) as port:
        lead_to(house, port, {"ca_file": str(tmp_path / "ca.pem")})
        for way, stream_, answer in await everyone(house, ASKED):
            assert answer.status == 200
            assert text_of(way, answer, stream=stream_) == "one + two"
        lead_to(house, port, {"no_proxy": "*"})
        for way, _, answer in await everyone(house, ASKED[:3]):
            check_early(way, answer, "upstream_unreachable")


@pytest.mark.parametrize("buffering", ["on", "off"])
async def test_a_stream_by_a_proxy_that_buffers_or_not(house: House, buffering: str, tmp_path: Path) -> None:
    """Unbuffered, the first piece is there before there is a second; buffered, the whole is, in the end."""
    go_on = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "one\n" * 5))
        await go_on.wait()
        await peer.events(stream(peer.kind, ["two"]))
        await peer.end()

    house.models.play = play
    way = WAYS[0]
    async with nginx(tmp_path, house.models.port, f"proxy_buffering {buffering};") as port, house.line() as wire:
        lead_to(house, port)
        if buffering == "on":
            go_on.set()
        await wire.send(asking("POST", way.path, way.streaming))
        await wire.head()
        first = await wire.chunk()
        assert b"one" in first
        go_on.set()
        rest = first
        while part := await wire.chunk():
            rest += part
        assert streamed_text(way, rest) == "one\n" * 5 + "two"


async def test_a_page_instead_of_an_answer(house: House, tmp_path: Path) -> None:
    """nginx tells in HTML that nobody is behind it, or nobody in time: no word of that page reaches a client."""
    house.models.play = _hang
    for to in (free_port(), house.models.port):
        async with nginx(tmp_path, to, "proxy_read_timeout 1s;") as port:
            lead_to(house, port)
            for way, _, answer in await everyone(house, ASKED):
                check_early(way, answer, "upstream_refused")
                assert b"nginx" not in answer.body
                assert b"html" not in answer.body
        problems = {record["error"] for record in house.records()}
        assert any(f"HTTP {502 if to != house.models.port else 504}" in problem for problem in problems)


async def test_haproxy_has_nobody_behind_it(house: House, tmp_path: Path) -> None:
    async with haproxy(tmp_path, free_port(), "retries 0") as port:
        lead_to(house, port)
        for way, _, answer in await everyone(house, ASKED):
            check_early(way, answer, "upstream_overloaded")


@each_proxy
async def test_a_proxy_loses_patience_in_a_stream(house: House, proxy: Proxy, tmp_path: Path) -> None:
    house.models.play = _begin
    more = "timeout server 500ms" if proxy is haproxy else f"{UNBUFFERED} proxy_read_timeout 1s;"
    async with proxy(tmp_path, house.models.port, more) as port:
        lead_to(house, port)
        for way, _, answer in await everyone(house, STREAMS):
            check_broken(way, answer, "upstream_truncated")
    assert {record["outcome"] for record in house.records()} == {"broken"}


async def test_haproxy_loses_patience_before_a_stream(house: House, tmp_path: Path) -> None:
    house.models.play = _hang
    async with haproxy(tmp_path, house.models.port, "timeout server 500ms") as port:
        lead_to(house, port)
        for way, _, answer in await everyone(house, ASKED):
            check_early(way, answer, "upstream_refused")


@each_proxy
async def test_a_model_server_resets_behind_its_proxy(house: House, proxy: Proxy, tmp_path: Path) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "one\n" * 5))
        await asyncio.sleep(0.05)  # what was sent before is not to be overtaken
        peer.reset()

    house.models.play = play
    async with proxy(tmp_path, house.models.port, UNBUFFERED if proxy is nginx else "") as port:
        lead_to(house, port)
        for way, _, answer in await everyone(house, STREAMS):
            check_broken(way, answer, "upstream_truncated")


async def _hang(peer: Peer) -> None:
    await peer.hang()


async def _begin(peer: Peer) -> None:
    await peer.head()
    await peer.chunk(piece(peer.kind, "one\n" * 5))
    await peer.hang()


PHASES = {"waiting": _hang, "streaming": _begin}


@each_proxy
@pytest.mark.parametrize("phase", PHASES)
async def test_the_model_server_behind_a_proxy_sees_who_left(
    house: House, proxy: Proxy, phase: str, tmp_path: Path
) -> None:
    house.limit(first_token_s=30, idle_s=30, total_s=60)
    house.models.play = PHASES[phase]
    more = UNBUFFERED if proxy is nginx else SWIFT
    async with proxy(tmp_path, house.models.port, more) as port:
        lead_to(house, port)
        await _leave_each(house, house.port, phase)


# in front of Homeport


@each_proxy
@pytest.mark.parametrize("phase", PHASES)
async def test_homeport_behind_a_proxy_sees_who_left(house: House, proxy: Proxy, phase: str, tmp_path: Path) -> None:
    house.limit(first_token_s=30, idle_s=30, total_s=60)
    house.models.play = PHASES[phase]
    async with proxy(tmp_path, house.port, "" if proxy is nginx else SWIFT) as port:
        await _leave_each(house, port, phase)


async def _leave_each(house: House, port: int, phase: str) -> None:
    """A client of each way leaves by this port; the model server sees it, and Homeport's log says so."""
    for number, way in enumerate(STREAMED):
        async with line(port) as wire:
            await wire.send(asking("POST", way.path, way.streaming))
            peer = await house.models.next(number + 1)
            if phase == "streaming":
                await wire.head()
                await wire.chunk()
            wire.leave()
            await asyncio.wait_for(peer.closed.wait(), 5)
        record = await house.record(number + 1)
        assert (record["outcome"], record["phase"]) == ("client_closed", phase)


@pytest.mark.parametrize("way", STREAMED, ids=named)
async def test_a_stream_is_not_held_back_even_where_buffering_is_left_on(
    house: House, way: Way, tmp_path: Path
) -> None:
    """Homeport says so in each stream (X-Accel-Buffering)."""
    house.models.play = _begin
    async with nginx(tmp_path, house.port) as port, line(port) as wire:
        await wire.send(asking("POST", way.path, way.streaming))
        assert (await wire.head())[0] == 200
        while b"one" not in (part := await wire.chunk()):
            assert part


@each_proxy
async def test_a_broken_stream_is_visibly_broken_behind_a_proxy(house: House, proxy: Proxy, tmp_path: Path) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "one\n" * 5))
        await asyncio.sleep(0.05)  # a part of its own
        peer.close()

    house.models.play = play
    async with proxy(tmp_path, house.port) as port:
        for way in STREAMED:
            async with line(port) as wire:
                await wire.send(asking("POST", way.path, way.streaming))
                answer = await wire.answer()
            assert answer.whole is (way.style == "lines")
            assert way.style == "lines" or not ended(way, answer)


async def test_the_id_of_a_request_is_the_proxys(house: House, tmp_path: Path) -> None:
    """One id leads through all logs: nginx's, Homeport's and the model server's."""
    async with nginx(tmp_path, house.port) as port, line(port) as wire:
        await wire.send(asking("POST", WAYS[0].path, WAYS[0].plain))
        answer = await wire.answer()
    record, (peer,) = await house.record(), house.models.heard
    ids: set[Any] = {answer.header("x-request-id"), record["correlation_id"], peer.headers["x-request-id"]}
    assert len(ids) == 1
    assert len(ids.pop()) == 32


@each_proxy
async def test_tls_in_front_of_homeport(house: House, proxy: Proxy, tmp_path: Path) -> None:
    paper = written(certificate("127.0.0.1"), tmp_path, "server.pem")
    async with proxy(tmp_path, house.port, paper=paper) as port, contextlib.AsyncExitStack() as stack:
        import ssl  # noqa: PLC0415 (the only client of TLS here)

        context = ssl.create_default_context(cafile=str(paper))
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        stack.callback(writer.close)
        writer.write(asking("POST", WAYS[0].path, WAYS[0].plain, {"Connection": "close"}))
        assert b"one + two" in await asyncio.wait_for(reader.read(-1), 10)
    await eventually(house.quiet)

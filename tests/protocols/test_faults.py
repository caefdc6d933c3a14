"""What a client sees when the model server fails, for every way to ask and every phase."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from blackhole import black_hole
from faults import AFTER, ALL, CANARY, DOORS, EARLY, LATE, NAMES, ON_TIME, Resolver, answering, huge_chunk, late
from house import SHORT
from script import DONE, event, piece, stream
from told import check_broken, check_early, check_late, everyone
from ways import ASKED, STREAMED, WAYS, ended, error_text, named, streamed_text, text_of

from homeport.domain.streams import Chunk

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from house import House
    from script import Peer
    from ways import Way


@pytest.mark.parametrize("fault", EARLY)
async def test_failure_before_the_first_byte(house: House, fault: str) -> None:
    house.models.play, code = EARLY[fault]
    if fault not in ON_TIME:
        house.limit(**SHORT)
    started = asyncio.get_running_loop().time()
    for way, _, answer in await everyone(house, ASKED):
        check_early(way, answer, code)
    assert asyncio.get_running_loop().time() - started < SHORT["first_token_s"] + 4
    records = house.records()
    assert {record["error_code"] for record in records} == {code}
    assert {record["outcome"] for record in records} == {"rejected"}
    assert CANARY not in str(house.logs.lines)
    assert len(house.models.heard) <= len(ASKED) * 2


async def test_the_embedded_engines_last_words_reach_whoever_asks(house: House) -> None:
    why = "The embedded model's engine died (killed by SIGSEGV) and is being restarted. Its log ends: out of memory"
    down = (replace(each, platform="embedded", endpoint="", trouble=why) for each in house.snapshot.models.values())
    house.snapshot = house.snapshot.with_models(*down)
    for way, _, answer in await everyone(house, ASKED):
        check_early(way, answer, "upstream_unreachable")
        assert why in error_text(way, answer)
    assert house.models.heard == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_never_followed(house: House, status: int) -> None:
    for target in (f"{house.models.url}/stolen", "http://169.254.169.254/", "file:///etc/passwd", "//x", ""):
        house.models.play = answering(status, location=target)
        for way, _, answer in await everyone(house, ASKED[:4]):
            check_early(way, answer, "upstream_refused")
    assert not [peer for peer in house.models.heard if "stolen" in peer.target]


@pytest.mark.parametrize(
    ("sent", "passed"),
    [("7", "7"), ("0", "0"), ("3600", "60"), ("", None), ("soon", None), ("-1", None), ("²", None), ("9" * 5000, None)],
)
async def test_retry_after(house: House, sent: str, passed: str | None) -> None:
    async def play(peer: Peer) -> None:
        await peer.write(f"HTTP/1.1 429 x\r\nRetry-After: {sent}\r\nContent-Length: 2\r\n\r\n{{}}".encode("latin-1"))

    house.models.play = play
    for way, _, answer in await everyone(house, ASKED):
        usual = "1" if way.gitlab and not way.prompt else None
        assert answer.header("retry-after") == (None if way.style == "lines" else passed or usual)
        assert answer.status == way.status(503, 421 if way.prompt else 429)
    asked_once = passed is not None and int(passed) > 0
    # they come at once: some are under way when the server asks to be left alone
    assert (len(house.models.heard) < len(ASKED)) is asked_once


@pytest.mark.parametrize(
    ("endpoint", "code"),
    [
        ("http://127.0.0.1:1/v1", "upstream_unreachable"),
        ("http://nobody.invalid/v1", "upstream_unreachable"),
        ("http://169.254.169.254/v1", "upstream_unreachable"),
        ("http://[::ffff:169.254.169.254]/v1", "upstream_unreachable"),
        ("http://user:pass@127.0.0.1/v1", "upstream_unreachable"),
        ("ftp://127.0.0.1/v1", "upstream_unreachable"),
        ("http://127.0.0.1:99999/v1", "upstream_unreachable"),
        ("http://", "upstream_unreachable"),
        ("", "upstream_unreachable"),
        ("nonsense", "upstream_unreachable"),
        ("http://127.0.0.1/v1\r\nX: y", "upstream_unreachable"),
    ],
)
async def test_endpoints_that_lead_nowhere(house: House, endpoint: str, code: str) -> None:
    house.snapshot = house.snapshot.with_models(
        *(replace(each, endpoint=endpoint) for each in house.snapshot.models.values())
    )
    for way, _, answer in await everyone(house, ASKED):
        check_early(way, answer, code)
        assert "169.254" not in answer.body.decode()


async def ask_at(house: House, endpoint: str, options: dict[str, str], code: str) -> None:
    """Every way to ask, of models that are at `endpoint`; each is told as soon as it can be."""
    if code == "upstream_timeout":
        house.limit(**SHORT)
    house.snapshot = house.snapshot.with_models(
        *(replace(each, endpoint=endpoint, options=options) for each in house.snapshot.models.values())
    )
    started = asyncio.get_running_loop().time()
    for way, _, answer in await everyone(house, ASKED):
        check_early(way, answer, code)
    assert asyncio.get_running_loop().time() - started < SHORT["connect_s"] + 4
    assert {record["error_code"] for record in house.records()} == {code}


@pytest.mark.parametrize("fault", DOORS)
async def test_servers_that_are_not_to_be_talked_to(house: House, fault: str, tmp_path: Path) -> None:
    at, code = DOORS[fault]
    async with contextlib.AsyncExitStack() as stack:
        door = at(tmp_path)
        opened = isinstance(door, contextlib.AbstractAsyncContextManager)
        found = await stack.enter_async_context(door) if opened else stack.enter_context(door)
        await ask_at(house, found.endpoint, found.options, code)
    assert not house.models.heard


@pytest.mark.parametrize("fault", NAMES)
async def test_names_that_lead_nowhere(house: House, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    says, code = NAMES[fault]
    monkeypatch.setattr(house.transport, "_loop", Resolver(says))
    await ask_at(house, "http://models.example/v1", {}, code)
    assert not house.models.heard


async def test_connecting_takes_too_long(house: House) -> None:
    house.limit(**SHORT)
    with black_hole() as port:
        house.snapshot = house.snapshot.with_models(
            *(replace(each, endpoint=f"http://127.0.0.1:{port}/v1") for each in house.snapshot.models.values())
        )
        for way, _, answer in await everyone(house, ASKED):
            check_early(way, answer, "upstream_timeout")


async def test_first_event_reports_an_error(house: House) -> None:
    for data in (
        {"error": {"message": CANARY, "code": 500}},
        {"object": "error", "message": CANARY, "code": 400},
        {"error": CANARY},
    ):

        async def play(peer: Peer, data: Any = data) -> None:
            await peer.head()
            await peer.events([event(data), DONE])
            await peer.end()

        house.models.play = play
        for way, _, answer in await everyone(house, [(way, True) for way in STREAMED]):
            check_early(way, answer, "upstream_error")


@pytest.mark.parametrize("fault", LATE)
async def test_failure_after_the_first_byte(house: House, fault: str) -> None:
    code = LATE[fault][2]
    if code == "upstream_timeout":
        house.limit(**SHORT)
    house.models.play = late(fault)
    started = asyncio.get_running_loop().time()
    for way, _, answer in await everyone(house, [(way, True) for way in STREAMED]):
        check_late(way, answer, code)
    assert asyncio.get_running_loop().time() - started < SHORT["idle_s"] + 4
    assert {record["error_code"] for record in house.records()} == {code}
    assert {record["outcome"] for record in house.records()} == {"broken"}
    assert CANARY not in str(house.logs.lines)


NO_STREAM = {
    "a login page": f"<!DOCTYPE html>\n\n<html>\n\n<body>{CANARY}</body>\n\n</html>\n",
    "plain text": f"upstream error {CANARY}\n\nfoo\n\n",
    "a line with a colon": f"error: {CANARY}\n\n",
    "JSON with blank lines": f'{{\n\n "error": "{CANARY}",\n\n "x": 1}}\n',
    "a whole answer": f'{{"choices":[{{"index":0,"message":{{"content":"{CANARY}"}},"text":"{CANARY}"}}]}}\n\n',
    "garbage, then an end mark": f"foo {CANARY} bar\n\ndata: [DONE]\n\n",
    "garbage that calls itself data": f"data: {CANARY}\n\ndata: [DONE]\n\n",
    "garbage in the first event": f'{CANARY}\ndata: {{"choices":[]}}\n\ndata: [DONE]\n\n',
    "garbage after a comment": f": ping\n\n{CANARY}\n\ndata: [DONE]\n\n",
    "garbage with CRLF": f"{CANARY}\r\n\r\ndata: [DONE]\r\n\r\n",
}


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/json", "text/event-stream"])
@pytest.mark.parametrize("body", NO_STREAM)
async def test_what_is_no_stream_reaches_nobody(house: House, body: str, kind: str) -> None:
    """Whatever calls itself 200 is no answer unless it has the form of one."""
    house.models.play = answering(200, NO_STREAM[body].encode(), kind)
    for way, _, answer in await everyone(house, [(way, True) for way in STREAMED]):
        check_early(way, answer, "upstream_malformed")
    assert {record["error_code"] for record in house.records()} == {"upstream_malformed"}
    assert CANARY not in str(house.logs.lines)


async def test_what_came_instead_of_a_stream_is_named(house: House) -> None:
    house.models.play = answering(200, b"<html></html>", "text/html; charset=utf-8")
    for way, _, answer in await everyone(house, [(way, True) for way in STREAMED]):
        assert "something that is not a stream of events, but text/html" in error_text(way, answer)


MALFORMED = [
    b"data: {not json}\n\n",
    b"data: [1]\n\n",
    b"data: canary-in-the-words-of-the-model-server\n\n",
    b"canary-in-the-words-of-the-model-server\n\n",
    b"error: canary-in-the-words-of-the-model-server\n\n",
    b'data: {"choices":[]}\ncanary-in-the-words-of-the-model-server\n\n',
]


@pytest.mark.parametrize("apart", [True, False], ids=["alone", "among others"])
@pytest.mark.parametrize("bad", MALFORMED)
async def test_garbage_in_a_stream_reaches_nobody(house: House, bad: bytes, apart: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "one"))
        await asyncio.sleep(0.02)  # a part of its own
        good = piece(peer.kind, "")
        await peer.events([bad, DONE] if apart else [good + bad + good + DONE])
        await peer.end()

    house.models.play = play
    for way, _, answer in await everyone(house, [(way, True) for way in STREAMED]):
        check_late(way, answer, "upstream_malformed")
    assert CANARY not in str(house.logs.lines)


STRANGE = [
    b'data: {"choices":[{"delta":{"content":["x"]},"text":["x"]}]}\n\n',
    b'data: {"choices":[{"delta":{"content":5},"text":5}]}\n\n',
    b'data: {"choices":"abc"}\n\n',
    b'data: {"choices":[{"delta":{"content":"\xff"},"text":"\xff"}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"\\ud800"},"text":"\\ud800"}]}\n\n',
    b'data: {"choices":[{"delta":{"content":NaN},"text":NaN}]}\n\n',
]


@pytest.mark.parametrize("bad", STRANGE)
async def test_event_of_another_form(house: House, bad: bytes) -> None:
    """What looks like an event is passed on where bytes are, and the client judges; elsewhere it is an error."""

    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "one"))
        await asyncio.sleep(0.02)  # a part of its own
        await peer.events([bad, DONE])
        await peer.end()

    house.models.play = play
    for way, _, answer in await everyone(house, [(way, True) for way in STREAMED]):
        if way.relay:
            assert answer.body.endswith(bad + DONE)
        else:
            check_late(way, answer, "upstream_malformed")


async def test_event_without_a_text(house: House) -> None:
    """Nothing to add to code; where a message was asked for it is an error."""
    bad = b'data: {"choices":[{}]}\n\n'

    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "one"))
        await asyncio.sleep(0.02)  # a part of its own
        await peer.events([bad, DONE])
        await peer.end()

    house.models.play = play
    for way, _, answer in await everyone(house, [(way, True) for way in STREAMED]):
        chat = way.style in {"lines", "ollama"} or way.prompt or "generation" in way.name
        if way.relay:
            assert answer.body.endswith(bad + DONE)
        elif chat:
            check_late(way, answer, "upstream_malformed")
        else:
            assert streamed_text(way, answer.body) == "one"
            assert ended(way, answer)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -5, "completion_tokens": -1},
        {"prompt_tokens": "many", "completion_tokens": None},
        {"prompt_tokens": 1.5, "completion_tokens": 1e300},
        {"prompt_tokens": 10**30},
        [],
        "x",
        None,
    ],
    ids=repr,
)
async def test_odd_usage_hurts_nobody(house: House, usage: Any) -> None:
    async def play(peer: Peer) -> None:
        parts = [*stream(peer.kind, ["one"])[:-2], event({"choices": [], "usage": usage}), DONE]
        await peer.head()
        await peer.events(parts)
        await peer.end()

    house.models.play = play
    for way, _, answer in await everyone(house, [(way, True) for way in STREAMED]):
        assert ended(way, answer)
        assert streamed_text(way, answer.body) == "one"
    assert len(house.records()) == len(STREAMED)


FORGIVEN: dict[str, Callable[[str], list[bytes]]] = {
    "no space after the colon": lambda kind: [p.replace(b"data: ", b"data:") for p in stream(kind, ["one"])],
    "CRLF": lambda kind: [p.replace(b"\n", b"\r\n") for p in stream(kind, ["one"])],
    "CRLF, all at once": lambda kind: [b"".join(stream(kind, ["one"])).replace(b"\n", b"\r\n")],
    "comments": lambda kind: [
        b": ping\n\n",
        *stream(kind, ["one"])[:1],
        b": " + b"x" * 9999 + b"\n\n",
        *stream(kind, []),
    ],
    "end mark twice": lambda kind: [*stream(kind, ["one"]), DONE],
    "text after the end mark": lambda kind: [*stream(kind, ["one"]), piece(kind, "never")],
    "no line end after the end mark": lambda kind: [*stream(kind, ["one"])[:-1], DONE.strip()],
    "names and ids": lambda kind: [b"event: x\nid: 1\nretry: 5\n" + p for p in stream(kind, ["one"])],
    "end mark without space": lambda kind: [*stream(kind, ["one"])[:-1], b"data:[DONE]\n\n"],
    "many tiny events": lambda kind: [b"".join([*[piece(kind, "")] * 2000, *stream(kind, ["one"])])],
}


@pytest.mark.parametrize("oddity", FORGIVEN)
async def test_forgiven_oddities(house: House, oddity: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.events(FORGIVEN[oddity](peer.kind))
        await peer.end()

    house.models.play = play
    for way, _, answer in await everyone(house, [(way, True) for way in STREAMED]):
        assert answer.whole, way.name
        text = (
            streamed_text(way, answer.body.partition(b"data: [DONE]")[0])
            if way.relay
            else streamed_text(way, answer.body)
        )
        assert text == "one"
        assert ended(way, answer) or oddity == "end mark without space"


@pytest.mark.parametrize("fault", AFTER)
async def test_what_comes_after_an_answer_hurts_nobody(house: House, fault: str) -> None:
    """Not this request, and not the next one on the same connection."""
    house.models.play = AFTER[fault]
    for _ in range(2):
        for way, stream_, answer in await everyone(house, ASKED):
            assert (answer.status, answer.whole) == (200, True), way.name
            assert text_of(way, answer, stream=stream_) == ALL
    assert {record["outcome"] for record in house.records()} == {"completed"}
    assert CANARY not in str(house.logs.lines)


@pytest.mark.parametrize(("way", "stream_"), [ASKED[0], ASKED[1], ASKED[6], ASKED[7]], ids=named)
async def test_chunk_without_end_is_cut(house: House, way: Way, stream_: bool) -> None:  # noqa: FBT001 (a case)
    """A document is read up to 16 MiB, an event up to 1."""
    house.models.play = huge_chunk
    answer = await house.post(way.path, way.body(stream_))
    check_early(way, answer, "upstream_malformed")
    (peer,) = house.models.heard
    await asyncio.wait_for(peer.closed.wait(), 5)
    assert peer.accepted < (8 if stream_ else 32) * 2**20


async def test_comments_without_end_are_bounded(house: House) -> None:
    """They keep a stream alive, for as long as an answer may take at all."""

    async def play(peer: Peer) -> None:
        await peer.head()
        while not peer.closed.is_set():
            await peer.chunk(b": still here\n\n")
            await asyncio.sleep(0.02)

    house.models.play = play
    house.limit(**(SHORT | {"total_s": 0.7}))
    for way, _, answer in await everyone(house, [(way, True) for way in STREAMED]):
        (check_broken if way.relay else check_early)(way, answer, "upstream_timeout")


async def test_server_that_lingers_after_its_end_mark_delays_nobody(house: House) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.events(stream(peer.kind, ["one"]))
        await peer.hang()

    house.models.play = play
    for way, _, answer in await everyone(house, [(way, True) for way in STREAMED]):
        assert ended(way, answer)
        assert streamed_text(way, answer.body) == "one"
    assert {record["outcome"] for record in house.records()} == {"completed"}
    assert all(peer.closed.is_set() for peer in house.models.heard)


async def test_answer_until_close_without_a_length(house: House) -> None:
    async def play(peer: Peer) -> None:
        await peer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + b"".join(stream(peer.kind, ["one"]))
        )
        peer.close()

    house.models.play = play
    for way, _, answer in await everyone(house, [(way, True) for way in STREAMED]):
        assert streamed_text(way, answer.body) == "one"
        assert ended(way, answer)


async def test_slow_drip_flows(house: House) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        for part in stream(peer.kind, ["o", "n", "e"]):
            await peer.chunk(part)
            await asyncio.sleep(0.03)
        await peer.end()

    house.models.play = play
    for way, _, answer in await everyone(house, [(way, True) for way in STREAMED]):
        assert streamed_text(way, answer.body) == "one"


async def test_total_time_is_capped(house: House) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        while not peer.closed.is_set():
            await peer.chunk(piece(peer.kind, "x"))
            await asyncio.sleep(0.02)

    house.models.play = play
    house.limit(total_s=0.3)
    for way, _, answer in await everyone(house, [(way, True) for way in STREAMED]):
        check_broken(way, answer, "upstream_timeout")
        assert set(streamed_text(way, answer.body)) == {"x"}
    assert {record["error_code"] for record in house.records()} == {"upstream_timeout"}
    assert {record["outcome"] for record in house.records()} == {"broken"}


@pytest.mark.parametrize("begun", [False, True], ids=["before the first byte", "after it"])
async def test_what_nobody_expected_is_told_as_any_failure(
    house: House,
    begun: bool,  # noqa: FBT001 (a parameter of the test)
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fault of our own: every protocol says so in its way, and what it says stays in the process."""

    async def fail(*_: Any) -> AsyncGenerator[Chunk, None]:
        if begun:
            yield Chunk("one\n" * 5)
        raise RuntimeError(CANARY)

    monkeypatch.setitem(house.app.door.bench.generate, "openai", fail)
    asked = [(way, stream) for way, stream in ASKED if stream or not begun]
    for way, _, answer in await everyone(house, asked):
        text = answer.body.decode()
        assert CANARY not in text
        if begun:
            check_broken(way, answer, "internal_error")
            continue
        assert (answer.status, answer.whole) == (way.status(500, 500), True), way.name
        assert str(answer.header("x-request-id")) in error_text(way, answer)
    told = [line for line in house.logs.lines if line["level"] == "error"]
    records = {record["correlation_id"]: record["error_code"] for record in house.records()}
    assert {line["correlation_id"] for line in told} == records.keys()
    assert set(records.values()) == {"internal_error"}
    assert CANARY not in str(house.logs.lines)
    house.logs.lines[:] = [line for line in house.logs.lines if line not in told]


async def test_dead_pooled_connection_is_replaced_unseen(house: House) -> None:
    """A server closes an idle connection just as the next request goes out on it."""

    async def play(peer: Peer) -> None:
        await house.models.behave(peer)
        if len(house.models.heard) % 2:
            peer.reset()

    house.models.play = play
    for way, stream_ in ASKED:
        answer = await house.post(way.path, way.body(stream_))
        assert answer.status == 200


async def test_refused_then_back_again(house: House) -> None:
    """After a fault is lifted the next request succeeds: nothing is remembered against a model."""
    (way, *_) = WAYS
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    good = house.snapshot
    house.snapshot = good.with_models(*(replace(each, endpoint=gone) for each in good.models.values()))
    assert (await house.post(way.path, way.plain)).status == 502
    house.snapshot = good
    assert (await house.post(way.path, way.plain)).status == 200

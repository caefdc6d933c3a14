"""Trouble at the model server, and errors of every kind."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from script import Peer, event, piece

from conformance import Site, case, components, detail, file

V2 = "/v2/code/completions"
GENERATIONS = "/v2/code/generations"
V3 = "/v3/code/completions"
V4 = "/v4/code/suggestions"
CANARY = "canary-of-the-model-server"
Play = Callable[[Peer], Awaitable[None]]


def asking(site: Site, path: str, *, stream: bool = False) -> dict[str, Any]:
    if path in {V3, V4}:
        return {**components("completion", stream=stream), "model_metadata": site.metadata}
    return {"current_file": file(), **site.flat, "prompt": "", "stream": stream}


def refusing(status: int, **headers: str) -> Play:
    async def play(peer: Peer) -> None:
        await peer.document({"error": {"message": CANARY}}, status, **headers)

    return play


async def reset(peer: Peer) -> None:
    peer.reset()


async def garbage(peer: Peer) -> None:
    await peer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


async def html(peer: Peer) -> None:
    await peer.document(f"<html>{CANARY}</html>".encode(), 200, "text/html")


async def strange(peer: Peer) -> None:
    await peer.document({"choices": CANARY})


async def breaks_off(peer: Peer) -> None:
    await peer.head()
    await peer.chunk(piece(peer.kind, "one"))
    peer.close()


async def error_event(peer: Peer) -> None:
    await peer.head()
    await peer.chunk(piece(peer.kind, "one"))
    await peer.chunk(event({"error": {"message": CANARY}}))
    await peer.end()


EARLY: dict[str, Play] = {
    "401": refusing(401),
    "403": refusing(403),
    "404": refusing(404),
    "408": refusing(408),
    "400": refusing(400),
    "500": refusing(500),
    "502": refusing(502),
    "a reset": reset,
    "something that is not HTTP": garbage,
    "an HTML page": html,
    "JSON of another form": strange,
    "a hang": Peer.hang,
}

for path in (V2, GENERATIONS, V3, V4):
    for name, play in EARLY.items():

        @case(
            "3.4", f"what the model server gets wrong is 421 with a text, in a stream too | {path}, {name}", path, play
        )
        async def early(site: Site, path: str, play: Play) -> None:
            site.theirs.play = play
            for stream in (False, True):
                answer = await site.post(path, asking(site, path, stream=stream))
                assert answer.status == 421
                assert "their-model" in detail(answer)
                assert "correlation id" in detail(answer)
                assert CANARY not in answer.body.decode()

    for status in (429, 503):

        @case("3.4", f"a busy model server is 429, and Retry-After is passed on | {path}, {status}", path, status)
        async def busy(site: Site, path: str, status: int) -> None:
            site.theirs.play = refusing(status, Retry_After="7")
            answer = await site.post(path, asking(site, path))
            assert answer.status == 429
            assert answer.header("retry-after") == "7"
            assert detail(answer)
            assert len(site.theirs.heard) == 1

        @case("3.7", f"a 429 always says when to come back | {path}, {status}", path, status)
        async def busy_without_a_time(site: Site, path: str, status: int) -> None:
            site.theirs.play = refusing(status)
            answer = await site.post(path, asking(site, path))
            assert (answer.status, answer.header("retry-after")) == (429, "1")

    for name, play in (("breaks off", breaks_off), ("reports an error in the middle", error_event)):

        @case("3.6", f"a broken stream never looks complete | {path}, {name}", path, play)
        async def broken(site: Site, path: str, play: Play) -> None:
            site.theirs.play = play
            answer = await site.post(path, asking(site, path, stream=True))
            assert answer.status == 200
            assert not answer.whole
            assert b"stream_end" not in answer.body
            assert CANARY not in answer.body.decode()


for path in (V2, GENERATIONS, V3, V4):
    for finish in ("stop", "length"):

        @case("3.6", f"a stream that finished and ended properly needs no end mark | {path}, {finish}", path, finish)
        async def no_end_mark(site: Site, path: str, finish: str) -> None:
            async def play(peer: Peer) -> None:
                await peer.head()
                await peer.events([piece(peer.kind, "one"), piece(peer.kind, " + two", finish)])
                await peer.end()

            site.theirs.play = play
            answer = await site.post(path, asking(site, path, stream=True))
            assert (answer.status, answer.whole) == (200, True)
            assert b"two" in answer.body
            assert (await site.house.record())["outcome"] == "completed"

    @case("3.6", f"one that ended properly without having finished is broken | {path}", path)
    async def unfinished(site: Site, path: str) -> None:
        async def play(peer: Peer) -> None:
            await peer.head()
            await peer.chunk(piece(peer.kind, "one"))
            await peer.end()

        site.theirs.play = play
        answer = await site.post(path, asking(site, path, stream=True))
        assert (answer.status, answer.whole) == (200, False)

    @case("3.6", f"one that finished and was then cut off is broken | {path}", path)
    async def finished_and_cut(site: Site, path: str) -> None:
        async def play(peer: Peer) -> None:
            await peer.head()
            await peer.events([piece(peer.kind, "one"), piece(peer.kind, " + two", "stop")])
            peer.close()

        site.theirs.play = play
        answer = await site.post(path, asking(site, path, stream=True))
        assert (answer.status, answer.whole) == (200, False)


@case("3.4", "nobody at the endpoint: 421 that says so, and where to look")
async def nobody(site: Site) -> None:
    body = {**asking(site, V2), "model_endpoint": "http://127.0.0.1:9/v1"}
    answer = await site.post(V2, body)
    assert answer.status == 421
    assert "nobody listens" in detail(answer)
    assert "Self-hosted models" in detail(answer)


@case("3.4", "a name that cannot be resolved: 421 that says so")
async def no_name(site: Site) -> None:
    body = {**asking(site, V2), "model_endpoint": "http://no-such-host.invalid:8000/v1"}
    answer = await site.post(V2, body)
    assert answer.status == 421
    assert "cannot be resolved" in detail(answer)


NOT_JSON = (
    b"",
    b"{",
    b"[]",
    b"null",
    b"7",
    b'"x"',
    b"\xff\xfe",
    b"{'a': 1}",
    b'{"a": NaN}',
    b'{"a": Infinity}',
    b"\x00" * 64,
)

for path in (V2, V4):
    for body in NOT_JSON:

        @case("3.2", f"a body that is not a JSON object is 422 with a list | {path}, {body[:12]!r}", path, body)
        async def not_json(site: Site, path: str, body: bytes) -> None:
            answer = await site.post(path, body)
            assert answer.status == 422
            assert detail(answer)

    @case("3.2", f"JSON that is 5,000 levels deep is 422 with a list | {path}", path)
    async def deep(site: Site, path: str) -> None:
        answer = await site.post(path, b'{"a":' * 5000 + b"1" + b"}" * 5000)
        assert answer.status == 422
        assert detail(answer)

    @case("3.1", f"a body beyond the limit is 413 with a list | {path}", path)
    async def large(site: Site, path: str) -> None:
        answer = await site.post(path, json.dumps({"x": "y" * (4 * 1024 * 1024)}).encode())
        assert answer.status == 413
        assert "HOMEPORT_BODY_LIMIT" in detail(answer)

    @case("3.2", f"a compressed body is 415 with a list | {path}", path)
    async def compressed(site: Site, path: str) -> None:
        answer = await site.post(path, b"x", Content_Encoding="gzip")
        assert answer.status == 415
        assert detail(answer)

    @case("3.2", f"GET is 405 with a list and Allow | {path}", path)
    async def method(site: Site, path: str) -> None:
        answer = await site.house.ask("GET", path, None, {}, site.token())
        assert answer.status == 405
        assert answer.header("allow") == "POST"
        assert detail(answer)


@case("3.3", "an unknown path is 404 with a list that GitLab can read")
async def unknown_path(site: Site) -> None:
    answer = await site.post("/v9/never", {})
    assert answer.status == 404
    assert answer.json["detail"][0]["msg"]


@case("3.7", "every answer carries X-Request-ID and X-Process-Time, errors included")
async def answer_headers(site: Site) -> None:
    for body in (asking(site, V2), {}):
        answer = await site.post(V2, body, X_Request_ID="abc-1")
        assert answer.header("x-request-id") == "abc-1"
        assert float(answer.header("x-process-time") or "-1") >= 0


for given in ("", "a b", "x" * 65, "http://evil", "../x", "ä", "a:b"):

    @case("3.7", f"a correlation id that is not plain is replaced by one of ours | {given[:12]!r}", given)
    async def bad_id(site: Site, given: str) -> None:
        answer = await site.post(V2, asking(site, V2), X_Request_ID=given)
        assert answer.header("x-request-id") not in {None, given}


for given in ("0a1b2c3d", "01HXYZ", "a.b-c_d", "4f1c6a9e-7d6b-4d0a-9f53-2f6f7a2c1d10"):

    @case("3.7", f"a plain correlation id is kept and echoed | {given!r}", given)
    async def good_id(site: Site, given: str) -> None:
        assert (await site.post(V2, asking(site, V2), X_Request_ID=given)).header("x-request-id") == given


@case("3.7", "no CORS headers are sent")
async def no_cors(site: Site) -> None:
    answer = await site.post(V2, asking(site, V2), Origin="https://evil.test")
    assert not [name for name, _ in answer.headers if name.startswith("access-control")]


@case("12.1", "healthz answers 200 with JSON and without a token")
async def healthz(site: Site) -> None:
    answer = await site.house.get("/monitoring/healthz", token="")
    assert answer.status == 200
    assert answer.json["status"] == "ok"


@case("12.2", "ready answers 200 without calling a model")
async def ready(site: Site) -> None:
    answer = await site.house.get("/monitoring/ready", token="")
    assert answer.status == 200
    assert not site.theirs.heard
    assert not site.house.models.heard


@case("12.4", "the API's description and its pages are there")
async def documents(site: Site) -> None:
    assert (await site.house.get("/openapi.json", token="")).json["openapi"].startswith("3.1")
    assert (await site.house.get("/docs", token="")).status == 200


@case("17.2", "the end-to-end probe gets a text, whatever the model says to so little code")
async def probe(site: Site) -> None:
    current = {"file_name": "test.rb", "content_above_cursor": "def hello_world", "content_below_cursor": ""}
    for words in ("\n  puts 'Hello'\nend", "()\nend", " # comment", "\n", "end"):
        site.answers(words)
        site.house.models.words = [words]
        answer = await site.post(V2, {"current_file": current, **site.flat})
        if words.strip():
            assert answer.json["choices"][0]["text"].strip()
        assert (await site.post(V2, {"current_file": current, "prompt_version": 1, "telemetry": []})).status == 200

"""Every way to ask, in front of every cloud: the answer, the failure, the leaving, and no secret anywhere."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from clouds import ACCESS, EVENT_STREAM, REGION, SECRET, WORDS, Aws, converse_stream, delta, exception, refuse
from house import asking, eventually
from script import document, event, piece, stream
from ways import ASKED, STREAMED, ended, named, text_of

from homeport.domain.models import Secret
from homeport.providers import _unwanted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from house import House
    from script import Peer
    from ways import Way

    Play = Callable[[Peer], Awaitable[None]]

KEY = "canary-key-of-the-cloud-77"
PLATFORMS = ("bedrock", "azure", "anthropic")
each_platform = pytest.mark.parametrize("platform", PLATFORMS)
each_request = pytest.mark.parametrize(("way", "stream"), ASKED, ids=named)
some_requests = pytest.mark.parametrize(("way", "stream"), ASKED[::4], ids=named)
"""Of every kind of framing, one; that each way does the same with every failure is proved with OpenAI's format."""


def claude(data: dict[str, Any]) -> bytes:
    return f"event: {data['type']}\n".encode() + event(data)


def claude_words(words: tuple[str, ...]) -> list[bytes]:
    return [
        claude({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}})
        for word in words
    ]


CLAUDE_END = [
    claude({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}),
    claude({"type": "message_stop"}),
]


class Cloud:
    """One platform at the house's model server."""

    def __init__(self, platform: str, house: House, patch: pytest.MonkeyPatch) -> None:
        self.platform = platform
        self.house = house
        self.aws = Aws()
        url = house.models.url.removesuffix("/v1")
        patch.setattr(_unwanted, "_learned", type(_unwanted._learned)())  # noqa: SLF001 (what it remembers)
        patch.setenv("AWS_BEDROCK_RUNTIME_ENDPOINT", url)
        patch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_REGION_NAME", REGION)
        for name in house.snapshot.models:
            own: dict[str, Any] = {"endpoint": "", "key": Secret()} if platform == "bedrock" else {"key": Secret(KEY)}
            family = "claude_3" if platform != "azure" else "gpt"
            model = house.model(name, family=family, **own)
            house.snapshot = house.snapshot.with_models(type(model)(**{**_fields(model), "platform": platform}))
        house.models.play = self.aws if platform == "bedrock" else self.behave

    def play(self, play: Play) -> None:
        """Answer so, once the signature is right."""
        if self.platform == "bedrock":
            self.aws.play = play
        else:
            self.house.models.play = play

    async def behave(self, peer: Peer) -> None:
        """Azure and Anthropic as they should be."""
        if not peer.json["stream"]:
            content = {"content": [{"type": "text", "text": "".join(WORDS)}], "stop_reason": "end_turn"}
            await peer.document(document("chat", "".join(WORDS)) if self.platform == "azure" else content)
            return
        await peer.head()
        await peer.events(stream("chat", WORDS) if self.platform == "azure" else [*claude_words(WORDS), *CLAUDE_END])
        await peer.end()

    async def begin(self, peer: Peer) -> None:
        """A stream that has said one word."""
        first = {
            "bedrock": converse_stream()[0] + delta("one"),
            "azure": piece("chat", "one"),
            "anthropic": claude_words(("one",))[0],
        }
        await peer.head(200, EVENT_STREAM if self.platform == "bedrock" else "text/event-stream")
        await peer.chunk(first[self.platform])


def _fields(model: Any) -> dict[str, Any]:
    return {name: getattr(model, name) for name in type(model).__dataclass_fields__}


@pytest.fixture
def cloud(house: House, platform: str, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    return Cloud(platform, house, monkeypatch)


@each_platform
@each_request
async def test_the_answer(cloud: Cloud, way: Way, *, stream: bool) -> None:
    answer = await cloud.house.post(way.path, way.body(stream))
    assert (answer.status, answer.whole) == (200, True)
    assert text_of(way, answer, stream=stream) == "one + two"
    if stream:
        assert ended(way, answer)
    record = await cloud.house.record()
    assert (record["outcome"], record["platform"]) == ("completed", cloud.platform)


@each_platform
@pytest.mark.parametrize("way", STREAMED[::2], ids=named)
async def test_a_stream_that_breaks_never_looks_complete(cloud: Cloud, way: Way) -> None:
    async def cut(peer: Peer) -> None:
        await cloud.begin(peer)
        peer.reset()

    async def short(peer: Peer) -> None:
        await cloud.begin(peer)
        await peer.end()

    async def fails(peer: Peer) -> None:
        await cloud.begin(peer)
        if cloud.platform == "bedrock":
            await peer.chunk(exception("modelStreamErrorException"))
        else:
            await peer.chunk(claude({"type": "error", "error": {"type": "overloaded_error", "message": "canary"}}))
        await peer.end()

    for play in (cut, short, fails):
        cloud.play(play)
        answer = await cloud.house.post(way.path, way.streaming)
        if answer.status == 200:
            assert way.style not in {"raw", "openai"} or not answer.whole
            assert way.style in {"raw", "lines"} or not ended(way, answer)
        else:
            # the failure came together with the first word, and so before the head
            assert answer.status in {421, 502, 503}
        assert b"canary" not in answer.body
    await eventually(lambda: len(cloud.house.records()) == 3)
    assert "completed" not in {record["outcome"] for record in cloud.house.records()}


@each_platform
@some_requests
async def test_a_refusal_is_a_clear_answer_without_its_words(cloud: Cloud, way: Way, *, stream: bool) -> None:
    async def play(peer: Peer) -> None:
        if cloud.platform == "bedrock":
            await refuse(peer, 429, "ThrottlingException", "canary words", Retry_After=7)
        else:
            await peer.document({"error": {"message": "canary words"}}, 429, Retry_After=7)

    cloud.play(play)
    answer = await cloud.house.post(way.path, way.body(stream))
    assert answer.status == way.status(503, 429)
    assert answer.header("retry-after") == (None if way.style == "lines" else "7")
    assert b"overloaded" in answer.body
    assert b"canary" not in answer.body


@each_platform
@some_requests
async def test_who_leaves_cuts_the_connection(cloud: Cloud, way: Way, *, stream: bool) -> None:
    cloud.house.limit(first_token_s=30, idle_s=30, total_s=60)

    async def hang(peer: Peer) -> None:
        if stream:
            await cloud.begin(peer)
        await peer.hang()

    cloud.play(hang)
    async with cloud.house.line() as wire:
        await wire.send(asking("POST", way.path, way.body(stream)))
        peer = await cloud.house.models.next()
        await asyncio.sleep(0.01)
        wire.leave(reset=True)
        left = time.perf_counter()
        await asyncio.wait_for(peer.closed.wait(), 5)
    assert peer.closed_at - left < 5
    record = await cloud.house.record()
    assert record["outcome"] == "client_closed"


@each_platform
async def test_no_secret_in_any_line(cloud: Cloud) -> None:
    async def refused(peer: Peer) -> None:
        await peer.document({"message": f"{KEY} {SECRET}", "error": {"message": KEY}}, 403)

    asked = [(way.path, way.body(streamed)) for way, streamed in ASKED[::3]]
    for path, body in asked:
        await cloud.house.post(path, body)
    cloud.play(refused)
    answers = [await cloud.house.post(path, body) for path, body in asked]
    await eventually(cloud.house.quiet)
    told = json.dumps(cloud.house.logs.lines, default=str) + "".join(str(each.body) for each in answers)
    assert KEY not in told
    assert SECRET not in told
    assert ACCESS not in told

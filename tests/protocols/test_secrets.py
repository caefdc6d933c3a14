"""Keys and tokens are in no output at all; code, prompts and answers are in none but the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from house import KEY, TOKEN, Ledger, opened
from prometheus_client import generate_latest
from script import event, piece
from ways import ASKED, MESSAGES, WAYS

from homeport.access import tokens
from homeport.kit.logs import readable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from house import House
    from script import Peer
    from ways import Way

PROMPT = "canary-in-the-prompt-5a1f"
ANSWER = "canary-in-the-answer-77bd"
FROM_SERVER = "canary-in-the-servers-error-31c9"
WRONG_TOKEN = tokens.mint()


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[tuple[House, Path]]:
    """A house that also writes its log to a file."""
    file = tmp_path / "logs" / "homeport.log"
    async with opened(file=file) as house:
        yield house, file


def planted(value: Any) -> Any:
    """A request whose every text of the user's holds the canary."""
    if isinstance(value, dict):
        kept = {"type", "role", "file_name", "category", "model"}
        return {name: each if name in kept else planted(each) for name, each in value.items()}
    if isinstance(value, list):
        return [planted(each) for each in value]
    return f"# {PROMPT}\n{value}" if isinstance(value, str) else value


async def honest(peer: Peer) -> None:
    if peer.json["stream"]:
        await peer.head()
        await peer.events([piece(peer.kind, ANSWER), b"data: [DONE]\n\n"])
        await peer.end()
    else:
        choice = {"text": ANSWER, "message": {"content": ANSWER}, "finish_reason": "stop"}
        await peer.document({"choices": [choice]})


async def refusing(peer: Peer) -> None:
    await peer.document({"error": {"message": f"{FROM_SERVER} {PROMPT} {KEY}"}}, 500)


async def rejecting(peer: Peer) -> None:
    await peer.document({"message": f"maximum context length {FROM_SERVER} {PROMPT} {KEY}"}, 400)


async def malformed(peer: Peer) -> None:
    await peer.document(f"<html>{FROM_SERVER} {PROMPT} {KEY}".encode(), 200, "text/html")


async def failing_later(peer: Peer) -> None:
    await peer.head()
    await peer.chunk(piece(peer.kind, ANSWER))
    await peer.chunk(event({"error": {"message": f"{FROM_SERVER} {PROMPT} {KEY}"}}))
    await peer.end()


async def breaking(peer: Peer) -> None:
    await peer.head()
    await peer.chunk(piece(peer.kind, ANSWER))
    await peer.write(f"zz {FROM_SERVER} {PROMPT} {KEY}\r\n".encode())


async def test_canaries(watched: tuple[House, Path]) -> None:
    house, file = watched
    outputs = ""
    for play in (honest, refusing, rejecting, malformed, failing_later, breaking):
        house.models.play = play
        for way, stream in ASKED:
            answer = await house.post(way.path, planted(way.body(stream)))
            text = answer.body.decode()
            for canary in (KEY, TOKEN, FROM_SERVER, PROMPT):
                assert canary not in text, (way.name, play.__name__)
            outputs += str(answer.headers)
    outputs += await wrong_requests(house)
    records = house.records()
    assert len(records) == house.asked > 100
    outputs += str(house.logs.lines) + generate_latest(house.metrics.registry).decode()
    outputs += repr(house.snapshot) + repr(house.app.door.__dict__)
    house.logs.close()
    written = file.read_text()
    assert written.count("\n") == len(house.logs.lines)
    for canary in (KEY, TOKEN, WRONG_TOKEN, PROMPT, ANSWER, FROM_SERVER):
        assert canary not in outputs + written


async def wrong_requests(house: House) -> str:
    """Answers to requests that are wrong in ways that could be repeated to somebody."""
    found = ""
    for way in WAYS:
        for token, body in (
            (WRONG_TOKEN, way.plain),
            (TOKEN, f'{{"{PROMPT}": '.encode()),
            (TOKEN, {PROMPT: PROMPT}),
            (TOKEN, wrong(way)),
        ):
            answer = await house.post(way.path, body, token=token)
            assert 400 <= answer.status < 500
            found += answer.body.decode()
    return found


def wrong(way: Way) -> dict[str, Any]:
    return planted(way.plain) | {
        "messages": [{"role": PROMPT, "content": [PROMPT]}],
        "prompt": {PROMPT: PROMPT},
        "current_file": {"file_name": [PROMPT], PROMPT: PROMPT},
        "prompt_components": [{"type": PROMPT, "payload": {}}],
        "temperature": PROMPT,
        "logit_bias": {PROMPT: PROMPT},
    }


async def test_metrics_page_counts_without_content(house: House) -> None:
    for way, stream in ASKED:
        await house.post(way.path, planted(way.body(stream)))
    house.records()
    page = generate_latest(house.metrics.registry).decode()
    assert 'http_request_duration_seconds_count{handler="/v1/chat/completions",method="POST",status="2xx"}' in page
    assert 'homeport_answers_total{feature="chat",model_name="words-model",outcome="completed"}' in page
    assert "inference_input_tokens_total" in page
    assert PROMPT not in page


async def test_readable_lines_cannot_be_forged(house: House) -> None:
    forged = "x\r\n12:00:00 info    POST /forged 200\x1b[31m\u2028\u202e"
    await house.post("/v1/chat/completions", {"model": forged, "messages": MESSAGES})
    await house.get("/%0a%0d12:00:00%20info%20forged%1b[31m")
    await house.get("/", User_Agent="\xa0\xad\xff")
    assert len(house.records()) == 3
    for line in house.logs.lines:
        assert readable(line).isprintable()


def test_ledger_is_the_real_thing() -> None:
    assert Ledger.__mro__[1].__module__ == "homeport.kit.logs"

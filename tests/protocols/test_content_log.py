"""Content in the log: only where the operator allows it, in events of its own, bounded, without keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from house import FIM, KEY, TOKEN, House, asking, eventually, opened
from script import piece
from ways import ASKED, FILE, MESSAGES, named

from homeport.access import tokens
from homeport.features._content import LIMIT
from homeport.kit.journal import MASK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from script import Peer
    from ways import Way

PROMPT, ANSWER = "canary-in-the-prompt-91", "canary-in-the-answer-92"
ASKS = {"x-gitlab-enabled-instance-verbose-ai-logs": "true"}
CODE = {"current_file": {**FILE, "content_above_cursor": f"# {PROMPT}\ndef add(a, b):\n    return "}}


async def answering(peer: Peer) -> None:
    if peer.json["stream"]:
        await peer.head()
        await peer.events([piece(peer.kind, ANSWER[:9]), piece(peer.kind, ANSWER[9:], "stop"), b"data: [DONE]\n\n"])
        await peer.end()
    else:
        choice = {"text": ANSWER, "message": {"content": ANSWER}, "finish_reason": "stop"}
        await peer.document({"choices": [choice]})


@pytest.fixture(scope="module", params=["never", "header", "always"])
async def deciding(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, House]]:
    """A gateway whose operator decided so."""
    async with opened(log_content=request.param) as house:
        yield request.param, house


@pytest.fixture
async def mode_and_house(deciding: tuple[str, House]) -> AsyncIterator[tuple[str, House]]:
    """The same, freshly furnished."""
    mode, house = deciding
    house.furnish()
    house.models.forget()
    house.models.play = answering
    house.records()
    house.logs.lines.clear()
    house.asked = 0
    yield mode, house
    await eventually(house.quiet)


def content(house: House) -> list[dict[str, Any]]:
    return [line for line in house.logs.lines if line["logger"] == "api.content"]


@pytest.mark.parametrize("headers", [{}, {"x-gitlab-enabled-instance-verbose-ai-logs": "false"}, ASKS], ids=str)
async def test_who_decides(mode_and_house: tuple[str, House], headers: dict[str, str]) -> None:
    mode, house = mode_and_house
    await house.ask("POST", "/v2/code/completions", CODE, headers)
    record = await house.record()
    wanted = mode == "always" or (mode == "header" and headers is ASKS)
    found = content(house)
    assert len(found) == (2 if wanted else 0)
    if wanted:
        said, heard = found
        assert PROMPT in said["prompt"]
        assert said["prompt_length"] == len(said["prompt"]) == record["prompt_length"]
        assert heard["answer"] == ANSWER
        assert heard["answer_length"] == len(ANSWER)
        assert {each["correlation_id"] for each in found} == {record["correlation_id"]}
        assert {each["model"] for each in found} == {FIM}
    assert (PROMPT in str(house.logs.lines)) is wanted
    assert (ANSWER in str(house.logs.lines)) is wanted
    assert PROMPT not in str(record)


@pytest.mark.parametrize(
    ("flags", "asks"),
    [
        ("expanded_ai_logging", True),
        ("a,expanded_ai_logging,b", True),
        ("a, expanded_ai_logging ,b", True),
        ("expanded_ai_logging_v2", False),
        ("not_expanded_ai_logging,a", False),
        ("expanded_ai,_logging", False),
    ],
)
async def test_the_flag_of_older_versions(mode_and_house: tuple[str, House], flags: str, *, asks: bool) -> None:
    mode, house = mode_and_house
    await house.ask("POST", "/v2/code/completions", CODE, {"x-gitlab-enabled-feature-flags": flags})
    await house.record()
    assert len(content(house)) == (2 if mode == "always" or (mode == "header" and asks) else 0)


async def test_who_asks_in_vain_is_told_of_once(mode_and_house: tuple[str, House]) -> None:
    mode, house = mode_and_house
    house.app.door._told = False  # noqa: SLF001 (another test may have asked already)
    for _ in range(3):
        await house.ask("POST", "/v2/code/completions", CODE, ASKS)
    told = [line for line in house.logs.lines if "HOMEPORT_LOG_CONTENT" in line.get("fix", "")]
    assert len(told) == (mode == "never")


@pytest.mark.parametrize(("way", "stream"), ASKED, ids=named)
async def test_every_way(mode_and_house: tuple[str, House], way: Way, stream: bool) -> None:  # noqa: FBT001 (a case)
    mode, house = mode_and_house
    await house.ask("POST", way.path, way.body(stream), ASKS)
    await house.record()
    found = content(house)
    assert len(found) == (0 if mode == "never" else 2)
    if found:
        assert [name for each in found for name in ("prompt", "answer") if name in each] == ["prompt", "answer"]
        assert ANSWER[:9] in found[1]["answer"]


async def test_a_refused_caller_has_nothing_logged(mode_and_house: tuple[str, House]) -> None:
    _mode, house = mode_and_house
    await house.ask("POST", "/v2/code/completions", CODE, ASKS, token="wrong")
    await house.ask("POST", "/v2/code/completions", {**CODE, "stream": PROMPT}, ASKS)
    await house.record(2)
    assert PROMPT not in str(house.logs.lines)


async def test_conversations_are_json(mode_and_house: tuple[str, House]) -> None:
    mode, house = mode_and_house
    tools = [{"type": "function", "function": {"name": "look"}}]
    await house.ask("POST", "/v1/chat/completions", {"messages": MESSAGES, "tools": tools}, ASKS)
    await house.record()
    if mode != "never":
        assert json.loads(content(house)[0]["prompt"]) == {"messages": MESSAGES, "tools": tools}


async def test_keys_are_masked(mode_and_house: tuple[str, House]) -> None:
    mode, house = mode_and_house
    other = tokens.mint()
    jwt = f"eyJ{'a' * 20}.{'b' * 20}.{'c' * 20}"
    secrets = [KEY, TOKEN, other, jwt, "glpat-" + "x" * 20, "sk-" + "y" * 40]

    async def telling(peer: Peer) -> None:
        text = " ".join(secrets)
        await peer.document({"choices": [{"text": text, "message": {"content": text}, "finish_reason": "stop"}]})

    house.models.play = telling
    body = {"messages": [{"role": "user", "content": f"{PROMPT} " + " ".join(secrets)}]}
    await house.ask("POST", "/v1/chat/completions", body, ASKS)
    await house.record()
    for secret in secrets:
        assert secret not in str(house.logs.lines)
    if mode != "never":
        assert f"{PROMPT} {MASK} {MASK}" in content(house)[0]["prompt"]


async def test_content_is_bounded(mode_and_house: tuple[str, House]) -> None:
    mode, house = mode_and_house
    house.limit(context_tokens=1_000_000)

    async def much(peer: Peer) -> None:
        await peer.head()
        await peer.events([piece("chat", "y" * 10_000) for _ in range(40)])
        await peer.events([piece("chat", "", "stop"), b"data: [DONE]\n\n"])
        await peer.end()

    house.models.play = much
    await house.ask("POST", "/v2/chat/agent", {"messages": [{"role": "user", "content": "x" * 300_000}]}, ASKS)
    await house.record()
    found = content(house)
    if mode != "never":
        assert [len(each.get("prompt", each.get("answer", ""))) for each in found] == [LIMIT, LIMIT]
        assert found[0]["prompt_length"] > 300_000
        assert found[1]["answer_length"] == 400_000


async def test_an_answer_that_broke_off(mode_and_house: tuple[str, House]) -> None:
    mode, house = mode_and_house

    async def breaking(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, ANSWER))
        peer.reset()

    house.models.play = breaking
    await house.ask("POST", "/v2/code/completions", {**CODE, "stream": True}, ASKS)
    await house.record()
    if mode != "never":
        assert content(house)[1]["answer"] == ANSWER
    else:
        assert ANSWER not in str(house.logs.lines)


async def test_an_unexpected_error(mode_and_house: tuple[str, House], monkeypatch: pytest.MonkeyPatch) -> None:
    mode, house = mode_and_house

    def fail(_model: Any, prompt: Any) -> None:
        inner = KeyError(prompt.text)
        raise ValueError(f"{PROMPT} {KEY} {TOKEN}") from inner

    monkeypatch.setitem(house.app.door.bench.generate, "openai", fail)
    answer = await house.ask("POST", "/v2/code/completions", CODE, ASKS)
    record = await house.record()
    (wrong,) = [line for line in house.logs.lines if line["level"] == "error"]
    assert (answer.status, record["exception_class"]) == (500, "ValueError")
    assert wrong["exception_backtrace"].count("in fail") == 1
    assert "after KeyError" in wrong["exception_backtrace"]
    assert (PROMPT in str(house.logs.lines)) is (mode != "never")
    assert KEY not in str(house.logs.lines)
    assert TOKEN not in str(house.logs.lines)
    if mode != "never":
        assert wrong["exception_message"] == f"{PROMPT} {MASK} {MASK}"
    assert PROMPT not in answer.body.decode()


async def test_one_request_does_not_open_the_next(mode_and_house: tuple[str, House]) -> None:
    mode, house = mode_and_house

    async with house.line() as wire:
        for headers in (ASKS, {}):
            await wire.send(asking("POST", "/v2/code/completions", CODE, headers))
            await wire.answer()
    await house.record(2)
    assert len(content(house)) == {"never": 0, "header": 2, "always": 4}[mode]

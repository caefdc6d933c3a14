"""What goes wrong is said in each protocol's own form: with a status, ahead of a stream, and in the middle of one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from house import FIM, PREFIX, TOKEN, WORDS, asking, eventually
from script import piece
from ways import AFTER, BEFORE, MESSAGES, events, named_events

if TYPE_CHECKING:
    from house import House
    from script import Peer
    from wire import Answer

KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "invalid_request_error",
    413: "request_too_large",
    503: "overloaded_error",
    504: "timeout_error",
}
"""What Anthropic calls an error with this status; `api_error` for any other."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One endpoint: how it is asked, and what it does not take."""

    path: str
    body: dict[str, Any]
    refused: dict[str, Any]
    """An option that would change what the answer means."""
    feature: str = "chat"
    scope: str = "duo_chat"
    anthropic: bool = False
    streams: bool = True
    named: bool = False
    """Its events have names, and its streams end properly after a failure that they tell."""


CASES = {
    "chat": Case(path="/v1/chat/completions", body={"messages": MESSAGES}, refused={"functions": [{"name": "f"}]}),
    "text": Case(
        path="/v1/completions",
        body={"prompt": BEFORE},
        refused={"echo": True},
        feature="code_completions",
        scope="complete_code",
    ),
    "hole": Case(
        path="/v1/completions",
        body={"prompt": BEFORE, "suffix": AFTER},
        refused={"n": 2},
        feature="code_completions",
        scope="complete_code",
    ),
    "responses": Case(
        path="/v1/responses", body={"input": "q", "store": False}, refused={"background": True}, named=True
    ),
    "embeddings": Case(
        path="/v1/embeddings",
        body={"input": "a"},
        refused={"encoding_format": "int8"},
        feature="embeddings",
        streams=False,
    ),
    "messages": Case(
        path="/v1/messages",
        body={"messages": MESSAGES, "max_tokens": 9},
        refused={"container": "c"},
        anthropic=True,
        named=True,
    ),
}
each = pytest.mark.parametrize("name", CASES)
each_stream = pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.streams])


@pytest.fixture(autouse=True)
def _embeds(house: House) -> None:
    house.assign("embeddings", "model", WORDS)


def said(case: Case, status: int, error: Any, correlation_id: str, code: str) -> str:
    """Check an error's object; gives its sentence."""
    if case.anthropic:
        assert set(error) == {"type", "error", "request_id"}
        assert (error["type"], error["request_id"]) == ("error", correlation_id)
        assert error["error"]["type"] == KINDS.get(status, "api_error")
        found = error["error"]
    else:
        found = error["error"]
        assert set(found) == {"message", "type", "param", "code", "correlation_id"}
        assert found["type"] == ("server_error" if status >= 500 else "invalid_request_error")
        assert found["correlation_id"] == correlation_id
    usual = code if case.anthropic or code != "prompt_too_long" else "context_length_exceeded"
    assert found["code"] == usual
    assert f"(correlation id {correlation_id})" in found["message"]
    return found["message"]


def refused(case: Case, answer: Answer, status: int, code: str) -> str:
    """Check an answer that is an error; gives its sentence."""
    assert (answer.status, answer.header("content-type"), answer.whole) == (status, "application/json", True), answer
    assert answer.header("x-homeport-error") == code
    if case.anthropic:
        assert answer.header("request-id") == answer.header("x-request-id")
    return said(case, status, answer.json, str(answer.header("x-request-id")), code)


async def both(house: House, case: Case, **more: Any) -> list[Answer]:
    """The answers with and without streaming, where there is a choice."""
    wanted = ({}, {"stream": True}) if case.streams else ({},)
    return [await house.post(case.path, case.body | stream | more) for stream in wanted]


@each
async def test_who_may_not(house: House, name: str) -> None:
    case = CASES[name]
    answer = await house.post(case.path, case.body, token="")
    assert "no credential" in refused(case, answer, 401, "not_authenticated")
    assert answer.header("www-authenticate") == "Bearer"
    refused(case, await house.post(case.path, case.body, token="hp_wrong"), 401, "not_authenticated")
    narrow = house.admit(scopes=frozenset({"read_models"}))
    answer = await house.post(case.path, case.body, token=narrow)
    assert f"lacks the scope {case.scope}" in refused(case, answer, 403, "not_allowed")
    assert not house.models.heard


@each
async def test_unknown_models_and_unserved_features(house: House, name: str) -> None:
    case = CASES[name]
    for answer in await both(house, case, model="gpt-9"):
        told = refused(case, answer, 404, "not_found")
        assert f"There is no model 'gpt-9'. Registered models: {FIM}, {PREFIX}, {WORDS}." in told
    house.assign(case.feature, "unassigned")
    for answer in await both(house, case):
        told = refused(case, answer, 409, "feature_unassigned")
        assert f"homeport features set {case.feature} MODEL" in told
    assert not house.models.heard


@each
async def test_what_is_not_taken(house: House, name: str) -> None:
    case = CASES[name]
    for answer in await both(house, case, **case.refused):
        assert str(next(iter(case.refused))) in json.dumps(answer.json)
        refused(case, answer, 400, "bad_request")
    assert not house.models.heard
    for answer in await both(house, case, x_of_mine=1):
        assert (answer.status, answer.header("x-homeport-ignored")) == (200, "x_of_mine")


@each
async def test_too_much(house: House, name: str) -> None:
    case = CASES[name]
    big = json.dumps(case.body | {"x": "x" * 5_000_000}).encode()
    assert "HOMEPORT_BODY_LIMIT" in refused(case, await house.post(case.path, big), 413, "body_too_large")

    async def play(peer: Peer) -> None:
        await peer.document({"error": {"message": "This model's maximum context length is 512 tokens"}}, 400)

    house.models.play = play
    for answer in await both(house, case):
        assert "prompt is too long" in refused(case, answer, 400, "prompt_too_long")


@each
@pytest.mark.parametrize(
    ("status", "ours", "code"),
    [(500, 502, "upstream_refused"), (503, 503, "upstream_overloaded"), (401, 502, "upstream_refused")],
)
async def test_a_model_server_that_fails(house: House, name: str, status: int, ours: int, code: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.document({"error": {"message": "canary"}}, status)

    house.models.play = play
    for answer in await both(house, CASES[name]):
        assert "canary" not in refused(CASES[name], answer, ours, code)


@each_stream
async def test_a_stream_that_breaks(house: House, name: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "x = 1 + "))
        peer.reset()

    case, house.models.play = CASES[name], play
    answer = await house.post(case.path, case.body | {"stream": True})
    correlation_id = str(answer.header("x-request-id"))
    assert (answer.status, answer.whole) == (200, case.named)
    if not case.named:
        last = events(answer.body)[-1]
        assert "broke off" in said(case, 502, last, correlation_id, "upstream_truncated")
        assert b"[DONE]" not in answer.body
    elif case.anthropic:
        kind, last = named_events(answer.body)[-1]
        assert kind == "error"
        assert "broke off" in said(case, 502, last, correlation_id, "upstream_truncated")
    else:
        kind, last = named_events(answer.body)[-1]
        assert (kind, last["response"]["status"]) == ("response.failed", "failed")
        assert last["response"]["error"]["code"] == "upstream_truncated"
        assert f"(correlation id {correlation_id})" in last["response"]["error"]["message"]
    record = await house.record()
    assert (record["outcome"], record["error_code"]) == ("broken", "upstream_truncated")


@each
async def test_a_client_that_leaves(house: House, name: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.hang()

    case, house.models.play = CASES[name], play
    async with house.line() as wire:
        await wire.send(asking("POST", case.path, case.body, None, TOKEN))
        peer = await house.models.next()
    await eventually(peer.closed.is_set)
    record = await house.record()
    assert (record["outcome"], record["status_code"]) == ("client_closed", 499)

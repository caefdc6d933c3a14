"""Mistral's `/v1/fim/completions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from house import FIM, PREFIX, WORDS
from ways import AFTER, BEFORE, events

if TYPE_CHECKING:
    from house import House

FIM_PATH = "/v1/fim/completions"


@pytest.mark.parametrize("model", [FIM, PREFIX, WORDS])
async def test_a_hole(house: House, model: str) -> None:
    body = {"model": model, "prompt": BEFORE, "suffix": AFTER, "max_tokens": 20, "random_seed": 7, "stop": "END"}
    answer = await house.post(FIM_PATH, body | {"min_tokens": 2, "metadata": {"a": 1}})
    assert answer.status == 200
    message = {"role": "assistant", "content": "one + two", "tool_calls": None, "prefix": False}
    assert answer.json == {
        "id": answer.header("x-request-id"),
        "object": "chat.completion",
        "created": answer.json["created"],
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14},
    }
    assert answer.header("x-homeport-ignored") == "min_tokens, metadata"
    said = house.models.heard[0].json
    assert (said["max_tokens"], said["seed"], said["stop"][0]) == (20, 7, "END")


async def test_a_stream(house: House) -> None:
    answer = await house.post(FIM_PATH, {"prompt": BEFORE, "stream": True})
    *parts, last, done = events(answer.body)
    assert done == "[DONE]"
    assert [each["choices"][0]["delta"]["content"] for each in parts] == ["one", " + ", "two"]
    assert {each["object"] for each in (*parts, last)} == {"chat.completion.chunk"}
    assert [each["choices"][0]["finish_reason"] for each in (*parts, last)] == [None, None, None, "stop"]
    assert last["usage"]["total_tokens"] == 14
    assert BEFORE in house.models.heard[0].json["prompt"]


async def test_errors(house: House) -> None:
    unknown = await house.post(FIM_PATH, {"model": "nope", "prompt": "a"})
    assert (unknown.status, unknown.json["type"], unknown.json["param"]) == (404, "not_found_error", "model")
    assert f"Registered models: {FIM}, {PREFIX}, {WORDS}." in unknown.json["message"]
    wrong = await house.post(FIM_PATH, {"prompt": "a", "temperature": 5})
    assert (wrong.status, wrong.json["type"], wrong.json["param"]) == (400, "invalid_request_error", "temperature")
    lesser = await house.post(FIM_PATH, {"prompt": "a"}, house.admit(scopes=frozenset({"duo_chat"})))
    assert (lesser.status, lesser.json["code"]) == (403, "not_allowed")

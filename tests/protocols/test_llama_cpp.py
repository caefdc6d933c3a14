"""llama.cpp's `/infill` and `/completion`, as llama.vim, llama.vscode and llama.cpp's own clients ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from house import FIM, TOKEN
from script import piece
from ways import AFTER, LINE, LINES, events

if TYPE_CHECKING:
    from house import House
    from script import Peer

TIMINGS = ["prompt_n", "prompt_ms", "prompt_per_token_ms", "prompt_per_second"]
TIMINGS += ["predicted_n", "predicted_ms", "predicted_per_token_ms", "predicted_per_second"]
VIM: dict[str, Any] = {
    "id_slot": 0,
    "input_prefix": LINES,
    "input_suffix": AFTER,
    "input_extra": [{"text": "def twice(n):\n    return add(n, n)\n", "time": [1, 2], "filename": "twice.py"}],
    "prompt": LINE,
    "n_predict": 128,
    "stop": [],
    "n_indent": 4,
    "top_k": 40,
    "top_p": 0.9,
    "samplers": ["top_k", "top_p", "infill"],
    "stream": False,
    "cache_prompt": True,
    "t_max_prompt_ms": 500,
    "t_max_predict_ms": 1000,
    "response_fields": ["content", *(f"timings/{each}" for each in TIMINGS), "truncated", "tokens_cached", "no/such"],
}


async def test_llama_vim(house: House) -> None:
    answer = await house.post("/infill", VIM)
    assert answer.status == 200
    assert list(answer.json) == VIM["response_fields"][:-1]
    assert (answer.json["content"], answer.json["truncated"], answer.json["tokens_cached"]) == ("one + two", False, 14)
    assert (answer.json["timings/prompt_n"], answer.json["timings/predicted_n"]) == (11, 3)
    assert answer.json["timings/predicted_ms"] > answer.json["timings/prompt_ms"] == 0
    ignored = "id_slot, n_indent, top_k, samplers, cache_prompt, t_max_prompt_ms, t_max_predict_ms"
    assert answer.header("x-homeport-ignored") == ignored
    said = house.models.heard[0].json
    assert f"<|fim_prefix|>{LINES}{LINE}<|fim_suffix|>{AFTER}<|fim_middle|>" in said["prompt"]
    assert "twice.py\ndef twice(n)" in said["prompt"]
    assert (said["max_tokens"], said["top_p"]) == (128, 0.9)


async def test_a_cache_to_warm_is_no_work(house: House) -> None:
    for body in (VIM | {"n_predict": 0, "response_fields": [""]}, VIM | {"n_predict": 0, "stream": True}):
        answer = await house.post("/infill", body)
        assert (answer.status, answer.whole) == (200, True)
        assert (events(answer.body)[-1]["stop"] is True) if body["stream"] else (answer.json == {})
    assert not house.models.heard
    refused = await house.post("/infill", VIM | {"n_predict": 0, "model": "nope"})
    assert (refused.status, refused.json["error"]["type"]) == (404, "not_found_error")
    assert f"Registered models: {FIM}, prefix-model, words-model." in refused.json["error"]["message"]


async def test_completion_goes_on_with_the_text(house: House) -> None:
    options = {"n_predict": -1, "temperature": -1, "seed": -1, "top_k": 5, "repeat_penalty": 1.1, "mirostat": 2}
    answer = await house.post("/completion", {"prompt": "a = ", "stop": "\n", **options})
    assert {name: answer.json[name] for name in ("content", "stop", "stop_type", "model", "tokens_predicted")} == {
        "content": "one + two",
        "stop": True,
        "stop_type": "eos",
        "model": FIM,
        "tokens_predicted": 3,
    }
    assert set(answer.json["timings"]) == set(TIMINGS)
    assert answer.header("x-homeport-ignored") == "mirostat"
    said = house.models.heard[0].json
    assert (said["prompt"], said["temperature"], said["stop"]) == ("a = ", 0, ["\n"])
    assert (said["top_k"], said["repetition_penalty"], "seed" in said) == (5, 1.1, False)


async def test_a_stream_says_stop_at_its_end(house: House) -> None:
    answer = await house.post("/completion", {"prompt": "a = ", "stream": True})
    *parts, last = events(answer.body)
    assert parts == [{"index": 0, "content": each, "tokens": [], "stop": False} for each in ("one", " + ", "two")]
    assert (last["content"], last["stop"], last["tokens_evaluated"]) == ("", True, 11)

    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.events([piece(peer.kind, "one"), piece(peer.kind, "", "length")])
        await peer.end()

    house.models.play = play
    answer = await house.post("/completion", {"prompt": "a = ", "stream": True})
    assert events(answer.body)[-1]["stop_type"] == "limit"


@pytest.mark.parametrize("name", ["grammar", "json_schema", "n_probs"])
async def test_what_would_change_the_answer_is_refused(house: House, name: str) -> None:
    answer = await house.post(
        "/completion", {"prompt": "a", name: {"grammar": "root ::= x", "n_probs": 5}.get(name, {"a": 1})}
    )
    assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")
    assert answer.json["error"]["code"] == 400
    assert (await house.post("/completion", {"prompt": "a", name: None})).status == 200


async def test_errors_have_llama_cpps_types(house: House) -> None:
    stranger = await house.post("/infill", VIM, token="")
    assert (stranger.status, stranger.json["error"]["type"]) == (401, "authentication_error")
    lesser = await house.post("/infill", VIM, house.admit(scopes=frozenset({"duo_chat"})))
    assert (lesser.status, lesser.json["error"]["type"]) == (403, "permission_error")
    keyed = await house.ask("POST", "/infill", VIM, {"X-Api-Key": TOKEN}, token="")
    assert keyed.status == 200

    async def play(peer: Peer) -> None:
        words = "request (9999 tokens) exceeds the available context size (2048 tokens), try increasing it"
        error = {"code": 400, "message": words, "type": "exceed_context_size_error"}
        await peer.document({"error": error}, 400)

    house.models.play = play
    answer = await house.post("/completion", {"prompt": "a"})
    assert (answer.status, answer.json["error"]["type"]) == (400, "exceed_context_size_error")


async def test_health_needs_no_token(house: House) -> None:
    answer = await house.get("/health", token="")
    assert (answer.status, answer.json["status"]) == (200, "ok")

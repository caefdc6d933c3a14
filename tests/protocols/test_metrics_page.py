"""What the metrics page shows of requests that came through the front door."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from house import FIM, PREFIX, WORDS, asking
from prometheus_client import generate_latest
from ways import BEFORE, FILE, MESSAGES

if TYPE_CHECKING:
    from house import House
    from script import Peer

CODE = {"current_file": {**FILE, "language_identifier": "python"}}


def page(house: House) -> dict[str, float]:
    """Each sample's value by its line."""
    house.records()
    text = generate_latest(house.metrics.registry).decode()
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {series: float(value) for series, _, value in lines}


def grown(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """What was counted in between."""
    return {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}


def inference(name: str, model: str, **more: str) -> str:
    """A series of the original's, as the page spells it."""
    labels = {
        "error": "no",
        "feature_category": "code_suggestions",
        "model_engine": "openai",
        "model_name": model,
        "streaming": "no",
        "unit_primitive": "complete_code",
    } | more
    return f"{name}{{{','.join(f'{key}={chr(34)}{value}{chr(34)}' for key, value in sorted(labels.items()))}}}"


async def test_a_completion(house: House) -> None:
    before = page(house)
    await house.post("/v2/code/completions", CODE)
    found = grown(before, page(house))
    assert found[inference("model_inferences_total", FIM)] == 1
    assert found[inference("inference_input_tokens_total", FIM)] == 11
    assert found[inference("inference_output_tokens_total", FIM)] == 3
    assert found[inference("inference_request_duration_seconds_count", FIM)] == 1
    assert found['code_suggestions_prompt_language_total{editor_lang="python",extension="py",lang="python"}'] == 1
    assert found['http_request_duration_seconds_count{handler="/v2/code/completions",method="POST",status="2xx"}'] == 1
    assert found[f'homeport_first_token_seconds_count{{feature="code_completions",model_name="{FIM}"}}'] == 1


async def test_the_prompts_of_suggestions(house: House) -> None:
    before = page(house)
    await house.post("/v2/code/completions", CODE)
    await house.post("/v2/code/completions", CODE | {"stream": True})
    await house.post("/v2/code/generations", CODE | {"prompt": "", "prompt_version": 2})
    await house.post("/v1/chat/completions", {"messages": MESSAGES})
    found = grown(before, page(house))
    sizes = [line["prompt_length"] for line in house.records()[:2]]
    for model, count in ((FIM, 2), (WORDS, 1)):
        labels = f'model_engine="openai",model_name="{model}"'
        assert found[f"code_suggestions_inference_requests_total{{{labels}}}"] == count
        assert found[f"code_suggestions_inference_request_duration_seconds_count{{{labels}}}"] == count
        of_prompt = f'component="prompt",{labels}'
        assert found[f"code_suggestions_inference_prompt_size_bytes_count{{{of_prompt}}}"] == count
        assert found[f"code_suggestions_inference_prompt_size_tokens_count{{{of_prompt}}}"] == count
    of_prompt = f'component="prompt",model_engine="openai",model_name="{FIM}"'
    assert found[f"code_suggestions_inference_prompt_size_bytes_sum{{{of_prompt}}}"] == sum(sizes)
    assert found[f"code_suggestions_inference_prompt_size_tokens_sum{{{of_prompt}}}"] == 22


async def test_a_stream_a_failure_and_a_chat(house: House) -> None:
    before = page(house)
    await house.post("/v2/code/completions", CODE | {"stream": True})
    await house.post("/v1/chat/completions", {"messages": MESSAGES})

    async def refusing(peer: Peer) -> None:
        await peer.document({"error": "no"}, 500)

    house.models.play = refusing
    await house.post("/v2/code/completions", CODE)
    found = grown(before, page(house))
    assert found[inference("model_inferences_total", FIM, streaming="yes")] == 1
    assert found[inference("model_inferences_total", FIM, error="yes")] == 1
    chat = {"feature_category": "duo_chat", "unit_primitive": "duo_chat"}
    assert found[inference("model_inferences_total", WORDS, **chat)] == 1
    assert found[f'homeport_answers_total{{feature="code_completions",model_name="{FIM}",outcome="rejected"}}'] == 1


async def test_what_editors_report(house: House) -> None:
    def report(**fields: Any) -> dict[str, Any]:
        return {
            "model_engine": "agent",
            "model_name": FIM,
            "lang": "python",
            "requests": 5,
            "accepts": 2,
            "errors": 1,
        } | fields

    await house.post("/v2/code/completions", CODE)
    before = page(house)
    reports = [
        report(),
        report(lang="typescriptreact"),
        report(lang="canary-language", model_name="canary-model", model_engine="canary-engine"),
        report(lang=None, model_name=None, model_engine=None, requests=0, accepts=0, errors=10**9),
    ]
    answer = await house.post("/v2/code/completions", CODE | {"telemetry": reports})
    assert answer.status == 200
    found = grown(before, page(house))
    ours = f'{{lang="python",model_engine="agent",model_name="{FIM}"}}'
    assert found[f"code_suggestions_requests_total{ours}"] == 5
    assert found[f"code_suggestions_accepts_total{ours}"] == 2
    assert found[f"code_suggestions_errors_total{ours}"] == 1
    assert found[f"code_suggestions_accepts_total{ours.replace('python', 'ts')}"] == 2
    made_up = '{lang="other",model_engine="other",model_name="other"}'
    assert found[f"code_suggestions_requests_total{made_up}"] == 5
    assert "canary" not in str(page(house))


async def test_how_busy_models_are(house: House) -> None:
    house.limit(concurrency=7, output_tokens=99)
    house.models.play = lambda peer: peer.hang()
    async with house.line() as wire:
        await wire.send(asking("POST", "/v1/completions", {"prompt": BEFORE, "model": PREFIX}))
        await house.models.next()
        found = page(house)
    labels = f'{{model_engine="openai",model_name="{PREFIX}"}}'
    assert found[f"model_inferences_in_flight{labels}"] == 1
    assert found[f"model_inferences_max_concurrent{labels}"] == 7
    assert found[f"model_max_input_tokens{labels}"] == 32_768
    assert found[f"model_max_output_tokens{labels}"] == 99
    await house.record()
    assert page(house)[f"model_inferences_in_flight{labels}"] == 0


async def test_what_callers_make_up_makes_no_series(house: House) -> None:
    await house.post("/v2/code/completions", CODE)
    before = len(page(house))
    for number in range(30):
        file = {**FILE, "file_name": f"x.canary{number}", "language_identifier": f"canary-{number}"}
        await house.post("/v2/code/completions", {"current_file": file})
        await house.post("/v1/chat/completions", {"messages": MESSAGES, "model": f"canary-{number}"})
        await house.get(f"/canary-{number}")
    after = page(house)
    assert "canary" not in str(after)
    assert len(after) - before < 60
    assert re.search(r'code_suggestions_prompt_language_total\{editor_lang="other",extension="other"', str(after))

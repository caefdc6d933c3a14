"""GitLab's AI Gateway protocol: exact documents, exact framing, lenient bodies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from house import FIM, WORDS
from ways import AFTER, BEFORE, FILE, TASK_FILE, lines, sse

if TYPE_CHECKING:
    from house import House


def model_fields(house: House, name: str) -> dict[str, str]:
    """What GitLab sends of a model that is registered here too."""
    return {
        "model_provider": "litellm",
        "model_endpoint": house.models.url.removesuffix("/v1"),
        "model_api_key": "key-of-the-caller",
        "model_name": "codestral",
        "model_identifier": f"custom_openai/served-{name}",
    }


@pytest.mark.parametrize("path", ["/v2/code/completions", "/v2/completions"])
async def test_v2_completion_document(house: House, path: str) -> None:
    body = (await house.post(path, {"current_file": FILE})).json
    assert body.pop("created") > 1_700_000_000
    assert body == {
        "id": "id",
        "model": {
            "engine": "agent",
            "name": FIM,
            "lang": "python",
            "tokens_consumption_metadata": {"input_tokens": 11, "output_tokens": 3},
        },
        "experiments": [],
        "object": "text_completion",
        "choices": [{"text": "one + two", "index": 0, "finish_reason": "length"}],
        "metadata": {"enabled_feature_flags": []},
    }


@pytest.mark.parametrize("kind", ["code_editor_completion", "code_editor_generation"])
async def test_v4_document(house: House, kind: str) -> None:
    body = (await house.post("/v4/code/suggestions", v4(kind, stream=False))).json
    assert body["metadata"].pop("timestamp") > 1_700_000_000
    model = FIM if kind == "code_editor_completion" else WORDS
    assert body == {
        "choices": [{"text": "one + two", "index": 0, "finish_reason": "length"}],
        "metadata": {
            "model": {"engine": "agent", "name": model, "lang": "python"},
            "enabled_feature_flags": [],
        },
    }


@pytest.mark.parametrize("kind", ["code_editor_completion", "code_editor_generation"])
async def test_v4_stream(house: House, kind: str) -> None:
    answer = await house.post("/v4/code/suggestions", v4(kind, stream=True))
    assert answer.header("x-streaming-format") == "sse"
    assert answer.header("x-accel-buffering") == "no"
    start, *pieces, end = sse(answer.body)
    assert start[0] == "stream_start"
    assert set(start[1]["metadata"]) == {"model", "timestamp", "enabled_feature_flags"}
    assert {name for name, _ in pieces} == {"content_chunk"}
    assert all(data["choices"][0].keys() == {"delta", "index"} for _, data in pieces)
    assert end == ("stream_end", None)


async def test_v2_stream_is_raw_text(house: House) -> None:
    answer = await house.post("/v2/code/completions", {"current_file": FILE, "stream": True})
    assert answer.body == b"one + two"
    assert answer.header("x-accel-buffering") == "no"


async def test_chat_lines(house: House) -> None:
    house.models.words = ["line one\nline two", "}\n", "end"]
    token = house.admit(scopes=frozenset({"duo_chat"}))  # without tools an answer is passed on as it comes
    answer = await house.post("/v2/chat/agent", {"messages": [{"role": "user", "content": "q"}]}, token)
    assert answer.body.endswith(b"}\n")
    assert answer.body.count(b"\n") == 3
    assert lines(answer.body) == [{"type": "final_answer_delta", "data": {"text": text}} for text in house.models.words]


async def test_what_gitlab_sends_for_a_self_hosted_model(house: House) -> None:
    body = {
        **model_fields(house, FIM),
        "prompt_version": 2,
        "prompt": None,
        "project_path": "group/project",
        "project_id": -1,
        "current_file": FILE,
        "telemetry": [{"model_engine": "x", "requests": 1, "accepts": 0, "errors": 0}],
        "choices_count": 0,
        "context": [{"type": "file", "name": "lib.py", "content": "def helper(): ..."}],
        "role_arn": None,
        "intent": "completion",
    }
    assert (await house.post("/v2/code/completions", body)).status == 200
    said = house.models.heard[0].json
    assert said["model"] == f"served-{FIM}"
    assert "def helper(): ..." in said["prompt"]
    assert BEFORE in said["prompt"]
    assert AFTER in said["prompt"]


async def test_v2_generation_takes_the_clients_instruction(house: House) -> None:
    for given in ({"prompt": "Add!"}, {"user_instruction": "Add!"}, {"prompt": "no", "user_instruction": "Add!"}):
        body = {
            **model_fields(house, WORDS),
            "prompt_version": 2,
            "prompt_id": "code_suggestions/generations",
            "current_file": FILE,
        }
        assert (await house.post("/v2/code/generations", body | given)).status == 200
        assert "Add!" in house.models.heard[-1].json["messages"][-1]["content"]


async def test_v2_prompt_as_messages_is_accepted(house: House) -> None:
    body = {"prompt_version": 3, "prompt": [{"role": "user", "content": "x"}], "current_file": FILE}
    assert (await house.post("/v2/code/completions", body)).status == 200
    assert (await house.post("/v2/code/generations", body)).status == 200


async def test_v4_uses_context_and_instruction(house: House) -> None:
    payload = {**TASK_FILE, "stream": False, "prompt_enhancer": {"user_instruction": "Add!"}, "prompt_id": "x"}
    parts = [
        {"type": "code_editor_generation", "payload": payload, "metadata": {"source": "x"}},
        {"type": "code_context", "payload": {"type": "file", "name": "lib.py", "content": "def helper(): ..."}},
    ]
    body = {"prompt_components": parts, "model_metadata": {"provider": "openai", "name": "mistral"}}
    assert (await house.post("/v4/code/suggestions", body)).status == 200
    said = house.models.heard[0].json["messages"][-1]["content"]
    assert "Add!" in said
    assert "def helper(): ..." in said


async def test_v4_scope_follows_the_component(house: House) -> None:
    may = {"code_editor_completion": "complete_code", "code_editor_generation": "generate_code"}
    for kind, needed in may.items():
        for scope in may.values():
            token = house.admit(scopes=frozenset({scope}))
            answer = await house.post("/v4/code/suggestions", v4(kind, stream=False), token=token)
            assert answer.status == (200 if needed == scope else 403)


async def test_v4_first_component_must_be_a_cursor(house: House) -> None:
    context = {"type": "code_context", "payload": {"content": "x"}}
    answer = await house.post("/v4/code/suggestions", {"prompt_components": [context]})
    assert answer.status == 422
    assert "first prompt component" in answer.json["detail"][0]["msg"]


@pytest.mark.parametrize(
    "history", ["earlier", ["earlier"], [{"role": "user", "content": "earlier"}], "", [], None], ids=repr
)
async def test_chat_in_the_form_of_17_4(house: House, history: Any) -> None:
    options = {
        "chat_history": history,
        "current_file": {"file_path": "a.rb", "data": "puts 1", "selected_code": True},
        "additional_context": [{"category": "from_the_future", "id": "b.rb", "content": "puts 2"}],
        "agent_scratchpad": {"agent_type": "react", "steps": []},
    }
    if history is None:
        del options["chat_history"]
    answer = await house.post("/v2/chat/agent", {"prompt": "now", "options": options, "unavailable_resources": ["x"]})
    assert answer.status == 200
    system, only = house.models.heard[0].json["messages"]
    assert (system["role"], only["role"]) == ("system", "user")
    assert ("earlier" in only["content"]) is bool(history)
    for part in ("now", "puts 1", "a.rb"):
        assert part in only["content"]
    assert "puts 2" not in only["content"]
    assert (await house.record())["ignored_context"] == ["from_the_future"]


async def test_chat_with_a_trailing_scratchpad(house: House) -> None:
    messages = [
        {"role": "user", "content": "q", "additional_context": [], "current_file": None, "context": None},
        {"role": "assistant", "content": None, "agent_scratchpad": []},
    ]
    answer = await house.post("/v2/chat/agent", {"messages": messages, "model_metadata": {"name": "x"}})
    assert answer.status == 200
    assert house.models.heard[0].json["messages"][-1] == {"role": "user", "content": "q"}


async def test_chat_keeps_the_clients_system_message(house: House) -> None:
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]
    await house.post("/v2/chat/agent", {"messages": messages}, house.admit(scopes=frozenset({"duo_chat"})))
    assert house.models.heard[0].json["messages"] == messages


async def test_chat_without_a_question(house: House) -> None:
    for body in ({}, {"messages": []}, {"messages": [{"role": "user", "content": ""}]}, {"prompt": ""}):
        answer = await house.post("/v2/chat/agent", body)
        assert answer.status == 422
        assert "there is no question" in answer.json["detail"][0]["msg"]


async def test_percent_encoded_path_is_decoded(house: House) -> None:
    answer = await house.post("/v2/code%2Fcompletions", {"current_file": FILE})
    assert answer.status == 200


async def test_biggest_body_that_gitlab_sends(house: House) -> None:
    house.limit(context_tokens=1_000_000)
    context = [{"type": "file", "name": f"f{n}.py", "content": "x = 1\n" * 14_000} for n in range(5)]
    file = {"file_name": "a.py", "content_above_cursor": "a" * 100_000, "content_below_cursor": "b" * 70_000}
    body = json.dumps({"current_file": file, "context": context}).encode()
    assert 600_000 < len(body) < 670_000
    assert (await house.post("/v2/code/completions", body)).status == 200


@pytest.mark.parametrize("name", ["x.zig", "Makefile", "noextension", "a.unknown", "", "日本.py", " a.py "])
async def test_any_file_name(house: House, name: str) -> None:
    file = {**FILE, "file_name": name}
    assert (await house.post("/v2/code/completions", {"current_file": file})).status == 200


def v4(kind: str, *, stream: bool) -> dict[str, Any]:
    file = FILE if kind == "code_editor_completion" else TASK_FILE
    return {"prompt_components": [{"type": kind, "payload": {**file, "stream": stream}}]}

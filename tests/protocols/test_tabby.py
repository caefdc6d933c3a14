"""Tabby's editors: their completions at OpenAI's path, what they report, and what they ask first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from desks import Desk, desk_at
from house import FIM, WORDS

from homeport import __version__
from homeport.front.paths import again

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from house import House
    from wire import Answer

PATH = "/v1/completions"
SEGMENTS: dict[str, Any] = {
    "prefix": "from twice import twice\n\nprint(",
    "suffix": ")\n",
    "filepath": "src/main.py",
    "git_url": "https://git.example.com/a.git",
    "declarations": [{"filepath": "src/twice.py", "body": "def twice(n):\n    return n + n"}],
    "relevant_snippets_from_changed_files": [{"filepath": "src/half.py", "body": "def half(n): ...", "score": 0.5}],
    "clipboard": "a secret",
}
BODY = {"language": "python", "segments": SEGMENTS, "user": "ada", "temperature": 0.1, "seed": 7, "mode": "standard"}


async def test_completion(house: House) -> None:
    answer = await house.post(PATH, BODY)
    assert answer.json == {
        "id": f"cmpl-{answer.header('x-request-id')}",
        "choices": [{"index": 0, "text": "one + two"}],
    }
    assert answer.header("x-homeport-ignored") == "segments.git_url, segments.clipboard"
    said = house.models.heard[0].json
    assert (said["temperature"], said["seed"]) == (0.1, 7)
    for text in (SEGMENTS["prefix"], "src/twice.py", "return n + n", "src/half.py"):
        assert text in said["prompt"]
    assert "a secret" not in said["prompt"]
    assert (await house.record())["lang"] == "python"


async def test_the_same_path_is_openais_without_segments(house: House) -> None:
    for body in ({"prompt": "# segments\n", "suffix": "\n"}, {"prompt": "a", "segments": None}):
        answer = await house.post(PATH, body)
        assert (answer.status, answer.json["object"]) == (200, "text_completion")
    for body, form in ((BODY | {"mode": "next_edit_suggestion"}, str), ({"segments": {}}, str), ({"prompt": 5}, dict)):
        answer = await house.post(PATH, body)
        assert (answer.status, type(answer.json["error"])) == (400, form)
    both = await house.post(PATH, BODY | {"prompt": "a"})
    assert both.json["id"].startswith("cmpl-")
    assert "object" not in both.json


async def test_both_are_described_and_can_be_asked_again(house: House) -> None:
    operation = (await house.get("/openapi.json")).json["paths"][PATH]["post"]
    forms = operation["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    assert [each["$ref"].rpartition("/")[2] for each in forms] == ["TextBody", "TabbyBody"]
    assert operation["tags"] == ["OpenAI completions", "Tabby"]
    page = (await house.get("/docs", token="")).body
    assert all(f"<code>{name}</code>".encode() in page for name in ("prompt", "file_name", "segments"))
    feature, request = again(house.app.routes, PATH, json.dumps(BODY))
    assert (feature, request.before, request.file_name) == ("code_completions", SEGMENTS["prefix"], "src/main.py")
    feature, request = again(house.app.routes, PATH, '{"prompt": "a"}')
    assert (feature, request.prompt) == ("text_completions", "a")


async def test_what_editors_ask_first(house: House) -> None:
    stranger = await house.get("/v1/health", token="")
    assert (stranger.status, "no credential" in stranger.json["error"]) == (401, True)
    health = (await house.get("/v1/health")).json
    assert (health["model"], health["chat_model"], health["device"]) == (FIM, WORDS, "remote")
    assert health["version"]["git_describe"] == f"v{__version__}"
    house.assign("code_completions", "unassigned")
    house.assign("chat", "disabled")
    assert not {"model", "chat_model"} & set((await house.get("/v1/health")).json)
    assert (await house.get("/v1beta/server_setting")).json == {"disable_client_side_telemetry": True}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_at(tmp_path) as made:
        yield made


async def told(desk: Desk, what: str, completion: str) -> Answer:
    body = {"type": what, "completion_id": completion, "choice_index": 0, "view_id": "v1", "elapsed": 900}
    return await desk.ask("POST", "/v1/events?select_kind=line", body)


async def test_what_becomes_of_a_suggestion(desk: Desk) -> None:
    first, second, third = [(await desk.ask("POST", PATH, BODY)).json["id"] for _ in range(3)]
    for what, completion in (
        *(("view", first), ("select", first), ("select", first)),
        *(("view", second), ("dismiss", second), ("view", "cmpl-of-somebody-else")),
    ):
        answer = await told(desk, what, completion)
        assert (answer.status, answer.json) == (200, {})
    assert (await told(desk, "applaud", third)).status == 400
    await desk.office.written()
    log = desk.office.request_log
    reported = [(await log.find(each.removeprefix("cmpl-")))[0].reported for each in (first, second, third)]
    assert reported == [("shown", "accepted"), ("shown", "rejected"), ()]
    value = desk.house.metrics.registry.get_sample_value
    for what, count in {"shown": 2, "accepted": 1, "rejected": 1}.items():
        labels = {"model_name": FIM, "feature": "code_completions", "what": what}
        assert value("homeport_suggestions_total", labels) == count

"""`/v1/prompts` and `/v2/prompts` through the front door, and an administrator's folder behind it."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from house import FIM, WORDS, eventually, opened
from script import piece
from ways import AFTER, BEFORE

from homeport.access import SCOPES
from homeport.access.gate import KeysNeeded
from homeport.domain.errors import BadConfiguration
from homeport.domain.models import Caller
from homeport.features import model_configuration_check

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from house import House
    from script import Peer
    from wire import Answer

EXPLAIN = {"inputs": {"selected_text": "x = 1", "input": "Explain."}}
CHECK = {"inputs": {}, "stream": False}


def lines(answer: Answer) -> list[dict[str, Any]]:
    assert answer.body.endswith(b"\n")
    return [json.loads(line) for line in answer.body.splitlines()]


async def test_v1_is_a_bare_string(house: House) -> None:
    house.models.words = ['one "two"\n', "drei ✓"]
    answer = await house.post("/v1/prompts/chat/explain_code", EXPLAIN)
    assert (answer.status, answer.header("content-type")) == (200, "application/json")
    assert json.loads(answer.body) == 'one "two"\ndrei ✓'


async def test_v1_streams_raw_text(house: House) -> None:
    answer = await house.post("/v1/prompts/chat/explain_code", EXPLAIN | {"stream": True})
    assert answer.header("content-type") == "text/event-stream; charset=utf-8"
    assert (answer.body, answer.whole) == (b"one + two", True)


async def test_v2_is_an_object_with_usage(house: House) -> None:
    answer = await house.post("/v2/prompts/chat/explain_code", EXPLAIN)
    assert answer.json == {"content": "one + two", "usage": {WORDS: {"input_tokens": 11, "output_tokens": 3}}}


async def test_v2_streams_a_line_for_each_piece(house: House) -> None:
    house.models.words = ["a\n", "b"]
    answer = await house.post("/v2/prompts/chat/explain_code", EXPLAIN | {"stream": True})
    assert answer.header("content-type") == "text/event-stream; charset=utf-8"
    assert lines(answer) == [
        {"content": "a\n"},
        {"content": "b"},
        {"content": "", "usage": {WORDS: {"input_tokens": 11, "output_tokens": 3}}},
    ]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_small_model_that_repeats_itself_and_our_tags(house: House, stream: bool) -> None:  # noqa: FBT001 (a parameter)
    message = "Retry uploads that the server cut off\n\nLarge files failed when a proxy closed it.\n\n"
    house.models.words = ["<chan", "ges>\n", *[message] * 500]
    asked = {"inputs": {"diff": "+ retry()"}, "stream": stream}
    answer = await house.post("/v1/prompts/generate_commit_message", asked)
    said = answer.body.decode() if stream else json.loads(answer.body)
    assert said.strip() == (message * 2).strip()


@pytest.mark.parametrize(
    "path", ["chat/explain_code", "chat%2Fexplain_code", "chat%2fexplain%5fcode", "chat/explain_code/"]
)
async def test_the_id_may_be_encoded(house: House, path: str) -> None:
    assert (await house.post(f"/v1/prompts/{path}", EXPLAIN)).status == 200
    assert (await house.record())["prompt_id"] == "chat/explain_code"


async def test_the_log_says_which_wording_was_used(house: House) -> None:
    body = EXPLAIN | {"prompt_version": "^7.0.0"}
    await house.post("/v1/prompts/chat/explain_code", body)
    record = await house.record()
    assert record["feature"] == "chat_explain_code"
    assert record["wording"] == "built in"
    assert (record["prompt_version"], record["prompt_version_asked"]) == ("1.1.0", "^7.0.0")
    assert "x = 1" not in str(house.logs.lines)


async def test_inputs_may_be_anything_or_missing(house: House) -> None:
    for inputs in (None, {}, {"selected_text": None, "input": ["a", 1, {"b": 2}], "more": True}):
        assert (await house.post("/v1/prompts/chat/explain_code", {"inputs": inputs})).status == 200
    assert (await house.post("/v1/prompts/chat/explain_code", {"prompt_version": None, "stream": None})).status == 200


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"inputs": "x"}, ["inputs"]),
        ({"inputs": {str(n): n for n in range(101)}}, ["inputs"]),
        ({"prompt_version": 1}, ["prompt_version"]),
        ({"prompt_version": "latest"}, ["prompt_version"]),
        ({"prompt_version": "^1.0.0" + " " * 100}, ["prompt_version"]),
        ({"stream": "maybe"}, ["stream"]),
        ({"model_metadata": []}, ["model_metadata"]),
    ],
)
async def test_a_wrong_body_is_a_list_with_a_place(house: House, body: dict[str, Any], where: list[str]) -> None:
    answer = await house.post("/v1/prompts/chat/explain_code", body)
    assert answer.status == 422
    (only,) = answer.json["detail"]
    assert only["loc"] == where
    assert only["msg"]
    assert not house.models.heard


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_the_agents_prompt_has_an_endpoint_of_its_own(house: House, version: str) -> None:
    answer = await house.post(f"/{version}/prompts/chat%2Freact", EXPLAIN)
    assert answer.status == 422
    assert "Prompt 'chat/react' is not supported here. It has an endpoint of its own" in answer.json["detail"][0]["msg"]


async def test_a_path_without_an_id(house: House) -> None:
    assert (await house.post("/v1/prompts/%2F", EXPLAIN)).status == 422
    assert (await house.post("/v1/prompts/" + "x" * 300, EXPLAIN)).status == 422
    assert (await house.post("/v1/prompts/", EXPLAIN)).status == 404


async def test_a_prompt_of_a_newer_gitlab_is_answered_and_marked(house: House) -> None:
    answer = await house.post("/v1/prompts/new/thing", {"inputs": {"goal": "release"}, "prompt_version": "^3.0.0"})
    assert answer.json == "one + two"
    assert "goal:\nrelease" in house.models.heard[0].json["messages"][-1]["content"]
    assert {"warning": "unknown_prompt", "asked_prompt": "new/thing"}.items() <= (await house.record()).items()


@pytest.mark.parametrize(
    ("prompt", "scope"),
    [
        ("chat/explain_code", "explain_code"),
        ("review_merge_request", "review_merge_request"),
        ("model_configuration/check", "complete_code"),
        ("code_suggestions/generations", "generate_code"),
        ("never/heard", "duo_chat"),
    ],
)
async def test_each_prompt_needs_its_own_scope(house: House, prompt: str, scope: str) -> None:
    others = frozenset({"explain_code", "review_merge_request", "complete_code", "generate_code", "duo_chat"}) - {scope}
    for scopes, status in ((frozenset({scope}), 200), (others, 403), (frozenset(), 403)):
        token = house.admit(scopes=scopes)
        answer = await house.post(f"/v1/prompts/{prompt}", {"inputs": {}}, token=token)
        assert answer.status == status
        if status == 403:
            assert scope in answer.json["detail"][0]["msg"]


# code, asked by prompt id


@pytest.mark.parametrize("stream", [False, True])
async def test_completions_by_prompt_id(house: House, stream: bool) -> None:  # noqa: FBT001 (a parameter)
    house.models.words = ["a + b", AFTER]
    inputs = {"prefix": BEFORE, "suffix": AFTER, "file_name": "add.py", "language": "python"}
    answer = await house.post("/v1/prompts/code_suggestions%2Fcompletions", {"inputs": inputs, "stream": stream})
    assert answer.body == (b"a + b" if stream else b'"a + b"')
    said = house.models.heard[0].json
    assert said["model"] == f"served-{FIM}"
    assert f"<|fim_prefix|>{BEFORE}<|fim_suffix|>{AFTER}<|fim_middle|>" in said["prompt"]
    assert (await house.record())["lang"] == "python"


async def test_generations_by_prompt_id(house: House) -> None:
    house.models.words = ["```python\nprint(1)\n```"]
    inputs = {
        "trimmed_content_above_cursor": "# print one\n",
        "trimmed_content_below_cursor": "\nprint(2)\n",
        "user_instruction": "Print it!",
        "file_name": "a.py",
        "related_files": ['<file_content file_name="b.py">\nONE = 1\n</file_content>', 7],
        "related_snippets": "nothing",
        "examples_array": [{"a": 1}],
    }
    answer = await house.post("/v2/prompts/code_suggestions/generations", {"inputs": inputs})
    assert answer.json["content"] == "print(1)"
    said = house.models.heard[0].json["messages"][-1]["content"]
    for part in ("Print it!", "# print one", "print(2)", "ONE = 1", "b.py"):
        assert part in said


async def test_no_completion_is_an_empty_string(house: House) -> None:
    house.models.words = [""]
    body = {"inputs": {"prefix": BEFORE, "file_name": "add.py"}}
    assert (await house.post("/v1/prompts/code_suggestions/completions", body)).body == b'""'
    streamed = await house.post("/v2/prompts/code_suggestions/completions", body | {"stream": True})
    assert {each["content"] for each in lines(streamed)} == {""}


# trouble at the model server


def refusing(status: int, **headers: str) -> Callable[[Peer], Awaitable[None]]:
    async def play(peer: Peer) -> None:
        await peer.document({"error": {"message": "canary-of-the-model-server"}}, status, **headers)

    return play


@pytest.mark.parametrize("prompt", ["chat/explain_code", "model_configuration%2Fcheck"])
@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "401: The model '{}' answered HTTP 401. Its API key is missing or wrong"),
        (403, "403: The model '{}' answered HTTP 403."),
        (404, "404: The model '{}' answered HTTP 404. Either the endpoint lacks its `/v1`, or no model is served as"),
        (400, "400: The model '{}' rejected the request"),
        (500, "500: The model '{}' answered HTTP 500."),
        (502, "502: The model '{}' answered HTTP 502."),
    ],
)
async def test_a_refusal_begins_with_the_status_of_the_model_server(
    house: House, prompt: str, status: int, says: str
) -> None:
    house.models.play = refusing(status)
    answer = await house.post(f"/v1/prompts/{prompt}", {"inputs": {}})
    assert answer.status == 421
    name = WORDS if "chat" in prompt else FIM
    assert answer.json["detail"].startswith(says.format(name))
    assert "canary" not in answer.json["detail"]


async def test_what_does_not_come_to_http_has_a_status_of_ours(house: House) -> None:
    async def closes(peer: Peer) -> None:
        peer.close()

    house.models.play = closes
    detail = (await house.post("/v1/prompts/chat/explain_code", EXPLAIN)).json["detail"]
    assert detail.startswith("502: The model 'words-model' cannot be reached")
    house.limit(first_token_s=0.2)
    house.models.play = hangs
    detail = (await house.post("/v1/prompts/chat/explain_code", EXPLAIN)).json["detail"]
    assert detail.startswith("504: The model 'words-model' took too long")
    house.assign("chat", "unassigned")
    detail = (await house.post("/v1/prompts/chat/explain_code", EXPLAIN)).json["detail"]
    assert detail.startswith("409: No model serves 'chat_explain_code' yet.")


async def test_a_prompt_that_is_too_long_is_asked_once_more_and_shorter(house: House) -> None:
    async def refuses_the_first(peer: Peer) -> None:
        if len(house.models.heard) == 1:
            text = "This model's maximum context length is 4096 tokens."
            await peer.document({"error": {"message": text, "code": "context_length_exceeded"}}, 400)
        else:
            await house.models.behave(peer)

    house.models.play = refuses_the_first
    body = {"inputs": {"diff": "+ x = 1\n" * 8000}}
    answer = await house.post("/v1/prompts/generate_commit_message", body)
    assert (answer.status, answer.json) == (200, "one + two")
    first, second = (peer.json["messages"][-1]["content"] for peer in house.models.heard)
    assert len(second) < len(first)
    assert "characters left out" in second


async def hangs(peer: Peer) -> None:
    await peer.hang()


class Late:
    """Knows everybody, but only after a while: as when a GitLab's keys are fetched first."""

    def __init__(self) -> None:
        self.known = False

    def verify(self, token: str, headers: object) -> Caller | None:
        del token, headers
        if not self.known:
            raise KeysNeeded("Not yet known.", "Wait.", self.arrive)
        return Caller(subject="gitlab", kind="instance", scopes=frozenset(SCOPES))

    async def arrive(self) -> None:
        await asyncio.sleep(1.2)
        self.known = True


async def test_a_connection_test_answers_before_gitlab_gives_up_even_when_keys_come_late() -> None:
    async with opened(verifiers=[Late()]) as house:
        house.models.play = hangs
        began = time.perf_counter()
        answer = await house.post("/v1/prompts/model_configuration%2Fcheck", {"inputs": {}})
        assert time.perf_counter() - began < 2.9
        assert answer.status == 421
        assert re.search("took too long|did not answer within", answer.json["detail"])
        await eventually(house.quiet)


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_empty_answer_is_421_and_not_an_empty_body(house: House, version: str, stream: bool) -> None:  # noqa: FBT001 (a parameter)
    house.models.words = [" ", "\n"]
    answer = await house.post(f"/{version}/prompts/chat/explain_code", EXPLAIN | {"stream": stream})
    assert answer.status == 421
    assert answer.json["detail"].startswith("502: The model 'words-model' gave an empty answer.")


async def test_a_busy_model_is_a_refusal_of_the_model_server(house: House) -> None:
    house.models.play = refusing(429, retry_after="7")
    answer = await house.post("/v1/prompts/chat/explain_code", EXPLAIN)
    assert (answer.status, answer.header("retry-after")) == (421, "7")
    assert answer.json["detail"].startswith("429: The model 'words-model' is overloaded (HTTP 429).")


async def test_a_queue_that_is_full_is_429(house: House) -> None:
    house.limit(concurrency=0, queue=0)
    answer = await house.post("/v1/prompts/chat/explain_code", EXPLAIN)
    assert (answer.status, answer.header("retry-after")) == (429, "1")
    assert answer.json["detail"][0]["msg"]


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_stream_that_broke_does_not_end_as_if_complete(house: House, version: str) -> None:
    async def breaks(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "one"))
        peer.close()

    house.models.play = breaks
    answer = await house.post(f"/{version}/prompts/chat/explain_code", EXPLAIN | {"stream": True})
    assert answer.status == 200
    assert not answer.whole
    assert (await house.record())["outcome"] == "broken"


# test connection


async def test_a_connection_that_works(house: House) -> None:
    answer = await house.post("/v1/prompts/model_configuration%2Fcheck", CHECK)
    assert (answer.status, answer.json) == (200, "one + two")
    assert house.models.heard[0].json["max_tokens"] == 12


async def test_a_model_that_says_nothing_within_twelve_tokens_is_there(house: House) -> None:
    house.models.words = [""]
    answer = await house.post("/v1/prompts/model_configuration%2Fcheck", CHECK)
    assert (answer.status, answer.json) == (200, model_configuration_check.SILENT)


async def test_a_model_that_hangs_is_told_before_gitlab_gives_up(house: House) -> None:
    house.models.play = hangs
    async with asyncio.timeout(2.95):
        answer = await house.post("/v1/prompts/model_configuration%2Fcheck", CHECK)
    assert answer.status == 421
    assert answer.json["detail"].startswith("504: The model 'fim-model'")


async def test_a_model_that_drips_is_told_before_gitlab_gives_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_configuration_check, "WITHIN_S", 0.6)

    async def drips(peer: Peer) -> None:
        await peer.head(kind="application/json")
        while not peer.closed.is_set():
            await peer.chunk(b" ")
            await asyncio.sleep(0.05)

    house.models.play = drips
    answer = await house.post("/v1/prompts/model_configuration%2Fcheck", CHECK)
    assert answer.status == 421
    assert answer.json["detail"].startswith("504: The model 'fim-model'")


async def test_a_busy_model_is_a_reason_that_gitlab_shows(house: House) -> None:
    house.models.play = refusing(429)
    answer = await house.post("/v1/prompts/model_configuration%2Fcheck", CHECK)
    assert answer.status == 421
    assert answer.json["detail"].startswith("429: The model 'fim-model' is overloaded (HTTP 429).")


# an administrator's folder


async def test_wordings_of_ones_own_are_served(tmp_path: Path) -> None:
    (tmp_path / "chat").mkdir()
    (tmp_path / "chat" / "explain_code.toml").write_text('system = "In verse."\nuser = "{selected_text}!"\n')
    async with opened(prompts_dir=tmp_path) as own:
        assert (await own.post("/v1/prompts/chat/explain_code", EXPLAIN)).status == 200
        assert [each["content"] for each in own.models.heard[0].json["messages"]] == ["In verse.", "x = 1!"]
        assert (await own.record())["wording"] == "chat/explain_code.toml"


async def test_a_wrong_folder_keeps_a_server_from_starting(tmp_path: Path) -> None:
    (tmp_path / "summarize_review.toml").write_text('user = "{nothing}"')
    with pytest.raises(BadConfiguration, match=r"summarize_review.toml is not usable: user, line 1, column 1"):
        async with opened(prompts_dir=tmp_path):
            raise AssertionError

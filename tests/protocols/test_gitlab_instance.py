"""What GitLab's editor extensions ask an instance for over HTTP, from the token check to the suggestion."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from desks import Desk, desk_at
from house import FIM, WORDS, eventually
from script import event, piece
from ways import FILE, TASK_FILE, sse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from script import Peer

SUGGEST = "/api/v4/code_suggestions/completions"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_at(tmp_path) as made:
        yield made


async def test_the_start_of_a_language_server(desk: Desk) -> None:
    """The order of its calls: the token, the version, flags, what is available, who I am, the project."""
    token = (await desk.ask("GET", "/api/v4/personal_access_tokens/self", PRIVATE_TOKEN=desk.token, token="")).json
    assert (token["active"], token["revoked"], token["name"]) == (True, False, "laptop")
    assert {"api", "ai_features"} <= set(token["scopes"])
    info = (await desk.ask("GET", "/oauth/token/info")).json
    assert (info["scope"], info["resource_owner_id"]) == (token["scopes"], token["user_id"])
    version = (await desk.ask("GET", "/api/v4/version")).json
    assert version == (await desk.ask("GET", "/api/v4/metadata")).json
    assert tuple(map(int, version["version"].partition("-")[0].split("."))) >= (17, 6, 0)
    user = (await desk.ask("GET", "/api/v4/user")).json
    assert (user["id"], user["username"], user["state"]) == (token["user_id"], "ada", "active")
    flag = "query featureFlagsEnabled($name: String!) { featureFlagEnabled(name: $name) }"
    assert await desk.data(flag, {"name": "code_suggestions_context"}) == {"featureFlagEnabled": True}
    assert await desk.data(flag, {"name": "duo_workflow"}) == {"featureFlagEnabled": False}
    available = "query suggestionsAvailable { currentUser { duoCodeSuggestionsAvailable duoChatAvailable } }"
    assert set((await desk.data(available))["currentUser"].values()) == {True}
    newer = """query getUser { currentUser { id username name
      userPreferences @gl_introduced(version: "18.10.0") { duoDefaultNamespace { id } }
      notYetThere @gl_introduced(version: "99.0.0") { any { thing } } } }"""
    found = (await desk.data(newer))["currentUser"]
    assert found["id"] == f"gid://gitlab/User/{user['id']}"
    assert "notYetThere" not in found
    project = "query GetProject($projectPath: ID!) { project(fullPath: $projectPath) { duoFeaturesEnabled } }"
    assert (await desk.data(project, {"projectPath": "a/b"}))["project"] == {"duoFeaturesEnabled": True}
    features = (await desk.data("{ currentUser { duoChatAvailableFeatures } }"))["currentUser"]
    assert "include_file_context" in features["duoChatAvailableFeatures"]
    assert (await desk.ask("POST", "/api/v4/code_suggestions/direct_access", {"project_path": "a/b"})).status == 403


async def test_a_suggestion_as_a_document(desk: Desk) -> None:
    answer = await desk.ask("POST", SUGGEST, {"current_file": FILE, "intent": "completion", "prompt_version": 1})
    assert answer.status == 200, answer.body
    assert answer.json["id"] == answer.header("x-request-id")
    assert answer.json["choices"] == [{"text": "one + two", "index": 0, "finish_reason": "length"}]
    assert answer.json["model"]["name"] == FIM


@pytest.mark.parametrize("sse_", [True, False])
async def test_a_suggestion_as_it_comes(desk: Desk, *, sse_: bool) -> None:
    headers = {"X_Supports_Sse_Streaming": "true"} if sse_ else {}
    body = {"current_file": TASK_FILE, "intent": "generation", "stream": True, "user_instruction": "Add them."}
    answer = await desk.ask("POST", SUGGEST, body, **headers)
    if not sse_:
        assert (answer.body, answer.header("x-streaming-format")) == (b"one + two", None)
        return
    assert answer.header("x-streaming-format") == "sse"
    start, *pieces, end = sse(answer.body)
    assert (start[0], end[0]) == ("stream_start", "stream_end")
    assert "".join(data["choices"][0]["delta"]["content"] for _, data in pieces) == "one + two"
    assert start[1]["metadata"]["model"]["name"] == WORDS


INTENTS: dict[str, tuple[dict[str, Any], str]] = {
    "said": ({"intent": "generation"}, WORDS),
    "an instruction": ({"user_instruction": "Add two numbers."}, WORDS),
    "a comment above": ({"current_file": {**FILE, "content_above_cursor": "# Add two numbers here\n"}}, WORDS),
    "a short comment": ({"current_file": {**FILE, "content_above_cursor": "# add\n"}}, FIM),
    "nothing": ({}, FIM),
}


@pytest.mark.parametrize("case", INTENTS)
async def test_intents(desk: Desk, case: str) -> None:
    body, model = INTENTS[case]
    answer = await desk.ask("POST", SUGGEST, {"current_file": FILE} | body)
    assert answer.json["model"]["name"] == model


WRONG: dict[str, tuple[Any, int]] = {
    "no file": ({}, 400),
    "a file without a name": ({"current_file": {**FILE, "file_name": ""}}, 400),
    "too long": ({"current_file": {**FILE, "content_above_cursor": "x" * 400_001}}, 400),
    "blank context": ({"current_file": FILE, "context": [{"type": "file", "name": "a", "content": " "}]}, 400),
    "another intent": ({"current_file": FILE, "intent": "poetry"}, 400),
    "no JSON": (b"{", 400),
    "far too long": (b'{"current_file": "' + b"x" * 5_000_000 + b'"}', 413),
}


@pytest.mark.parametrize("case", WRONG)
async def test_what_is_wrong_is_said_as_gitlab_does(desk: Desk, case: str) -> None:
    body, status = WRONG[case]
    answer = await desk.ask("POST", SUGGEST, body)
    assert answer.status == status, answer.body
    assert answer.json["correlation_id"] in answer.json["message"]
    assert (answer.header("x-gitlab-error-origin") == "monolith") is (status == 413)


async def test_tokens_and_scopes(desk: Desk) -> None:
    missing = await desk.ask("POST", SUGGEST, {"current_file": FILE}, token="")
    assert (missing.status, missing.json["error"], missing.header("x-gitlab-error-origin")) == (
        401,
        "invalid_token",
        "monolith",
    )
    reader = await desk.admit("read_models", name="reader")
    assert (await desk.ask("POST", SUGGEST, {"current_file": FILE}, token=reader)).status == 403
    bare = await desk.ask("GET", "/api/v4/personal_access_tokens/self", token=reader)
    assert bare.json["scopes"] == ["read_user"]
    two = await desk.ask("GET", "/api/v4/user", PRIVATE_TOKEN=reader)
    assert (two.status, "two different" in two.json["message"]) == (400, True)


async def test_features_that_are_off(desk: Desk) -> None:
    path = "/api/v4/code_suggestions/enabled"
    assert (await desk.ask("POST", path, {"project_path": "a/b"})).status == 200
    put = await desk.ask("PUT", "/api/admin/v1/features/code_completions", {"assignment": "disabled"})
    assert put.status == 200
    await eventually(lambda: desk.house.app.door.bench.snapshot().features["code_completions"].assignment == "disabled")
    refused = await desk.ask("POST", SUGGEST, {"current_file": FILE, "intent": "completion"})
    assert (refused.status, refused.header("x-gitlab-error-origin")) == (401, "monolith")
    assert "switched" in refused.json["message"]
    assert (await desk.ask("POST", path, {"project_path": "a/b"})).status == 403


async def test_upstream_failures(desk: Desk) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.document({"error": "no"}, 500)

    async def break_off(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "one"))
        await peer.chunk(event({"error": {"message": "gone"}}))
        await peer.end()

    desk.house.models.play = refuse
    body = {"current_file": FILE, "intent": "generation", "stream": True}
    early = await desk.ask("POST", SUGGEST, body, X_Supports_Sse_Streaming="true")
    assert (early.status, early.header("x-gitlab-error-origin")) == (502, None)
    assert early.json["error"] == "upstream_refused"
    desk.house.models.play = break_off
    late = await desk.ask("POST", SUGGEST, body, X_Supports_Sse_Streaming="true")
    assert (late.status, late.whole) == (200, False)
    assert "stream_end" not in {name for name, _ in sse(late.body)}


async def test_a_question_over_http(desk: Desk) -> None:
    path = "/api/v4/chat/completions"
    assert (await desk.ask("POST", path, {"content": "Why?"})).json == "one + two"
    file = {"file_name": "a.py", "selected_text": "x = 1"}
    assert (await desk.ask("POST", path, {"content": "/explain", "current_file": file})).json == "one + two"
    assert "x = 1" in desk.house.models.heard[-1].body.decode()
    for content in (" ", "x" * 1001):
        assert (await desk.ask("POST", path, {"content": content})).status == 400


async def test_what_became_of_a_suggestion_is_joined_to_its_request(desk: Desk) -> None:
    answer = await desk.ask("POST", SUGGEST, {"current_file": FILE, "intent": "completion"})
    told = {"unique_tracking_id": "t1", "language": "python"}
    shown = {"event": "code_suggestion_shown_in_ide", "additional_properties": told}
    assert (await desk.ask("POST", "/api/v4/usage_data/track_event", shown)).status == 200
    accepted = {"event": "code_suggestion_accepted_in_ide", "additional_properties": told}
    other = {"event": "something_else"}
    unknown = {**accepted, "additional_properties": {"unique_tracking_id": "t2"}}
    events = {"events": [accepted, other, unknown]}
    assert (await desk.ask("POST", "/api/v4/usage_data/track_events", events)).status == 200
    lines = [each for each in desk.house.logs.lines if each["message"] == "suggestion reported"]
    assert [(each["outcome"], each["request"]) for each in lines] == [
        ("shown", answer.json["id"]),
        ("accepted", answer.json["id"]),
    ]
    assert lines[0]["model"] == FIM
    too_many = {"events": [other] * 51}
    assert (await desk.ask("POST", "/api/v4/usage_data/track_events", too_many)).status == 400


async def test_discovery(desk: Desk) -> None:
    found = (await desk.ask("GET", "/.well-known/openid-configuration", token="")).json
    assert found["jwks_uri"] == f"{found['issuer']}/oauth/discovery/keys"
    assert (await desk.ask("GET", "/oauth/discovery/keys", token="")).json == {"keys": []}
    details = await desk.ask("POST", "/api/v4/code_suggestions/connection_details")
    assert (details.status, details.json["realm"]) == (201, "self-managed")


async def test_direct_connections(tmp_path: Path) -> None:
    """As the language server does it: details, then completions with the token and the headers that came."""
    async with desk_at(tmp_path, direct_connections=True) as desk:
        asked = {"project_path": "a/b"}
        answer = await desk.ask("POST", "/api/v4/code_suggestions/direct_access", asked)
        assert answer.status == 201, answer.body
        found = answer.json
        assert found["base_url"] == "http://homeport.test"
        assert 3500 < found["expires_at"] - time.time() <= 3600
        assert set(found["headers"]) == {
            *("X-Gitlab-Realm", "X-Gitlab-Instance-Id", "X-Gitlab-Host-Name", "X-Gitlab-Global-User-Id")
        }
        body = {"prompt_version": 1, "project_id": -1, "current_file": FILE, "intent": "completion", **asked}
        headers = {**found["headers"], "X-Gitlab-Authentication-Type": "oidc"}
        token = found["token"]
        said = await desk.ask("POST", "/v2/completions", body, token, **headers)
        assert (said.status, said.json["choices"][0]["text"]) == (200, "one + two")
        for path in ("/v2/code/generations", SUGGEST, "/v1/chat/completions", "/api/v4/code_suggestions/direct_access"):
            assert (await desk.ask("POST", path, body, token)).status in {401, 403}, path
        assert (await desk.ask("GET", "/api/v4/user", None, token)).status in {401, 403}
        assert (await desk.ask("GET", "/api/admin/v1/models", None, token)).status in {401, 403}
        no_code = await desk.admit("duo_chat", name="no code")
        assert (await desk.ask("POST", "/api/v4/code_suggestions/direct_access", asked, no_code)).status == 403
        carried = {**body, "model_endpoint": "http://127.0.0.1:1/v1", "model_identifier": "x", "model_name": "general"}
        refused = await desk.ask("POST", "/v2/completions", carried, token)
        assert refused.status in {403, 421, 422}, refused.body
        await desk.store.revoke_token("laptop", by="tests")
        gone = await desk.ask("POST", "/v2/completions", body, token)
        assert (gone.status, b"revoked or has expired" in gone.body) == (401, True)

"""The line of a request: the fields that readers of the original's logs look for, and none that nobody may see."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from house import FIM, TOKEN, WORDS, asking
from ways import FILE, MESSAGES, WAYS, named

from homeport.access import SCOPES
from homeport.domain.models import Caller

if TYPE_CHECKING:
    from house import House
    from script import Peer
    from ways import Way

HEADERS = {
    "User-Agent": "gitlab-language-server/6.20",
    "X-Gitlab-Authentication-Type": "oidc",
    "X-Gitlab-Rails-Send-Start": "0",
    "x-gitlab-enabled-feature-flags": "one_flag,another",
    "X-Gitlab-Feature-Enabled-By-Namespace-Ids": "1,2",
    "X-Gitlab-Language-Server-Version": "6.20.0",
    "X-Gitlab-Host-Name": "gitlab.internal",
    "X-Gitlab-Instance-Id": "5d1b3c1e-3f6c-4c0e-8b3f-0a9f3d2c1b0a",
    "X-Gitlab-Realm": "self-managed",
    "X-Gitlab-Version": "18.2.0",
    "X-Gitlab-Global-User-Id": "cX8f0+hash=",
    "X-Gitlab-Duo-Seat-Count": "7",
    "X-Gitlab-Feature-Enablement-Type": "duo_pro",
    "X-Gitlab-Is-Team-Member": "false",
    "X-Gitlab-Saas-Duo-Pro-Namespace-Ids": "9",
    "X-Request-ID": "abc-123",
}
CODE = {"current_file": {**FILE, "language_identifier": "python"}, "stream": False}
TIMING = re.compile(r"_s$|duration_request$")


async def line_of(
    house: House, path: str, body: Any, headers: dict[str, str] | None = None, token: str = TOKEN
) -> dict[str, Any]:
    """The line of a request that is made now."""
    before = len(house.records())
    await house.ask("POST", path, body, headers, token)
    return await house.record(before + 1)


async def test_all_fields_of_a_completion(house: House) -> None:
    sent = time.time()
    headers = HEADERS | {"X-Gitlab-Rails-Send-Start": str(sent)}
    line = await line_of(house, "/v2/code/completions", CODE, headers)
    assert re.fullmatch(r'127\.0\.0\.1:\d+ - "POST /v2/code/completions HTTP/1\.1" 200', line.pop("message"))
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("request_arrived_at"))
    assert line.pop("client_port") > 0
    timing = {name: line.pop(name) for name in list(line) if TIMING.search(name)}
    assert all(0 <= value < time.time() - sent for value in timing.values())
    # only the first request of a connection to the model server has this one
    assert set(timing) - {"connect_duration_s"} == {
        "duration_s",
        "duration_request",
        "auth_duration_s",
        "first_chunk_duration_s",
        "inference_duration_s",
        "response_start_duration_s",
    }
    assert line == {
        "level": "info",
        "logger": "api.access",
        "type": "mlops",
        "stage": "main",
        "correlation_id": "abc-123",
        "url": "http://homeport.test/v2/code/completions",
        "path": "/v2/code/completions",
        "status_code": 200,
        "method": "POST",
        "http_version": "1.1",
        "client_ip": "127.0.0.1",
        "content_type": "application/json",
        "user_agent": "gitlab-language-server/6.20",
        "gitlab_language_server_version": "6.20.0",
        "gitlab_instance_id": "5d1b3c1e-3f6c-4c0e-8b3f-0a9f3d2c1b0a",
        "gitlab_global_user_id": "cX8f0+hash=",
        "gitlab_host_name": "gitlab.internal",
        "gitlab_version": "18.2.0",
        "gitlab_saas_duo_pro_namespace_ids": "9",
        "gitlab_feature_enabled_by_namespace_ids": "1,2",
        "gitlab_feature_enablement_type": "duo_pro",
        "gitlab_realm": "self-managed",
        "is_gitlab_team_member": "false",
        "gitlab_duo_seat_count": "7",
        "enabled_feature_flags": ["one_flag", "another"],
        "caller": "ada",
        "token": "all",
        "outcome": "completed",
        "feature": "code_completions",
        "meta.feature_category": "code_suggestions",
        "meta.unit_primitive": "complete_code",
        "model": FIM,
        "platform": "openai",
        "family": "qwen_coder",
        "model_engine": "openai",
        "model_name": FIM,
        "completion": "fim",
        "prompt_length": line["prompt_length"],
        "prompt_tokens": 11,
        "answer_tokens": 3,
        "answer_length": 9,
        "model_output_length": 9,
        "model_output_length_stripped": 9,
        "blocked": False,
        "finish": "stop",
        "lang": "python",
        "editor_lang": "python",
    }


@pytest.mark.parametrize("way", WAYS, ids=named)
async def test_every_gitlab_line_has_its_fields(house: House, way: Way) -> None:
    line = await line_of(house, way.path, way.plain, HEADERS)
    theirs = {"gitlab_version", "duration_request", "meta.unit_primitive", "model_name", "url"}
    assert set(line) & theirs == (theirs if way.gitlab else set())


@pytest.mark.parametrize("sent", ["", "soon", "nan", "1e999", "-", "9" * 4000])
async def test_a_send_time_that_is_none(house: House, sent: str) -> None:
    line = await line_of(house, "/v2/code/completions", CODE, {"X-Gitlab-Rails-Send-Start": sent})
    if sent in {"", "soon", "nan", "1e999", "-"}:
        assert line["duration_request"] == -1
    assert line["status_code"] == 200


async def test_headers_are_bounded_and_tame(house: House) -> None:
    headers = {name: "x" * 1500 for name in HEADERS if name != "X-Request-ID"}
    line = await line_of(house, "/v2/code/completions", CODE, headers)
    assert max(len(value) for value in line.values() if isinstance(value, str)) <= 256
    line = await line_of(house, "/v2/code/completions", CODE, {"x-gitlab-enabled-feature-flags": "x" * 9000})
    assert len(line["enabled_feature_flags"][0]) == 2048
    headers = {"X-Gitlab-Host-Name": "a\x80\x9bb\tz", "User-Agent": "\xa0\xad"}
    line = await line_of(house, "/v2/code/completions", CODE, headers)
    assert line["gitlab_host_name"] == "a??b?z"
    assert line["user_agent"] == "??"


async def test_the_query_is_not_logged(house: House) -> None:
    line = await line_of(house, "/v2/code/completions?private_token=canary&x=1", CODE)
    assert line["url"] == "http://homeport.test/v2/code/completions"
    assert "canary" not in str(house.logs.lines)


async def test_the_path_that_was_asked_for(house: House) -> None:
    line = await line_of(house, "/v1/prompts/chat%2Fexplain_code", {"inputs": {"selected_text": "x", "input": "y"}})
    assert line["url"] == "http://homeport.test/v1/prompts/chat/explain_code"
    assert line["path"] == "/v1/prompts/chat/explain_code"
    assert ' - "POST /v1/prompts/chat/explain_code HTTP/1.1" 200' in line["message"]
    await house.get("/v1/models/who-knows?x=1")
    line = await house.record(2)
    assert line["path"] == "/v1/models/who-knows"
    await house.get("/nowhere/%0a%1b[31m" + "x" * 500)
    line = await house.record(3)
    assert line["url"].startswith("http://homeport.test/nowhere/??[31mxxx")
    assert len(line["url"]) < 300
    assert line["url"].endswith(line["path"])
    assert line["path"] in line["message"]


@pytest.mark.parametrize(
    ("words", "stripped"), [(["  return", " a + b\n\n"], 12), (["a + b"], 5)], ids=["around", "none"]
)
async def test_how_long_an_answer_is_without_white_space(house: House, words: list[str], stripped: int) -> None:
    house.models.words = words
    line = await line_of(house, "/v1/prompts/chat/explain_code", {"inputs": {"selected_text": "x", "input": "y"}})
    assert line["model_output_length"] == len("".join(words))
    assert line["model_output_length_stripped"] == stripped


async def test_an_answer_that_was_blocked(house: House) -> None:
    async def filtered(peer: Peer) -> None:
        choice = {"text": "a", "message": {"content": "a"}, "finish_reason": "content_filter"}
        await peer.document({"choices": [choice]})

    house.models.play = filtered
    line = await line_of(house, "/v1/prompts/chat/explain_code", {"inputs": {"selected_text": "x", "input": "y"}})
    assert line["blocked"] is True


async def test_the_language_of_an_editor_is_one_that_is_known(house: House) -> None:
    for number, (said, logged) in enumerate(
        (("canary-in-a-word", "other"), ("TypeScriptReact", "ts"), ("", "other")), 1
    ):
        body = {"current_file": {**FILE, "language_identifier": said}}
        await house.post("/v2/code/completions", body)
        assert (await house.record(number))["editor_lang"] == logged
    assert "canary" not in str(house.logs.lines)


async def test_who_signed_the_token(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = Caller(subject="id", kind="instance", scopes=frozenset(SCOPES), issuer="http://gitlab.internal")

    async def admitted(*_: Any) -> Caller:
        return caller

    monkeypatch.setattr(house.app.door.gate, "admitted", admitted)
    line = await line_of(house, "/v2/code/completions", CODE)
    assert (line["token_issuer"], line["caller"]) == ("http://gitlab.internal", "id")


async def test_why_a_caller_was_not_let_in(house: House) -> None:
    line = await line_of(house, "/v2/code/completions", CODE, token="")
    assert line["status_code"] == 401
    assert line["auth_error_details"].startswith("The request carries no credential.")
    assert "caller" not in line
    assert "exception_class" not in line


async def test_what_was_wrong_with_a_request(house: House) -> None:
    line = await line_of(house, "/v2/code/completions", {"current_file": {"file_name": "x"}})
    assert line["status_code"] == 422
    assert "content_above_cursor" in line["http_exception_details"]
    assert "auth_error_details" not in line


async def test_who_may_not_is_named(house: House) -> None:
    token = house.admit(name="narrow", scopes=frozenset({"complete_code"}))
    line = await line_of(house, "/v1/chat/completions", {"messages": MESSAGES}, token=token)
    assert (line["status_code"], line["error_code"]) == (403, "not_allowed")
    assert (line["caller"], line["token"]) == ("bob", "narrow")


async def test_what_a_model_server_did(house: House) -> None:
    async def refusing(peer: Peer) -> None:
        await peer.document({"error": "no"}, 403)

    house.models.play = refusing
    line = await line_of(house, "/v2/code/completions", CODE)
    assert line["status_code"] == 421
    assert line["exception_class"] == "UpstreamRefused"
    assert line["model_exception_status_code"] == 403
    assert line["model_exception_message"] == line["exception_message"]
    assert line["inference_duration_s"] >= 0


async def test_what_nobody_expected(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        message = "canary-in-an-exception"
        raise ValueError(message)

    monkeypatch.setitem(house.app.door.bench.generate, "openai", fail)
    line = await line_of(house, "/v2/code/completions", CODE)
    assert (line["status_code"], line["exception_class"]) == (500, "ValueError")
    (wrong,) = [each for each in house.logs.lines if each["level"] == "error"]
    assert wrong["correlation_id"] == line["correlation_id"]
    assert wrong["exception_class"] == "ValueError"
    assert "in fail" in wrong["exception_backtrace"]
    assert "canary" not in str(house.logs.lines)
    house.logs.lines.remove(wrong)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/monitoring/healthz"),
        ("GET", "/monitoring/ready"),
        ("GET", "/v1/models/definitions"),
        ("GET", "/v2/code/completions"),
        ("POST", "/v2/code/completions"),
        ("POST", "/v4/code/suggestions"),
        ("POST", "/v2/chat/agent"),
        ("POST", "/v1/search/gitlab-docs"),
        ("POST", "/v1/proxy/openai/v1/models"),
        ("POST", "/v1/code/user_access_token"),
        ("POST", "/v2/nowhere"),
    ],
)
async def test_process_time_and_id_are_on_every_answer(house: House, method: str, path: str) -> None:
    for token in ("", "wrong"):
        answer = await house.ask(method, path, b"{" if method == "POST" else None, {"X-Request-ID": "id-1"}, token)
        assert 0 <= float(str(answer.header("x-process-time"))) < 5
        assert answer.header("x-request-id") == "id-1"


async def test_other_protocols_keep_their_own_fields(house: House) -> None:
    line = await line_of(house, "/v1/chat/completions", {"messages": MESSAGES}, HEADERS)
    assert line["model"] == WORDS
    assert line["caller"] == "ada"
    assert not [name for name in line if name.startswith(("gitlab_", "meta."))]


async def test_a_client_that_left(house: House) -> None:
    house.models.play = lambda peer: peer.hang()
    async with house.line() as wire:
        await wire.send(asking("POST", "/v2/code/completions", CODE))
        await house.models.next()
    line = await house.record()
    assert (line["outcome"], line["status_code"], line["phase"]) == ("client_closed", 499, "waiting")
    assert line["inference_duration_s"] >= 0
    assert "response_start_duration_s" not in line

"""Variables that come from GitLab's AI Gateway: none stops the start, and those that do nothing are named."""

from __future__ import annotations

import pytest

from homeport.kit.environment import FOREIGN, UNKNOWN, honoured, unheeded
from homeport.kit.settings import Settings, load, sources

HONOURED = {
    "AIGW_GITLAB_URL": "gitlab_url",
    "AIGW_CUSTOMER_PORTAL_URL": "customer_portal_url",
    "AIGW_CLOUD_CONNECTOR_SERVICE_NAME": "service_name",
    "AIGW_LOGGING__LEVEL": "log_level",
    "AIGW_LOGGING__FORMAT_JSON": "log_json",
    "AIGW_LOGGING__TO_FILE": "log_file",
    "AIGW_LOGGING__ENABLE_REQUEST_LOGGING": "log_every_request",
    "AIGW_SELF_SIGNED_JWT__SIGNING_KEY": "jwt_signing_key",
    "AIGW_SELF_SIGNED_JWT__VALIDATION_KEY": "jwt_validation_key",
    "AIGW_FASTAPI__API_HOST": "gateway_host",
    "AIGW_FASTAPI__API_PORT": "gateway_port",
    "AIGW_FASTAPI__METRICS_HOST": "metrics_host",
    "AIGW_FASTAPI__METRICS_PORT": "metrics_port",
    "AIGW_AUTH__BYPASS_EXTERNAL": "auth_bypass",
    "AIGW_AUTH__BYPASS_EXTERNAL_WITH_HEADER": "auth_bypass_with_header",
    "AIGW_AUTH__BYPASS_JWT_SIGNATURE": "auth_bypass_signature",
    "AIGW_CUSTOM_MODELS__DISABLE_STREAMING": "disable_streaming",
    "AIGW_MODEL_ENGINE_LIMITS": "model_engine_limits",
    "AIGW_CUSTOM_MODELS__ENABLED": "custom_models",
    "SSL_CERT_FILE": "ca_file",
    "REQUESTS_CA_BUNDLE": "ca_file",
}


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any of these variables."""
    for name in honoured():
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_what_is_honoured() -> None:
    assert {name: honoured().get(name) for name in HONOURED} == HONOURED


def test_every_variable_is_honoured_or_explained() -> None:
    known = honoured()
    assert [each.name for each in FOREIGN if bool(each.why) is (each.name in known)] == []
    names = [each.name for each in FOREIGN]
    assert len(set(names)) == len(names)
    assert [name for name in known if name.startswith("AIGW_") and name not in names] == []


@pytest.mark.parametrize("name", [each.name for each in FOREIGN])
@pytest.mark.parametrize("value", ["true", "nonsense", "0", '{"a": 1}'])
def test_no_variable_stops_the_start(setting: pytest.MonkeyPatch, name: str, value: str) -> None:
    name = name.replace("*", "SOMETHING")
    if name in honoured():
        return
    setting.setenv(name, value)
    assert load().model_dump(exclude={"data_dir"}) == Settings.model_validate({}).model_dump(exclude={"data_dir"})


def test_an_empty_variable_is_none(setting: pytest.MonkeyPatch) -> None:
    for name in ("AIGW_FASTAPI__API_PORT", "AIGW_LOGGING__FORMAT_JSON", "AIGW_LOGGING__TO_FILE", "HOMEPORT_PORT"):
        setting.setenv(name, "")
    found = load()
    assert (found.gateway_port, found.log_json, found.log_file, found.port) == (5052, None, None, 5050)
    assert sources(found, {"AIGW_FASTAPI__API_PORT": "", "HOMEPORT_GATEWAY_PORT": "1"})["gateway_port"] == (
        "HOMEPORT_GATEWAY_PORT"
    )


def test_metrics_of_the_gateway_are_where_the_variables_say(setting: pytest.MonkeyPatch) -> None:
    assert (load().metrics_host, load().metrics_port) == ("", 8082)
    setting.setenv("AIGW_FASTAPI__METRICS_HOST", "0.0.0.0")  # noqa: S104 (what the original's operators set)
    setting.setenv("AIGW_FASTAPI__METRICS_PORT", "8083")
    assert (load().metrics_host, load().metrics_port) == ("0.0.0.0", 8083)  # noqa: S104 (as above)


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        ("", "", None),
        ("", "true", "always"),
        ("", "True", "always"),
        ("", "1", "always"),
        ("", "false", None),
        ("header", "", "header"),
        ("header", "false", "header"),
        ("header", "true", "header"),
        ("never", "true", "never"),
        ("false", "true", "never"),
        ("ALWAYS", "false", "always"),
    ],
)
def test_who_decides_about_content(setting: pytest.MonkeyPatch, ours: str, theirs: str, found: str | None) -> None:
    setting.setenv("HOMEPORT_LOG_CONTENT", ours)
    setting.setenv("AIGW_LOGGING__ENABLE_REQUEST_LOGGING", theirs)
    for usual in ("never", "header"):
        assert load().content_logged(usual) == (found or usual)


@pytest.mark.parametrize("said", ["", "{}", '{"anthropic": {}}'])
def test_limits_of_nothing(setting: pytest.MonkeyPatch, said: str) -> None:
    setting.setenv("AIGW_MODEL_ENGINE_LIMITS", said)
    assert not any(load().model_engine_limits.values())


def test_limits_of_models(setting: pytest.MonkeyPatch) -> None:
    said = '{"litellm": {"mistral": {"concurrency": 2, "input_tokens": 8000, "new": 1}, "gpt": {"output_tokens": 9}}}'
    setting.setenv("AIGW_MODEL_ENGINE_LIMITS", said)
    found = load().model_engine_limits["litellm"]
    assert found["mistral"].model_dump() == {"concurrency": 2, "input_tokens": 8000, "output_tokens": None}
    assert found["gpt"].model_dump(exclude_none=True) == {"output_tokens": 9}
    assert sources(load(), {"AIGW_MODEL_ENGINE_LIMITS": said})["model_engine_limits"] == "AIGW_MODEL_ENGINE_LIMITS"


@pytest.mark.parametrize("said", ["nonsense", "7", '{"litellm": 7}', '{"a": {"b": {"concurrency": 0}}}', "[]", "{"])
def test_wrong_limits_are_refused(setting: pytest.MonkeyPatch, said: str) -> None:
    setting.setenv("AIGW_MODEL_ENGINE_LIMITS", said)
    with pytest.raises(ValueError, match=r"AIGW_MODEL_ENGINE_LIMITS|model_engine_limits"):
        load()


def test_a_wrong_word_for_content_is_refused(setting: pytest.MonkeyPatch) -> None:
    setting.setenv("HOMEPORT_LOG_CONTENT", "sometimes")
    with pytest.raises(ValueError, match="'never', 'header' or 'always'"):
        load()


def test_what_is_named_at_the_start() -> None:
    found = unheeded(
        {
            "AIGW_SNOWPLOW__ENABLED": "true",
            "AIGW_SNOWPLOW__ENDPOINT": "",
            "AIGW_ABUSE_DETECTION__ENABLED": "false",
            "AIGW_DEFAULT_PROMPTS": "{}",
            "aigw_vertex_text_model__endpoint": "https://x",
            "AIGW_FASTAPI__DOCS_URL": "/docs",
            "AIGW_FASTAPI__OPENAPI_URL": "/api.json",
            "AIGW_ENVIRONMENT": "production",
            "AIGW_LOGING__LEVEL": "DEBUG",
            "AIGW_LOGGING__LEVEL": "DEBUG",
            "WEB_CONCURRENCY": "4",
            "ENABLE_DUO_WORKFLOW_SERVICE": "true",
            "DUO_WORKFLOW_LOGGING__LEVEL": "INFO",
            "OPENAI_API_KEY": "sk-canary",
            "PATH": "/bin",
        }
    )
    assert list(found) == [
        "AIGW_FASTAPI__OPENAPI_URL",
        "AIGW_LOGING__LEVEL",
        "AIGW_SNOWPLOW__ENABLED",
        "DUO_WORKFLOW_LOGGING__LEVEL",
        "ENABLE_DUO_WORKFLOW_SERVICE",
        "WEB_CONCURRENCY",
        "aigw_vertex_text_model__endpoint",
    ]
    assert found["AIGW_LOGING__LEVEL"] == f"{UNKNOWN} AIGW_LOGGING__LEVEL is one."
    assert "one process serves" in found["WEB_CONCURRENCY"]
    assert "canary" not in str(found)


def test_one_process_is_what_one_asks_for() -> None:
    assert unheeded({"WEB_CONCURRENCY": "1"}) == {}


def test_a_misspelt_variable_of_ours_is_named() -> None:
    found = unheeded({"HOMEPORT_PROT": "8080", "HOMEPORT_PORT": "1", "HOMEPORT_CONFIG": "x", "HOMEPORT_XYZZY": "1"})
    assert found == {"HOMEPORT_PROT": f"{UNKNOWN} HOMEPORT_PORT is one.", "HOMEPORT_XYZZY": UNKNOWN}

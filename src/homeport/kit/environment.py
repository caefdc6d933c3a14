"""Variables that an operator of GitLab's AI Gateway has set: which mean something here, and why the others do not.

Source: section "Environment variables" of the protocol, 17.4 to 19.x. What `Settings` reads is honoured,
whatever this table says.
"""

from __future__ import annotations

import difflib
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from pydantic import AliasChoices

from homeport.kit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX, OURS = "AIGW_", "HOMEPORT_"
ELSEWHERE = frozenset({"HOMEPORT_CONFIG", "HOMEPORT_DEBUG", "HOMEPORT_TEST_POSTGRES_URL"})
"""Ours that are no settings."""
_OFF = frozenset({"", "0", "false", "no", "off", "none", "null", "{}", "[]"})

_VENDOR = "models come from the registry or with the request; no vendor's cloud is called by itself"
_NOBODY = "nothing is sent to anybody: there is no telemetry"
_WORKFLOW = "the service of the Agent Platform (gRPC) is not part of Homeport"


class Foreign(NamedTuple):
    """A variable of the original."""

    name: str
    """A star at its end stands for everything that begins so."""
    why: str
    """Why it has no effect here, or what takes its place."""
    missed: bool = True
    """Whether somebody who set it would expect to notice."""
    same: tuple[str, ...] = ()
    """Values that mean what Homeport does anyway."""


FOREIGN = (
    Foreign("AIGW_ENVIRONMENT", "it switches tracing to a service outside, which there is not", missed=False),
    Foreign("AIGW_GITLAB_URL", ""),
    Foreign("AIGW_GITLAB_API_URL", "GitLab's API is not asked", missed=False),
    Foreign("AIGW_CUSTOMER_PORTAL_URL", ""),
    Foreign("AIGW_GLGO_BASE_URL", "Amazon Q is not served", missed=False),
    Foreign("AIGW_CLOUD_CONNECTOR_SERVICE_NAME", ""),
    Foreign("AIGW_MOCK_MODEL_RESPONSES", "answers are never made up; `homeport up` brings a small real model"),
    Foreign("AIGW_USE_AGENTIC_MOCK", "answers are never made up"),
    Foreign("AIGW_LOGGING__LEVEL", ""),
    Foreign("AIGW_LOGGING__FORMAT_JSON", ""),
    Foreign("AIGW_LOGGING__TO_FILE", ""),
    Foreign("AIGW_LOGGING__ENABLE_REQUEST_LOGGING", ""),
    Foreign("AIGW_LOGGING__ENABLE_LITELLM_LOGGING", "HOMEPORT_LOG_CONTENT shows what a model is sent"),
    Foreign("AIGW_SELF_SIGNED_JWT__SIGNING_KEY", ""),
    Foreign("AIGW_SELF_SIGNED_JWT__VALIDATION_KEY", ""),
    Foreign("AIGW_FASTAPI__API_HOST", ""),
    Foreign("AIGW_FASTAPI__API_PORT", ""),
    Foreign("AIGW_FASTAPI__METRICS_HOST", ""),
    Foreign("AIGW_FASTAPI__METRICS_PORT", ""),
    Foreign("AIGW_FASTAPI__UVICORN_LOGGER", "log lines have one form", missed=False),
    Foreign("AIGW_FASTAPI__DOCS_URL", "it is /docs", same=("/docs",)),
    Foreign("AIGW_FASTAPI__OPENAPI_URL", "it is /openapi.json", same=("/openapi.json",)),
    Foreign("AIGW_FASTAPI__REDOC_URL", "/docs describes the API"),
    Foreign("AIGW_FASTAPI__RELOAD", "code is read once"),
    Foreign("AIGW_FASTAPI__TLS__*", "a reverse proxy does TLS: docs/operate/install.md"),
    Foreign("AIGW_MTLS__*", "no client certificate is shown to model servers"),
    Foreign("AIGW_AUTH__BYPASS_EXTERNAL", ""),
    Foreign("AIGW_AUTH__BYPASS_EXTERNAL_WITH_HEADER", ""),
    Foreign("AIGW_AUTH__BYPASS_JWT_SIGNATURE", ""),
    Foreign("AIGW_GOOGLE_CLOUD_PROFILER__*", _NOBODY),
    Foreign("AIGW_INSTRUMENTATOR__*", "the metrics page counts threads whenever it is read", missed=False),
    Foreign("AIGW_SNOWPLOW__*", _NOBODY),
    Foreign("AIGW_INTERNAL_EVENT__*", _NOBODY),
    Foreign("AIGW_BILLING_EVENT__*", _NOBODY),
    Foreign("AIGW_AUDIT_EVENT__*", _NOBODY),
    Foreign("AIGW_CUSTOM_MODELS__ENABLED", ""),
    Foreign("AIGW_CUSTOM_MODELS__DISABLE_STREAMING", ""),
    Foreign("AIGW_CUSTOM_MODELS__EXTRA_HEADERS", "headers to model servers are built from nothing"),
    Foreign("AIGW_DUO_CHAT__MAX_TOKENS", "a model's limits are in the registry: `output_tokens`"),
    Foreign("AIGW_DUO_CHAT__MODEL_REQUEST_TIMEOUT", "HOMEPORT_MODEL_TIMEOUT takes its place"),
    Foreign("AIGW_MODEL_KEYS__*", _VENDOR),
    Foreign("AIGW_MODEL_ENDPOINTS__*", _VENDOR),
    Foreign("AIGW_GOOGLE_CLOUD_PLATFORM__*", _VENDOR),
    Foreign("AIGW_VERTEX_TEXT_MODEL__*", _VENDOR),
    Foreign("AIGW_VERTEX_SEARCH__*", "`homeport docs index` makes the index that documentation is searched in"),
    Foreign("AIGW_AMAZON_Q__*", "Amazon Q is not served"),
    Foreign("AIGW_MODEL_ENGINE_LIMITS", ""),
    Foreign("AIGW_MODEL_ENGINE_CONCURRENCY_LIMITS", "AIGW_MODEL_ENGINE_LIMITS took its place: it has `concurrency`"),
    Foreign("AIGW_DEFAULT_PROMPTS", "the version that the caller asks for is used"),
    Foreign("AIGW_ABUSE_DETECTION__*", "requests are not judged"),
    Foreign("AIGW_FEATURE_FLAGS__*", "flags of the original's own code"),
    Foreign("AIGW_F__*", "flags of the original's own code"),
    Foreign("AIGW_MODEL_SELECTION__*", "the registry says which model serves a feature"),
    Foreign("AIGW_LITELLM__*", "LiteLLM is not used"),
    Foreign("AIGW_PROXY_ENDPOINTS__*", "vendors' APIs are not passed through"),
    Foreign("AIGW_BIND_TOOLS_CACHE__*", "there is no such cache", missed=False),
    Foreign("AIGW_BEDROCK_GUARDRAIL_CONFIG", "it holds for models on Bedrock", missed=False),
    Foreign(
        "WEB_CONCURRENCY",
        "one process serves, which waits for models and not for the CPU; for more, start several behind a balancer",
        same=("1",),
    ),
    Foreign("PROMETHEUS_MULTIPROC_DIR", "one process serves, and counts by itself", missed=False),
    Foreign("DISABLE_AI_GATEWAY", "`homeport gateway` is the gateway"),
    Foreign("ENABLE_DUO_WORKFLOW_SERVICE", _WORKFLOW),
    Foreign("DUO_WORKFLOW_*", _WORKFLOW),
    Foreign("CLOUD_CONNECTOR_SERVICE_NAME", ""),
    Foreign("ANTHROPIC_API_KEY", _VENDOR, missed=False),
    Foreign("OPENAI_API_KEY", _VENDOR, missed=False),
    Foreign("GOOGLE_APPLICATION_CREDENTIALS", _VENDOR, missed=False),
    Foreign("SSL_CERT_FILE", ""),
    Foreign("REQUESTS_CA_BUNDLE", ""),
    Foreign("HTTPS_PROXY", "HOMEPORT_PROXY is the proxy to models, or a model's own option", missed=False),
    Foreign("HTTP_PROXY", "HOMEPORT_PROXY is the proxy to models, or a model's own option", missed=False),
    Foreign("NO_PROXY", "HOMEPORT_NO_PROXY says who is reached without it", missed=False),
    Foreign("HF_HOME", "nothing is downloaded while it runs", missed=False),
    Foreign("HF_HUB_OFFLINE", "nothing is downloaded while it runs", missed=False),
)
"""In the order of the protocol's table, with what every program's environment may hold; the honoured need no reason."""

UNKNOWN = "no variable of this name is known; is it spelt right?"


def honoured() -> dict[str, str]:
    """The setting that each variable fills, ours included."""
    return {
        str(choice): name
        for name, field in Settings.model_fields.items()
        if isinstance(field.validation_alias, AliasChoices)
        for choice in field.validation_alias.choices
        if str(choice).isupper()
    }


def unheeded(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that are set, have no effect and would be missed; each with the reason."""
    plain = {f"{OURS}{name.upper()}": name for name in Settings.model_fields}
    return dict(_unheeded(environ, plain | honoured()))


def _unheeded(environ: Mapping[str, str], known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in sorted(environ.items()):
        if name.upper() in known or value.strip().lower() in _OFF:
            continue
        foreign = next((each for each in FOREIGN if fnmatchcase(name.upper(), each.name)), None)
        if foreign is None:
            if name.upper().startswith((PREFIX, OURS)) and name.upper() not in ELSEWHERE:
                near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.85)
                yield name, f"{UNKNOWN} {near[0]} is one." if near else UNKNOWN
        elif foreign.missed and value.strip() not in foreign.same:
            yield name, foreign.why or UNKNOWN

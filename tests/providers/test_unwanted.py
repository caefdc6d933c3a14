"""What is learned from refusals, and what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from homeport.domain.models import Model
from homeport.providers import _unwanted


def model(name: str) -> Model:
    return Model(name=name, platform="azure", endpoint=f"http://{name}/v1", identifier=name)


def azure(message: str, **fields: Any) -> bytes:
    return json.dumps({"error": {"message": message, "type": "invalid_request_error", **fields}}).encode()


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (azure("'temperature' does not support 0", param="temperature", code="unsupported_value"), "temperature"),
        (azure("'max_tokens' is not supported", param="max_tokens", code="unsupported_parameter"), "max_tokens"),
        (azure("Invalid value: 'streaming'. Supported values are…", param="reasoning_effort", code="x"), ""),
        (azure("max_tokens is too large; this model supports at most 16384", param="max_tokens", code=None), ""),
        (azure("not supported", param="stream", code="unsupported_parameter"), ""),
        (azure("not supported", param=["x"], code="unsupported_parameter"), ""),
        (b'{"message": "This model doesn\'t support streaming."}', "stream"),
        (b'{"type": "error", "error": {"message": "`temperature` is deprecated for this model."}}', "temperature"),
        (b'{"message": "temperature must be below 1"}', ""),
        (b"<html>", ""),
    ],
)
def test_only_a_refused_option_is_learned(body: bytes, name: str) -> None:
    found = _unwanted.found(model("m"), 400, body)
    assert (found.name if found else "") == name


def test_lessons_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(_unwanted.time, "monotonic", lambda: now)
    _unwanted._learn(model("forgets"), "temperature")  # noqa: SLF001 (what a refusal does)
    assert _unwanted.of(model("forgets")) == {"temperature"}
    now += _unwanted.REMEMBERED_S + 1
    assert _unwanted.of(model("forgets")) == frozenset()

"""A caller never chooses where a request goes, what the model server is called, or what key it is shown."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from house import KEY
from script import ModelServer
from ways import ASKED, error_text, named

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from house import House
    from ways import Way


@pytest.fixture
async def trap() -> AsyncIterator[ModelServer]:
    """A server that nobody registered."""
    async with ModelServer().listening() as found:
        found.catalogue = found.behave
        yield found


NAMES = re.findall(
    r"\S+",
    """
    api_base base_url api_key api_version api_type user_config litellm_params model_list fallbacks
    context_window_fallback_dict extra_headers extra_body extra_query headers timeout endpoint host url proxy
    custom_llm_provider deployment_id organization metadata model_endpoint model_api_key model_identifier
    model_provider aws_bedrock_runtime_endpoint vertex_credentials azure_ad_token mock_response model_metadata
    model_config client http_client stream_timeout force_timeout guided_json chat_template documents
    add_generation_prompt prompt_logprobs kv_transfer_params priority lora_request best_of vllm_xargs __class__
    __proto__ constructor
    """,
)
HEADERS = {
    "X-Forwarded-Host": "evil",
    "X-Forwarded-For": "1.2.3.4",
    "X-Original-URL": "/evil",
    "X-Rewrite-URL": "/evil",
    "X-Model-Endpoint": "http://evil",
    "X-Upstream-Host": "evil",
    "X-Api-Base": "http://evil",
    "OpenAI-Organization": "evil",
    "Forwarded": "host=evil",
    "Via": "1.1 evil",
    "Proxy-Authorization": "Basic evil",
    "Traceparent": "00-evil",
    "Connection": "keep-alive, X-Secret",
    "X-Secret": "evil",
    "Accept-Encoding": "gzip",
    "User-Agent": "evil",
    "Cookie": "evil=1",
}


@pytest.mark.parametrize(("way", "stream"), ASKED, ids=named)
async def test_steering_fields_and_headers_go_nowhere(
    house: House, trap: ModelServer, way: Way, *, stream: bool
) -> None:
    honest = way.body(stream)
    await house.post(way.path, honest)
    steering: dict[str, Any] = dict.fromkeys(NAMES, trap.url)
    nested = {"endpoint": trap.url, "api_key": "stolen", "name": "x", "identifier": "x", "provider": "openai"}
    for name in ("user_config", "model_metadata", "litellm_params", "extra_headers", "extra_body", "metadata"):
        steering[name] = nested
    answer = await house.ask("POST", f"{way.path}?api_base={trap.url}&model=x", honest | steering, HEADERS)
    if way.gitlab:
        # here such fields do name a model; one that is not registered is refused, and nobody is called
        assert answer.status == way.status(0, 421)
        assert "not registered" in error_text(way, answer)
        assert len(house.models.heard) == 1
        assert not trap.heard
        return
    assert answer.status == 200
    first, second = house.models.heard
    assert second.json == first.json
    assert second.target == first.target
    differing = {name for name in first.headers if first.headers[name] != second.headers.get(name)}
    assert differing <= {"x-request-id"}
    assert first.headers.keys() == second.headers.keys()
    assert second.headers["authorization"] == f"Bearer {KEY}"
    assert "evil" not in json.dumps(second.headers)
    assert not trap.heard


async def test_a_url_as_model_name_is_only_a_name(house: House, trap: ModelServer) -> None:
    for name in (trap.url, f"openai/{trap.url}", "words-model@evil", "words-model?x=1", "words-model/../x"):
        answer = await house.post(
            "/v1/chat/completions", {"model": name, "messages": [{"role": "user", "content": "q"}]}
        )
        assert answer.status == 404
    assert not trap.heard
    assert not house.models.heard


async def test_the_key_goes_to_its_models_origin_only(house: House, trap: ModelServer) -> None:
    house.snapshot = house.snapshot.with_models(
        house.model("keyless", endpoint=trap.url, key=type(house.model("x").key)())
    )
    answer = await house.post("/v1/completions", {"model": "keyless", "prompt": "x"})
    assert answer.status == 200
    assert "authorization" not in trap.heard[0].headers
    assert KEY not in json.dumps(trap.heard[0].headers)


async def test_a_key_that_breaks_out_of_its_header_is_refused(house: House) -> None:
    for key in ("x\r\nX-Evil: 1", "x\n", "x\0", "\u2713"):
        secret = type(house.model("x").key)(key)
        house.snapshot = house.snapshot.with_models(house.model("odd", key=secret))
        answer = await house.post("/v1/completions", {"model": "odd", "prompt": "x"})
        assert answer.status == 502
        assert "its API key holds a character" in answer.json["error"]["message"]
        assert "X-Evil" not in answer.body.decode()
    assert not house.models.heard

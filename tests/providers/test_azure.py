"""Azure OpenAI: both interfaces, every way to show who asks, and what its content filters mean."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from clouds import Entra, Played
from script import DONE, ModelServer, Peer, document, event, piece, stream

from homeport.domain.errors import (
    BadConfiguration,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamRefused,
    UpstreamRejected,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from homeport.domain.models import Limits, Model, Secret
from homeport.domain.prompts import Prompt
from homeport.domain.requests import Message, Sampling
from homeport.providers import Unlisted, _entra
from homeport.providers._leases import Leases
from homeport.providers.azure import PROVIDER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from homeport.domain.streams import Chunk
    from homeport.kit.upstream_http import HttpUpstream

    Ask = Callable[..., Awaitable[list[Chunk]]]

pytestmark = pytest.mark.usefixtures("no_cloud")
CHAT = Prompt(
    kind="chat",
    messages=(Message(role="user", content="q"),),
    sampling=Sampling(max_tokens=5, temperature=0.0, stop=("END",)),
)
STREAM = CHAT._replace(stream=True)
CLIENT = "11111111-2222-3333-4444-555555555555"
IDENTITY = {"tenant": "contoso.example", "client_id": CLIENT}


@pytest.fixture
def entra() -> Entra:
    return Entra()


@pytest.fixture
def azure(server: ModelServer, entra: Entra) -> ModelServer:
    """A resource that knows one API key, and tokens of Entra ID, at one server with who gives them."""

    async def play(peer: Peer) -> None:
        if await entra(peer):
            return
        if peer.headers.get("api-key") == "good" or peer.headers.get("authorization") == f"Bearer {entra.token}":
            await server.behave(peer)
        else:
            await peer.document({"error": {"code": "401", "message": "canary"}}, 401)

    server.play = play
    return server


@pytest.fixture
def model(azure: ModelServer) -> Model:
    return Model(
        name="mine",
        platform="azure",
        endpoint=azure.url.removesuffix("/v1"),
        identifier="gpt 4o",
        key=Secret("good"),
        limits=Limits(first_token_s=1, idle_s=1, total_s=3),
    )


@pytest.fixture
def ask(upstream: HttpUpstream, model: Model) -> Ask:
    async def asked(prompt: Prompt = CHAT, **changes: Any) -> list[Chunk]:
        return [chunk async for chunk in PROVIDER.generate(upstream, replace(model, **changes), prompt)]

    return asked


@pytest.fixture
async def elsewhere() -> AsyncIterator[ModelServer]:
    async with ModelServer().listening() as found:
        yield found


async def test_the_v1_interface(azure: ModelServer, ask: Ask) -> None:
    (chunk,) = await ask()
    assert (chunk.text, chunk.finish) == ("one + two", "stop")
    (peer,) = azure.heard
    assert (peer.method, peer.target) == ("POST", "/openai/v1/chat/completions")
    assert peer.headers["api-key"] == "good"
    assert "authorization" not in peer.headers
    assert peer.json == {
        "model": "gpt 4o",
        "stream": False,
        "messages": [{"role": "user", "content": "q"}],
        "max_tokens": 5,
        "temperature": 0.0,
        "stop": ["END"],
    }


async def test_the_dated_interface(azure: ModelServer, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    await ask(options={"api_version": "2024-10-21"})
    monkeypatch.setenv("OPENAI_API_VERSION", "2025-04-01-preview")
    await ask()
    monkeypatch.setenv("OPENAI_API_VERSION", "latest")
    with pytest.raises(BadConfiguration, match="OPENAI_API_VERSION"):
        await ask()
    assert [peer.target for peer in azure.heard] == [
        "/openai/deployments/gpt%204o/chat/completions?api-version=2024-10-21",
        "/openai/deployments/gpt%204o/chat/completions?api-version=2025-04-01-preview",
    ]


@pytest.mark.parametrize(
    "tail",
    ["", "/", "/openai", "/openai/v1", "/openai/v1/", "/openai/deployments/x/chat/completions?api-version=2024-02-01"],
)
async def test_whatever_part_of_the_address_was_registered(
    azure: ModelServer, ask: Ask, model: Model, tail: str
) -> None:
    await ask(endpoint=f"{model.endpoint}{tail}")
    assert azure.heard[0].target == "/openai/v1/chat/completions"


async def test_behind_a_gateway_with_a_path(azure: ModelServer, ask: Ask, model: Model) -> None:
    await ask(endpoint=f"{model.endpoint}/team/a/openai")
    assert azure.heard[0].target == "/team/a/openai/v1/chat/completions"


async def test_streams(ask: Ask) -> None:
    chunks = await ask(STREAM)
    assert "".join(chunk.text for chunk in chunks) == "one + two"
    assert chunks[-1].usage is not None
    relayed = await ask(STREAM._replace(relay=True))
    assert b"".join(chunk.wire for chunk in relayed).endswith(DONE)


async def test_the_first_event_reports_filters_and_is_no_answer(azure: ModelServer, ask: Ask) -> None:
    filters = event({"choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]})

    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.events([filters, *stream("chat", ["a"])])
        await peer.end()

    azure.play = play
    assert "".join(chunk.text for chunk in await ask(STREAM)) == "a"
    wire = b"".join(chunk.wire for chunk in await ask(STREAM._replace(relay=True)))
    assert b"prompt_filter_results" not in wire
    assert wire.count(b"data:") == 3


async def test_options_of_other_servers_are_left_out(azure: ModelServer, ask: Ask) -> None:
    await ask(CHAT._replace(extra={"top_k": 1, "min_p": 0.1, "repetition_penalty": 1.0, "seed": 3, "tools": []}))
    assert set(azure.heard[0].json) == {
        "model",
        "stream",
        "messages",
        "max_tokens",
        "temperature",
        "stop",
        "seed",
        "tools",
    }


REASONING = {
    "max_tokens": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'.",
    "temperature": "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) is.",
    "stop": "Unsupported parameter: 'stop' is not supported with this model.",
}


async def test_reasoning_models_get_what_they_take(azure: ModelServer, ask: Ask) -> None:
    async def play(peer: Peer) -> None:
        wrong = next((name for name in REASONING if name in peer.json), None)
        if wrong:
            error = {
                "message": REASONING[wrong],
                "type": "invalid_request_error",
                "param": wrong,
                "code": "unsupported_parameter",
            }
            await peer.document({"error": error}, 400)
        else:
            await peer.document(document("chat", "fine"))

    azure.play = play
    for _ in range(2):
        assert (await ask())[0].text == "fine"
    assert len(azure.heard) == 5
    assert azure.heard[-1].json == {
        "model": "gpt 4o",
        "stream": False,
        "messages": [{"role": "user", "content": "q"}],
        "max_completion_tokens": 5,
    }


# content filters


def filtered(**hits: Any) -> dict[str, Any]:
    result = {"hate": {"filtered": False, "severity": "safe"}} | hits
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": result}
    return {
        "error": {"message": "canary", "param": "prompt", "code": "content_filter", "status": 400, "innererror": inner}
    }


LOW = {"filtered": True, "severity": "low"}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (filtered(violence={"filtered": True, "severity": "high"}), "(violence high)"),
        (filtered(jailbreak={"filtered": True}, sexual=LOW), "(sexual low, jailbreak)"),
        (filtered(canary={"filtered": True}, self_harm={"filtered": True, "severity": "canary"}), "(self harm)"),
        ({"error": {"code": "content_filter", "message": "canary"}}, "for the model 'mine'."),
        ({"error": "content_filter"}, "for the model 'mine'."),
    ],
)
async def test_a_refused_prompt_is_explained(azure: ModelServer, ask: Ask, body: Any, told: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.document(body, 400)

    azure.play = play
    for prompt in (CHAT, STREAM):
        with pytest.raises(UpstreamRejected, match="Azure's content filter refused the prompt") as caught:
            await ask(prompt)
        assert told in str(caught.value)
        assert "canary" not in str(caught.value)
        assert caught.value.status == 400


async def test_a_filtered_answer_is_told(azure: ModelServer, ask: Ask) -> None:
    whole = document("chat", "half an ans")
    whole["choices"][0]["finish_reason"] = "content_filter"

    async def play(peer: Peer) -> None:
        if peer.json["stream"]:
            await peer.head()
            await peer.events([piece("chat", "half"), piece("chat", "", "content_filter"), DONE])
            await peer.end()
        else:
            await peer.document(whole)

    azure.play = play
    for prompt in (CHAT, STREAM):
        with pytest.raises(UpstreamRejected, match="Azure's content filter stopped the answer of the model 'mine'"):
            await ask(prompt)
        relayed = b"".join(chunk.wire for chunk in await ask(prompt._replace(relay=True)))
        assert b'"content_filter"' in relayed


# refusals


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, UpstreamRefused, "--api-key-env"),
        (403, UpstreamRefused, "--api-key-env"),
        (404, UpstreamRefused, "deployment called 'gpt 4o'"),
        (400, UpstreamRejected, "rejected the request"),
        (429, UpstreamOverloaded, "overloaded"),
        (500, UpstreamRefused, "HTTP 500"),
    ],
)
async def test_refusals(azure: ModelServer, ask: Ask, status: int, kind: type[UpstreamRefused], words: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.document({"error": {"message": "canary"}}, status, Retry_After=7)

    azure.play = play
    with pytest.raises(kind) as caught:
        await ask()
    assert words in str(caught.value)
    assert "canary" not in str(caught.value)
    assert caught.value.retry_after_s == (7 if status == 429 else None)


async def test_a_prompt_that_is_too_long(azure: ModelServer, ask: Ask) -> None:
    async def play(peer: Peer) -> None:
        error = {"code": "context_length_exceeded", "message": "This model's maximum context length is 8192 tokens."}
        await peer.document({"error": error}, 400)

    azure.play = play
    with pytest.raises(UpstreamRejected, match="do not fit its context window"):
        await ask()


async def test_a_stream_that_breaks_off(azure: ModelServer, ask: Ask) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece("chat", "a"))
        await peer.end()

    azure.play = play
    with pytest.raises(UpstreamTruncated):
        await ask(STREAM)


async def test_who_leaves_cuts_the_connection(azure: ModelServer, ask: Ask) -> None:
    async def play(peer: Peer) -> None:
        await peer.hang()

    azure.play = play
    for number, (prompt, changes) in enumerate(
        [(CHAT, {}), (STREAM, {}), (CHAT, {"options": {"auth": "client_secret", **IDENTITY}})], 1
    ):
        task = asyncio.create_task(ask(prompt, **changes))
        if changes:
            await asyncio.sleep(0.05)
            task.cancel()
            continue
        peer = await azure.next(number)
        task.cancel()
        left = time.perf_counter()
        await asyncio.wait_for(peer.closed.wait(), 5)
        assert peer.closed_at - left < 5


# Entra ID


@pytest.fixture
def authority(no_cloud: None, azure: ModelServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """Entra ID at the scripted server, which is the operator's own Azure too."""
    del no_cloud
    url = azure.url.removesuffix("/v1")
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", url)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", url)
    return url


@pytest.mark.usefixtures("authority")
async def test_a_client_secret(azure: ModelServer, ask: Ask, entra: Entra) -> None:
    options = {"auth": "client_secret", **IDENTITY}
    for _ in range(3):
        assert (await ask(options=options, key=Secret("s3cret")))[0].text == "one + two"
    assert entra.given == [
        {
            "grant_type": "client_credentials",
            "client_id": CLIENT,
            "scope": "https://cognitiveservices.azure.com/.default",
            "client_secret": "s3cret",
            "path": "/contoso.example/oauth2/v2.0/token",
        }
    ]
    assert "api-key" not in azure.heard[-1].headers
    assert azure.heard[-1].headers["authorization"] == "Bearer entra-1"


@pytest.mark.usefixtures("authority")
async def test_an_identity_of_the_environment(ask: Ask, entra: Entra, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEPORT_AZURE_AUTH", "client_secret")
    monkeypatch.setenv("AZURE_TENANT_ID", "t")
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
    with pytest.raises(BadConfiguration, match="AZURE_CLIENT_SECRET"):
        await ask(key=Secret())
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "from the environment")
    await ask(key=Secret())
    assert entra.given[0]["client_secret"] == "from the environment"
    # a key of the model's own comes before what holds for all
    assert (await ask(key=Secret("good")))[0].text == "one + two"
    assert len(entra.given) == 1
    monkeypatch.delenv("AZURE_TENANT_ID")
    with pytest.raises(BadConfiguration, match="tenant or client id"):
        await ask(key=Secret())


@pytest.mark.usefixtures("authority")
async def test_workload_identity(ask: Ask, entra: Entra, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    options = {"auth": "workload_identity", **IDENTITY}
    with pytest.raises(BadConfiguration, match="AZURE_FEDERATED_TOKEN_FILE"):
        await ask(options=options, key=Secret())
    (tmp_path / "token").write_text("projected\n")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
    await ask(options=options, key=Secret())
    assert entra.given[0]["client_assertion"] == "projected"
    assert entra.given[0]["client_assertion_type"].endswith("jwt-bearer")


async def test_managed_identity(ask: Ask, entra: Entra, authority: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", authority)
    await ask(options={"auth": "managed_identity"}, key=Secret())
    resource = "https://cognitiveservices.azure.com"
    assert entra.given == [{"api-version": "2018-02-01", "resource": resource, "proof": "true"}]
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{authority}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "hop")
    await ask(options={"auth": "managed_identity", "client_id": CLIENT}, key=Secret())
    assert entra.given[1] == {"api-version": "2019-08-01", "resource": resource, "client_id": CLIENT, "proof": "hop"}


async def test_the_metadata_service_is_asked_only_where_it_was_chosen(model: Model) -> None:
    at_home = replace(model, endpoint="https://mine.openai.azure.com", key=Secret())
    asked = Played(b"no", status=404)
    with pytest.raises(UpstreamRefused, match="the managed identity service answered HTTP 404"):
        await anext(PROVIDER.generate(asked, replace(at_home, options={"auth": "managed_identity"}), CHAT))
    (call,) = asked.calls
    assert call.url.startswith("http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01")
    assert call.metadata
    plain = Played(json.dumps(document("chat", "x")).encode())
    assert [chunk async for chunk in PROVIDER.generate(plain, at_home, CHAT)]
    assert [(call.url, call.metadata) for call in plain.calls] == [
        ("https://mine.openai.azure.com/openai/v1/chat/completions", False)
    ]


@pytest.mark.parametrize(
    ("host", "login", "scope"),
    [
        ("x.openai.azure.com", "login.microsoftonline.com", "cognitiveservices.azure.com"),
        ("x.services.ai.azure.com", "login.microsoftonline.com", "cognitiveservices.azure.com"),
        ("x.openai.azure.us", "login.microsoftonline.us", "cognitiveservices.azure.us"),
        ("x.openai.azure.cn", "login.chinacloudapi.cn", "cognitiveservices.azure.cn"),
    ],
)
async def test_each_cloud_has_its_login(model: Model, host: str, login: str, scope: str) -> None:
    asked = Played(b"{}", status=400)
    options = {"auth": "client_secret", **IDENTITY}
    with pytest.raises(UpstreamRefused):
        await anext(PROVIDER.generate(asked, replace(model, endpoint=f"https://{host}", options=options), CHAT))
    (call,) = asked.calls
    assert call.url == f"https://{login}/contoso.example/oauth2/v2.0/token"
    assert scope.encode() in call.body
    assert not call.metadata


@pytest.mark.usefixtures("authority")
async def test_who_is_not_known_to_entra(ask: Ask, entra: Entra) -> None:
    entra.refusal = (401, {"error": "invalid_client", "error_description": "AADSTS7000215: canary secret"})
    with pytest.raises(UpstreamRefused, match="Entra ID answered HTTP 401: AADSTS7000215") as caught:
        await ask(options={"auth": "client_secret", **IDENTITY})
    assert "canary" not in str(caught.value)
    entra.refusal = (200, {"access_token": "x"})
    with pytest.raises(UpstreamError, match="holds none"):
        await ask(options={"auth": "client_secret", "tenant": "other", "client_id": CLIENT})


async def test_entra_is_not_there(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "http://127.0.0.1:1")
    with pytest.raises(UpstreamUnreachable, match=r"Entra ID cannot be reached \(refused"):
        await ask(options={"auth": "client_secret", **IDENTITY})


@pytest.mark.usefixtures("authority")
async def test_tokens_are_renewed_before_they_end(ask: Ask, entra: Entra, upstream: HttpUpstream) -> None:
    offset = 0.0
    real = time.time
    _entra._leases[upstream] = Leases(lambda: real() + offset)  # noqa: SLF001 (its clock)
    for number in (1, 1, 2):
        await ask(options={"auth": "client_secret", **IDENTITY})
        assert entra.token == f"entra-{number}"
        offset += 1700


@pytest.mark.usefixtures("authority")
async def test_a_token_that_may_not_use_the_resource(azure: ModelServer, ask: Ask, entra: Entra) -> None:
    async def play(peer: Peer) -> None:
        if not await entra(peer):
            await peer.document({"error": {"code": "PermissionDenied", "message": "canary"}}, 401)

    azure.play = play
    with pytest.raises(UpstreamRefused, match="Cognitive Services OpenAI User"):
        await ask(options={"auth": "client_secret", **IDENTITY})


@pytest.mark.parametrize("auth", ["client_secret", "workload_identity", "managed_identity"])
async def test_tokens_of_homeport_s_identity_go_to_azure_alone(
    azure: ModelServer, ask: Ask, elsewhere: ModelServer, monkeypatch: pytest.MonkeyPatch, auth: str
) -> None:
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", azure.url)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "s")
    for endpoint in (
        elsewhere.url,
        "https://evil.azure-api.net",
        "https://x.openai.azure.com.evil.example",
        "http://x.openai.azure.com",
        "https://x.openai.azure.com:8443",
        "https://a.b.openai.azure.com",
    ):
        with pytest.raises(BadConfiguration, match="is not Azure's, and tokens of Homeport's identity go nowhere else"):
            await ask(options={"auth": auth, **IDENTITY}, key=Secret(), endpoint=endpoint)
    assert elsewhere.heard == azure.heard == []


async def test_served_tells_only_whether_the_key_is_accepted(
    azure: ModelServer, upstream: HttpUpstream, model: Model
) -> None:
    with pytest.raises(Unlisted, match="does not list deployments"):
        await PROVIDER.served(upstream, model)
    with pytest.raises(UpstreamRefused):
        await PROVIDER.served(upstream, replace(model, key=Secret("bad"), options={"api_version": "2024-10-21"}))
    assert [peer.target for peer in azure.heard] == ["/openai/v1/models", "/openai/models?api-version=2024-10-21"]

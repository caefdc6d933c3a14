"""Models that GitLab's requests carry: who may name one, where it is called, and what is said when it is not."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest
from house import FIM, KEY, WORDS, asking, eventually, opened
from prometheus_client import generate_latest
from script import ModelServer, Peer
from ways import WAYS, error_text, named

from homeport.access import SCOPES
from homeport.domain.errors import ModelNotAccepted
from homeport.domain.models import Caller, Carried, Snapshot
from homeport.features._carried import Carrier, pattern

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from house import House
    from ways import Way

GITLAB = "a-gitlab-instance"
OWN_KEY = "key-in-the-body-77"


class KnowsGitLab:
    """Takes one text for the credential of a GitLab instance."""

    def verify(self, token: str, headers: Collection[tuple[bytes, bytes]]) -> Caller | None:
        """The instance, or nobody."""
        del headers
        return Caller(subject="gitlab", kind="instance", scopes=frozenset(SCOPES)) if token == GITLAB else None


@pytest.fixture(scope="module")
async def trusting() -> AsyncIterator[House]:
    """A gateway that calls what bodies name."""
    async with opened(verifiers=[KnowsGitLab()], trust_body_endpoints=True, model_timeout=2) as house:
        yield house


@pytest.fixture
async def house(trusting: House) -> AsyncIterator[House]:
    """Freshly furnished."""
    trusting.furnish()
    trusting.models.forget()
    trusting.records()
    trusting.logs.lines.clear()
    trusting.asked = 0
    yield trusting
    await eventually(trusting.quiet)


@pytest.fixture
async def theirs() -> AsyncIterator[ModelServer]:
    """A model server that only GitLab's administrator knows."""
    async with ModelServer().listening() as found:
        found.catalogue = found.behave
        yield found


GITLAB_WAYS = [way for way in WAYS if way.gitlab]


def carrying(way: Way, *, stream: bool = False, **fields: Any) -> dict[str, Any]:
    """A request with a model in it, spelt as its endpoint spells it."""
    body = way.body(stream)
    if way.path.startswith(("/v2/code", "/v2/completions")):
        flat = {"endpoint": "endpoint", "identifier": "identifier", "name": "name", "api_key": "api_key"}
        fields = {f"model_{flat[key]}": value for key, value in fields.items() if key != "provider"}
        return {**body, "model_provider": "litellm", "prompt_version": 2, "prompt": None, **fields}
    return {**body, "model_metadata": {"provider": "openai", **fields}}


@pytest.mark.parametrize("way", GITLAB_WAYS, ids=named)
async def test_a_carried_model_is_called_with_its_own_key(house: House, theirs: ModelServer, way: Way) -> None:
    fields = {"endpoint": theirs.url, "identifier": "custom_openai/org/coder", "name": "mistral", "api_key": OWN_KEY}
    answer = await house.post(way.path, carrying(way, **fields), GITLAB)
    assert answer.status == 200, answer.body
    assert not house.models.heard
    (call,) = theirs.heard
    assert call.json["model"] == "org/coder"
    assert call.headers["authorization"] == f"Bearer {OWN_KEY}"
    assert OWN_KEY not in str(house.logs.lines)
    assert (await house.record())["family"] == "mistral"


@pytest.mark.parametrize("way", GITLAB_WAYS, ids=named)
async def test_without_a_key_none_is_sent(house: House, theirs: ModelServer, way: Way) -> None:
    for missing in ({}, {"api_key": ""}, {"api_key": None}):
        body = carrying(way, endpoint=theirs.url, identifier="coder", name="mistral", **missing)
        assert (await house.post(way.path, body, GITLAB)).status == 200
    assert all("authorization" not in call.headers for call in theirs.heard)
    assert len(theirs.heard) == 3


@pytest.mark.parametrize(
    ("identifier", "served"),
    [
        ("custom_openai/coder", "coder"),
        ("custom_openai/org/coder", "org/coder"),
        ("openai/coder", "coder"),
        ("coder", "coder"),
        ("Qwen/Qwen2.5-Coder-7B", "Qwen/Qwen2.5-Coder-7B"),
        ("", "codestral"),
        (None, "codestral"),
    ],
)
async def test_what_the_model_is_called_at_its_server(
    house: House, theirs: ModelServer, identifier: str | None, served: str
) -> None:
    way = GITLAB_WAYS[0]
    body = carrying(way, endpoint=theirs.url + "/", identifier=identifier, name="codestral")
    assert (await house.post(way.path, body, GITLAB)).status == 200
    assert theirs.heard[0].json["model"] == served


async def test_a_fim_family_is_asked_as_text_and_a_chat_family_in_words(house: House, theirs: ModelServer) -> None:
    way = GITLAB_WAYS[0]
    for family, target in (("codestral", "/v1/completions"), ("claude_3", "/v1/chat/completions")):
        body = carrying(way, endpoint=theirs.url, identifier="custom_openai/x", name=family)
        assert (await house.post(way.path, body, GITLAB)).status == 200
        assert theirs.heard[-1].target == target


async def test_an_unknown_family_is_asked_like_the_general_one(house: House, theirs: ModelServer) -> None:
    for way in GITLAB_WAYS:
        body = carrying(way, endpoint=theirs.url, identifier="custom_openai/x", name="never-heard-of")
        assert (await house.post(way.path, body, GITLAB)).status == 200
    assert {call.target for call in theirs.heard} == {"/v1/chat/completions"}


def busy(house: House, name: str) -> dict[str, float]:
    """What the metrics page shows of the load of a model by this name."""
    page = generate_latest(house.metrics.registry).decode().splitlines()
    labels = f'{{model_engine="openai",model_name="{name}"}} '
    found = dict(line.split(labels) for line in page if labels in line)
    return {series: float(value) for series, value in found.items() if series.startswith("model_")}


async def test_metrics_show_how_busy_carried_models_are(house: House, theirs: ModelServer) -> None:
    way = GITLAB_WAYS[0]
    name = "only-here"

    def body(endpoint: str, **more: Any) -> dict[str, Any]:
        return carrying(way, endpoint=endpoint, identifier=f"custom_openai/{name}", name="codestral", **more)

    async def catalogue(peer: Peer) -> None:
        await peer.document({"data": [{"id": name, "max_model_len": 77_777}]})

    theirs.catalogue = catalogue
    assert busy(house, name) == {}
    for key in ("one-key", "another-key"):
        assert (await house.post(way.path, body(theirs.url, api_key=key), GITLAB)).status == 200
    assert busy(house, name)["model_inferences_max_concurrent"] == 64
    await eventually(lambda: busy(house, name)["model_max_input_tokens"] == 77_777)
    theirs.forget()
    theirs.play = lambda peer: peer.hang()
    async with house.line() as wire:
        await wire.send(asking("POST", way.path, body(theirs.url), token=GITLAB))
        await theirs.next()
        assert busy(house, name) == {
            "model_inferences_in_flight": 1,
            "model_inferences_max_concurrent": 64,
            "model_max_input_tokens": 77_777,
            "model_max_output_tokens": 4096,
        }
    await house.record(3)
    assert busy(house, name)["model_inferences_in_flight"] == 0
    async with ModelServer().listening() as second:
        assert (await house.post(way.path, body(second.url), GITLAB)).status == 200
    assert busy(house, name)["model_inferences_max_concurrent"] == 128


LIMITS = {
    "litellm": {"codestral": {"concurrency": 3, "input_tokens": 700, "output_tokens": 40}},
    "openai": {"custom_openai/big": {"output_tokens": 50}},
    "vertex-ai": {"mistral": {"output_tokens": 1}},
}


async def test_limits_by_the_names_of_the_original(theirs: ModelServer) -> None:
    way = next(way for way in GITLAB_WAYS if way.path == "/v2/code/completions")
    async with opened(verifiers=[KnowsGitLab()], trust_body_endpoints=True, model_engine_limits=LIMITS) as house:
        asked = {}
        for family, identifier in (("codestral", "small"), ("codestral", "custom_openai/big"), ("mistral", "other")):
            body = carrying(way, endpoint=theirs.url, identifier=identifier, name=family)
            body["current_file"] = {**body["current_file"], "content_above_cursor": "x = 1\n" * 5000}
            assert (await house.post(way.path, body, GITLAB)).status == 200
            said = theirs.heard[-1].json
            asked[identifier] = said["max_tokens"], len(said.get("prompt") or said["messages"][-1]["content"])
        assert asked["small"][0] == 40
        assert asked["small"][1] < 700 * 4 < asked["custom_openai/big"][1]
        assert asked["custom_openai/big"][0] == 50
        assert asked["other"][0] > 50
        assert busy(house, "small")["model_inferences_max_concurrent"] == 3
        assert busy(house, "small")["model_max_input_tokens"] == 700
        assert busy(house, "big")["model_max_output_tokens"] == 50


@pytest.mark.parametrize("way", GITLAB_WAYS, ids=named)
async def test_no_model_in_the_body_means_the_features_own(house: House, way: Way) -> None:
    for fields in ({}, {"name": "mistral"}, {"endpoint": "", "identifier": ""}):
        assert (await house.post(way.path, carrying(way, **fields), GITLAB)).status == 200
    assert {call.headers["authorization"] for call in house.models.heard} == {f"Bearer {KEY}"}


@pytest.mark.parametrize("way", GITLAB_WAYS, ids=named)
async def test_a_user_may_not_name_an_endpoint(house: House, theirs: ModelServer, way: Way) -> None:
    body = carrying(way, endpoint=theirs.url, identifier="custom_openai/x", name="mistral")
    answer = await house.post(way.path, body)
    assert answer.status == 403
    assert "only a GitLab instance may" in answer.json["detail"][0]["msg"]
    assert not theirs.heard
    assert not house.models.heard


@pytest.mark.parametrize(
    "endpoint",
    [
        "file:///etc/passwd",
        "gopher://x/1",
        "//no-scheme/v1",
        "http://",
        "http://user:password@host/v1",
        "http://host/v1?key=1",
        "http://host/v1#x",
        "http://host:99999/v1",
        "http://host:abc/v1",
        "http://ho st/v1",
        "http://host/v1\r\nX-Evil: 1",
        "just words",
    ],
)
async def test_an_endpoint_that_is_no_url_is_422(house: House, endpoint: str) -> None:
    for way in GITLAB_WAYS:
        answer = await house.post(way.path, carrying(way, endpoint=endpoint, identifier="x", name="mistral"), GITLAB)
        assert answer.status == 422
        assert "not an http(s) URL" in answer.json["detail"][0]["msg"]


@pytest.mark.parametrize(
    "endpoint", ["http://169.254.169.254/v1", "http://[fe80::1]/v1", "http://[::ffff:169.254.169.254]/v1"]
)
async def test_a_denied_address_is_421(house: House, endpoint: str) -> None:
    way = GITLAB_WAYS[0]
    answer = await house.post(way.path, carrying(way, endpoint=endpoint, identifier="x", name="mistral"), GITLAB)
    assert answer.status == 421
    assert "no model may have" in answer.json["detail"]
    assert "homeport models" not in answer.json["detail"]


async def test_an_endpoint_that_is_no_url_is_422_without_trust_too() -> None:
    async with opened(verifiers=[KnowsGitLab()], trust_body_endpoints=False) as registered:
        for endpoint in ("http://[bad", "http://host:99999/v1", "file:///x"):
            answer = await registered.post(GITLAB_WAYS[0].path, carrying(GITLAB_WAYS[0], endpoint=endpoint), GITLAB)
            assert answer.status == 422, answer.body


@pytest.mark.parametrize(
    ("allowed", "origin"),
    [("http://[::1]:8000", "http://::1:8000"), ("https://*.corp", "https://a.corp:443"), ("http://x", "http://x:80")],
)
def test_a_pattern_is_written_as_origins_are(allowed: str, origin: str) -> None:
    assert fnmatchcase(origin, pattern(allowed))


async def test_a_missing_endpoint_is_422(house: House) -> None:
    way = GITLAB_WAYS[0]
    answer = await house.post(way.path, carrying(way, identifier="custom_openai/x", name="mistral"), GITLAB)
    assert answer.status == 422
    assert "endpoint is missing" in answer.json["detail"][0]["msg"]


async def test_a_platform_that_is_not_served_is_421(house: House) -> None:
    way = GITLAB_WAYS[0]
    body = carrying(way, endpoint="http://x/v1", identifier="vertex_ai/gemini", name="gemini")
    answer = await house.post(way.path, body, GITLAB)
    assert answer.status == 421
    assert "vertex_ai" in answer.json["detail"]


@pytest.mark.parametrize(
    ("timeout_s", "first_byte_s"), [(2, 2), (50, 50), (55, 50), (60, 50), (61, 51), (120, 110), (600, 590)]
)
def test_the_first_byte_follows_the_time_out(timeout_s: float, first_byte_s: float) -> None:
    carrier = Carrier(snapshot=Snapshot, platforms={"custom_openai": "openai"}, timeout_s=timeout_s)
    sent = Carried("openai", "mistral", "http://127.0.0.1:9/v1", "custom_openai/coder")
    caller = Caller(subject="gitlab", kind="instance")
    assert carrier(sent, caller).limits.first_token_s == first_byte_s
    assert carrier(sent, caller).limits.total_s == timeout_s
    # Workhorse reads no longer than 55 s, whatever GitLab's own setting says (section 3.5)
    assert carrier(sent, caller, code=True).limits.first_token_s == min(first_byte_s, 50)


async def test_a_hang_ends_at_the_time_out_and_says_so(house: House, theirs: ModelServer) -> None:
    theirs.play = Peer.hang
    way = GITLAB_WAYS[0]
    answer = await house.post(way.path, carrying(way, endpoint=theirs.url, identifier="x", name="mistral"), GITLAB)
    assert answer.status == 421
    assert "took too long (first byte, 2 s)" in answer.json["detail"]


async def test_only_allowed_origins_are_called(theirs: ModelServer) -> None:
    way = GITLAB_WAYS[0]
    body = carrying(way, endpoint=theirs.url, identifier="x", name="mistral")
    for allowed, status in (
        ((theirs.url,), 200),
        (("http://127.0.0.*:*",), 200),
        (("https://*.corp",), 421),
        (("http://127.0.0.1",), 421),
    ):
        options = {"trust_body_endpoints": True, "allowed_model_origins": allowed}
        async with opened(verifiers=[KnowsGitLab()], **options) as guarded:
            answer = await guarded.post(way.path, body, GITLAB)
            assert answer.status == status, (allowed, answer.body)
    assert "HOMEPORT_ALLOWED_MODEL_ORIGINS" in answer.json["detail"]
    assert len(theirs.heard) == 2
    assert len(theirs.listed) <= 2


async def test_an_address_of_version_6_is_told_in_brackets() -> None:
    carrier = Carrier(snapshot=Snapshot, platforms={"custom_openai": "openai"}, origins=["http://127.0.0.1:1"])
    sent = Carried("openai", "mistral", "http://[fd00::1]:8000/v1", "custom_openai/coder")
    with pytest.raises(ModelNotAccepted, match=r"http://\[fd00::1\]:8000 is not among"):
        carrier(sent, Caller(subject="gitlab", kind="instance"))


async def test_custom_models_can_be_switched_off(theirs: ModelServer) -> None:
    async with opened(verifiers=[KnowsGitLab()], trust_body_endpoints=True, custom_models=False) as closed:
        for way in GITLAB_WAYS:
            body = carrying(way, endpoint=theirs.url, identifier="x", name="mistral")
            answer = await closed.post(way.path, body, GITLAB)
            assert answer.status == way.status(0, 421)
            assert "AIGW_CUSTOM_MODELS__ENABLED" in error_text(way, answer)
        assert (await closed.post(way.path, way.streaming, GITLAB)).status == 200
    assert not theirs.heard


@pytest.mark.parametrize("way", GITLAB_WAYS, ids=named)
async def test_without_trust_what_is_carried_must_be_registered(theirs: ModelServer, way: Way) -> None:
    async with opened(verifiers=[KnowsGitLab()], trust_body_endpoints=False) as house:
        known = {"endpoint": house.models.url, "identifier": f"custom_openai/served-{WORDS}", "name": "general"}
        assert (await house.post(way.path, carrying(way, **known, api_key=OWN_KEY), GITLAB)).status == 200
        assert (await house.post(way.path, carrying(way, identifier=FIM, name="general"), GITLAB)).status == 200
        assert {call.headers["authorization"] for call in house.models.heard} == {f"Bearer {KEY}"}
        assert [call.json["model"] for call in house.models.heard] == [f"served-{WORDS}", f"served-{FIM}"]
        for unknown in ({**known, "endpoint": theirs.url}, {**known, "identifier": "other"}):
            answer = await house.post(way.path, carrying(way, **unknown), GITLAB)
            assert answer.status == way.status(0, 421)
            assert "not registered at this gateway" in error_text(way, answer)
            assert f"served-{FIM}" in error_text(way, answer)
        assert not theirs.heard

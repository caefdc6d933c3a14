"""`/v1/embeddings`: what reaches the model server, what comes back, and every way in which it cannot."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from house import FIM, KEY, PREFIX, TOKEN, WORDS, asking, eventually
from script import VECTOR, vectors

from homeport.domain.models import Secret

if TYPE_CHECKING:
    from house import House
    from script import Peer
    from wire import Answer

PATH = "/v1/embeddings"
ASKED = {"model": WORDS, "input": ["one", "two"]}


@pytest.fixture(autouse=True)
def _serves(house: House) -> None:
    house.assign("embeddings", "model", WORDS)


def refused(answer: Answer, status: int, code: str) -> str:
    """Check an error document of OpenAI's form; gives its sentence."""
    assert (answer.status, answer.header("content-type")) == (status, "application/json")
    error = answer.json["error"]
    assert set(error) == {"message", "type", "param", "code", "correlation_id"}
    assert error["type"] == ("invalid_request_error" if status < 500 else "server_error")
    assert (error["code"], error["correlation_id"]) == (code, answer.header("x-request-id"))
    assert error["correlation_id"] in error["message"]
    return error["message"]


@pytest.mark.parametrize("given", ["one", ["one", "two"], [1, 2, 3], [[1, 2], [3]]], ids=str)
async def test_input_goes_as_it_came_and_the_document_too(house: House, given: Any) -> None:
    options = {"encoding_format": "base64", "dimensions": 3}
    answer = await house.post(PATH, {"input": given, "user": "ada's laptop", **options})
    (peer,) = house.models.heard
    assert (peer.target, peer.headers["authorization"]) == ("/v1/embeddings", f"Bearer {KEY}")
    assert peer.json == {"model": f"served-{WORDS}", "input": given, **options}
    assert answer.body == json.dumps(vectors(peer.json)).encode()
    assert answer.header("x-homeport-ignored") is None
    record = await house.record()
    facts = {name: record.get(name) for name in ("feature", "model", "outcome", "prompt_tokens", "caller")}
    assert facts == {
        "feature": "embeddings",
        "model": WORDS,
        "outcome": "completed",
        "prompt_tokens": 11,
        "caller": "ada",
    }


@pytest.mark.parametrize(("wanted", "given"), [("base64", "float"), ("float", "base64"), (None, "base64")])
async def test_a_server_that_knows_one_form_only(house: House, wanted: str | None, given: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.document(vectors({**peer.json, "encoding_format": given}))

    house.models.play = play
    body = ASKED | ({"encoding_format": wanted} if wanted else {})
    answer = await house.post(PATH, body)
    expected = vectors({"model": f"served-{WORDS}", "input": ["one", "two"], "encoding_format": wanted})
    assert answer.json == expected
    assert expected["data"][0]["embedding"] == (list(VECTOR) if wanted != "base64" else "AAAAPwAAgL4AAEBA")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": []},
        {"data": [{}]},
        {"data": [{"embedding": 7}]},
        {"data": [{"embedding": "AAAA*"}]},
        {"data": [{"embedding": "AAA="}]},
        [],
    ],
    ids=str,
)
async def test_answers_that_are_no_embeddings(house: House, body: Any) -> None:
    async def play(peer: Peer) -> None:
        await peer.document(body)

    house.models.play = play
    assert repr(WORDS) in refused(await house.post(PATH, ASKED), 502, "upstream_malformed")


@pytest.mark.parametrize(
    "given", [7, True, None, [], [[]], ["a", 1], [1, "a"], [True], [1.5], [-1], [["a"]], [[1], "a"], {"a": 1}], ids=str
)
async def test_inputs_that_are_none(house: House, given: Any) -> None:
    assert "input" in refused(await house.post(PATH, {"input": given}), 400, "bad_request")
    assert not house.models.heard


async def test_how_many_are_taken_at_once(house: House) -> None:
    assert (await house.post(PATH, {"input": ["a"] * 2048})).status == 200
    assert (await house.post(PATH, {"input": [1] * 8000})).status == 200
    told = refused(await house.post(PATH, {"input": ["a"] * 2049}), 400, "bad_request")
    assert "at most 2048 texts" in told


async def test_unknown_options_are_named(house: House) -> None:
    answer = await house.post(PATH, ASKED | {"truncate_prompt_tokens": 5, "input_type": "query"})
    assert (answer.status, answer.header("x-homeport-ignored")) == (200, "truncate_prompt_tokens, input_type")
    assert set(house.models.heard[0].json) == {"model", "input"}


async def test_nobody_embeds_yet(house: House) -> None:
    house.assign("embeddings", "unassigned")
    told = refused(await house.post(PATH, {"input": "a"}), 409, "feature_unassigned")
    assert "No model serves 'embeddings' yet." in told
    assert "homeport features set embeddings MODEL" in told
    house.assign("embeddings", "disabled")
    refused(await house.post(PATH, {"input": "a"}), 409, "feature_disabled")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "Not Found"),
        (501, "This server does not support embeddings. Start it with `--embeddings`"),
        (400, "The model does not support Embeddings API"),
    ],
)
async def test_a_model_that_writes_text(house: House, status: int, words: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.document({"error": {"message": words}}, status)

    house.models.play = play
    told = refused(await house.post(PATH, ASKED), 400, "upstream_rejected")
    assert f"The model {WORDS!r} does not embed (HTTP {status})." in told
    assert "homeport features set embeddings MODEL" in told


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "This model's maximum context length is 512 tokens"),
        (413, "`inputs` must have less than 512 tokens. Given: 700"),
        (500, "input is too large to process. increase the physical batch size"),
    ],
)
async def test_a_text_that_is_too_long(house: House, status: int, words: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.document({"error": {"message": words}}, status)

    house.models.play = play
    answer = await house.post(PATH, ASKED)
    assert answer.header("x-homeport-error") == "prompt_too_long"
    assert "the prompt is too long" in refused(answer, 400, "context_length_exceeded")
    house.models.play = house.models.behave
    assert (await house.post(PATH, ASKED)).status == 200


async def test_who_may_not(house: House) -> None:
    refused(await house.post(PATH, ASKED, token=""), 401, "not_authenticated")
    token = house.admit(scopes=frozenset({"complete_code"}))
    assert "duo_chat" in refused(await house.post(PATH, ASKED, token=token), 403, "not_allowed")
    assert "Use POST" in refused(await house.ask("GET", PATH), 405, "method_not_allowed")
    assert not house.models.heard


async def test_unknown_model_names_the_known_ones(house: House) -> None:
    told = refused(await house.post(PATH, ASKED | {"model": "text-embedding-3-small"}), 404, "not_found")
    assert f"Registered models: {FIM}, {PREFIX}, {WORDS}." in told


@pytest.mark.parametrize(
    ("platform", "options", "said"),
    [
        ("anthropic", {}, "Models of the platform anthropic do not embed here."),
        ("bedrock", {"region": "eu-west-1"}, f"The model {WORDS!r} is not known to embed"),
    ],
)
async def test_platforms_that_do_not_embed(house: House, platform: str, options: dict[str, str], said: str) -> None:
    model = replace(house.snapshot.models[WORDS], platform=platform, options=options, key=Secret())
    house.snapshot = house.snapshot.with_models(model)
    assert said in refused(await house.post(PATH, ASKED), 400, "bad_request")


async def test_azure_embeds(house: House) -> None:
    options, endpoint = {"api_version": "2024-10-21"}, house.models.url.removesuffix("/v1")
    model = replace(house.snapshot.models[WORDS], platform="azure", options=options, endpoint=endpoint)
    house.snapshot = house.snapshot.with_models(model)
    assert (await house.post(PATH, ASKED)).json["data"][1]["embedding"] == list(VECTOR)
    target = f"/openai/deployments/served-{WORDS}/embeddings?api-version=2024-10-21"
    assert (house.models.heard[0].target, house.models.heard[0].headers["api-key"]) == (target, KEY)


async def test_upstream_failures(house: House) -> None:
    async def fails(peer: Peer) -> None:
        await peer.document({}, 500)

    house.models.play = fails
    refused(await house.post(PATH, ASKED), 502, "upstream_refused")

    async def cut(peer: Peer) -> None:
        await peer.head(200, "application/json", content_length=1000)
        await peer.write(b'{"data": [')
        peer.close()

    house.models.play = cut
    refused(await house.post(PATH, ASKED), 502, "upstream_truncated")


async def test_a_silent_server_is_given_up(house: House) -> None:
    house.limit(first_token_s=0.3)

    async def play(peer: Peer) -> None:
        await peer.hang()

    house.models.play = play
    refused(await house.post(PATH, ASKED), 504, "upstream_timeout")
    await eventually(house.models.heard[0].closed.is_set)


async def test_a_client_that_leaves(house: House) -> None:
    async def play(peer: Peer) -> None:
        await peer.hang()

    house.models.play = play
    async with house.line() as wire:
        await wire.send(asking("POST", PATH, ASKED, None, TOKEN))
        peer = await house.models.next()
    await eventually(peer.closed.is_set)
    assert (await house.record())["outcome"] == "client_closed"


async def test_a_replica_answers_in_place_of_a_model_that_failed(house: House) -> None:
    house.snapshot = house.snapshot.with_models(house.model("other"))
    house.assign("embeddings", "model", WORDS, "other")

    async def play(peer: Peer) -> None:
        if peer.json["model"] == f"served-{WORDS}":
            await peer.document({}, 500)
        else:
            await house.models.behave(peer)

    house.models.play = play
    answer = await house.post(PATH, {"input": "one"})
    assert (answer.status, answer.json["model"]) == (200, "served-other")

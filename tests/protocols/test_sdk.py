"""OpenAI's own Python client against the running server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from house import FIM, PREFIX, TOKEN, WORDS
from later import Later
from script import VECTOR, piece
from ways import AFTER, BEFORE, MESSAGES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import openai
    from house import House
    from script import Peer
else:
    openai = Later("openai")


@pytest.fixture
async def client(house: House) -> AsyncIterator[openai.AsyncOpenAI]:
    """A client that does not hide failures behind retries."""
    async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{house.port}/v1", api_key=TOKEN, max_retries=0) as found:
        yield found


@pytest.mark.proves("openai-python", "chat")
async def test_chat(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model=WORDS, messages=MESSAGES)  # type: ignore[arg-type]
    assert answer.choices[0].message.content == "one + two"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 14


@pytest.mark.proves("openai-python", "chat", "streaming")
async def test_chat_stream(client: openai.AsyncOpenAI) -> None:
    stream: Any = await client.chat.completions.create(
        model="",
        messages=MESSAGES,  # type: ignore[arg-type]
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "one + two"
    assert chunks[-1].usage.prompt_tokens == 11


@pytest.mark.proves("openai-python", "fill-in-the-middle", "streaming")
@pytest.mark.parametrize("model", [FIM, PREFIX, WORDS])
async def test_completion_with_a_suffix(client: openai.AsyncOpenAI, model: str) -> None:
    answer = await client.completions.create(model=model, prompt=BEFORE, suffix=AFTER, max_tokens=50)
    assert answer.choices[0].text == "one + two"
    stream = await client.completions.create(model=model, prompt=BEFORE, suffix=AFTER, stream=True)
    assert "".join([chunk.choices[0].text async for chunk in stream]) == "one + two"


@pytest.mark.proves("openai-python", "completion")
async def test_completion_without_a_suffix(client: openai.AsyncOpenAI) -> None:
    answer = await client.completions.create(model=FIM, prompt=[BEFORE])
    assert answer.choices[0].text == "one + two"


@pytest.mark.proves("openai-python", "embeddings")
async def test_embeddings(client: openai.AsyncOpenAI) -> None:
    """The client asks for base64 unless told otherwise, and unpacks it."""
    answer = await client.embeddings.create(model=WORDS, input=["a", "b"])
    assert [each.embedding for each in answer.data] == [list(VECTOR)] * 2
    assert answer.usage.prompt_tokens == 11
    plain = await client.embeddings.create(model=WORDS, input="a", encoding_format="float", dimensions=3)
    assert plain.data[0].embedding == list(VECTOR)


@pytest.mark.proves("openai-python", "model list")
async def test_models(client: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == [FIM, PREFIX, WORDS]


async def test_one_model(client: openai.AsyncOpenAI) -> None:
    assert (await client.models.retrieve(FIM)).id == FIM
    assert (await client.models.retrieve(f"served-{FIM}")).id == FIM
    with pytest.raises(openai.NotFoundError, match=f"Registered models: {FIM}") as refusal:
        await client.models.retrieve("gpt-4o")
    assert refusal.value.param == "model"


async def test_wrong_key(house: House) -> None:
    async with openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{house.port}/v1", api_key="sk-wrong", max_retries=0
    ) as client:
        with pytest.raises(openai.AuthenticationError) as refusal:
            await client.models.list()
    assert refusal.value.code == "not_authenticated"
    assert refusal.value.request_id in str(refusal.value)


async def test_too_few_rights(house: House) -> None:
    token = house.admit(scopes=frozenset({"read_models"}))
    async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{house.port}/v1", api_key=token, max_retries=0) as client:
        with pytest.raises(openai.PermissionDeniedError):
            await client.chat.completions.create(model=WORDS, messages=MESSAGES)  # type: ignore[arg-type]


@pytest.mark.proves("openai-python", "refusals")
async def test_unknown_model(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="Registered models") as refusal:
        await client.chat.completions.create(model="gpt-4o", messages=MESSAGES)  # type: ignore[arg-type]
    assert (refusal.value.code, refusal.value.param) == ("not_found", "model")
    with pytest.raises(openai.NotFoundError, match="Registered models"):
        await client.embeddings.create(model="text-embedding-3-small", input="x")


async def test_wrong_option(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        await client.chat.completions.create(model=WORDS, messages=MESSAGES, temperature=9)  # type: ignore[arg-type]
    assert (refusal.value.param, refusal.value.type) == ("temperature", "invalid_request_error")
    with pytest.raises(openai.BadRequestError, match="messages"):
        await client.chat.completions.create(model=WORDS, messages=[])


async def test_feature_that_nobody_serves(house: House, client: openai.AsyncOpenAI) -> None:
    house.assign("chat", "unassigned")
    with pytest.raises(openai.ConflictError, match="homeport features set chat MODEL"):
        await client.chat.completions.create(model="", messages=MESSAGES)  # type: ignore[arg-type]


@pytest.mark.parametrize(("status", "kind"), [(500, "InternalServerError"), (400, "BadRequestError")])
async def test_model_server_that_refuses(house: House, client: openai.AsyncOpenAI, status: int, kind: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.document({"error": "x"}, status)

    house.models.play = play
    with pytest.raises(getattr(openai, kind), match=WORDS):
        await client.chat.completions.create(model=WORDS, messages=MESSAGES)  # type: ignore[arg-type]


async def test_busy_model_server_is_asked_again(house: House) -> None:
    async def play(peer: Peer) -> None:
        if len(house.models.heard) == 1:
            await peer.document({}, 429, Retry_After="0")
        else:
            await house.models.behave(peer)

    house.models.play = play
    async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{house.port}/v1", api_key=TOKEN, max_retries=1) as client:
        answer = await client.chat.completions.create(model=WORDS, messages=MESSAGES)  # type: ignore[arg-type]
    assert answer.choices[0].message.content == "one + two"


async def test_broken_stream_raises(house: House, client: openai.AsyncOpenAI) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "one"))
        peer.reset()

    house.models.play = play
    for suffix in ({}, {"suffix": AFTER}):
        stream: Any = await client.completions.create(model=FIM, prompt=BEFORE, stream=True, **suffix)  # type: ignore[call-overload]
        with pytest.raises(openai.APIError):
            [chunk async for chunk in stream]


@pytest.mark.proves("openai-python", "cancellation")
async def test_client_that_leaves_the_stream(house: House, client: openai.AsyncOpenAI) -> None:
    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.chunk(piece(peer.kind, "one"))
        await peer.hang()

    house.models.play = play
    stream: Any = await client.chat.completions.create(model=WORDS, messages=MESSAGES, stream=True)  # type: ignore[call-overload]
    async for _ in stream:
        break
    await stream.close()
    assert (await house.record())["outcome"] == "client_closed"

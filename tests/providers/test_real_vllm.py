"""A real vLLM behind the real gateway: what is sent to it, what it answers, and that it stops when nobody listens.

Collected only when HOMEPORT_TEST_VLLM is set: to `1`, which starts the one of `examples/vllm-cpu`, or to the
endpoint of one that runs with --enable-log-requests, whose log HOMEPORT_TEST_VLLM_LOG names and whose key
HOMEPORT_TEST_VLLM_KEY holds. It needs a window below 20,000 tokens.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from house import asking, eventually

from homeport.domain.models import Limits, Model, Secret
from homeport.kit.upstream_http import HttpUpstream
from homeport.providers.openai import PROVIDER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from house import House

pytestmark = pytest.mark.real_vllm

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "vllm-cpu"
WANTED = os.environ.get("HOMEPORT_TEST_VLLM", "")
KEY = "a-key-of-this-test"
STARTS_WITHIN_S = 600
LIMITS = Limits(connect_s=10, first_token_s=60, idle_s=60, total_s=120, output_tokens=512)
CHAT = "/v1/chat/completions"
STORY = {"messages": [{"role": "user", "content": "Tell a long story about a harbour."}], "max_tokens": 500}
BRIEF = {"messages": [{"role": "user", "content": "What does HTTP stand for?"}], "max_tokens": 8, "temperature": 0}
CODE = {"prompt": "def is_even(n):\n    return", "suffix": "\n\nprint(is_even(4))\n", "max_tokens": 12}


@dataclass(frozen=True)
class Vllm:
    """A server that runs, and where its log is."""

    endpoint: str
    key: str
    log: Path

    def __contains__(self, text: str) -> bool:
        return text in self.log.read_text(errors="replace")

    async def running(self) -> float:
        """Requests that it works at, by its own count."""
        found = re.search(r"^vllm:num_requests_running\{[^}]*\} (\S+)", await self.metrics(), re.MULTILINE)
        assert found
        return float(found[1])

    async def metrics(self) -> str:
        """Its page of metrics."""

        def get() -> str:
            with urllib.request.urlopen(self.endpoint.removesuffix("/v1") + "/metrics") as page:  # noqa: S310 (the server under test)
                return str(page.read(), "utf-8")

        return await asyncio.to_thread(get)

    async def becomes(self, number: int) -> None:
        """Wait until it works at so many requests."""
        async with asyncio.timeout(10):
            while await self.running() != number:
                pass


@contextmanager
def example(log: Path) -> Iterator[Vllm]:
    """The one of the example, on a free port, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 (our own script)
            ["/bin/sh", EXAMPLE / "serve.sh"], stdout=out, stderr=out, env={**os.environ, "PORT": str(port), "KEY": KEY}
        )
    try:
        asyncio.run(answers(process, endpoint + "/health"))
        yield Vllm(endpoint + "/v1", KEY, log)
    finally:
        process.terminate()
        process.wait(60)


async def answers(process: subprocess.Popen[bytes], url: str) -> None:
    """Wait until it serves; fails when it ends before."""
    async with asyncio.timeout(STARTS_WITHIN_S):
        while process.poll() is None:
            try:
                await asyncio.to_thread(lambda: urllib.request.urlopen(url).close())  # noqa: S310 (the server under test)
            except OSError:
                await asyncio.sleep(0.5)
            else:
                return
    pytest.fail(f"vLLM ended with {process.returncode}")


@pytest.fixture(scope="module")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vllm]:
    assert WANTED, "set HOMEPORT_TEST_VLLM=1, after cd examples/vllm-cpu && make install"
    if WANTED != "1":
        yield Vllm(WANTED, os.environ["HOMEPORT_TEST_VLLM_KEY"], Path(os.environ["HOMEPORT_TEST_VLLM_LOG"]))
        return
    with example(tmp_path_factory.mktemp("vllm") / "log") as started:
        yield started


@pytest.fixture
async def model(vllm: Vllm) -> Model:
    upstream = HttpUpstream()
    found = Model(name="vllm", platform="openai", family="smollm", endpoint=vllm.endpoint, key=Secret(vllm.key))
    try:
        (served,) = await PROVIDER.served(upstream, found)
        window = await PROVIDER.window(upstream, replace(found, identifier=served)) if PROVIDER.window else 0
    finally:
        await upstream.close()
    return replace(found, identifier=served, limits=replace(LIMITS, context_tokens=window))


@pytest.fixture
async def home(house: House, model: Model) -> AsyncIterator[House]:
    """The house, whose features are all served by it."""
    house.snapshot = house.snapshot.with_models(model)
    for feature in ("code_completions", "code_generations", "chat"):
        house.assign(feature, "model", model.name)
    yield house
    await eventually(house.quiet)


def events(body: bytes) -> list[Any]:
    """The data of a stream, up to its end mark."""
    *found, end = [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]
    assert end == "[DONE]"
    return [json.loads(each) for each in found]


async def test_it_completes_code_and_its_log_knows_our_id(home: House, vllm: Vllm) -> None:
    answer = await home.post("/v1/completions", CODE)
    assert answer.status == 200
    assert answer.json["choices"][0]["text"].strip()
    assert answer.json["usage"]["completion_tokens"] > 0
    assert f"Received request cmpl-{answer.header('x-request-id')}-0: " in vllm


async def test_it_streams_a_chat_and_counts_its_tokens(home: House, vllm: Vllm) -> None:
    answer = await home.post(CHAT, {**BRIEF, "stream": True, "stream_options": {"include_usage": True}})
    found = events(answer.body)
    assert found[-1]["usage"]["completion_tokens"] == 8
    assert "".join(each["choices"][0]["delta"].get("content") or "" for each in found[:-1]).strip()
    assert found[0]["id"] == f"chatcmpl-{answer.header('x-request-id')}"
    assert found[0]["id"] in vllm
    assert (await home.record())["answer_tokens"] == 8


async def test_usage_that_nobody_asked_for_stays_here(home: House) -> None:
    answer = await home.post(CHAT, {**BRIEF, "stream": True})
    assert all(each["choices"] for each in events(answer.body))
    assert (await home.record())["answer_tokens"] == 8


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "document"])
async def test_who_leaves_frees_it(home: House, vllm: Vllm, stream: bool) -> None:  # noqa: FBT001 (a case)
    await vllm.becomes(0)
    async with home.line() as wire:
        await wire.send(asking("POST", CHAT, {**STORY, "stream": stream}))
        await vllm.becomes(1)
        wire.leave()
    await vllm.becomes(0)
    record = await home.record()
    assert record["outcome"] == "client_closed"
    await eventually(lambda: f"Request chatcmpl-{record['correlation_id']} aborted." in vllm)


async def test_a_conversation_that_is_too_long(home: House) -> None:
    answer = await home.post(CHAT, {"messages": [{"role": "user", "content": "word " * 20_000}], "max_tokens": 8})
    assert (answer.status, answer.json["error"]["code"]) == (400, "context_length_exceeded")


async def test_code_that_is_too_long_is_cut(home: House) -> None:
    answer = await home.post("/v1/completions", {**CODE, "prompt": "import os\nprint(os.name)\n" * 4000})
    assert answer.status == 200
    assert (await home.record())["prompt_cut"] > 10_000


async def test_an_answer_longer_than_the_window_is_asked_for_within_it(home: House, model: Model) -> None:
    home.snapshot = home.snapshot.with_models(replace(model, limits=replace(model.limits, output_tokens=1_000_000)))
    answer = await home.post(CHAT, {**BRIEF, "max_tokens": 1_000_000, "stop": [" "]})
    assert answer.status == 200


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key": Secret("wrong")}, "answered HTTP 401. Its API key is missing or wrong"),
        ({"identifier": "nobody"}, "answered HTTP 404. Either the endpoint lacks its `/v1`, or no model is served as"),
    ],
    ids=["key", "name"],
)
async def test_what_was_registered_wrongly_is_said(
    home: House, model: Model, change: dict[str, Any], words: str
) -> None:
    home.snapshot = home.snapshot.with_models(replace(model, **change))
    answer = await home.post(CHAT, BRIEF)
    assert (answer.status, answer.json["error"]["code"]) == (502, "upstream_refused")
    assert words in answer.json["error"]["message"]


async def test_tools_that_it_was_not_started_for(home: House) -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    answer = await home.post(CHAT, {**BRIEF, "tools": [tool]})
    assert answer.status == 400
    assert "--enable-auto-tool-choice" in answer.json["error"]["message"]

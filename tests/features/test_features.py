"""From a request to a prompt: which model, what it is shown, within which bounds."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport import families, features
from homeport.domain.errors import FeatureDisabled, FeatureUnassigned, Unknown
from homeport.domain.models import FeatureSetting, Limits, Model, Snapshot
from homeport.domain.requests import ChatRequest, CodeRequest, Message, RelatedFile, Sampling, TextRequest
from homeport.domain.streams import Chunk, Usage
from homeport.families import Family
from homeport.features import Feature, Workbench, chat, code_completions, code_generations, text_completions
from homeport.features._ask import assigned, budget, choose
from homeport.features._capacity import Capacity
from homeport.features._measure import USUAL, Measures
from homeport.features._shadow import Shadows
from homeport.kit.discover import discover

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from homeport.domain.prompts import Prompt

FEATURES = discover(features, Feature)
FAMILIES = discover(families, Family)


class Answering:
    """A platform that answers with these pieces and remembers the prompt and whether it was stopped."""

    def __init__(self, pieces: Iterable[Chunk] = (Chunk("x", "stop"),)) -> None:
        self.pieces = pieces
        self.prompts: list[Prompt] = []
        self.given = 0
        self.stopped = False

    async def __call__(self, _model: Model, prompt: Prompt) -> AsyncGenerator[Chunk, None]:
        self.prompts.append(prompt)
        try:
            for piece in self.pieces:
                self.given += 1
                yield piece
                await asyncio.sleep(0)
        finally:
            self.stopped = True


def bench(*models: Model, answering: Answering | None = None, text: bool = True, **assignments: str) -> Workbench:
    settings = {
        name: FeatureSetting(
            feature=name, assignment="model" if model in {m.name for m in models} else model, model=model
        )  # type: ignore[arg-type]
        for name, model in assignments.items()
    }
    snapshot = Snapshot(models={model.name: model for model in models}, features=settings)
    return Workbench(
        snapshot=lambda: snapshot,
        families=FAMILIES,
        generate={"test": answering or Answering()},
        features=FEATURES,
        capacity=Capacity(),
        shadows=Shadows(),
        measures=Measures(),
        text_platforms=frozenset({"test"} if text else ()),
    )


def a_model(name: str = "m", family: str = "qwen_coder", **limits: Any) -> Model:
    return Model(name=name, platform="test", family=family, identifier=f"id-{name}", limits=Limits(**limits))


async def collected(chunks: AsyncGenerator[Chunk, None]) -> list[Chunk]:
    return [chunk async for chunk in chunks]


def test_a_model_by_name_identifier_or_feature() -> None:
    one, two = a_model("one"), a_model("two")
    at = bench(one, two, chat="one", code_completions="two")
    assert choose(at, "chat") is one
    assert choose(at, "chat", "two") is two
    assert choose(at, "chat", "id-two") is two
    assert choose(at, "chat", "code_completions") is two
    for wanted in ("three", "id-", "ONE", "one ", "../one"):
        with pytest.raises(Unknown, match="Registered models: one, two") as refusal:
            choose(at, "chat", wanted)
        assert refusal.value.param == "model"


def test_an_identifier_that_two_models_share_names_neither() -> None:
    twins = [replace(a_model(name), identifier="same") for name in ("one", "two")]
    with pytest.raises(Unknown):
        choose(bench(*twins), "chat", "same")


def test_a_disabled_model_is_unknown_and_serves_nothing() -> None:
    at = bench(replace(a_model(), enabled=False), chat="m")
    with pytest.raises(Unknown, match="none yet"):
        choose(at, "chat", "m")
    with pytest.raises(FeatureUnassigned, match="disabled or gone"):
        choose(at, "chat")


def test_settings_that_name_no_model() -> None:
    with pytest.raises(FeatureUnassigned, match="homeport features set chat MODEL"):
        choose(bench(a_model()), "chat")
    for word in ("unassigned", "inherit"):
        with pytest.raises(FeatureUnassigned, match="No model serves 'chat' yet"):
            choose(bench(a_model(), chat=word), "chat")
    with pytest.raises(FeatureDisabled):
        choose(bench(a_model(), chat="disabled"), "chat")


@pytest.mark.parametrize("feature", FEATURES)
def test_the_advice_names_a_feature_that_can_be_set(feature: str) -> None:
    """`homeport features set` takes those that are listed."""
    off, parent = replace(a_model(), enabled=False), FEATURES[feature].inherits or feature
    for at in (bench(a_model()), bench(off, **{parent: "m"})):
        with pytest.raises(FeatureUnassigned) as refusal:
            choose(at, feature)
        advised = refusal.value.fix.partition("homeport features set ")[2].partition(" MODEL")[0]
        assert FEATURES[advised].listed
        assert choose(bench(a_model(), **{advised: "m"}), feature).name == "m"


def test_what_inherits_follows_its_parent() -> None:
    parents = {name: feature.inherits for name, feature in FEATURES.items() if feature.inherits}
    assert parents["text_completions"] == "code_completions"
    for child, parent in parents.items():
        assert parent in FEATURES
        for own in ({}, {child: "inherit"}, {child: "unassigned"}):
            at = bench(a_model("a"), a_model("b"), **(own | {parent: "a"}))
            assert assigned(at, at.snapshot(), child).name == "a"
        at = bench(a_model("a"), a_model("b"), **{parent: "a", child: "b"})
        assert assigned(at, at.snapshot(), child).name == "b"
        with pytest.raises(FeatureDisabled):
            choose(bench(a_model("a"), **{parent: "a", child: "disabled"}), child)


@pytest.mark.parametrize("family", sorted(FAMILIES))
@given(
    window=st.sampled_from([64, 512, 2048, 8192, 131_072]),
    before=st.integers(0, 200_000),
    after=st.integers(0, 200_000),
    related=st.integers(0, 100_000),
    wanted=st.sampled_from([None, 1, 10_000_000]),
)
def test_prompt_and_answer_fit_the_window(
    family: str, window: int, before: int, after: int, related: int, wanted: int | None
) -> None:
    at = bench(a_model(family=family, context_tokens=window))
    model = at.snapshot().models["m"]
    code = CodeRequest(
        before=("x = 1\n" * (before // 6 + 1))[:before],
        after=("y = 2\n" * (after // 6 + 1))[:after],
        file_name="a.py",
        related=(RelatedFile(name="lib.py", content="z = 3\n" * (related // 6)),),
        sampling=Sampling(max_tokens=wanted),
    )
    wording = 1400
    for prompt in (code_completions.build(at, model, code, None), code_generations.build(at, model, code, None)):
        answer = prompt.sampling.max_tokens or 0
        assert 1 <= answer <= model.limits.output_tokens
        assert answer < window
        room = (window - answer) * USUAL
        assert prompt.size <= room + (wording if prompt.kind == "chat" else 200)
        assert len(prompt.sampling.stop) <= 16


def test_a_completion_prompt_has_a_bound_of_its_own() -> None:
    at = bench(a_model(context_tokens=1_000_000))
    model = at.snapshot().models["m"]
    prompt = code_completions.build(at, model, CodeRequest(before="x = 1\n" * 100_000), None)
    assert prompt.size <= at.completion_prompt_tokens * USUAL
    small = replace(model, limits=replace(model.limits, prompt_tokens=100))
    assert code_completions.build(at, small, CodeRequest(before="x = 1\n" * 100_000), None).size <= 400


def test_the_bound_of_completions_is_none_of_chat() -> None:
    at = bench(a_model(context_tokens=100_000))
    small = replace(at.snapshot().models["m"], limits=Limits(context_tokens=100_000, prompt_tokens=100))
    said = Message(role="user", content="word " * 2000)
    assert chat.build(at, small, ChatRequest(messages=(said,))).messages == (said,)


@pytest.mark.parametrize("window", [64, 2048])
def test_a_conversation_and_its_answer_fit_a_small_window(window: int) -> None:
    at = bench(a_model(context_tokens=window))
    model = at.snapshot().models["m"]
    prompt = chat.build(at, model, ChatRequest(messages=(Message(role="user", content="word " * 20_000),)))
    answer = prompt.sampling.max_tokens or 0
    assert 1 <= answer < window
    assert prompt.size <= (window - answer) * USUAL


def test_budget_follows_what_the_model_counts() -> None:
    at = bench(a_model(context_tokens=10_000))
    model = at.snapshot().models["m"]
    before = budget(at, model, 1000)
    for _ in range(30):
        at.measures.learn(model, 4000, Usage(prompt_tokens=1000))
    assert budget(at, model, 1000) == pytest.approx(before * 4 / USUAL, rel=0.01)
    for odd in (Usage(), Usage(prompt_tokens=5), Usage(prompt_tokens=10**9)):
        at.measures.learn(model, 4000, odd)
        at.measures.learn(model, 0, odd)
    assert budget(at, model, 1000) > 9000


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_each_family_is_asked_in_its_own_way(family: str) -> None:
    kind = FAMILIES[family]
    code = CodeRequest(before="BEFORE", after="AFTER", file_name="a.py")
    for text in (True, False):
        at = bench(a_model(family=family), text=text)
        prompt = code_completions.build(at, at.snapshot().models["m"], code, None)
        asked_as_text = text and kind.completion != "chat"
        assert prompt.kind == ("text" if asked_as_text else "chat")
        said = prompt.text or " ".join(message.content for message in prompt.messages)
        assert "BEFORE" in said
        assert ("AFTER" in said) is (not asked_as_text or kind.completion == "fim")
        if prompt.messages:
            assert (prompt.messages[0].role == "system") is kind.system_role


async def test_the_model_is_stopped_when_nothing_more_can_follow() -> None:
    after = "\n\nprint(add(1, 2))\nprint('the end')\n"
    endless = Answering(Chunk(text) for text in ["a + b", after, *["more\n"] * 10_000])
    at = bench(a_model(), answering=endless, code_completions="m")
    code = CodeRequest(before="def add(a, b):\n    return ", after=after, file_name="a.py", stream=True)
    chunks = await collected(code_completions.run(at, code))
    assert "".join(chunk.text for chunk in chunks) == "a + b"
    assert chunks[-1].finish == "stop"
    assert endless.stopped
    assert endless.given < 100
    assert at.capacity.running(at.snapshot().models["m"]) == 0


async def test_a_listener_who_leaves_stops_the_model() -> None:
    for feature, wanted in (
        (code_completions, CodeRequest(before="a = ")),
        (code_generations, CodeRequest(before="# x\n")),
        (chat, ChatRequest(messages=(Message(role="user", content="q"),))),
        (text_completions, TextRequest(prompt="p")),
    ):
        endless = Answering(Chunk(f"x{n} ") for n in range(10_000))
        name = feature.__name__.rpartition(".")[2]
        at = bench(a_model(), answering=endless, **{name: "m"})
        chunks = feature.run(at, wanted)
        await anext(chunks)
        await chunks.aclose()
        assert endless.stopped
        assert at.capacity.running(at.snapshot().models["m"]) == 0


async def test_usage_and_finish_are_kept() -> None:
    usage = Usage(prompt_tokens=50, completion_tokens=2)
    for feature in (code_completions, code_generations):
        answering = Answering([Chunk("one"), Chunk("", "length"), Chunk("", None, usage)])
        name = feature.__name__.rpartition(".")[2]
        at = bench(a_model(), answering=answering, **{name: "m"})
        chunks = await collected(feature.run(at, CodeRequest(before="# a\n", file_name="a.py")))
        assert [chunk.usage for chunk in chunks if chunk.usage] == [usage]
        assert chunks[-1].finish == "length"


async def test_text_goes_on_as_it_stands_or_is_asked_for_in_words() -> None:
    wanted = TextRequest(prompt="  as it stands\n", sampling=Sampling(max_tokens=7))
    for text in (True, False):
        answering = Answering()
        await collected(
            text_completions.run(bench(a_model(), answering=answering, text=text, text_completions="m"), wanted)
        )
        (prompt,) = answering.prompts
        assert prompt.sampling.max_tokens == 7
        assert (prompt.text or prompt.messages[-1].content) == wanted.prompt


def test_a_long_conversation_keeps_its_system_message_and_its_end() -> None:
    turns = [Message(role="user" if n % 2 == 0 else "assistant", content=f"{n} " + "x" * 100) for n in range(101)]
    conversation = (Message(role="system", content="be brief"), *turns)
    assert chat.fit(conversation, 10**6) is conversation
    kept = chat.fit(conversation, 1000)
    assert kept[0].content == "be brief"
    assert kept[-1] is turns[-1]
    assert 700 < sum(len(message.content) for message in kept) <= 1000
    (alone,) = chat.fit((Message(role="user", content="a" * 999 + "z"),), 100)
    assert alone.content == "a" * 99 + "z"


def test_a_family_without_a_system_role_hears_it_in_the_first_turn() -> None:
    silent = Family(label="x", system_role=False)
    system, user = Message(role="system", content="s"), Message(role="user", content="u")
    assert chat.shape((system, user), silent) == (Message(role="user", content="s\n\nu"),)
    assert chat.shape((system,), silent) == (Message(role="user", content="s"),)
    assert chat.shape((user,), silent) == (user,)
    assert chat.shape((system, user), Family(label="x")) == (system, user)


def test_relayed_messages_are_not_touched() -> None:
    at = bench(a_model())
    raw = ({"role": "user", "content": "x" * 10**6},)
    prompt = chat.build(at, at.snapshot().models["m"], ChatRequest(raw_messages=raw, relay=True))
    assert prompt.raw_messages is raw
    assert prompt.sampling.max_tokens is None
    assert prompt.sampling.stop == ()
    greedy = ChatRequest(raw_messages=raw, relay=True, sampling=Sampling(max_tokens=10**6))
    assert chat.build(at, at.snapshot().models["m"], greedy).sampling.max_tokens == 4096


def test_a_relayed_answer_has_no_more_room_than_the_window() -> None:
    at = bench(a_model(context_tokens=2048))
    raw = ({"role": "user", "content": "hi"},)
    for wanted, allowed in ((5000, 1536), (1536, 1536), (16, 16)):
        request = ChatRequest(raw_messages=raw, relay=True, sampling=Sampling(max_tokens=wanted))
        assert chat.build(at, at.snapshot().models["m"], request).sampling.max_tokens == allowed

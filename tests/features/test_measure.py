"""What is learned of a model from what it counts and refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.domain.models import Model
from homeport.domain.prompts import Prompt
from homeport.domain.requests import Message
from homeport.domain.streams import Usage
from homeport.features import _measure
from homeport.features._measure import LEAST, MOST, REMEMBERED, SEEN, USUAL, Measures, comparable


def model(name: str, endpoint: str = "http://one/v1") -> Model:
    return Model(name=name, platform="openai", endpoint=endpoint)


M = model("m")


def taught(*ratios: float, tokens: int = 1000) -> Measures:
    measures = Measures()
    for ratio in ratios:
        measures.learn(M, int(ratio * tokens), Usage(prompt_tokens=tokens))
    return measures


def test_at_first_the_usual_is_expected() -> None:
    assert Measures().characters_per_token(M) == USUAL
    assert Measures().window(M) is None


@pytest.mark.parametrize("ratio", [1.5, 2.4, 4.4])
def test_what_a_model_counts_is_expected_soon(ratio: float) -> None:
    assert taught(*[ratio] * SEEN).characters_per_token(M) == pytest.approx(ratio)
    # Fewer characters than thought may be refused, so they are believed sooner.
    assert taught(*[2.0] * 2).characters_per_token(M) == pytest.approx(2.0)
    assert taught(4.4).characters_per_token(M) == USUAL


@pytest.mark.parametrize("odd", [LEAST, 0.01, MOST, 1000.0])
def test_one_odd_prompt_decides_nothing(odd: float) -> None:
    assert taught(*[3.0] * 9, odd, *[3.0] * 3).characters_per_token(M) == pytest.approx(3.0)
    assert 3.0 <= taught(odd).characters_per_token(M) <= USUAL


def test_of_mixed_prompts_the_dense_ones_count() -> None:
    """English prose beside code: the budget must hold for either."""
    assert taught(*[2.8, 4.5] * 10).characters_per_token(M) == pytest.approx(2.8)


@pytest.mark.parametrize(
    ("characters", "tokens"), [(0, 1000), (-1, 1000), (4000, 0), (400, _measure.ENOUGH_TOKENS - 1)]
)
def test_what_cannot_be_compared_teaches_nothing(characters: int, tokens: int) -> None:
    measures = Measures()
    for _ in range(30):
        measures.learn(M, characters, Usage(prompt_tokens=tokens))
    assert measures.characters_per_token(M) == USUAL


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**7)), max_size=40))
def test_whatever_is_counted_the_expectation_is_sane(counted: list[tuple[int, int]]) -> None:
    measures = Measures()
    for characters, tokens in counted:
        measures.learn(M, characters, Usage(prompt_tokens=tokens))
    assert LEAST <= measures.characters_per_token(M) <= MOST


def test_a_refusal_makes_the_window_smaller_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(_measure.time, "monotonic", lambda: now)
    measures = Measures()
    measures.too_long(M, 32_000, 1000)
    first = measures.window(M)
    assert first == int((32_000 / USUAL + 1000) * _measure.SMALLER)
    assert measures.window(model("other")) is None
    measures.too_long(M, 10_000, 100)
    assert (measures.window(M) or 0) < first
    now += _measure.REMEMBERED_S + 1
    assert measures.window(M) is None


def test_a_refusal_never_makes_a_window_too_small_to_ask() -> None:
    measures = Measures()
    measures.too_long(M, 2, 0)
    assert measures.window(M) == _measure.SMALLEST


def test_what_is_learned_of_one_server_says_nothing_of_another() -> None:
    measures = taught(*[1.5] * SEEN)
    measures.too_long(M, 1000, 0)
    elsewhere = model("m", "http://two/v1")
    assert measures.characters_per_token(elsewhere) == USUAL
    assert measures.window(elsewhere) is None


def test_models_are_forgotten_before_there_are_too_many() -> None:
    measures = Measures()
    for number in range(3 * REMEMBERED):
        measures.learn(model(f"m{number}"), 2000, Usage(prompt_tokens=1000))
        measures.learn(model(f"m{number}"), 2000, Usage(prompt_tokens=1000))
        measures.too_long(model(f"m{number}"), 2000, 0)
        measures.learn(model("busy"), 2000, Usage(prompt_tokens=1000))
    assert len(measures._ratios) == len(measures._windows) == REMEMBERED  # noqa: SLF001 (the bound is what is tested)
    assert measures.characters_per_token(model("m0")) == USUAL
    assert measures.characters_per_token(model("busy")) == pytest.approx(2.0)


def test_a_prompt_of_more_than_text_is_not_compared() -> None:
    text = ({"role": "user", "content": "x" * 50},)
    picture = ({"role": "user", "content": [{"type": "image_url"}, {"type": "text", "text": "x"}]},)
    assert comparable(Prompt(kind="text", text="abc")) == 3
    assert comparable(Prompt(kind="chat", messages=(Message(role="user", content="abcd"),))) == 4
    assert comparable(Prompt(kind="chat", raw_messages=text)) == 50
    assert comparable(Prompt(kind="chat", raw_messages=text, extra={"tools": [{}]})) == 0
    assert comparable(Prompt(kind="chat", raw_messages=(*text, *picture))) == 0

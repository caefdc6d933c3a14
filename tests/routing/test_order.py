"""Who is asked first: by weight, by load, by what it is about, and never who is left alone."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from homeport.domain.models import Model
from homeport.routing.budget import AT_FIRST, RESERVE, Budget
from homeport.routing.health import IN_A_ROW, Health
from homeport.routing.order import SPREAD, Share, order

if TYPE_CHECKING:
    from collections.abc import Sequence

A, B, C, D = (Model(name=name, platform="openai", endpoint=f"http://{name}/v1") for name in "abcd")


def idle(_model: Model) -> int:
    return 0


def ill(*models: Model) -> Health:
    health = Health()
    for model in models:
        for _ in range(IN_A_ROW):
            health.failed(model)
    return health


def firsts(pool: Sequence[Share], times: int = 4000, health: Health | None = None, about: str = "") -> Counter[str]:
    """Who comes first, when each request that was given stays."""
    taken: Counter[str] = Counter()
    for number in range(times):
        about_this = about and f"{about}{number}"
        first = order(pool, (), health or Health(), lambda model: taken[model.name], about_this)[0]
        taken[first.name] += 1
    return taken


def test_the_work_is_shared_by_weight() -> None:
    taken = firsts([Share(A, 3), Share(B, 1)])
    assert taken["a"] / taken["b"] == pytest.approx(3, rel=0.1)


def test_the_less_busy_of_two_is_chosen() -> None:
    for _ in range(50):
        found = order([Share(A, 1), Share(B, 1)], (), Health(), lambda model: 5 if model is A else 0)
        assert found == [B, A]


def test_two_choices_spread_the_load_better_than_one() -> None:
    random.seed(7)
    taken = firsts([Share(Model(name=str(n), platform="openai"), 1) for n in range(10)], 5000)
    assert max(taken.values()) - min(taken.values()) < 20


def test_a_slow_server_gets_less() -> None:
    health = Health()
    health.answered(A, 2.0)
    health.answered(B, 0.2)
    taken = firsts([Share(A, 1), Share(B, 1)], health=health)
    assert taken["b"] / taken["a"] == pytest.approx(10, rel=0.3)


def test_who_failed_is_left_out_and_fallbacks_come_last() -> None:
    pool = [Share(A, 1), Share(B, 1)]
    assert order(pool, [C, D], ill(A), idle) == [B, C, D]
    assert order(pool, [C, D], ill(A, B, C), idle) == [D]
    assert order(pool[:1], [C], Health(), idle) == [A, C]


def test_when_all_are_left_alone_the_one_that_is_back_first_is_asked() -> None:
    health = ill(A, B)
    health.failed(C, retry_after_s=1)
    assert order([Share(A, 1), Share(B, 1)], [C], health, idle) == [C]


def test_who_has_still_to_show_that_it_answers_comes_last_and_not_never() -> None:
    clock = [1000.0]
    health = Health(lambda: clock[0])
    for _ in range(IN_A_ROW):
        health.failed(B)
        health.failed(C)
    clock[0] += 6
    assert health.chosen(C)
    assert order([Share(A, 1)], [C], health, idle) == [A, C]
    assert order([Share(C, 1), Share(A, 1)], [B], health, idle) == [A, B, C]
    assert order([Share(B, 1)], [C], health, idle) == [B, C]
    assert order([Share(C, 1)], (), health, idle) == [C]


def test_what_it_is_about_decides_and_moves_only_with_its_server() -> None:
    pool = [Share(A, 1), Share(B, 1), Share(C, 2)]
    first = {f"file{n}": order(pool, (), Health(), idle, f"file{n}")[0] for n in range(400)}
    assert first == {about: order(pool, (), Health(), idle, about)[0] for about in first}
    shares = Counter(model.name for model in first.values())
    assert shares["c"] / 400 == pytest.approx(0.5, abs=0.08)
    without = {about: order(pool, (), ill(B), idle, about)[0] for about in first}
    assert {about for about in first if without[about] != first[about]} == {a for a in first if first[a] is B}


def test_a_sticky_route_does_not_drown_its_favourite() -> None:
    load = {"a": 0, "b": 0}
    for _ in range(100):
        load[order([Share(A, 1), Share(B, 1)], (), Health(), lambda m: load[m.name], "one file")[0].name] += 1
    assert max(load.values()) <= SPREAD * 50 + 1


def test_odd_text_can_be_what_it_is_about() -> None:
    assert order([Share(A, 1), Share(B, 1)], (), Health(), idle, "\ud800")


def test_retries_are_a_fifth_of_the_requests() -> None:
    budget, sent = Budget(), 0
    for _ in range(1000):
        budget.asked("chat")
        sent += 1
        sent += budget.spend("chat")
    assert sent <= 1000 * 1.2 + AT_FIRST
    assert not budget.spend("chat")


def test_a_quiet_time_saves_a_few_retries_up_and_no_more() -> None:
    budget = Budget()
    for _ in range(1000):
        budget.asked("chat")
    assert sum(budget.spend("chat") for _ in range(100)) == RESERVE
    assert budget.spend("code_completions")


@pytest.mark.parametrize("about", ["", "src/main.py\nimport os"])
@pytest.mark.parametrize("models", [2, 4])
def test_deciding_takes_some_microseconds(models: int, about: str) -> None:
    """CPU of the fastest of many batches: 20 µs on a quiet machine; a slow and busy one has three times as long."""
    pool, health = [Share(Model(name=str(n), platform="openai"), n + 1) for n in range(models)], Health()
    for share in pool:
        health.answered(share.model, 0.1)
    best = min(_batch(pool, health, about) for _ in range(100))
    assert best < 60e-6, f"{best * 1e6:.1f} µs"


def _batch(pool: Sequence[Share], health: Health, about: str) -> float:
    began = time.thread_time()
    for _ in range(50):
        order(pool, (), health, idle, about)
    return (time.thread_time() - began) / 50

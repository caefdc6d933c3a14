"""A server that fails is left alone, tried by one request, and served by again."""

from __future__ import annotations

import pytest

from homeport.domain.models import Model
from homeport.routing.health import IN_A_ROW, LEAST, LONGEST_S, OPEN_S, SERVERS, TRIAL_S, Health

A = Model(name="a", platform="openai", endpoint="http://a/v1")
OTHER_A = Model(name="a", platform="openai", endpoint="http://b/v1")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock)


def fail(health: Health, times: int) -> None:
    for _ in range(times):
        health.failed(A)


def test_a_few_failures_in_a_row_open_the_circuit(health: Health) -> None:
    fail(health, IN_A_ROW - 1)
    assert health.allows(A)
    health.answered(A)
    fail(health, IN_A_ROW - 1)
    assert health.allows(A)
    fail(health, 1)
    assert not health.allows(A)
    assert health.allows(OTHER_A)


def test_a_server_that_fails_every_other_time_is_left_alone(health: Health) -> None:
    for _ in range(LEAST // 2):
        health.answered(A)
        health.failed(A)
    assert not health.allows(A)


def test_one_request_tries_it_and_its_answer_closes_the_circuit(health: Health, clock: Clock) -> None:
    told = []
    health.on_change = lambda key, healthy: told.append((key, healthy))
    fail(health, IN_A_ROW)
    clock.now += OPEN_S
    assert health.allows(A)
    health.chosen(A)
    assert not health.allows(A)
    health.answered(A)
    assert health.allows(A)
    assert told == [(("a", "http://a/v1"), False), (("a", "http://a/v1"), True)]
    fail(health, IN_A_ROW - 1)
    assert health.allows(A)


def test_it_stays_open_longer_each_time_up_to_a_minute(health: Health, clock: Clock) -> None:
    fail(health, IN_A_ROW)
    waits = []
    for _ in range(6):
        waits.append(health.back_in(A))
        clock.now += health.back_in(A)
        health.chosen(A)
        fail(health, 1)
    assert waits == [OPEN_S, 2 * OPEN_S, 4 * OPEN_S, 8 * OPEN_S, LONGEST_S, LONGEST_S]


def test_failures_of_requests_that_were_under_way_do_not_prolong_it(health: Health) -> None:
    fail(health, IN_A_ROW + 50)
    assert health.back_in(A) == OPEN_S


def test_a_trial_that_nobody_ended_makes_room_for_another(health: Health, clock: Clock) -> None:
    fail(health, IN_A_ROW)
    clock.now += OPEN_S
    health.chosen(A)
    clock.now += TRIAL_S
    assert health.allows(A)


def test_what_a_server_asks_for_is_respected(health: Health, clock: Clock) -> None:
    health.failed(A, retry_after_s=7)
    assert health.back_in(A) == 7
    clock.now += 7
    assert health.allows(A)
    health.failed(A, retry_after_s=86_400)
    assert health.back_in(A) == LONGEST_S


def test_a_probe_that_is_answered_lets_one_request_try(health: Health) -> None:
    fail(health, IN_A_ROW)
    health.recovered(A)
    assert health.allows(A)
    health.chosen(A)
    assert not health.allows(A)


def test_the_usual_time_moves_slowly(health: Health) -> None:
    assert health.first_s(A) == 0
    health.answered(A, 1.0)
    health.answered(A, 2.0)
    health.answered(A)
    assert health.first_s(A) == pytest.approx(1.2)
    assert [(state.key, state.healthy, state.failures) for state in health.states()] == [
        (("a", "http://a/v1"), True, 0)
    ]


def test_a_bounded_number_of_servers_is_remembered(health: Health) -> None:
    for number in range(SERVERS + 50):
        health.failed(Model(name=str(number), platform="openai"))
    assert len(list(health.states())) == SERVERS

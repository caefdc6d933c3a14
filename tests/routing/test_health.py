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


def test_a_trial_that_told_nothing_makes_room_for_another(health: Health, clock: Clock) -> None:
    fail(health, IN_A_ROW)
    assert not health.chosen(A)
    clock.now += OPEN_S
    assert health.chosen(A)
    assert (health.allows(A), health.is_tried(A)) == (False, True)
    assert not health.chosen(A)
    health.released(A)
    assert health.allows(A)


def test_a_trial_that_nobody_ended_makes_room_too(health: Health, clock: Clock) -> None:
    fail(health, IN_A_ROW)
    clock.now += OPEN_S
    health.chosen(A)
    clock.now += TRIAL_S
    assert health.allows(A)


def test_what_a_server_asks_for_is_respected_whatever_it_tells_a_probe(health: Health, clock: Clock) -> None:
    health.failed(A, retry_after_s=7)
    for answers in (False, True, True):
        health.probed(A, answers=answers)
        assert health.back_in(A) == 7
    clock.now += 7
    assert health.allows(A)
    health.failed(A, retry_after_s=86_400)
    assert health.back_in(A) == LONGEST_S


def test_an_answer_that_was_under_way_does_not_shorten_what_a_server_asked_for(health: Health, clock: Clock) -> None:
    health.failed(A, retry_after_s=7, status=429)
    health.answered(A)
    assert (health.back_in(A), health.pause(A)) == (7, (7, 429))
    clock.now += 7
    assert health.pause(A) is None
    health.answered(A)
    assert health.state(A) == (True, False)


def test_only_what_came_with_a_status_is_a_pause(health: Health) -> None:
    assert health.pause(A) is None
    health.failed(A, retry_after_s=2)
    assert (health.pause(A), health.back_in(A)) == (None, 2)


def test_a_server_that_was_silent_is_tried_when_it_answers_a_probe(health: Health) -> None:
    fail(health, IN_A_ROW)
    health.probed(A, answers=False)
    assert not health.allows(A)
    health.probed(A, answers=True)
    assert health.allows(A)
    assert health.state(A) == (False, False)


def test_a_server_that_only_answers_probes_is_left_alone_all_the_same(health: Health, clock: Clock) -> None:
    waits = []
    for _ in range(3):
        fail(health, IN_A_ROW)
        health.probed(A, answers=True)
        health.probed(A, answers=True)
        waits.append(health.back_in(A))
        clock.now += health.back_in(A)
        health.chosen(A)
    assert waits == [OPEN_S, 2 * OPEN_S, 4 * OPEN_S]


def test_a_server_that_gives_no_token_is_left_alone_unless_it_answers_somebody_else(health: Health) -> None:
    told = []
    health.waiting(A).add(lambda: told.append("go"))
    for answers in (True, False):
        health.suspect(A)
        assert health.is_suspected(A)
        health.probed(A, answers=True)
        assert not health.is_suspected(A)
        health.asks_for_a_token(A)
        if answers:
            health.answered(A)
        health.gave_no_token(A, "it hangs")
        assert (health.allows(A), told) == (answers, [] if answers else ["go"])
    last = health.last(A)
    assert last is not None
    assert last.why == "it hangs"
    health.gave_no_token(A, "it hangs")
    assert told == ["go"]


def test_who_waits_is_told_each_time_the_circuit_opens_and_not_of_a_pause(health: Health, clock: Clock) -> None:
    told: list[float] = []

    def note_it() -> None:
        told.append(clock.now)
        health.waiting(A).discard(note_it)

    health.waiting(A).add(note_it)
    health.failed(A, retry_after_s=7)
    assert (told, health.is_shut(A)) == ([], False)
    clock.now += 7
    fail(health, 1)
    assert (told, health.is_shut(A)) == ([1007.0], True)
    health.waiting(A).add(note_it)
    clock.now += health.back_in(A)
    assert (health.is_shut(A), health.is_due(A)) == (False, True)
    health.chosen(A)
    assert not health.is_due(A)
    fail(health, 1)
    assert len(told) == 2


def test_a_long_trial_is_not_waited_for_when_a_silent_server_answers(health: Health, clock: Clock) -> None:
    fail(health, IN_A_ROW)
    clock.now += OPEN_S
    health.chosen(A, 600)
    health.probed(A, answers=False)
    assert not health.is_due(A)
    health.probed(A, answers=True)
    assert health.is_due(A)


def test_the_usual_time_moves_slowly(health: Health) -> None:
    assert health.first_s(A) == 0
    health.answered(A, 1.0)
    health.answered(A, 2.0)
    health.answered(A)
    assert health.first_s(A) == pytest.approx(1.2)
    health.answered(A, 9.0, completion=True)
    assert health.first_s(A) == pytest.approx(1.2)
    assert health.state(A) == (True, False)
    assert health.state(OTHER_A) is None


def test_a_bounded_number_of_servers_is_remembered(health: Health) -> None:
    for number in range(SERVERS + 50):
        health.failed(Model(name=str(number), platform="openai"))
    assert health.state(Model(name="0", platform="openai")) is None
    assert health.state(Model(name="50", platform="openai")) is not None


def test_an_open_circuit_is_the_last_to_be_forgotten(health: Health) -> None:
    fail(health, IN_A_ROW)
    for number in range(SERVERS + 50):
        health.answered(Model(name=str(number), platform="openai"))
    assert not health.allows(A)

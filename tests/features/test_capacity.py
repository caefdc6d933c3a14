"""Seats at a model: never too many, never one lost, first come first served."""

from __future__ import annotations

import asyncio
import random

import pytest

from homeport.domain.errors import UpstreamOverloaded, UpstreamTimeout
from homeport.domain.models import Limits, Model
from homeport.features._capacity import MODELS, Capacity


def model(**limits: float) -> Model:
    return Model(name="m", platform="openai", limits=Limits(**({"concurrency": 2, "queue": 3, "queue_s": 5} | limits)))  # type: ignore[arg-type]


async def test_no_more_than_the_limit_run_and_turns_come_in_order() -> None:
    capacity, came, most = Capacity(), [], 0

    async def guest(number: int) -> None:
        nonlocal most
        async with capacity.seat(model(queue=20)):
            came.append(number)
            most = max(most, capacity.running(model()))
            await asyncio.sleep(0)

    await asyncio.gather(*(guest(number) for number in range(20)))
    assert came == list(range(20))
    assert most == 2
    assert (capacity.running(model()), capacity.queued()) == (0, 0)


async def test_full_queue_is_refused_at_once() -> None:
    capacity = Capacity()
    async with capacity.seat(model()), capacity.seat(model()):
        waiting = [asyncio.create_task(sit(capacity)) for _ in range(3)]
        await asyncio.sleep(0)
        assert capacity.queued() == 3
        with pytest.raises(UpstreamOverloaded, match="3 requests already wait") as refusal:
            await sit(capacity)
        assert refusal.value.retry_after_s == 1
    await asyncio.gather(*waiting)
    assert (capacity.running(model()), capacity.queued()) == (0, 0)


async def test_no_queue_at_all() -> None:
    capacity = Capacity()
    async with capacity.seat(model(concurrency=1, queue=0)):
        with pytest.raises(UpstreamOverloaded):
            await sit(capacity, model(concurrency=1, queue=0))


async def test_turn_that_does_not_come() -> None:
    capacity, slow = Capacity(), model(concurrency=1, queue_s=0.01)
    async with capacity.seat(slow):
        with pytest.raises(UpstreamOverloaded, match=r"no turn came within 0\.01 s"):
            await sit(capacity, slow)
        assert capacity.queued() == 0
    assert capacity.running(model()) == 0


async def test_error_inside_frees_the_seat() -> None:
    capacity = Capacity()
    with pytest.raises(RuntimeError):
        async with capacity.seat(model()):
            raise RuntimeError
    assert capacity.running(model()) == 0


async def test_models_do_not_share_seats() -> None:
    capacity = Capacity()
    one = model(concurrency=1, queue=0)
    other = Model(name="other", platform="openai", limits=one.limits)
    async with capacity.seat(one), capacity.seat(other):
        assert capacity.running(model()) == capacity.running(other) == 1


async def test_one_name_at_two_endpoints_is_two_models() -> None:
    capacity = Capacity()
    here = Model(name="m", platform="openai", endpoint="http://a/v1", limits=Limits(concurrency=1, queue=0))
    there = Model(name="m", platform="openai", endpoint="http://b/v1", limits=here.limits)
    async with capacity.seat(here), capacity.seat(there):
        assert capacity.running(here) == capacity.running(there) == 1


async def test_who_gives_way_sits_down_last() -> None:
    capacity, single, came = Capacity(), model(concurrency=1, queue=10), []

    async def guest(name: str, *, gives_way: bool) -> None:
        async with capacity.seat(single, gives_way=gives_way) as waited:
            assert waited > 0
            came.append(name)

    async with capacity.seat(single) as waited:
        assert waited == 0
        tasks = [asyncio.create_task(guest(name, gives_way=name.startswith("code"))) for name in ("code1", "chat1")]
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(guest(name, gives_way=name.startswith("code"))) for name in ("code2", "chat2")]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert came == ["chat1", "chat2", "code1", "code2"]


async def test_the_oldest_who_gives_way_leaves_a_full_queue() -> None:
    capacity, single = Capacity(), model(concurrency=1, queue=2)
    async with capacity.seat(single):
        code = asyncio.create_task(sit(capacity, single, gives_way=True))
        await asyncio.sleep(0)
        with pytest.raises(UpstreamOverloaded, match="1 completions already wait"):
            await sit(capacity, single, gives_way=True)
        chats = [asyncio.create_task(sit(capacity, single)) for _ in range(2)]
        with pytest.raises(UpstreamOverloaded, match="its queue is full") as refusal:
            await code
        assert refusal.value.retry_after_s == 1
        assert capacity.queued() == 2
        with pytest.raises(UpstreamOverloaded):
            await sit(capacity, single)
    await asyncio.gather(*chats)
    assert (capacity.running(single), capacity.queued()) == (0, 0)


async def test_a_completion_waits_for_a_short_time_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeport.features._capacity.SOON_S", 0.01)
    capacity, single = Capacity(), model(concurrency=1, queue_s=50)
    async with capacity.seat(single):
        with pytest.raises(UpstreamOverloaded, match=r"no turn came within 0\.01 s"):
            await sit(capacity, single, gives_way=True)


async def test_waiting_belongs_to_the_time_for_a_whole_answer() -> None:
    capacity, brief = Capacity(), model(concurrency=1, queue_s=50, total_s=0.01)
    async with capacity.seat(brief):
        with pytest.raises(UpstreamTimeout, match="for a whole answer"):
            await sit(capacity, brief)


async def test_raised_limit_counts_for_the_next() -> None:
    capacity = Capacity()
    async with capacity.seat(model(concurrency=1)), capacity.seat(model(concurrency=2)):
        assert capacity.running(model()) == 2


@pytest.mark.parametrize("first", ["guest", "waiter"])
async def test_seat_and_waiter_that_go_in_the_same_moment(first: str) -> None:
    capacity, single = Capacity(), model(concurrency=1)
    done = asyncio.Event()
    guest = asyncio.create_task(sit(capacity, single, done))
    await asyncio.sleep(0)
    waiter = asyncio.create_task(sit(capacity, single))
    await asyncio.sleep(0)
    if first == "guest":
        done.set()
        waiter.cancel()
    else:
        waiter.cancel()
        guest.cancel()
    found = await asyncio.gather(guest, waiter, return_exceptions=True)
    assert all(each is None or isinstance(each, asyncio.CancelledError) for each in found)
    assert (capacity.running(model()), capacity.queued()) == (0, 0)


@pytest.mark.parametrize("seed", range(30))
async def test_no_seat_is_lost_however_guests_leave(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 (a repeatable test)
    capacity, busy = Capacity(), model(concurrency=3, queue=40, queue_s=0.003)
    over = False

    async def guest(pauses: int) -> None:
        nonlocal over
        async with capacity.seat(busy):
            over = over or capacity.running(model()) > 3
            for _ in range(pauses):
                await asyncio.sleep(0)

    tasks = [asyncio.create_task(guest(chance.randrange(6))) for _ in range(40)]
    for task in tasks:
        if chance.random() < 0.5:
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)
            task.cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(each is None or isinstance(each, asyncio.CancelledError | UpstreamOverloaded) for each in found)
    assert not over
    assert (capacity.running(model()), capacity.queued()) == (0, 0)


async def sit(
    capacity: Capacity, at: Model | None = None, until: asyncio.Event | None = None, *, gives_way: bool = False
) -> None:
    async with capacity.seat(at or model(), gives_way=gives_way):
        if until is not None:
            await until.wait()


async def test_names_without_end_are_not_remembered() -> None:
    capacity = Capacity()
    async with capacity.seat(model()):
        for number in range(3 * MODELS):
            async with capacity.seat(Model(name=f"carried-{number}", platform="openai")):
                pass
        assert len(capacity._seats) <= MODELS  # noqa: SLF001 (what must not grow)
        assert capacity.running(model()) == 1

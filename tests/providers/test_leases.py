"""Credentials that end are renewed in time, by one, and without waiting where the old one still lasts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from homeport.domain.errors import UpstreamError
from homeport.providers._leases import AGAIN_S, LEAST_S, MOST, RENEW_S, Lease, Leases

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Bank:
    """Gives numbered credentials, and can be told to fail or to take its time."""

    def __init__(self, life_s: float = 3600.0) -> None:
        self.now = 1000.0
        self.life_s = life_s
        self.asked = 0
        self.failing = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.leases: Leases[int] = Leases(lambda: self.now)

    async def fetch(self) -> Lease[int]:
        self.asked += 1
        number = self.asked
        await self.gate.wait()
        if self.failing:
            raise UpstreamError("The bank is closed.")
        return Lease(number, self.now + self.life_s)

    def get(self, key: str = "a", fetch: Callable[[], Awaitable[Lease[int]]] | None = None) -> Awaitable[int]:
        return self.leases.get(key, fetch or self.fetch)


async def test_it_is_fetched_once_and_renewed_before_it_ends() -> None:
    bank = Bank()
    assert [await bank.get() for _ in range(3)] == [1, 1, 1]
    bank.now += bank.life_s - RENEW_S - 1
    assert await bank.get() == 1
    bank.now += 2
    assert await bank.get() == 2
    assert bank.asked == 2


async def test_a_short_life_is_not_fetched_for_every_request() -> None:
    bank = Bank(life_s=100)
    assert [await bank.get() for _ in range(3)] == [1, 1, 1]
    bank.now += 51
    assert await bank.get() == 2


async def test_many_at_once_fetch_once() -> None:
    bank = Bank()
    bank.gate.clear()
    waiting = [asyncio.ensure_future(bank.get()) for _ in range(20)]
    await asyncio.sleep(0)
    bank.gate.set()
    assert await asyncio.gather(*waiting) == [1] * 20
    assert bank.asked == 1


async def test_while_one_renews_the_others_go_on_with_the_old() -> None:
    bank = Bank()
    await bank.get()
    bank.now += bank.life_s - RENEW_S + 1
    bank.gate.clear()
    renewing = asyncio.ensure_future(bank.get())
    await asyncio.sleep(0)
    assert [await bank.get() for _ in range(3)] == [1, 1, 1]
    bank.gate.set()
    assert await renewing == 2
    assert await bank.get() == 2
    assert bank.asked == 2


async def test_a_failure_to_renew_hurts_nobody_while_the_old_lasts() -> None:
    bank = Bank()
    await bank.get()
    bank.now += bank.life_s - RENEW_S + 1
    bank.failing = True
    with capture_logs() as logs:
        assert [await bank.get() for _ in range(3)] == [1, 1, 1]
    assert bank.asked == 2
    assert [(line["event"], line["reason"]) for line in logs] == [("credentials not renewed", "The bank is closed.")]
    bank.now += AGAIN_S + 1
    assert await bank.get() == 1
    assert bank.asked == 3
    bank.failing = False
    bank.now += AGAIN_S + 1
    assert await bank.get() == 4


async def test_what_has_ended_is_not_used() -> None:
    bank = Bank()
    await bank.get()
    bank.now += bank.life_s - LEAST_S + 1
    bank.failing = True
    with pytest.raises(UpstreamError, match="closed"):
        await bank.get()


async def test_who_waited_for_a_failure_fails_with_it() -> None:
    bank = Bank()
    bank.failing = True
    bank.gate.clear()
    waiting = [asyncio.ensure_future(bank.get()) for _ in range(20)]
    await asyncio.sleep(0)
    bank.gate.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert {str(each) for each in found} == {"The bank is closed."}
    assert bank.asked == 1
    bank.failing = False
    bank.now += 0.001
    assert await bank.get() == 2


async def test_who_leaves_while_fetching_leaves_the_next_to_fetch() -> None:
    bank = Bank()
    bank.gate.clear()
    first = asyncio.ensure_future(bank.get())
    await asyncio.sleep(0)
    second = asyncio.ensure_future(bank.get())
    await asyncio.sleep(0)
    first.cancel()
    bank.gate.set()
    assert await second == 2


async def test_each_for_its_own_and_not_without_end() -> None:
    bank = Bank()
    assert await bank.get("a") == 1
    assert await bank.get("b") == 2
    assert await bank.get("a") == 1
    for number in range(MOST):
        await bank.get(f"other {number}")
    assert await bank.get("a") == MOST + 3

"""What the check says of token issuers: as the running server sees them, or as we do."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from house import TOKEN, House, eventually, opened
from issuer import Issuer

from homeport.diagnostics import Check, Finding
from homeport.diagnostics._front_door import FrontDoor
from homeport.diagnostics._scene import Scene
from homeport.diagnostics.issuers import CHECK
from homeport.diagnostics.ready import CHECK as READY
from homeport.kit.settings import load
from homeport.kit.upstream_http import HttpUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with Issuer().listening() as found:
        yield found


async def found(house: House | None = None, check: Check = CHECK, **settings: Any) -> Finding:
    """What the check sees; without a house nobody answers."""
    async with contextlib.AsyncExitStack() as stack:
        upstream = HttpUpstream()
        stack.push_async_callback(upstream.close)
        door = FrontDoor(upstream, f"http://127.0.0.1:{house.port if house else 9}", TOKEN)
        passed = {"server"} if house else set()
        scene = Scene(settings=load(**settings), upstream=upstream, door=door, passed=passed)
        return await check.look(scene)


async def test_no_issuer_is_fine() -> None:
    finding = await found()
    assert finding == Finding(status="ok", saw="No issuer is configured: only Homeport's own tokens are accepted.")


async def test_without_a_server_we_ask_ourselves(issuer: Issuer) -> None:
    finding = await found(gitlab_url=issuer.url, customer_portal_url=issuer.url)
    assert finding == Finding(status="ok", saw=f"{issuer.url}: keys k1, e1, just fetched.")
    assert issuer.fetches == 1
    issuer.mood = "empty"
    finding = await found(gitlab_url=issuer.url)
    assert finding.status == "fail"
    assert "holds no key that can be used" in finding.saw
    assert "AIGW_GITLAB_URL" in finding.fix


async def test_the_server_says_what_it_knows(issuer: Issuer) -> None:
    issuer.keys.pop("e1")
    async with opened(gitlab_url=issuer.url) as house:
        member = house.app.door.federation.issuers.members[0]  # type: ignore[union-attr]  # there is one
        await eventually(lambda: member.published)
        finding = await found(house, gitlab_url=issuer.url)
        assert finding == Finding(status="ok", saw=f"{issuer.url}: key k1, 0 s old.")
        member._fetched -= 7_300  # noqa: SLF001 (two hours have passed)
        issuer.mood = "failing"
        member._not_before = 0.0  # noqa: SLF001 (as if for long)
        member.ask()
        await eventually(lambda: member.problem)
        finding = await found(house, gitlab_url=issuer.url)
        assert finding.status == "warn"
        assert finding.saw.startswith(f"{issuer.url}: key k1, 2 h old; the last fetch failed: ")
        assert finding.saw.endswith("answered HTTP 503.")


async def test_the_server_never_had_keys(issuer: Issuer) -> None:
    issuer.mood = "moved"
    async with opened(gitlab_url=issuer.url) as house:
        await eventually(lambda: house.app.door.federation.issuers.members[0].problem)
        finding = await found(house)
        assert finding.status == "fail"
        assert "redirects to https://gitlab.test/elsewhere" in finding.saw
        assert "Its tokens are refused." in finding.saw
        house.snapshot = replace(house.snapshot, tokens={})
        finding = await found(house, READY)
        assert finding.status == "fail"
        assert finding.saw == "It lets nobody in: No key of a token issuer is known yet: every token is refused."


async def test_an_issuer_with_another_name() -> None:
    async with Issuer(name="https://gitlab.test").listening() as issuer:
        finding = await found(gitlab_url=issuer.url)
        assert finding.saw == f"https://gitlab.test (asked at {issuer.url}): keys k1, e1, just fetched."


async def test_a_server_that_was_not_told(issuer: Issuer) -> None:
    async with opened() as house:
        finding = await found(house, gitlab_url=issuer.url)
        assert finding.status == "warn"
        assert "the running server does not know of it" in finding.saw
        assert not issuer.heard

"""The same of a gateway that only takes tokens of GitLab: looked at from another machine, authentication on."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from broken import Broken, Site, examine, of
from commands import clean_environment
from house import House, opened
from issuer import Issuer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(scope="module")
async def gateway() -> AsyncIterator[tuple[House, Issuer]]:
    """A gateway that takes GitLab's tokens."""
    async with Issuer().listening() as issuer, opened(gitlab_url=issuer.url) as house:
        yield house, issuer


async def test_a_metrics_page_that_nobody_told_of_is_not_missed(
    gateway: tuple[House, Issuer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, issuer = gateway
    house.furnish()
    issuer.mood = "well"
    with clean_environment(tmp_path / "data"):
        monkeypatch.delenv("HOMEPORT_METRICS_PORT")
        async with AsyncExitStack() as stack:
            ran = await Site(folder=tmp_path, stack=stack, house=house, issuer=issuer).doctor()
    assert ran.code == 0
    (metrics,) = [each for each in ran.json["checks"] if each["id"] == "metrics"]
    # whoever has a Homeport on this machine sees its page at the usual port
    assert metrics["status"] == "ok" or metrics["saw"].startswith("Where its metrics page is, is not known here")


@pytest.mark.parametrize("case", of("gateway"), ids=lambda case: case.name)
async def test_of_a_gateway(case: Broken, gateway: tuple[House, Issuer], tmp_path: Path) -> None:
    house, issuer = gateway
    house.furnish()
    issuer.mood = "well"
    with clean_environment(tmp_path / "data"):
        async with AsyncExitStack() as stack:
            await examine(case, Site(folder=tmp_path, stack=stack, house=house, issuer=issuer))

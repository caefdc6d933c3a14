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


@pytest.mark.parametrize("case", of("gateway"), ids=lambda case: case.name)
async def test_of_a_gateway(case: Broken, gateway: tuple[House, Issuer], tmp_path: Path) -> None:
    house, issuer = gateway
    house.furnish()
    issuer.mood = "well"
    with clean_environment(tmp_path / "data"):
        async with AsyncExitStack() as stack:
            await examine(case, Site(folder=tmp_path, stack=stack, house=house, issuer=issuer))

"""A running instance that each test may break in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from commands import Instance, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(scope="module")
async def open_instance(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Instance]:
    """One running Homeport for all tests of a file."""
    async with running(tmp_path_factory.mktemp("instance") / "data") as instance:
        yield instance


@pytest.fixture
async def instance(open_instance: Instance) -> Instance:
    """A running Homeport with one model, as it was at first."""
    await open_instance.reset()
    return open_instance

"""A data directory of its own for each test, and one running instance for those that need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from commands import Instance, clean_environment, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """Where commands keep everything; it does not exist yet."""
    folder = tmp_path / "data"
    with clean_environment(folder):
        yield folder


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

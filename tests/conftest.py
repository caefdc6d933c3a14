"""Fixtures that every room's tests may use."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import proofs
import pytest
from commands import Instance, running
from house import House, eventually, opened
from hypothesis import settings
from script import ModelServer

from homeport.kit.upstream_http import HttpUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


# how long an example takes says more about what else this machine does than about the code
settings.register_profile("house", deadline=None)
settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    proofs.install(config)


def pytest_itemcollected(item: pytest.Item) -> None:
    proofs.note(item)


def pytest_collection_finish() -> None:
    """Have no collection of garbage look through eleven thousand tests again and again."""
    gc.freeze()


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """The event loop that production runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    """A scripted model server."""
    async with ModelServer().listening() as found:
        yield found


@pytest.fixture
async def upstream() -> AsyncIterator[HttpUpstream]:
    """The production transport."""
    found = HttpUpstream()
    yield found
    await found.close()


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


@pytest.fixture(scope="module")
async def open_house() -> AsyncIterator[House]:
    """One running house for all tests of a file."""
    async with opened() as house:
        yield house


@pytest.fixture
async def house(open_house: House) -> AsyncIterator[House]:
    """The running house, freshly furnished; afterwards nothing may be left over from a test.

    Every request has exactly one line, every seat is free, and no error went by unseen.
    """
    open_house.furnish()
    open_house.models.forget()
    open_house.records()
    open_house.logs.lines.clear()
    open_house.asked = 0
    open_house.questions = None
    yield open_house
    await eventually(open_house.quiet)
    wrong = [line for line in open_house.logs.lines if line["level"] in {"error", "critical"}]
    assert not wrong

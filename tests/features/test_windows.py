"""Windows that model servers tell: asked once, bounded, and never waited for."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from house import eventually

from homeport.domain.errors import UpstreamError
from homeport.domain.models import Model
from homeport.features import _windows
from homeport.features._windows import AT_ONCE, REMEMBERED, Windows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def model(name: str = "m", *, platform: str = "openai", endpoint: str = "http://h/v1") -> Model:
    return Model(name=name, platform=platform, endpoint=endpoint, identifier=name)


class Server:
    """Tells what it is set to tell, and counts."""

    def __init__(self) -> None:
        self.tells: int | Exception = 32_768
        self.asked: list[Model] = []

    async def __call__(self, wanted: Model) -> int:
        self.asked.append(wanted)
        if isinstance(self.tells, Exception):
            raise self.tells
        return self.tells


@contextlib.asynccontextmanager
async def followed(windows: Windows, server: Server) -> AsyncIterator[None]:
    task = asyncio.create_task(windows.follow({"openai": server}))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


async def test_it_is_asked_once_and_nobody_waits() -> None:
    windows, server = Windows(), Server()
    async with followed(windows, server):
        assert [windows.of(model()) for _ in range(3)] == [0, 0, 0]
        await eventually(lambda: windows.of(model()) == 32_768)
        assert len(server.asked) == 1
        # another place or another name is another model
        assert windows.of(model(endpoint="http://other/v1")) == 0
        assert windows.of(model("n")) == 0
        await eventually(lambda: len(server.asked) == 3)


@pytest.mark.parametrize("tells", [UpstreamError("It refused."), TimeoutError(), 0], ids=repr)
async def test_who_does_not_tell_is_not_asked_again_at_once(tells: int | Exception) -> None:
    windows, server = Windows(default=16_000), Server()
    server.tells = tells
    async with followed(windows, server):
        assert windows.of(model()) == 16_000
        await eventually(lambda: server.asked)
        for _ in range(5):
            await asyncio.sleep(0)
            assert windows.of(model()) == 16_000
        assert len(server.asked) == 1


async def test_it_is_asked_anew_after_a_while_and_the_old_answer_serves_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_windows, "FRESH_S", 0.05)
    windows, server = Windows(), Server()
    async with followed(windows, server):
        await eventually(lambda: windows.of(model()) == 32_768)
        server.tells = UpstreamError("It restarts.")
        await eventually(lambda: windows.of(model()) and len(server.asked) > 2)
        assert windows.of(model()) == 32_768
        server.tells = 8192
        await eventually(lambda: windows.of(model()) == 8192)


async def test_one_that_fails_as_nobody_expects_leaves_the_others_alone() -> None:
    windows, server = Windows(), Server()
    server.tells = ValueError("Nobody thought of this.")
    async with followed(windows, server):
        for number in range(AT_ONCE + 1):
            windows.of(model(f"m{number}"))
        await eventually(lambda: len(server.asked) == AT_ONCE + 1)
        server.tells = 8192
        windows.of(model("another"))
        await eventually(lambda: windows.of(model("another")) == 8192)


async def test_a_hanging_server_holds_nobody_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_windows, "WITHIN_S", 0.02)
    windows = Windows()
    asked: list[str] = []

    async def hangs(wanted: Model) -> int:
        asked.append(wanted.name)
        await asyncio.Event().wait()
        return 0

    task = asyncio.create_task(windows.follow({"openai": hangs}))
    for number in range(20):
        windows.of(model(f"m{number}"))
    await eventually(lambda: len(asked) == 20)
    task.cancel()
    await asyncio.wait([task])


async def test_any_number_of_names_is_bounded() -> None:
    windows, server = Windows(), Server()
    for number in range(REMEMBERED * 2):
        assert windows.of(model(f"m{number}")) == 0
    async with followed(windows, server):
        await eventually(lambda: windows.of(model(f"m{REMEMBERED - 1}")) == 32_768)
        assert windows.of(model(f"m{REMEMBERED}")) == 0
        assert len(server.asked) == REMEMBERED


async def test_a_platform_that_does_not_tell_and_one_without_an_address_are_not_asked() -> None:
    windows, server = Windows(), Server()
    async with followed(windows, server):
        assert windows.of(model("a", platform="bedrock")) == 0
        assert windows.of(model("b", endpoint="")) == 0
        windows.of(model("c"))
        await eventually(lambda: windows.of(model("c")))
        assert [each.name for each in server.asked] == ["c"]

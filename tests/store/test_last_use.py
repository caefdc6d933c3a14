"""When tokens were last used is written down even when the database is away for a while."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from homeport import app
from homeport.domain.errors import StoreUnreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

NOW = datetime.now(UTC)


class Away:
    """A store that cannot be reached at first."""

    def __init__(self) -> None:
        self.asked = 0
        self.taken: dict[bytes, datetime] = {}

    async def touch_tokens(self, used: Mapping[bytes, datetime]) -> None:
        self.asked += 1
        if self.asked < 3:
            raise StoreUnreachable("Nobody answers.")
        self.taken |= used

    async def forget_removed(self) -> None:
        """Nothing was removed."""


class Uses:
    """A gate at which one token is used before each look, until there is no more."""

    def __init__(self) -> None:
        self.left = [b"one", b"two"]

    def drain_last_used(self) -> dict[bytes, datetime]:
        return {self.left.pop(0): NOW} if self.left else {}


async def test_what_a_database_that_is_away_did_not_take_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "LAST_USED_S", 0.001)
    store = Away()
    task = asyncio.create_task(app._note_use(store, Uses()))  # type: ignore[arg-type]  # noqa: SLF001 (what the instance runs)
    async with asyncio.timeout(10):
        while store.asked < 4:  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.001)
    task.cancel()
    assert store.taken == {b"one": NOW, b"two": NOW}

"""Set-ups that are broken in one place each: doctor names that place and no other, and what it advises works."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from broken import Broken, Site, examine, load_cases, of
from commands import Instance, clean_environment, furnish
from script import ModelServer

from homeport.kit.settings import load
from homeport.kit.vault import Vault
from homeport.store import schema
from homeport.store.database import Store

if TYPE_CHECKING:
    from pathlib import Path

CASES = load_cases()
AT_LEAST = 40


@pytest.mark.parametrize("case", of("instance"), ids=lambda case: case.name)
async def test_of_an_instance(
    case: Broken, instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncExitStack() as stack:
        await examine(case, Site(folder=tmp_path, stack=stack, instance=instance, monkeypatch=monkeypatch))


@pytest.mark.parametrize("case", of("bare"), ids=lambda case: case.name)
async def test_where_no_server_runs_yet(case: Broken, tmp_path: Path) -> None:
    with clean_environment(tmp_path / "data"):
        settings = load()
        settings.data_dir.mkdir(mode=0o700)
        await schema.upgrade(settings.sqlalchemy_url())
        async with ModelServer().listening() as models, AsyncExitStack() as stack:
            Instance(settings, models)
            store = await Store.open(settings.sqlalchemy_url(), Vault.at(settings.data_dir))
            await furnish(store, settings, models.url)
            await store.close()
            await examine(case, Site(folder=tmp_path, stack=stack), afterwards=("server",))


def test_there_are_enough_of_them() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= AT_LEAST
    assert all(case.says for case in CASES)

"""What commands work with: the settings, the store, and who is at the keyboard."""

from __future__ import annotations

import asyncio
import getpass
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from homeport.cli._output import note

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from homeport.kit.settings import Settings
    from homeport.kit.vault import Vault
    from homeport.store.database import Store

T = TypeVar("T")


def load(**overrides: Any) -> Settings:  # noqa: ANN401 (whatever the settings take)
    """The settings; those given and not None win over every file and variable."""
    from homeport.kit import settings  # noqa: PLC0415 (loads pydantic)

    return settings.load(**overrides)


def vault_of(settings: Settings) -> Vault:
    """The root keys of the data directory, made if there are none; raises VaultError."""
    from homeport.kit.vault import Vault  # noqa: PLC0415 (loads cryptography)

    return Vault.at(settings.data_dir)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Store]:
    """The store; a database that has no tables yet gets them, an older one is left for `db upgrade`."""
    from homeport.store import schema  # noqa: PLC0415 (loads SQLAlchemy)
    from homeport.store.database import Store  # noqa: PLC0415 (loads SQLAlchemy)

    url = settings.sqlalchemy_url()
    if (await schema.status(url)).state in {"missing", "empty"}:
        await schema.upgrade(url, on_wait=note)
    store = await Store.open(url, vault_of(settings))
    try:
        yield store
    finally:
        await store.close()


def whoami() -> str:
    """Who changes something, as the audit shows it."""
    try:
        return f"cli:{getpass.getuser()}"[:100]
    except (KeyError, OSError):
        return "cli:unknown"


def in_store(work: Callable[[Store], Awaitable[T]]) -> T:
    """What `work` gives when it is done with the store of the settings."""

    async def main() -> T:
        async with opened(load()) as store:
            return await work(store)

    return asyncio.run(main())

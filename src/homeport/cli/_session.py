"""What commands work with: the settings, the store, and who is at the keyboard."""

from __future__ import annotations

import asyncio
import getpass
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from homeport.cli._output import note
from homeport.domain.errors import HomeportError

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
    """The root keys of the data directory, for work with a store that was `opened`; raises VaultError."""
    from homeport.kit.vault import Vault  # noqa: PLC0415 (loads cryptography)

    return Vault.at(settings.data_dir)


@asynccontextmanager
async def opened(settings: Settings, *, make: bool = False, patience_s: float | None = None) -> AsyncIterator[Store]:
    """The store; an older one is left for `db upgrade`.

    With `make`, a database that has no tables yet gets them; otherwise nothing is made that is not there.
    `patience_s`: seconds that a change may take, if it is a large one.
    Raises HomeportError or StoreUnavailable.
    """
    from homeport.store import root_keys, schema  # noqa: PLC0415 (loads SQLAlchemy)
    from homeport.store.database import Store  # noqa: PLC0415 (loads SQLAlchemy)
    from homeport.store.engine import BUSY_S  # noqa: PLC0415 (loads SQLAlchemy)

    url = settings.sqlalchemy_url()
    if (await schema.status(url)).state in {"missing", "empty"}:
        if not make:
            raise _nothing(settings)
        await schema.upgrade(url, on_wait=note)
    vault = await root_keys.vault_of(url, settings.data_dir)
    store = await Store.open(url, vault, patience_s=patience_s or BUSY_S)
    try:
        yield store
    finally:
        await store.close()


def _nothing(settings: Settings) -> HomeportError:
    if settings.database_url:
        return HomeportError("The database has no Homeport tables.", "Run: homeport db upgrade")
    saw = f"There is no Homeport in the data directory {settings.data_dir}."
    return HomeportError(saw, "Set HOMEPORT_DATA_DIR to the one you mean, or start one there with `homeport up`.")


def whoami() -> str:
    """Who changes something, as the audit shows it."""
    try:
        return f"cli:{getpass.getuser()}"[:100]
    except (KeyError, OSError):
        return "cli:unknown"


async def remembered(settings: Settings) -> dict[str, str]:
    """What administrators set, by name; nothing where no database is, or where it cannot be read, which is told."""
    from homeport.domain.errors import StoreUnavailable  # noqa: PLC0415 (beside its only use)
    from homeport.kit.vault import VaultError  # noqa: PLC0415 (loads cryptography)

    try:
        async with opened(settings) as store:
            return await store.settings()
    except (StoreUnavailable, VaultError) as error:
        note(f"What administrators set in the database is left out: it cannot be read. {error}")
    except HomeportError:
        pass
    return {}


def in_store(work: Callable[[Store], Awaitable[T]], *, make: bool = False, patience_s: float | None = None) -> T:
    """What `work` gives when it is done with the store of the settings, which `make` sets up if there is none."""

    async def main() -> T:
        async with opened(load(), make=make, patience_s=patience_s) as store:
            return await work(store)

    return asyncio.run(main())

"""The root keys that a database belongs to: never made anew in silence beside one that needs those it had."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from homeport.kit.vault import KEY_FILE, Vault, VaultError
from homeport.store.engine import connect, disposed, parse, reading
from homeport.store.tables import model_keys, tokens
from homeport.store.version import require_file

if TYPE_CHECKING:
    from pathlib import Path


class Bound(NamedTuple):
    """What in a database is worth nothing without its root keys."""

    secrets: int
    """API keys that are sealed with them."""
    tokens: int
    """Tokens whose digests are made with them, but for those that are revoked."""


async def bound(url: str) -> Bound:
    """What depends on the root keys of a database that has our tables; raises StoreUnavailable."""
    require_file(parse(url))
    sealed = select(func.count()).select_from(model_keys)
    digests = select(func.count()).select_from(tokens).where(tokens.c.revoked.is_(None))
    async with disposed(connect(url)) as engine, reading(engine) as connection:
        return Bound(await connection.scalar(sealed) or 0, await connection.scalar(digests) or 0)


async def vault_of(url: str, data_dir: Path) -> Vault:
    """The vault of a data directory and its database.

    A missing key file is made for a database that needs none yet; beside one that does, raises VaultError.
    """
    file = data_dir / KEY_FILE
    if not file.exists():
        lost = await bound(url)
        if any(lost):
            raise VaultError(f"The key file {file} is missing. {told(lost)}", RESTORE)
    return Vault(file)


def told(lost: Bound) -> str:
    """The damage, for people."""
    parts = [f"{count} {what}{'s' if count > 1 else ''}" for what, count in zip(_NAMES, lost, strict=True) if count]
    return f"The database holds {' and '.join(parts)} that are worth nothing without it."


_NAMES = ("API key", "token")
RESTORE = (
    "Restore it from its backup. If it is lost for good, run `homeport db new-keys`, "
    "then enter those API keys and make those tokens again."
)

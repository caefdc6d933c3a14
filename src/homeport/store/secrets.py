"""Rows of secrets that belong to no model: each is sealed for its name and for whom it is shown to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update

from homeport.domain.models import Secret
from homeport.kit.references import is_reference
from homeport.kit.vault import VaultError
from homeport.store import checks
from homeport.store.tables import secrets

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from homeport.kit.vault import Vault
    from homeport.store.writing import Writing

PURPOSE = "secrets"


async def load(connection: AsyncConnection, vault: Vault, name: str, bound: str) -> Secret:
    """The secret if it was stored for this `bound`; an empty one otherwise. Raises VaultError."""
    row = await _find(connection, name)
    return Secret(_open(row, vault)) if row is not None and row.bound == bound else Secret()


async def put(writing: Writing, name: str, bound: str, text: str) -> None:
    """Store a secret, or forget it with an empty text; the record shows no more of it than where it is."""
    checks.key(Secret(text))
    before = await _find(writing.connection, name)
    if before is None and not text:
        return
    await writing.connection.execute(delete(secrets).where(secrets.c.name == name))
    if text:
        sealed = writing.vault.seal(PURPOSE, _context(name, bound), text)
        row = {"name": name, "bound": bound, "key_id": sealed.split(".")[1], "ciphertext": sealed}
        await writing.connection.execute(insert(secrets).values(row))
    was = None if before is None else {"for": before.bound, "value": "(set)"}
    shown = {"for": bound, "value": (text if is_reference(text) else "(set)") if text else "(none)"}
    await writing.record("secret.set", name, before=was, after=shown)


async def sealed(connection: AsyncConnection) -> dict[str, int]:
    """How many are sealed with each root key, by its id."""
    counted = select(secrets.c.key_id, func.count().label("sealed")).group_by(secrets.c.key_id)
    return {row.key_id: row.sealed for row in await connection.execute(counted)}


async def reseal(writing: Writing) -> list[str]:
    """Seal again what an older root key sealed; gives the names. An unreadable one stays as it is."""
    current = writing.vault.sealing_id
    stale = (await writing.connection.execute(select(secrets).where(secrets.c.key_id != current))).all()
    return [row.name for row in stale if await _again(writing, row)]


async def _again(writing: Writing, row: Row[Any]) -> bool:
    try:
        text = _open(row, writing.vault)
    except VaultError:
        return False
    made = writing.vault.seal(PURPOSE, _context(row.name, row.bound), text)
    changed = update(secrets).where(secrets.c.name == row.name).values(key_id=made.split(".")[1], ciphertext=made)
    await writing.connection.execute(changed)
    return True


async def _find(connection: AsyncConnection, name: str) -> Row[Any] | None:
    return (await connection.execute(select(secrets).where(secrets.c.name == name))).first()


def _open(row: Row[Any], vault: Vault) -> str:
    return vault.open(PURPOSE, _context(row.name, row.bound), row.ciphertext)


def _context(name: str, bound: str) -> str:
    return f"secrets|ciphertext|{name}|{bound}"

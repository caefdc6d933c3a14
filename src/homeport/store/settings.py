"""Rows of settings that administrators change while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from homeport.store import checks
from homeport.store.tables import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from homeport.store.writing import Writing

    Check = Callable[[Mapping[str, str]], None]

_MOST_CHARS = 20_000


async def load(connection: AsyncConnection) -> dict[str, str]:
    """What is set, by name."""
    found = await connection.execute(select(settings).order_by(settings.c.name))
    return {row.name: row.value for row in found}


async def put(writing: Writing, name: str, value: str | None) -> None:
    """Set a value, or forget it with None; raises BadRequest.

    Values may have several lines, but neither NUL (PostgreSQL refuses it) nor broken characters.
    """
    checks.name(name, of="setting")
    if value is not None:
        checks.text(value.replace("\n", " ").replace("\t", " "), name, most=_MOST_CHARS)
    before = (await load(writing.connection)).get(name)
    await writing.connection.execute(delete(settings).where(settings.c.name == name))
    if value is not None:
        await writing.connection.execute(insert(settings).values(name=name, value=value))
    shown = None if before is None else {"value": before}
    await writing.record("setting.set", name, before=shown, after={"value": value})


async def put_all(writing: Writing, values: Mapping[str, str | None], check: Check) -> None:
    """Set those values that are others now, or forget them with None.

    `check` may raise for the values that are stored now, when nobody else can change them any more.
    """
    before = await load(writing.connection)
    check(before)
    for name, value in values.items():
        if before.get(name) != value:
            await put(writing, name, value)

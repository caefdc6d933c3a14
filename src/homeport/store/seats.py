"""Seats: how many people may use what AI does, and who does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from homeport.domain.errors import BadRequest, InUse
from homeport.store import settings
from homeport.store.records import Seats
from homeport.store.tables import users

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from homeport.store.writing import Writing

LIMIT = "seats.limit"
"""The setting; missing or 0 for no limit."""
MOST = 1_000_000
HELD = (users.c.seat.is_(True), users.c.disabled.is_(False), users.c.deleted.is_(None))
"""Who takes one."""


async def load(connection: AsyncConnection) -> Seats:
    """How many there are, and how many are taken."""
    said = (await settings.load(connection)).get(LIMIT, "0")
    taken = await connection.scalar(select(func.count()).select_from(users).where(*HELD))
    return Seats(limit=int(said) if said.isascii() and said.isdecimal() else 0, taken=int(taken or 0))


async def take(connection: AsyncConnection, *, must: bool) -> bool:
    """Whether one more may sit down; raises InUse where they `must` and none is free."""
    found = await load(connection)
    if must and not found.free:
        saw = f"No seat is free: {found.taken} of {found.limit} are taken."
        raise InUse(saw, "Take one from somebody, or raise the limit.", param="seat")
    return found.free


async def limit(writing: Writing, number: int) -> Seats:
    """Set how many there are; who sits stays seated, also where there are now too many. Raises BadRequest."""
    if not 0 <= number <= MOST:
        raise BadRequest(
            f"There cannot be {number} seats.", f"Give a number from 0 (no limit) to {MOST}.", param="limit"
        )
    await settings.put(writing, LIMIT, str(number) if number else None)
    return await load(writing.connection)

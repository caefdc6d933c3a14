"""Rows of people who may sign in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from sqlalchemy import insert, select, update

from homeport.domain.errors import BadRequest
from homeport.store import checks
from homeport.store.records import Role, User
from homeport.store.tables import users

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from homeport.store.writing import Writing


async def load(connection: AsyncConnection) -> list[User]:
    """Everyone, by name."""
    found = await connection.execute(select(users).order_by(users.c.name))
    return [User(name=row.name, role=row.role, created=row.created) for row in found]


async def put(writing: Writing, user: User) -> User:
    """Add a person or change their role; raises BadRequest."""
    checks.name(user.name, of="user")
    if user.role not in get_args(Role):
        saw = f"There is no role {user.role!r}."
        raise BadRequest(saw, f"Known: {', '.join(get_args(Role))}.", param="role")
    named = select(users).where(users.c.name == user.name)
    before = (await writing.connection.execute(named)).first()
    stored = replace(user, created=before.created if before else writing.at)
    if before is None:
        row = {"name": user.name, "role": user.role, "created": writing.at}
        await writing.connection.execute(insert(users).values(row))
    else:
        changed = update(users).where(users.c.name == user.name).values(role=user.role)
        await writing.connection.execute(changed)
    shown: dict[str, Any] | None = {"role": before.role} if before else None
    await writing.record("user.set", user.name, before=shown, after={"role": user.role})
    return stored

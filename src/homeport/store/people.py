"""Rows of people who may sign in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from sqlalchemy import delete, func, insert, select, update

from homeport.domain.errors import BadRequest, InUse, Unknown
from homeport.store import checks
from homeport.store.records import Role, User
from homeport.store.tables import audit_events, sessions, users

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from homeport.store.writing import Writing


async def load(connection: AsyncConnection) -> list[User]:
    """Everyone, by name."""
    found = await connection.execute(select(users).order_by(users.c.name))
    return [User(name=row.name, role=row.role, created=row.created, disabled=row.disabled) for row in found]


async def signed_in(connection: AsyncConnection) -> dict[str, datetime]:
    """When each person signed in last, by name; those who never did are missing."""
    begun = audit_events.alias()
    theirs = (begun.c.subject == users.c.name, begun.c.what == "session.begin")
    newest = select(func.max(begun.c.id)).where(*theirs).correlate(users).scalar_subquery()
    both = users.join(audit_events, audit_events.c.id == newest)
    wanted = select(users.c.name, audit_events.c.at).select_from(both)
    found = await connection.execute(wanted)
    return {row.name: row.at for row in found}


async def password(connection: AsyncConnection, name: str) -> str | None:
    """The hash of a person's password; None for nobody, for one who has none and for one who may not sign in."""
    wanted = select(users.c.password).where(users.c.name == name, users.c.disabled.is_(False))
    found = (await connection.execute(wanted)).first()
    return None if found is None else found.password


async def set_password(writing: Writing, name: str, hashed: str) -> None:
    """Give a person another password; their sessions end. Raises Unknown."""
    changed = await writing.connection.execute(update(users).where(users.c.name == name).values(password=hashed))
    if not changed.rowcount:
        raise Unknown(f"There is no user named {name!r}.", "List them with: homeport users list", param="user")
    await writing.connection.execute(delete(sessions).where(sessions.c.user == name))
    await writing.record("user.password", name)


async def put(writing: Writing, user: User) -> User:
    """Add a person or change their role; raises BadRequest, or InUse for the last administrator."""
    checks.name(user.name, of="user")
    if user.role not in get_args(Role):
        saw = f"There is no role {user.role!r}."
        raise BadRequest(saw, f"Known: {', '.join(get_args(Role))}.", param="role")
    named = select(users).where(users.c.name == user.name)
    before = (await writing.connection.execute(named)).first()
    if before is not None and (user.role != "admin" or user.disabled):
        await _keep_one(writing.connection, before)
    stored = replace(user, created=before.created if before else writing.at)
    if before is None:
        row = {"name": user.name, "role": user.role, "created": writing.at, "disabled": user.disabled}
        await writing.connection.execute(insert(users).values(row))
    else:
        changed = update(users).where(users.c.name == user.name).values(role=user.role, disabled=user.disabled)
        await writing.connection.execute(changed)
    shown: dict[str, Any] | None = {"role": before.role, "disabled": before.disabled} if before else None
    await writing.record("user.set", user.name, before=shown, after={"role": user.role, "disabled": user.disabled})
    if user.disabled:
        await writing.connection.execute(delete(sessions).where(sessions.c.user == user.name))
    return stored


async def _keep_one(connection: AsyncConnection, before: Row[Any]) -> None:
    """Raise InUse when this is the only administrator who may sign in: nobody could undo it."""
    others = select(users.c.name).where(
        users.c.role == "admin", users.c.disabled.is_(False), users.c.name != before.name
    )
    if before.role == "admin" and not before.disabled and (await connection.execute(others)).first() is None:
        saw = f"{before.name} is the last administrator."
        raise InUse(saw, "Make somebody else an administrator first.", param="user")

"""Rows of sessions and of codes that sign in once: digests, never what people carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from homeport.domain.errors import Unknown
from homeport.store import people
from homeport.store.records import Session, User
from homeport.store.tables import sessions, sign_in_codes, users

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from sqlalchemy.ext.asyncio import AsyncConnection

    from homeport.store.writing import Writing


async def find(connection: AsyncConnection, digest: bytes, at: datetime, idle: timedelta) -> Session | None:
    """The session, if it lasts and its person may still sign in."""
    theirs = (users.c.name, users.c.role, users.c.disabled, users.c.language)
    wanted = select(*theirs, sessions.c.created, sessions.c.seen, sessions.c.expires)
    mine = (sessions.c.digest == digest, users.c.deleted.is_(None))
    row = (await connection.execute(wanted.join(users).where(*mine))).first()
    if row is None or row.disabled or row.expires <= at or row.seen + idle <= at:
        return None
    user = User(name=row.name, role=row.role, language=row.language)
    return Session(user=user, created=row.created, seen=row.seen, expires=row.expires)


async def of_person(connection: AsyncConnection, user: str, at: datetime, idle: timedelta) -> dict[bytes, Session]:
    """The sessions of a person that last, by digest, newest first."""
    lasting = (sessions.c.user == user, sessions.c.expires > at, sessions.c.seen > at - idle)
    found = await connection.execute(select(sessions).where(*lasting).order_by(sessions.c.created.desc()))
    person = User(name=user)
    return {row.digest: Session(user=person, created=row.created, seen=row.seen, expires=row.expires) for row in found}


async def begin(
    writing: Writing, digest: bytes, user: str, lasts: timedelta, by: Mapping[str, str] | None = None
) -> None:
    """A new session; those that ended are forgotten. `by`: what the record says of how it was begun."""
    await writing.connection.execute(delete(sessions).where(sessions.c.expires <= writing.at))
    row = {"digest": digest, "user": user, "created": writing.at, "seen": writing.at, "expires": writing.at + lasts}
    await writing.connection.execute(insert(sessions).values(row))
    await people.saw(writing.connection, user, writing.at)
    await writing.record("session.begin", user, after=by)


async def touch(connection: AsyncConnection, digest: bytes, at: datetime) -> None:
    """Note that it was used."""
    mine = sessions.c.digest == digest
    await connection.execute(update(sessions).where(mine).values(seen=at))
    user = await connection.scalar(select(sessions.c.user).where(mine))
    if user is not None:
        await people.saw(connection, user, at)


async def end(writing: Writing, user: str, digest: bytes | None = None) -> None:
    """End one session of a person, or all of them."""
    gone = delete(sessions).where(sessions.c.user == user)
    await writing.connection.execute(gone if digest is None else gone.where(sessions.c.digest == digest))
    await writing.record("session.end" if digest else "session.end_all", user)


async def add_code(writing: Writing, digest: bytes, user: str, lasts: timedelta) -> None:
    """A code that signs `user` in once; raises Unknown."""
    if (
        await writing.connection.execute(select(users.c.name).where(users.c.name == user, users.c.deleted.is_(None)))
    ).first() is None:
        raise Unknown(f"There is no user named {user!r}.", "List them with: homeport users list", param="user")
    await writing.connection.execute(delete(sign_in_codes).where(sign_in_codes.c.expires <= writing.at))
    row = {"digest": digest, "user": user, "created": writing.at, "seen": writing.at, "expires": writing.at + lasts}
    await writing.connection.execute(insert(sign_in_codes).values(row))
    await writing.record("user.code", user)


async def take_code(writing: Writing, digest: bytes) -> str | None:
    """Whom a code signs in; it works once."""
    mine = sign_in_codes.c.digest == digest
    wanted = select(sign_in_codes.c.user, sign_in_codes.c.expires, users.c.disabled).join(users)
    wanted = wanted.where(mine, users.c.deleted.is_(None))
    row = (await writing.connection.execute(wanted)).first()
    await writing.connection.execute(delete(sign_in_codes).where(mine))
    return None if row is None or row.disabled or row.expires <= writing.at else str(row.user)

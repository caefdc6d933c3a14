"""Rows of who somebody is at a provider of single sign-on: an issuer and a subject, never an e-mail address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from homeport.domain.errors import BadRequest, InUse, NotAllowed, Unknown
from homeport.store import checks, people, sessions
from homeport.store.records import Identity, User
from homeport.store.tables import identities, tokens, used_states, users

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from homeport.store.records import Arrival
    from homeport.store.writing import Writing

ISSUER, SUBJECT = 500, 255
_ASK = "Ask an administrator of Homeport."


async def load(connection: AsyncConnection, user: str | None = None) -> list[Identity]:
    """Everybody who is known to a provider, or what is known of one person; by name."""
    wanted = select(identities).order_by(identities.c.user, identities.c.issuer)
    found = await connection.execute(wanted if user is None else wanted.where(identities.c.user == user))
    return [Identity(**row._mapping) for row in found]  # noqa: SLF001 (SQLAlchemy's public name for a row as a mapping)


async def administered(connection: AsyncConnection, issuer: str) -> bool:
    """Whether an administrator who may sign in has come from this issuer."""
    both = identities.join(users, users.c.name == identities.c.user)
    theirs = (identities.c.issuer == issuer, identities.c.seen.is_not(None))
    may = (users.c.role == "admin", users.c.disabled.is_(False), users.c.deleted.is_(None))
    return (await connection.execute(select(users.c.name).select_from(both).where(*theirs, *may))).first() is not None


async def use(connection: AsyncConnection, digest: bytes, at: datetime, until: datetime) -> bool:
    """Take in that a state came back; gives whether it had not before."""
    await connection.execute(delete(used_states).where(used_states.c.expires <= at))
    try:
        async with connection.begin_nested():
            await connection.execute(insert(used_states).values(digest=digest, expires=until))
    except IntegrityError:
        return False
    return True


async def link(writing: Writing, issuer: str, subject: str, user: str, **how: str) -> None:
    """Say that somebody at a provider is this person; raises BadRequest, Unknown, or InUse for another's.

    `how` it is known goes into the audit.
    """
    if not (0 < len(issuer) <= ISSUER and 0 < len(subject) <= SUBJECT):
        raise BadRequest("An issuer has 1 to 500 characters, a subject 1 to 255.", "Copy both from the provider.")
    checks.text(issuer, "issuer")
    checks.text(subject, "subject")
    if (await writing.connection.execute(select(users.c.name).where(users.c.name == user))).first() is None:
        raise Unknown(f"There is no user named {user!r}.", "List them with: homeport users list", param="user")
    found = await _find(writing.connection, issuer, subject)
    if found is not None and found.user != user:
        raise InUse(f"This identity belongs to {found.user}.", "Take it away from them first.")
    if found is None:
        row = {"issuer": issuer, "subject": subject, "user": user, "created": writing.at}
        await writing.connection.execute(insert(identities).values(row))
        await writing.record("identity.link", user, after={"issuer": issuer, "subject": subject, **how})


async def unlink(writing: Writing, user: str) -> int:
    """Forget who a person is at every provider; gives how many they were."""
    mine = identities.c.user == user
    found = (await writing.connection.execute(select(identities).where(mine))).all()
    await writing.connection.execute(delete(identities).where(mine))
    for row in found:
        await writing.record("identity.unlink", user, before={"issuer": row.issuer, "subject": row.subject})
    return len(found)


async def enter(writing: Writing, arrival: Arrival, digest: bytes, lasts: timedelta) -> str:
    """Begin a session for somebody whom a provider vouches for, with the role it gives; gives the account's name.

    Raises NotAllowed, InUse for a name that is taken or the last administrator, BadRequest for no name at all.
    """
    found = await _find(writing.connection, arrival.issuer, arrival.subject)
    name = str(found.user) if found is not None else await _provisioned(writing, arrival)
    user = await _known(writing, name) if name else await _made(writing, arrival)
    if arrival.role is not None and user.role != arrival.role:
        user = await people.put(writing, User(name=user.name, role=arrival.role))
    await writing.connection.execute(update(identities).where(_is(arrival)).values(seen=writing.at))
    await sessions.begin(writing, digest, user.name, lasts, by={"issuer": arrival.issuer, "role": user.role})
    return user.name


async def _known(writing: Writing, name: str) -> User:
    row = (await writing.connection.execute(select(users).where(users.c.name == name))).one()
    if row.disabled or row.deleted is not None:
        raise NotAllowed(f"The account {name} may not sign in any longer.", _ASK)
    return User(name=row.name, role=row.role, created=row.created)


async def _provisioned(writing: Writing, arrival: Arrival) -> str:
    """Connect whom a directory provisioned with who they are at the provider; gives the name, empty for nobody.

    Raises InUse where it is not plain who is meant, or where more than the directory's word is needed: it says who
    somebody is, and must not thereby open an account that is more than a user's or that has a way in of its own.
    """
    found = await _candidates(writing.connection, arrival)
    if not found:
        return ""
    if len(found) > 1:
        saw = f"A directory provisioned {len(found)} accounts that could be yours."
        raise InUse(saw, f"{_ASK} They give each an externalId and a userName of its own.")
    row = found[0]
    mine = (identities.c.user == row.name, identities.c.issuer == arrival.issuer)
    known = (await writing.connection.execute(select(identities.c.user).where(*mine))).first()
    if row.role != "user" or row.password is not None or known is not None:
        saw = f"The account {row.name} is somebody's already, and the directory's word is not enough to open it."
        raise InUse(saw, "If it is yours, sign in as before and connect it under Account; else ask an administrator.")
    how = {"external_id": arrival.external_id} if arrival.external_id else {"user_name": arrival.user_name}
    await link(writing, arrival.issuer, arrival.subject, row.name, **how)
    return str(row.name)


async def _candidates(connection: AsyncConnection, arrival: Arrival) -> list[Row[Any]]:
    """Those whom a directory provisioned and who could be meant: an externalId is what only SCIM gives."""
    if arrival.external_id:
        same = users.c.external_id == arrival.external_id
    elif arrival.user_name:
        same = func.lower(users.c.name) == arrival.user_name
    else:
        return []
    here = (users.c.deleted.is_(None), users.c.external_id != "")
    return list((await connection.execute(select(users).where(same, *here).limit(10))).all())


async def _made(writing: Writing, arrival: Arrival) -> User:
    """A new account; never one that is there already, whatever it is called."""
    if not arrival.create:
        saw = "You are known to the provider, and have no account here."
        raise NotAllowed(saw, "Ask an administrator of Homeport for one; they send a link, and you connect it.")
    if not arrival.name:
        saw = "The provider told no name for you: neither a proven e-mail address nor preferred_username."
        raise NotAllowed(saw, "Ask whoever runs it for the scope email or profile.")
    await _refuse_taken(writing, arrival.name)
    user = await people.put(writing, User(name=arrival.name, role=arrival.role or "user"))
    await link(writing, arrival.issuer, arrival.subject, user.name)
    return user


async def _refuse_taken(writing: Writing, name: str) -> None:
    """A name opens what bears it: accounts, and tokens whose owner has none."""
    if ":" in name:
        raise NotAllowed("The name that the provider tells has a colon, which no account's may have.", _ASK)
    users_ = select(users.c.name).where(users.c.name == name)
    owners = select(tokens.c.owner).where(tokens.c.owner == name).limit(1)
    if any([(await writing.connection.execute(each)).first() for each in (users_, owners)]):
        saw = f"There is somebody or something named {name} here already, and nothing proves that it is you."
        fix = "If it is, sign in as before and connect it under Account; else ask an administrator."
        raise InUse(saw, fix)


async def _find(connection: AsyncConnection, issuer: str, subject: str) -> Row[Any] | None:
    mine = (identities.c.issuer == issuer, identities.c.subject == subject)
    return (await connection.execute(select(identities).where(*mine))).first()


def _is(arrival: Arrival) -> ColumnElement[bool]:
    return (identities.c.issuer == arrival.issuer) & (identities.c.subject == arrival.subject)

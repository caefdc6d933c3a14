"""Rows of invitations: a digest and what comes with it, never the link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args
from uuid import uuid4

from sqlalchemy import insert, select, update

from homeport.domain.errors import BadRequest, Unknown
from homeport.store import checks, people
from homeport.store import teams as groups
from homeport.store.records import Invitation, Role, User
from homeport.store.tables import invitations, teams

if TYPE_CHECKING:
    from datetime import timedelta

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from homeport.store.writing import Writing

_ASKED = select(invitations, teams.c.name.label("team_name")).select_from(
    invitations.outerjoin(teams, teams.c.id == invitations.c.team)
)
SPENT = "This invitation was used or revoked already, or is too old."


async def load(connection: AsyncConnection, limit: int = 1000) -> list[Invitation]:
    """The latest ones, newest first."""
    rows = await connection.execute(_ASKED.order_by(invitations.c.created.desc(), invitations.c.id).limit(limit))
    return [_invitation(row) for row in rows]


async def find(connection: AsyncConnection, digest: bytes) -> Invitation | None:
    """The one that a link belongs to, whatever has become of it."""
    row = (await connection.execute(_ASKED.where(invitations.c.digest == digest))).first()
    return None if row is None else _invitation(row)


def _invitation(row: Row[Any]) -> Invitation:
    same = ("id", "role", "seat", "note", "by", "created", "expires", "used", "used_by", "revoked")
    return Invitation(**{each: getattr(row, each) for each in same}, team=row.team_name or "")


async def add(writing: Writing, digest: bytes, wanted: Invitation, lasts: timedelta) -> Invitation:
    """A new one, with the role, team, seat and note of `wanted`; raises BadRequest, or Unknown for the team."""
    if wanted.role not in get_args(Role):
        raise BadRequest(f"There is no role {wanted.role!r}.", f"Known: {', '.join(get_args(Role))}.", param="role")
    checks.text(wanted.note, "note", most=checks.NAME_CHARS)
    team = (await groups.find(writing.connection, name=wanted.team)).id if wanted.team else None
    row = {"role": wanted.role, "seat": wanted.seat, "note": wanted.note, "team": team, "used_by": ""}
    carried = {"id": (id_ := uuid4().hex[:12]), "digest": digest, "by": writing.by, "created": writing.at}
    await writing.connection.execute(insert(invitations).values({**row, **carried, "expires": writing.at + lasts}))
    shown = {"role": wanted.role, "team": wanted.team, "seat": wanted.seat, "lasts_s": int(lasts.total_seconds())}
    await writing.record("invitation.add", wanted.note or id_, after=shown)
    return await _open(writing, digest)


async def revoke(writing: Writing, id_: str) -> None:
    """Make a link useless; raises Unknown for one that is already."""
    row = (await writing.connection.execute(_ASKED.where(invitations.c.id == id_))).first()
    found = None if row is None else _invitation(row)
    if found is None or found.state(writing.at) != "open":
        raise Unknown("There is no open invitation like this.", "Choose one from the list.", param="invitation")
    gone = update(invitations).where(invitations.c.id == id_).values(revoked=writing.at)
    await writing.connection.execute(gone)
    await writing.record("invitation.revoke", found.note or id_)


async def accept(writing: Writing, digest: bytes, name: str, hashed: str) -> User:
    """Let somebody join under a name that is free, with this password; the link works no longer.

    Raises BadRequest for a spent link and for a name that is taken, InUse when no seat is free: then it may be
    tried again.
    """
    found = await _open(writing, digest)
    made = await people.add(writing, User(name=name, role=found.role, seat=found.seat))
    await people.set_password(writing, name, hashed)
    if found.team:
        await groups.change(writing, found.team, join=(name,))
    used = update(invitations).where(invitations.c.id == found.id).values(used=writing.at, used_by=name)
    await writing.connection.execute(used)
    await writing.record("invitation.use", found.note or found.id, after={"user": name})
    return made


async def _open(writing: Writing, digest: bytes) -> Invitation:
    found = await find(writing.connection, digest)
    if found is None or found.state(writing.at) != "open":
        raise BadRequest(SPENT, "Ask whoever invited you for another one.", param="code")
    return found

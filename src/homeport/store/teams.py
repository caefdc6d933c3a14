"""Rows of teams and of who is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import delete, func, insert, select, update

from homeport.domain.errors import BadRequest, Unknown
from homeport.store import checks
from homeport.store.people import KEPT
from homeport.store.records import Team
from homeport.store.tables import audit_events, team_members, teams, users

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from homeport.store.writing import Writing

BATCH = 500


async def load(connection: AsyncConnection) -> list[Team]:
    """Every team, by name."""
    rows = (await connection.execute(select(teams).order_by(teams.c.name))).all()
    found: dict[str, list[str]] = {}
    both = team_members.join(users, users.c.name == team_members.c.user)
    asked = select(team_members).select_from(both).where(users.c.deleted.is_(None)).order_by(team_members.c.user)
    for row in await connection.execute(asked):
        found.setdefault(row.team, []).append(row.user)
    return [_team(row, found.get(row.id, ())) for row in rows]


async def ids(connection: AsyncConnection) -> dict[str, str]:
    """The id of each team, by its name."""
    return {row.name: row.id for row in await connection.execute(select(teams.c.name, teams.c.id))}


async def people_of(connection: AsyncConnection, id_: str = "") -> dict[str, list[tuple[str, str]]]:
    """Id and name of everybody in a team, or in each, by the team's id; deleted people are left out."""
    both = team_members.join(users, users.c.name == team_members.c.user)
    asked = select(team_members.c.team, users.c.id, users.c.name).select_from(both).where(users.c.deleted.is_(None))
    asked = asked.where(team_members.c.team == id_) if id_ else asked
    found: dict[str, list[tuple[str, str]]] = {}
    for row in await connection.execute(asked.order_by(users.c.name)):
        found.setdefault(row.team, []).append((row.id, row.name))
    return found


async def of_people(connection: AsyncConnection) -> dict[str, tuple[str, ...]]:
    """The names of the teams of everybody who is in one, by the person's name; deleted people are left out."""
    both = team_members.join(users, users.c.name == team_members.c.user).join(teams, teams.c.id == team_members.c.team)
    asked = select(team_members.c.user, teams.c.name).select_from(both).where(users.c.deleted.is_(None))
    found: dict[str, tuple[str, ...]] = {}
    for row in await connection.execute(asked.order_by(teams.c.name)):
        found[row.user] = (*found.get(row.user, ()), row.name)
    return found


async def sizes(connection: AsyncConnection) -> dict[str, int]:
    """How many people are in each team, by its name; deleted ones are left out."""
    both = teams.outerjoin(team_members, team_members.c.team == teams.c.id).outerjoin(
        users, (users.c.name == team_members.c.user) & users.c.deleted.is_(None)
    )
    asked = select(teams.c.name, func.count(users.c.name).label("size")).select_from(both)
    rows = await connection.execute(asked.group_by(teams.c.name).order_by(teams.c.name))
    return {row.name: row.size for row in rows}


async def find(connection: AsyncConnection, *, name: str = "", id_: str = "") -> Team:
    """One team, by name or by id; raises Unknown with the names there are."""
    asked = select(teams).where(teams.c.id == id_ if id_ else teams.c.name == name)
    row = (await connection.execute(asked)).first() if (name + id_).isprintable() else None
    if row is None:
        names = list(await connection.scalars(select(teams.c.name).order_by(teams.c.name).limit(20)))
        fix = f"Known: {', '.join(names)}." if names else "There is no team yet: make one first."
        raise Unknown(f"There is no team {name or id_!r}.", fix, param="team")
    return _team(row, await _members(connection, row.id))


def _team(row: Row[Any], members: Iterable[str]) -> Team:
    return Team(
        name=row.name,
        id=row.id,
        external_id=row.external_id,
        members=tuple(members),
        created=row.created,
        changed=row.changed,
    )


async def _members(connection: AsyncConnection, team: str) -> list[str]:
    both = team_members.join(users, users.c.name == team_members.c.user)
    mine = (team_members.c.team == team, users.c.deleted.is_(None))
    asked = select(team_members.c.user).select_from(both).where(*mine)
    return list(await connection.scalars(asked.order_by(team_members.c.user)))


async def add(writing: Writing, team: Team) -> Team:
    """A new team with its members; raises BadRequest, or Unknown for a member who is nobody."""
    await _check(writing.connection, team.name)
    checks.text(team.external_id, "external_id")
    made = {"id": uuid4().hex, "name": team.name, "external_id": team.external_id}
    await writing.connection.execute(insert(teams).values(**made, created=writing.at, changed=writing.at))
    await _join(writing, made["id"], team.members)
    await writing.record("team.add", team.name, after={"members": list(team.members)} if team.members else None)
    return await find(writing.connection, name=team.name)


async def edit(writing: Writing, name: str, *, to: str | None = None, external_id: str | None = None) -> Team:
    """Call a team something else; raises Unknown or BadRequest."""
    before = await find(writing.connection, name=name)
    after = {"name": before.name if to is None else to}
    if after["name"] != name:
        await _check(writing.connection, after["name"], but=before.id)
    if external_id is not None:
        after["external_id"] = checks.text(external_id, "external_id")
    await writing.connection.execute(update(teams).where(teams.c.id == before.id).values(**after, changed=writing.at))
    shown = {each: getattr(before, each) for each in after}
    await writing.record("team.set", after["name"], before=shown, after=after)
    return await find(writing.connection, name=after["name"])


async def change(writing: Writing, name: str, *, join: Collection[str] = (), leave: Collection[str] = ()) -> Team:
    """Let people into a team and out of it; who is there, or not there, already stays so. Raises Unknown."""
    before = await find(writing.connection, name=name)
    gone, new = sorted(set(leave) & set(before.members)), sorted(set(join) - set(before.members))
    for each in _batches(gone):
        mine = (team_members.c.team == before.id, team_members.c.user.in_(each))
        await writing.connection.execute(delete(team_members).where(*mine))
    await _join(writing, before.id, new)
    await writing.connection.execute(update(teams).where(teams.c.id == before.id).values(changed=writing.at))
    shown = {word: names for word, names in (("joined", new), ("left", gone)) if names}
    await writing.record("team.members", name, after=shown)
    return await find(writing.connection, name=name)


async def move(writing: Writing, user: str, before: Collection[str], wanted: Collection[str]) -> None:
    """Let somebody into the wanted teams, and out of the others that they are in; raises Unknown."""
    for team in sorted(set(wanted) - set(before)):
        await change(writing, team, join=(user,))
    for team in sorted(set(before) - set(wanted)):
        await change(writing, team, leave=(user,))


async def remove(writing: Writing, name: str) -> None:
    """Forget a team; its members stay, and for `KEPT` it can be brought back from the audit. Raises Unknown."""
    before = await find(writing.connection, name=name)
    await writing.connection.execute(delete(teams).where(teams.c.id == before.id))
    gone = {"members": list(before.members), "id": before.id, "external_id": before.external_id}
    await writing.record("team.remove", name, before=gone)


async def removed(connection: AsyncConnection, at: datetime) -> dict[str, dict[str, Any]]:
    """What the audit says of each team that was deleted lately and is not there now, the latest first."""
    events = audit_events.c
    lately = (events.what == "team.remove", events.at > at - KEPT)
    asked = select(events.subject, events.before).where(*lately).order_by(events.id.desc()).limit(BATCH)
    here = {each.lower() for each in await ids(connection)}
    found: dict[str, dict[str, Any]] = {}
    for name, before in await connection.execute(asked):
        if name.lower() not in here and before and "id" in before:
            found.setdefault(name, before)
    return found


async def restore(writing: Writing, name: str) -> Team:
    """Bring a deleted team back, with those of its members who are still here; raises Unknown."""
    before = (await removed(writing.connection, writing.at)).get(name)
    if before is None:
        raise Unknown(f"No team named {name!r} was deleted lately.", "Make it anew.", param="team")
    same = {"id": before["id"], "name": name, "external_id": before["external_id"]}
    await writing.connection.execute(insert(teams).values(**same, created=writing.at, changed=writing.at))
    here = await _here(writing.connection, before["members"])
    await _join(writing, before["id"], here)
    await writing.record("team.restore", name, after={"members": sorted(here)})
    return await find(writing.connection, name=name)


async def _check(connection: AsyncConnection, name: str, but: str = "") -> None:
    """Raise BadRequest for a name that cannot be one, or is taken in whatever case."""
    checks.name(name, of="team")
    same = (func.lower(teams.c.name) == name.lower(), teams.c.id != but)
    if (await connection.execute(select(teams.c.id).where(*same))).first() is not None:
        raise BadRequest(f"There is already a team {name!r}.", "Choose another name.", param="name")


async def _join(writing: Writing, team: str, names: Collection[str]) -> None:
    known = await _here(writing.connection, names)
    lost = sorted(set(names) - known)
    if lost:
        raise Unknown(f"There is no user named {lost[0]!r}.", "Add them first.", param="members")
    # who was deleted may be in it still
    for each in _batches(sorted(known)):
        again = (team_members.c.team == team, team_members.c.user.in_(each))
        await writing.connection.execute(delete(team_members).where(*again))
        await writing.connection.execute(insert(team_members), [{"team": team, "user": name} for name in each])


async def _here(connection: AsyncConnection, names: Collection[str]) -> set[str]:
    """Those of them who are not deleted."""
    known: set[str] = set()
    for each in _batches(sorted(filter(str.isprintable, names))):
        here = select(users.c.name).where(users.c.name.in_(each), users.c.deleted.is_(None))
        known.update(await connection.scalars(here))
    return known


def _batches(names: list[str]) -> Iterable[list[str]]:
    return (names[at : at + BATCH] for at in range(0, len(names), BATCH))

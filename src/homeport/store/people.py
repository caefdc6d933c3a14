"""Rows of people who may sign in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args
from uuid import uuid4

from sqlalchemy import delete, func, insert, or_, select, update

from homeport.domain.errors import BadRequest, InUse, Unknown
from homeport.store import checks, seats
from homeport.store.records import Role, User, WantedPeople
from homeport.store.tables import identities, sessions, sign_in_codes, team_members, teams, tokens, users

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Row, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from homeport.store.writing import Writing

KEPT = timedelta(days=30)
"""How long a deletion can be undone."""
BATCH = 500
"""Values of one statement: databases take only so many."""
_HERE = users.c.deleted.is_(None)
_PLAIN = ("role", "disabled")
_TEXTS = ("display", "email", "external_id")
_EDITED = {"name", "role", "disabled", "seat", "scopes", "attributes", *_TEXTS}
SORTS = {
    "name": users.c.name,
    "role": users.c.role,
    "seat": users.c.seat,
    "seen": users.c.seen,
    "created": users.c.created,
}
"""What a list may be sorted by: `SORTED_BY`."""


EVERYBODY = WantedPeople()


async def load(
    connection: AsyncConnection, wanted: WantedPeople = EVERYBODY, limit: int = -1, offset: int = 0
) -> list[User]:
    """The wanted people in their order; `limit` below 0 for all of them."""
    found = select(users).where(*_conditions(wanted)).order_by(*_order(wanted.sort))
    return await _users(connection, found if limit < 0 else found.limit(limit).offset(offset))


async def count(connection: AsyncConnection, wanted: WantedPeople = EVERYBODY) -> int:
    """How many the wanted ones are."""
    asked = select(func.count()).select_from(users).where(*_conditions(wanted))
    return int(await connection.scalar(asked) or 0)


async def find(connection: AsyncConnection, *, name: str = "", id_: str = "") -> User:
    """One person who is not deleted, by name or by id; raises Unknown."""
    mine = users.c.id == id_ if id_ else users.c.name == name
    # what cannot be printed is nobody's name, and some databases refuse to look for it
    found = await _users(connection, select(users).where(_HERE, mine)) if (name + id_).isprintable() else []
    if not found:
        raise _nobody(name or id_)
    return found[0]


async def alike(connection: AsyncConnection, field: str, value: str) -> list[User]:
    """Who has this text in a column, in any case; there may be some too many where letters are beyond ASCII."""
    column = users.c[field]
    asked = func.lower(column) == value.lower() if value.isascii() else column.is_not(None)
    return await _users(connection, select(users).where(_HERE, asked).order_by(users.c.name))


async def names(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, str]:
    """The names of those who are not deleted, by id."""
    found: dict[str, str] = {}
    for at in range(0, len(ids), BATCH):
        few = [each for each in ids[at : at + BATCH] if each.isprintable()]
        asked = select(users.c.id, users.c.name).where(_HERE, users.c.id.in_(few))
        found |= {row.id: row.name for row in await connection.execute(asked)}
    return found


def _nobody(name: str) -> Unknown:
    return Unknown(f"There is no user named {name!r}.", "List them with: homeport users list", param="user")


def _conditions(wanted: WantedPeople) -> Iterator[ColumnElement[bool]]:
    yield users.c.deleted.is_not(None) if wanted.state == "deleted" else _HERE
    if wanted.state in {"in", "disabled"}:
        yield users.c.disabled.is_(wanted.state == "disabled")
    if wanted.role:
        checks.text(wanted.role, "role")
        yield users.c.role == wanted.role
    if wanted.seat:
        held = (users.c.seat.is_(True), users.c.disabled.is_(False))
        yield held[0] & held[1] if wanted.seat == "yes" else ~(held[0] & held[1])
    if wanted.team:
        checks.text(wanted.team, "team")
        both = team_members.join(teams, teams.c.id == team_members.c.team)
        yield users.c.name.in_(select(team_members.c.user).select_from(both).where(teams.c.name == wanted.team))
    if wanted.find:
        checks.text(wanted.find, "find")
        columns = (users.c.name, users.c.display, users.c.email)
        yield or_(*(column.icontains(wanted.find, autoescape=True) for column in columns))


def _order(sort: str) -> Iterator[ColumnElement[Any]]:
    """Whoever was never seen is last either way; the name decides where the rest is the same."""
    column = SORTS.get(sort.removeprefix("-"), users.c.name)
    if column is users.c.seen:
        yield column.is_(None)
    yield column.desc() if sort.startswith("-") else column
    if column is not users.c.name:
        yield users.c.name


async def _users(connection: AsyncConnection, asked: Select[Any]) -> list[User]:
    rows = (await connection.execute(asked)).all()
    groups = await _groups(connection, [row.name for row in rows])
    return [_user(row, tuple(groups.get(row.name, ()))) for row in rows]


async def _groups(connection: AsyncConnection, names: Sequence[str]) -> dict[str, list[str]]:
    """The teams of each; of many people at once, everybody's are read."""
    asked = select(team_members.c.user, teams.c.name).join(teams, teams.c.id == team_members.c.team)
    few = len(names) <= BATCH
    asked = asked.where(team_members.c.user.in_(names)) if few else asked
    found: dict[str, list[str]] = {}
    for row in await connection.execute(asked.order_by(teams.c.name)):
        found.setdefault(row.user, []).append(row.name)
    return found


def _user(row: Row[Any], groups: tuple[str, ...] = ()) -> User:
    return User(
        name=row.name,
        role=row.role,
        created=row.created,
        disabled=row.disabled,
        seat=row.seat,
        scopes=None if row.scopes is None else frozenset(row.scopes),
        teams=groups,
        display=row.display,
        email=row.email,
        external_id=row.external_id,
        attributes=row.attributes,
        id=row.id or "",
        seen=row.seen,
        changed=row.changed or row.created,
        deleted=row.deleted,
        language=row.language,
    )


async def password(connection: AsyncConnection, name: str) -> str | None:
    """The hash of a person's password; None for nobody, for one who has none and for one who may not sign in."""
    wanted = select(users.c.password).where(users.c.name == name, users.c.disabled.is_(False), _HERE)
    found = (await connection.execute(wanted)).first()
    return None if found is None else found.password


async def set_password(writing: Writing, name: str, hashed: str) -> None:
    """Give a person another password; their sessions end. Raises Unknown."""
    theirs = update(users).where(users.c.name == name, _HERE)
    changed = await writing.connection.execute(theirs.values(password=hashed))
    if not changed.rowcount:
        raise _nobody(name)
    await _sign_out(writing, name)
    await writing.record("user.password", name)


async def set_language(writing: Writing, name: str, language: str) -> None:
    """Speak with a person in another language from now on; raises Unknown."""
    row = await _row(writing.connection, name)
    if row is None or row.deleted is not None:
        raise _nobody(name)
    await writing.connection.execute(update(users).where(users.c.name == name).values(language=language))
    await writing.record("user.set", name, before={"language": row.language}, after={"language": language})


async def put(writing: Writing, user: User) -> User:
    """Add a person or change whether they may sign in and as what.

    Raises BadRequest, or InUse for the last administrator. Somebody new sits down if a seat is free.
    """
    row = await _row(writing.connection, user.name)
    if row is None or row.deleted is not None:
        return await add(writing, user, must_sit=False)
    return await edit(writing, user.name, {"role": user.role, "disabled": user.disabled})


async def add(writing: Writing, user: User, *, must_sit: bool = True) -> User:
    """Add somebody who is not there yet; raises BadRequest, or InUse when they `must_sit` and no seat is free.

    Whoever was deleted under this name is forgotten first, so that nothing of theirs is inherited.
    """
    _check({each: getattr(user, each) for each in _EDITED})
    row = await _row(writing.connection, user.name)
    if row is not None and row.deleted is None:
        raise BadRequest(f"{user.name} may sign in already.", "Choose another name.", param="name")
    await _forget(writing, users.c.name == user.name)
    await _forget(writing, users.c.deleted <= writing.at - KEPT)
    sits = user.seat and (user.disabled or await seats.take(writing.connection, must=must_sit))
    made = replace(user, created=writing.at, changed=writing.at, id=user.id or uuid4().hex, seat=sits, teams=())
    values = {each: getattr(made, each) for each in (*_EDITED, "id", "created", "changed")}
    values["scopes"] = None if made.scopes is None else sorted(made.scopes)
    await writing.connection.execute(insert(users).values({**values, "attributes": dict(made.attributes)}))
    facts = {each for each in ("scopes", *_TEXTS) if getattr(made, each)} | ({"seat"} if not sits else set())
    await writing.record("user.set", made.name, after=_shown(made, facts))
    return made


async def edit(writing: Writing, name: str, changes: Mapping[str, Any]) -> User:
    """Change some fields of a person; raises Unknown, BadRequest, or InUse.

    InUse: for the last administrator, and for a seat that was asked for and is not free. Where enabling somebody
    would take one that is not there, they are let in without.
    """
    _check(changes)
    row = await _row(writing.connection, name)
    if row is None or row.deleted is not None:
        raise _nobody(name)
    before = _user(row)
    after: User = replace(before, **changes)
    if after.role != "admin" or after.disabled:
        await _keep_one(writing.connection, before)
    after = await _seated(writing, before, after, must="seat" in changes)
    if after.name != name:
        await _rename(writing, name, after.name)
    await _write(writing, after)
    facts = {each for each in _EDITED - {"attributes"} if getattr(before, each) != getattr(after, each)}
    facts |= {"seat"} if before.seat != after.seat else set()
    await writing.record("user.set", after.name, before=_shown(before, facts), after=_shown(after, facts))
    if after.disabled:
        await _sign_out(writing, after.name)
    return (await _users(writing.connection, select(users).where(users.c.name == after.name)))[0]


async def _seated(writing: Writing, before: User, after: User, *, must: bool) -> User:
    """Without the seat that they would take and that is not free."""
    sat, sits = before.seat and not before.disabled and not before.deleted, after.seat and not after.disabled
    return after if sat or not sits else replace(after, seat=await seats.take(writing.connection, must=must))


async def _write(writing: Writing, user: User) -> None:
    values = {each: getattr(user, each) for each in _EDITED - {"name"}}
    values |= {"changed": writing.at, "scopes": None if user.scopes is None else sorted(user.scopes)}
    values["attributes"] = dict(user.attributes)
    await writing.connection.execute(update(users).where(users.c.name == user.name).values(values))


async def _rename(writing: Writing, name: str, to: str) -> None:
    """Their tokens and teams follow; whoever signed in under the old name does so again."""
    row = await _row(writing.connection, to)
    if row is not None and row.deleted is None:
        raise BadRequest(f"{to} may sign in already.", "Choose another name.", param="name")
    await _forget(writing, users.c.name == to)
    await _sign_out(writing, name)
    mine = identities.c.user == name
    known = [dict(each) for each in (await writing.connection.execute(select(identities).where(mine))).mappings()]
    await writing.connection.execute(delete(identities).where(mine))
    await writing.connection.execute(update(users).where(users.c.name == name).values(name=to))
    if known:
        await writing.connection.execute(insert(identities), [{**each, "user": to} for each in known])
    theirs = (tokens.c.owner == name, tokens.c.kind == "personal")
    await writing.connection.execute(update(tokens).where(*theirs).values(owner=to))


async def remove(writing: Writing, name: str) -> User:
    """Delete a person: they are signed out, their tokens open nothing. Raises Unknown, or InUse for the last admin.

    For `KEPT` it can be undone; then they and their tokens are forgotten for good.
    """
    row = await _row(writing.connection, name)
    if row is None or row.deleted is not None:
        raise _nobody(name)
    before = _user(row)
    await _keep_one(writing.connection, before)
    await _forget(writing, users.c.deleted <= writing.at - KEPT)
    await _sign_out(writing, name)
    gone = update(users).where(users.c.name == name).values(deleted=writing.at, changed=writing.at)
    await writing.connection.execute(gone)
    await writing.record("user.remove", name, before=_shown(before, {"seat"}))
    return replace(before, deleted=writing.at)


async def restore(writing: Writing, name: str) -> User:
    """Undo a deletion, tokens and teams included; without a seat where none is free. Raises Unknown."""
    row = await _row(writing.connection, name)
    if row is None or row.deleted is None:
        raise Unknown(f"Nobody named {name!r} was deleted lately.", "Add them anew.", param="user")
    before = _user(row)
    after = await _seated(writing, before, replace(before, deleted=None), must=False)
    back = update(users).where(users.c.name == name).values(deleted=None, changed=writing.at, seat=after.seat)
    await writing.connection.execute(back)
    await writing.record("user.restore", name, after=_shown(after, {"seat"}))
    return (await _users(writing.connection, select(users).where(users.c.name == name)))[0]


async def saw(connection: AsyncConnection, name: str, at: Any) -> None:  # noqa: ANN401 (a moment, or SQL that gives one)
    """Note when somebody was here; an older time never replaces a newer one."""
    older = or_(users.c.seen.is_(None), users.c.seen < at)
    await connection.execute(update(users).where(users.c.name == name, older).values(seen=at))


async def _row(connection: AsyncConnection, name: str) -> Row[Any] | None:
    if not name.isprintable():
        return None
    return (await connection.execute(select(users).where(users.c.name == name))).first()


async def _sign_out(writing: Writing, name: str) -> None:
    for table in (sessions, sign_in_codes):
        await writing.connection.execute(delete(table).where(table.c.user == name))


async def _forget(writing: Writing, which: ColumnElement[bool]) -> None:
    """End deleted people for good: their tokens are revoked, whoever has their name next."""
    gone = select(users.c.name).where(users.c.deleted.is_not(None), which)
    theirs = (tokens.c.owner.in_(gone), tokens.c.kind == "personal", tokens.c.revoked.is_(None))
    await writing.connection.execute(update(tokens).where(*theirs).values(revoked=writing.at))
    await writing.connection.execute(delete(users).where(users.c.deleted.is_not(None), which))


def _check(changes: Mapping[str, Any]) -> None:
    unknown = sorted(changes.keys() - _EDITED)
    if unknown:
        raise BadRequest(f"A user has no {', '.join(unknown)}.", f"There are: {', '.join(sorted(_EDITED))}.")
    if "name" in changes:
        checks.name(changes["name"], of="user")
    if changes.get("role", "user") not in get_args(Role):
        saw_ = f"There is no role {changes['role']!r}."
        raise BadRequest(saw_, f"Known: {', '.join(get_args(Role))}.", param="role")
    for each in _TEXTS:
        checks.text(changes.get(each, ""), each)
    for scope in changes.get("scopes") or ():
        checks.keyword(scope, "scope")


def _shown(user: User, facts: set[str]) -> dict[str, Any]:
    shown = {each: getattr(user, each) for each in (*_PLAIN, *sorted(facts - set(_PLAIN)))}
    if shown.get("scopes") is not None:
        shown["scopes"] = sorted(shown["scopes"])
    return shown


async def _keep_one(connection: AsyncConnection, before: User) -> None:
    """Raise InUse when this is the only administrator who may sign in: nobody could undo it."""
    others = select(users.c.name).where(
        users.c.role == "admin", users.c.disabled.is_(False), _HERE, users.c.name != before.name
    )
    if before.role == "admin" and not before.disabled and (await connection.execute(others)).first() is None:
        told = f"{before.name} is the last administrator."
        raise InUse(told, "Make somebody else an administrator first.", param="user")

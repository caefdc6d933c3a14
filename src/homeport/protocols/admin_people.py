"""Administration of people: users, teams, seats and invitations, with the rules and the audit of the console."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from homeport.access import SCOPES, sessions
from homeport.domain.errors import BadRequest, Unavailable
from homeport.protocols import Act, Reply, WireProtocol
from homeport.protocols._admin import ADMIN, Strict, by, query_of, reply, store_of
from homeport.protocols._openai import error
from homeport.store.records import SORTED_BY, Invitation, Team, User, WantedPeople

if TYPE_CHECKING:
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door
    from homeport.store.records import Seats

BASE = "/api/admin/v1"
USERS, TEAMS, SEATS, INVITATIONS = (f"{BASE}/{each}" for each in ("users", "teams", "seats", "invitations"))
REMOVED = f"{BASE}/deleted-teams"
DELETED, LINKS, SESSIONS = (f"{BASE}/{each}" for each in ("deleted-users", "sign-in-links", "sessions"))
PASSWORDS = f"{BASE}/passwords"
ROLE = Literal["admin", "auditor", "user"]
MOST = 1000
"""People of one answer."""
DAYS = 365


class UserChanges(Strict):
    """What may be said of a person; what is left out stays."""

    role: ROLE | None = None
    disabled: bool | None = Field(None, description="Ends sessions at once; tokens open nothing meanwhile.")
    seat: bool | None = Field(None, description="Whether they may use what AI does; refused when none is free.")
    scopes: list[str] | None = Field(None, description="What their tokens may be used for at most; [] for nothing.")
    every_scope: bool | None = Field(None, description="True lifts what `scopes` said.")
    display: str | None = None
    email: str | None = None


class NewUser(Strict):
    """Somebody to let in."""

    name: str
    role: ROLE = "user"
    seat: bool = True
    display: str = ""
    email: str = ""


class NewTeam(Strict):
    """A team to make."""

    name: str
    members: list[str] = Field(default=[], max_length=5000)


class TeamChanges(Strict):
    """What may change of a team; what is left out stays."""

    name: str | None = None
    join: list[str] = Field(default=[], max_length=5000)
    leave: list[str] = Field(default=[], max_length=5000)


class Limit(Strict):
    """How many seats there are."""

    limit: int = Field(ge=0, le=1_000_000, description="0 for no limit.")


class NewInvitation(Strict):
    """Whom to invite."""

    role: ROLE = "user"
    team: str = ""
    seat: bool = True
    note: str = Field("", description="Whom it is for.")
    days: int = Field(7, ge=1, le=DAYS, description="How long the link works.")


class NewPassword(Strict):
    """What somebody signs in with from now on."""

    password: str = Field(description="Kept as argon2id alone.")


class NewLink(Strict):
    """Who shall sign in by a link."""

    user: str


def whole(text: str, name: str, *, least: int, most: int) -> int:
    """A whole number of the address; raises BadRequest."""
    if text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and least <= int(text) <= most:
        return int(text)
    raise BadRequest(f"{name} is no whole number from {least} to {most}.", "Give one.", param=name)


def _user(user: User) -> dict[str, Any]:
    moments = {name: getattr(user, name) for name in ("created", "seen", "deleted")}
    return {
        "name": user.name,
        "id": user.id,
        "role": user.role,
        "disabled": user.disabled,
        "seat": user.seat,
        "scopes": None if user.scopes is None else sorted(user.scopes),
        "teams": list(user.teams),
        "display": user.display,
        "email": user.email,
        **{name: moment and moment.isoformat() for name, moment in moments.items()},
    }


def _wanted(asks: dict[str, str], state: str = "") -> WantedPeople:
    sort = asks.get("sort", "name")
    if sort.removeprefix("-") not in SORTED_BY:
        raise BadRequest(f"Nothing is sorted by {sort!r}.", f"Known: {', '.join(SORTED_BY)}; with a minus for down.")
    names = ("find", "role", "team", "seat")
    return WantedPeople(**{name: asks.get(name, "") for name in names}, state=state or asks.get("state", ""), sort=sort)


async def _users(door: Door, arrival: Arrival, state: str = "") -> Reply:
    asks, store = query_of(arrival), store_of(door)
    wanted = _wanted(asks, state)
    limit = whole(asks.get("limit", "100"), "limit", least=1, most=MOST)
    offset = whole(asks.get("offset", "0"), "offset", least=0, most=10**9)
    found, count = await store.users(wanted, limit, offset), await store.count_users(wanted)
    return reply({"users": [_user(each) for each in found], "total": count})


async def users(door: Door, _body: None, arrival: Arrival) -> Reply:
    """The people: `find`, `role`, `team`, `state`, `seat`, `sort`, `limit` and `offset` in the address choose."""
    return await _users(door, arrival)


async def deleted(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Those who can be brought back."""
    return await _users(door, arrival, "deleted")


async def user(door: Door, _body: None, arrival: Arrival) -> Reply:
    """One person."""
    return reply(_user(await store_of(door).user(arrival.tail)))


async def add_user(door: Door, body: NewUser, arrival: Arrival) -> Reply:
    """Let somebody in."""
    made = await store_of(door).add_user(User(**body.model_dump()), by=by(arrival))
    return reply(_user(made), 201)


async def edit_user(door: Door, body: UserChanges, arrival: Arrival) -> Reply:
    """Change some of what is known of somebody."""
    said = body.model_dump(exclude_unset=True)
    changes = {name: value for name, value in said.items() if value is not None and name != "every_scope"}
    if "scopes" in changes:
        unknown = sorted(set(changes["scopes"]) - SCOPES.keys())
        if unknown:
            raise BadRequest(f"There is no scope {', '.join(unknown)}.", f"Known: {', '.join(sorted(SCOPES))}.")
        changes["scopes"] = frozenset(changes["scopes"])
    if body.every_scope:
        changes["scopes"] = None
    if not changes:
        raise BadRequest("There is nothing to change.", "Name at least one field.")
    return reply(_user(await store_of(door).edit_user(arrival.tail, changes, by=by(arrival))))


async def remove_user(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Delete somebody: sessions end and tokens open nothing; for 30 days it can be undone."""
    await store_of(door).remove_user(arrival.tail, by=by(arrival))
    return reply({"removed": arrival.tail})


async def restore_user(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Undo a deletion."""
    return reply(_user(await store_of(door).restore_user(arrival.tail, by=by(arrival))))


async def sign_out(door: Door, _body: None, arrival: Arrival) -> Reply:
    """End every session of somebody."""
    store = store_of(door)
    name = (await store.user(arrival.tail)).name
    await store.end_sessions(name, by=by(arrival))
    return reply({"signed_out": name})


async def set_password(door: Door, body: NewPassword, arrival: Arrival) -> Reply:
    """Set somebody's password; their sessions end."""
    store = store_of(door)
    if door.passwords is None:
        raise Unavailable("Passwords cannot be set here.", "Ask the instance that serves the console.")
    name = (await store.user(arrival.tail)).name
    await store.set_password(name, await door.passwords.hash(body.password), by=by(arrival))
    return reply({"user": name, "changed": True})


def _pepper(door: Door) -> bytes:
    if door.pepper is None:
        raise Unavailable("Links cannot be made here.", "Ask the instance that serves the console.")
    return door.pepper


def _address(door: Door, arrival: Arrival, path: str, code: str) -> str:
    return f"{door.url or 'http://' + arrival.header(b'host')}/console/{path}?code={code}"


async def link(door: Door, body: NewLink, arrival: Arrival) -> Reply:
    """A link that signs somebody in once, within an hour."""
    store, value = store_of(door), sessions.mint()
    digest = sessions.digest(_pepper(door), value)
    await store.add_sign_in_code(digest, body.user, sessions.CODE_LASTS, by=by(arrival))
    return reply({"user": body.user, "link": _address(door, arrival, "sign-in", value)}, 201)


# teams


def _team(team: Team) -> dict[str, Any]:
    return {"name": team.name, "id": team.id, "members": list(team.members)}


async def teams(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """The teams and how many are in each."""
    sizes = await store_of(door).team_sizes()
    return reply([{"name": name, "size": size} for name, size in sizes.items()])


async def team(door: Door, _body: None, arrival: Arrival) -> Reply:
    """A team with its members."""
    return reply(_team(await store_of(door).team(arrival.tail)))


async def add_team(door: Door, body: NewTeam, arrival: Arrival) -> Reply:
    """A new team."""
    made = await store_of(door).add_team(Team(name=body.name, members=tuple(body.members)), by=by(arrival))
    return reply(_team(made), 201)


async def edit_team(door: Door, body: TeamChanges, arrival: Arrival) -> Reply:
    """Let people in and out, then rename."""
    store = store_of(door)
    found = await store.team(arrival.tail)
    if body.join or body.leave:
        found = await store.change_members(found.name, join=body.join, leave=body.leave, by=by(arrival))
    if body.name is not None and body.name != found.name:
        found = await store.edit_team(found.name, to=body.name, by=by(arrival))
    return reply(_team(found))


async def remove_team(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Forget a team; its members stay."""
    await store_of(door).remove_team(arrival.tail, by=by(arrival))
    return reply({"removed": arrival.tail})


async def removed_teams(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """The names of those that can be brought back."""
    return reply(await store_of(door).removed_teams())


async def restore_team(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Undo the deletion of a team: everybody of it who is still here is in it again."""
    return reply(_team(await store_of(door).restore_team(arrival.tail, by=by(arrival))))


# seats


def _seats(found: Seats) -> dict[str, Any]:
    return {"limit": found.limit, "taken": found.taken}


async def seats(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """How many seats there are and are taken."""
    return reply(_seats(await store_of(door).seats()))


async def limit_seats(door: Door, body: Limit, arrival: Arrival) -> Reply:
    """Set how many there are."""
    return reply(_seats(await store_of(door).limit_seats(body.limit, by=by(arrival))))


# invitations


def _invitation(each: Invitation) -> dict[str, Any]:
    same = {name: getattr(each, name) for name in ("id", "role", "team", "seat", "note", "by", "used_by")}
    return {**same, "expires": each.expires.isoformat(), "state": each.state(datetime.now(UTC))}


async def invitations(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """The latest invitations, but never the link."""
    return reply([_invitation(each) for each in await store_of(door).invitations()])


async def invite(door: Door, body: NewInvitation, arrival: Arrival) -> Reply:
    """Make a link that lets one person join, which is in this answer and never again."""
    store, now, value = store_of(door), datetime.now(UTC), sessions.mint()
    fields = body.model_dump(exclude={"days"})
    wanted = Invitation(id="", created=now, expires=now, **fields)
    digest = sessions.digest(_pepper(door), value)
    made = await store.invite(digest, wanted, timedelta(days=body.days), by=by(arrival))
    return reply({**_invitation(made), "link": _address(door, arrival, "join", value)}, 201)


async def revoke(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Make a link useless."""
    await store_of(door).revoke_invitation(arrival.tail, by=by(arrival))
    return reply({"revoked": arrival.tail})


def _act(path: str, method: Any, act: Any, summary: str, **more: Any) -> Act:  # noqa: ANN401 (as Act takes them)
    return Act(paths=(path,), need=ADMIN, act=act, method=method, summary=summary, **more)


PROTOCOL = WireProtocol(
    label="Administration: people, teams, seats",
    error=error,
    routes=(
        _act(USERS, "GET", users, "List or find people."),
        _act(USERS, "POST", add_user, "Let somebody in.", body=NewUser, example={"name": "ada", "role": "user"}),
        _act(f"{USERS}/{{name}}", "GET", user, "Show a person."),
        _act(f"{USERS}/{{name}}", "PATCH", edit_user, "Change a person.", body=UserChanges, example={"seat": True}),
        _act(f"{USERS}/{{name}}", "DELETE", remove_user, "Delete a person."),
        _act(DELETED, "GET", deleted, "List those who can be brought back."),
        _act(f"{DELETED}/{{name}}", "DELETE", restore_user, "Bring somebody back."),
        _act(LINKS, "POST", link, "Make a link that signs somebody in once.", body=NewLink, example={"user": "ada"}),
        _act(
            f"{PASSWORDS}/{{name}}",
            "PUT",
            set_password,
            "Set somebody's password.",
            body=NewPassword,
            example={"password": "correct horse battery staple"},
        ),
        _act(f"{SESSIONS}/{{name}}", "DELETE", sign_out, "Sign somebody out everywhere."),
        _act(TEAMS, "GET", teams, "List the teams."),
        _act(TEAMS, "POST", add_team, "Make a team.", body=NewTeam, example={"name": "Platform", "members": ["ada"]}),
        _act(f"{TEAMS}/{{name}}", "GET", team, "Show a team."),
        _act(f"{TEAMS}/{{name}}", "PATCH", edit_team, "Change a team.", body=TeamChanges, example={"join": ["ada"]}),
        _act(f"{TEAMS}/{{name}}", "DELETE", remove_team, "Forget a team."),
        _act(REMOVED, "GET", removed_teams, "List the teams that can be brought back."),
        _act(f"{REMOVED}/{{name}}", "DELETE", restore_team, "Bring a team back."),
        _act(SEATS, "GET", seats, "Show the seats."),
        _act(SEATS, "PUT", limit_seats, "Limit the seats.", body=Limit, example={"limit": 50}),
        _act(INVITATIONS, "GET", invitations, "List the invitations."),
        _act(INVITATIONS, "POST", invite, "Invite somebody.", body=NewInvitation, example={"team": "Platform"}),
        _act(f"{INVITATIONS}/{{id}}", "DELETE", revoke, "Revoke an invitation."),
    ),
)

"""`homeport users`: who may sign in to the console."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from homeport.cli._command import SET_UP, Group, json_option
from homeport.cli._output import note, result, table
from homeport.cli._session import in_store, load, vault_of, whoami

if TYPE_CHECKING:
    from homeport.store.database import Store
    from homeport.store.records import User

ROLES = ("admin", "auditor", "user")


@click.group(
    "users",
    cls=Group,
    section=SET_UP,
    examples=("homeport users list", "homeport users add ada --role admin", "homeport users invite --team Platform"),
)
def command() -> None:
    """Decide who may sign in to the console.

    An administrator changes everything, an auditor sees everything, a user has a playground and tokens.
    """


@command.command(
    "list",
    examples=("homeport users list", "homeport users list --team Platform --no-seat", "homeport users list --json"),
)
@click.option("--find", default="", help="A part of the name, of what they are called, or of their address.")
@click.option("--role", type=click.Choice(ROLES), default=None, help="Only these.")
@click.option("--team", default="", help="Only who is in this team.")
@click.option("--state", type=click.Choice(("in", "disabled", "deleted")), default=None, help="Only these.")
@click.option("--seat/--no-seat", default=None, help="Only who has a seat, or has none.")
@json_option
def list_(*, find: str, role: str | None, team: str, state: str | None, seat: bool | None, as_json: bool) -> None:
    """List everybody who may sign in."""
    from homeport.store.records import WantedPeople  # noqa: PLC0415 (loads SQLAlchemy)

    seated = {None: "", True: "yes", False: "no"}[seat]
    wanted = WantedPeople(find=find, role=role or "", team=team, state=state or "", seat=seated)
    rows = [_shown(user) for user in in_store(lambda store: store.users(wanted))]
    result(
        rows,
        as_json=as_json,
        people=lambda: table(
            ("NAME", "ROLE", "TEAMS", "SEAT", "STATE", "LAST SEEN"),
            [(r["name"], r["role"], ",".join(r["teams"]) or "-", _yes(r), _state(r), _moment(r["seen"])) for r in rows],
        ),
    )


def _yes(row: dict[str, Any]) -> str:
    return "yes" if row["seat"] and not row["disabled"] and not row["deleted"] else "no"


def _state(row: dict[str, Any]) -> str:
    return "deleted" if row["deleted"] else "disabled" if row["disabled"] else "may sign in"


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else "-"


@command.command("add", examples=("homeport users add ada", "homeport users add ada --role auditor"))
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="user", show_default=True, help="What they may do.")
@json_option
def add(*, name: str, role: Any, as_json: bool) -> None:  # noqa: ANN401 (one of ROLES, as click says)
    """Let somebody sign in, or change their role."""
    from homeport.store.records import User  # noqa: PLC0415 (loads SQLAlchemy)

    stored = in_store(lambda store: store.set_user(User(name=name, role=role), by=whoami()), make=True)
    result(_shown(stored), as_json=as_json, people=lambda: f"{name} may sign in as {role}.")
    note(f"Make a link for the first time:  homeport users code {name}")


@command.command("about", examples=('homeport users about ada --display "Ada L." --email ada@example.com',))
@click.argument("name")
@click.option("--display", help="What they are called; empty for their name.")
@click.option("--email", help="Their e-mail address; empty for none.")
@json_option
def about(*, name: str, as_json: bool, **given: str | None) -> None:
    """Keep what somebody is called and where they get mail."""
    changes = {field: value.strip() for field, value in given.items() if value is not None}
    if not changes:
        message = "There is nothing to change. Name --display or --email."
        raise click.UsageError(message)
    stored = in_store(lambda store: store.edit_user(name, changes, by=whoami()))
    result(_shown(stored), as_json=as_json, people=lambda: f"Changed {name}: {', '.join(changes)}.")


@command.command("code", examples=("homeport users code ada",))
@click.argument("name")
@json_option
def code(*, name: str, as_json: bool) -> None:
    """Make a link that signs somebody in once, within an hour."""
    from homeport.access import sessions  # noqa: PLC0415 (beside its only use)
    from homeport.cli._server import handed_out  # noqa: PLC0415 (as above)

    settings = load()
    made = sessions.mint()
    digest = sessions.digest(vault_of(settings).derive(sessions.PEPPER), made)

    async def linked(store: Store) -> str:
        await store.add_sign_in_code(digest, name, sessions.CODE_LASTS, by=whoami())
        return handed_out(settings, await store.settings())

    link = f"{in_store(linked)}/console/sign-in?code={made}"
    result({"user": name, "link": link}, as_json=as_json, people=lambda: link)
    note("It works once, within an hour. Whoever opens it is signed in as this user: send it with care.")


@command.command("password", examples=("homeport users password ada",))
@click.argument("name")
@json_option
def password(*, name: str, as_json: bool) -> None:
    """Set somebody's password, which is asked for twice; their sessions end."""
    import asyncio  # noqa: PLC0415 (beside its only use)

    from homeport.access.passwords import Passwords  # noqa: PLC0415 (loads argon2)

    given = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    hashed = asyncio.run(Passwords().hash(given))
    in_store(lambda store: store.set_password(name, hashed, by=whoami()))
    said = f"{name} signs in with the new password; older sessions are over."
    result({"user": name, "changed": True}, as_json=as_json, people=lambda: said)


@command.command("disable", examples=("homeport users disable ada",))
@click.argument("name")
@json_option
def disable(*, name: str, as_json: bool) -> None:
    """Let somebody sign in no longer; their sessions end at once."""
    _switch(name, disabled=True, as_json=as_json)


@command.command("enable", examples=("homeport users enable ada",))
@click.argument("name")
@json_option
def enable(*, name: str, as_json: bool) -> None:
    """Let somebody sign in again."""
    _switch(name, disabled=False, as_json=as_json)


def _switch(name: str, *, disabled: bool, as_json: bool) -> None:
    said = "may not sign in any longer" if disabled else "may sign in again"
    _edit(name, {"disabled": disabled}, f"{name} {said}.", as_json=as_json)


def _edit(name: str, changes: dict[str, Any], said: str, *, as_json: bool) -> None:
    stored = in_store(lambda store: store.edit_user(name, changes, by=whoami()))
    result(_shown(stored), as_json=as_json, people=lambda: said)


@command.command("seat", examples=("homeport users seat ada", "homeport users seat ada --take"))
@click.argument("name")
@click.option("--take", is_flag=True, help="Take it back.")
@json_option
def seat(*, name: str, take: bool, as_json: bool) -> None:
    """Give somebody a seat: only with one may they use what AI does."""
    _edit(name, {"seat": not take}, f"{name} has {'no' if take else 'a'} seat now.", as_json=as_json)


@command.command("seats", examples=("homeport users seats", "homeport users seats --limit 50"))
@click.option("--limit", type=click.IntRange(0, 1_000_000), default=None, help="How many there are; 0 for no limit.")
@json_option
def seats(*, limit: int | None, as_json: bool) -> None:
    """Show how many seats there are and are taken, or set how many there are."""
    found = in_store(lambda store: store.seats() if limit is None else store.limit_seats(limit, by=whoami()))
    said = (
        f"{found.taken} of {found.limit} seats are taken." if found.limit else f"{found.taken} have a seat: no limit."
    )
    result({"limit": found.limit, "taken": found.taken}, as_json=as_json, people=lambda: said)


@command.command(
    "allow", examples=("homeport users allow ada --scopes complete_code,duo_chat", "homeport users allow ada")
)
@click.argument("name")
@click.option("--scopes", default=None, help="What their tokens may be used for at most.  [default: everything]")
@json_option
def allow(*, name: str, scopes: str | None, as_json: bool) -> None:
    """Say what somebody's tokens may be used for at most, whatever the tokens say."""
    from homeport.access import SCOPES  # noqa: PLC0415 (beside its only use)

    wanted = None if scopes is None else frozenset(each.strip() for each in scopes.split(",") if each.strip())
    unknown = sorted((wanted or frozenset()) - SCOPES.keys())
    if unknown:
        message = f"Unknown scopes: {', '.join(unknown)}. Known: {', '.join(sorted(SCOPES))}."
        raise click.UsageError(message)
    said = "everything that their tokens say" if wanted is None else ", ".join(sorted(wanted)) or "nothing"
    _edit(name, {"scopes": wanted}, f"{name} may use {said}.", as_json=as_json)


@command.command("delete", examples=("homeport users delete ada",))
@click.argument("name")
@json_option
def delete(*, name: str, as_json: bool) -> None:
    """Delete somebody: their sessions end, their tokens open nothing; `restore` undoes it for 30 days."""
    in_store(lambda store: store.remove_user(name, by=whoami()))
    result({"deleted": name}, as_json=as_json, people=lambda: f"{name} is deleted; their tokens open nothing.")
    note(f"Within 30 days this undoes it:  homeport users restore {name}")


@command.command("restore", examples=("homeport users restore ada",))
@click.argument("name")
@json_option
def restore(*, name: str, as_json: bool) -> None:
    """Bring back somebody who was deleted, with their tokens and teams."""
    stored = in_store(lambda store: store.restore_user(name, by=whoami()))
    result(_shown(stored), as_json=as_json, people=lambda: f"{name} is back, with their tokens and teams.")


@command.command("leave", examples=("homeport users leave ada",))
@click.argument("name")
@json_option
def leave(*, name: str, as_json: bool) -> None:
    """Sign somebody out everywhere."""
    in_store(lambda store: _leave(store, name))
    result({"signed_out": name}, as_json=as_json, people=lambda: f"{name} is signed out everywhere.")


async def _leave(store: Store, name: str) -> None:
    await store.end_sessions((await store.user(name)).name, by=whoami())


@command.command("invite", examples=("homeport users invite --for Ada --team Platform --days 3",))
@click.option("--for", "note_", default="", help="Whom it is for, for the list of invitations.")
@click.option("--role", type=click.Choice(ROLES), default="user", show_default=True, help="What they join as.")
@click.option("--team", default="", help="The team that they join.")
@click.option("--no-seat", is_flag=True, help="They join without a seat.")
@click.option("--days", type=click.IntRange(1, 365), default=7, show_default=True, help="How long the link works.")
@json_option
def invite(*, note_: str, role: Any, team: str, no_seat: bool, days: int, as_json: bool) -> None:  # noqa: ANN401 (one of ROLES, as click says)
    """Make a link with which one person joins and chooses a name and a password."""
    from homeport.access import sessions  # noqa: PLC0415 (beside its only use)
    from homeport.cli._server import handed_out  # noqa: PLC0415 (as above)
    from homeport.store.records import Invitation  # noqa: PLC0415 (loads SQLAlchemy)

    settings, now, value = load(), datetime.now(UTC), sessions.mint()
    digest = sessions.digest(vault_of(settings).derive(sessions.PEPPER), value)
    wanted = Invitation(id="", role=role, team=team, seat=not no_seat, note=note_, created=now, expires=now)

    async def invited(store: Store) -> tuple[Invitation, str]:
        made = await store.invite(digest, wanted, timedelta(days=days), by=whoami())
        return made, handed_out(settings, await store.settings())

    made, where = in_store(invited)
    link = f"{where}/console/join?code={value}"
    result({"id": made.id, "link": link, "expires": made.expires}, as_json=as_json, people=lambda: link)
    note(f"It works once, for {days} days, and is not shown again. Revoke it with: homeport users uninvite {made.id}")


@command.command("invitations", examples=("homeport users invitations", "homeport users invitations --all --json"))
@click.option("--all", "also_spent", is_flag=True, help="Also those that were used, revoked or are too old.")
@json_option
def invitations(*, also_spent: bool, as_json: bool) -> None:
    """List invitations; the links are not kept."""
    now = datetime.now(UTC)
    found = [each for each in in_store(lambda store: store.invitations()) if also_spent or each.state(now) == "open"]
    names = ("id", "note", "role", "team", "seat", "by", "expires", "used_by")
    rows = [{**{name: getattr(each, name) for name in names}, "state": each.state(now)} for each in found]
    head = ("ID", "FOR", "ROLE", "TEAM", "ENDS", "STATE")
    cells = [(r["id"], r["note"], r["role"], r["team"] or "-", _moment(r["expires"]), r["state"]) for r in rows]
    result(rows, as_json=as_json, people=lambda: table(head, cells))


@command.command("uninvite", examples=("homeport users uninvite 3f2a9c01d4e5",))
@click.argument("id_", metavar="ID")
@json_option
def uninvite(*, id_: str, as_json: bool) -> None:
    """Revoke an invitation that was not used yet."""
    in_store(lambda store: store.revoke_invitation(id_, by=whoami()))
    result({"revoked": id_}, as_json=as_json, people=lambda: f"The invitation {id_} opens nothing any longer.")


def _shown(user: User) -> dict[str, Any]:
    names = ("name", "role", "disabled", "seat", "scopes", "teams", "display", "email", "seen", "deleted")
    return {name: getattr(user, name) for name in names}

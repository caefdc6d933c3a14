"""`homeport users`: who may sign in to the console."""

from __future__ import annotations

from dataclasses import replace
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
    examples=("homeport users list", "homeport users add ada --role admin", "homeport users code ada"),
)
def command() -> None:
    """Decide who may sign in to the console.

    An administrator changes everything, an auditor sees everything, a user has a playground and tokens.
    """


@command.command("list", examples=("homeport users list", "homeport users list --json"))
@json_option
def list_(*, as_json: bool) -> None:
    """List everybody who may sign in."""
    found = in_store(lambda store: store.users())
    rows = [_shown(user) for user in found]
    result(
        rows,
        as_json=as_json,
        people=lambda: table(
            ("NAME", "ROLE", "STATE"),
            [(row["name"], row["role"], "disabled" if row["disabled"] else "may sign in") for row in rows],
        ),
    )


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


@command.command("code", examples=("homeport users code ada",))
@click.argument("name")
@json_option
def code(*, name: str, as_json: bool) -> None:
    """Make a link that signs somebody in once, within an hour."""
    from homeport.access import sessions  # noqa: PLC0415 (beside its only use)
    from homeport.cli._server import address_of  # noqa: PLC0415 (as above)

    settings = load()
    made = sessions.mint()
    digest = sessions.digest(vault_of(settings).derive(sessions.PEPPER), made)
    in_store(lambda store: store.add_sign_in_code(digest, name, sessions.CODE_LASTS, by=whoami()))
    link = f"{address_of(settings)}/console/sign-in?code={made}"
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
    stored = in_store(lambda store: _changed(store, name, disabled=disabled))
    said = "may not sign in any longer" if disabled else "may sign in again"
    result(_shown(stored), as_json=as_json, people=lambda: f"{name} {said}.")


async def _changed(store: Store, name: str, *, disabled: bool) -> User:
    from homeport.domain.errors import Unknown  # noqa: PLC0415 (beside its only use)

    known = {user.name: user for user in await store.users()}
    if name not in known:
        fix = f"Known: {', '.join(known)}." if known else "Add somebody with: homeport users add NAME"
        raise Unknown(f"There is no user named {name!r}.", fix, param="user")
    return await store.set_user(replace(known[name], disabled=disabled), by=whoami())


def _shown(user: User) -> dict[str, Any]:
    return {"name": user.name, "role": user.role, "disabled": user.disabled}

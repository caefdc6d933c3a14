"""`homeport teams`: people who belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from homeport.cli._command import SET_UP, Group, json_option
from homeport.cli._output import note, result, table
from homeport.cli._session import in_store, whoami

if TYPE_CHECKING:
    from homeport.store.records import Team


@click.group(
    "teams",
    cls=Group,
    section=SET_UP,
    examples=("homeport teams list", "homeport teams add Platform ada ben", "homeport teams join Platform eve"),
)
def command() -> None:
    """Put people into teams, so that it can be seen how much each team uses."""


@command.command("list", examples=("homeport teams list", "homeport teams list --json"))
@json_option
def list_(*, as_json: bool) -> None:
    """List the teams and how many people are in each."""
    sizes = in_store(lambda store: store.team_sizes())
    rows = [{"name": name, "size": size} for name, size in sizes.items()]
    result(rows, as_json=as_json, people=lambda: table(("NAME", "PEOPLE"), sizes.items()))
    if not sizes:
        note("Make one:  homeport teams add NAME")


@command.command("show", examples=("homeport teams show Platform",))
@click.argument("name")
@json_option
def show(*, name: str, as_json: bool) -> None:
    """Show who is in a team."""
    found = in_store(lambda store: store.team(name))
    result(_shown(found), as_json=as_json, people=lambda: "\n".join(found.members) or "Nobody is in it.")


@command.command("add", examples=("homeport teams add Platform", "homeport teams add Platform ada ben"))
@click.argument("name")
@click.argument("people", nargs=-1)
@json_option
def add(*, name: str, people: tuple[str, ...], as_json: bool) -> None:
    """Make a team, perhaps with people in it."""
    from homeport.store.records import Team  # noqa: PLC0415 (loads SQLAlchemy)

    made = in_store(lambda store: store.add_team(Team(name=name, members=people), by=whoami()))
    result(_shown(made), as_json=as_json, people=lambda: f"The team {name} is there.")


@command.command("rename", examples=("homeport teams rename Platform Foundations",))
@click.argument("name")
@click.argument("to")
@json_option
def rename(*, name: str, to: str, as_json: bool) -> None:
    """Call a team something else."""
    found = in_store(lambda store: store.edit_team(name, to=to, by=whoami()))
    result(_shown(found), as_json=as_json, people=lambda: f"The team is called {to} now.")


@command.command("join", examples=("homeport teams join Platform ada ben",))
@click.argument("name")
@click.argument("people", nargs=-1, required=True)
@json_option
def join(*, name: str, people: tuple[str, ...], as_json: bool) -> None:
    """Let people into a team: all of them or nobody."""
    found = in_store(lambda store: store.change_members(name, join=people, by=whoami()))
    result(_shown(found), as_json=as_json, people=lambda: f"{len(found.members)} people are in {name}.")


@command.command("leave", examples=("homeport teams leave Platform ben",))
@click.argument("name")
@click.argument("people", nargs=-1, required=True)
@json_option
def leave(*, name: str, people: tuple[str, ...], as_json: bool) -> None:
    """Take people out of a team."""
    found = in_store(lambda store: store.change_members(name, leave=people, by=whoami()))
    result(_shown(found), as_json=as_json, people=lambda: f"{len(found.members)} people are in {name}.")


@command.command("delete", examples=("homeport teams delete Platform",))
@click.argument("name")
@json_option
def delete(*, name: str, as_json: bool) -> None:
    """Forget a team; its members stay, and for 30 days it can be brought back."""
    in_store(lambda store: store.remove_team(name, by=whoami()))
    result({"deleted": name}, as_json=as_json, people=lambda: f"The team {name} is gone; its members stay.")


@command.command("restore", examples=("homeport teams restore Platform",))
@click.argument("name")
@json_option
def restore(*, name: str, as_json: bool) -> None:
    """Bring a deleted team back, with everybody of it who is still here."""
    found = in_store(lambda store: store.restore_team(name, by=whoami()))
    result(
        _shown(found), as_json=as_json, people=lambda: f"{name} is back with: {', '.join(found.members) or 'nobody'}."
    )


def _shown(team: Team) -> dict[str, Any]:
    return {"name": team.name, "id": team.id, "members": list(team.members)}

"""`homeport config`: the settings."""

from __future__ import annotations

import asyncio
import os
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homeport.cli._command import LOOK_AFTER, Group, json_option
from homeport.cli._output import note, result, table, warn
from homeport.cli._session import in_store, load, remembered, whoami

if TYPE_CHECKING:
    from homeport.domain.models import Snapshot
    from homeport.kit.effective import Effective
    from homeport.store.database import Store

PATIENCE_S = 60.0
"""How long applying a file may take: all of it is one transaction."""
CHANGES = 3
"""Exit status of `plan --exit-code` where there is something to change."""

_file = click.argument("file", type=click.Path(path_type=Path))
_prune = click.option(
    "--prune",
    is_flag=True,
    help="Also remove models and settings that the file does not name, and unassign features; only of those "
    "tables that the file has.",
)


@click.group(
    "config",
    cls=Group,
    section=LOOK_AFTER,
    examples=(
        "homeport config show",
        "homeport config set usage_days 90",
        "homeport config export --file configuration.toml",
        "homeport config plan configuration.toml",
        "homeport config apply configuration.toml",
    ),
)
def command() -> None:
    """Look at the settings and change some while it runs; keep models and features as a file.

    `show` is about all settings. `set` and `unset` change those that can be changed while it runs, unless the
    operator set them. `export`, `plan` and `apply` are about what the database holds: models, what serves each
    feature, settings.
    """


@command.command("show", examples=("homeport config show", "homeport config show --json"))
@click.option("--changed", is_flag=True, help="Only those that are not the default.")
@json_option
def show(*, changed: bool, as_json: bool) -> None:
    """Show each setting, its value and where it came from; secrets are masked.

    Order of growing precedence: the database, homeport.toml, HOMEPORT_* variables, AIGW_* variables, the command line.
    """
    from homeport.store.live import placed  # noqa: PLC0415 (loads pydantic)

    settings = load()
    stored = asyncio.run(remembered(settings))
    found = [each for each in placed(settings, stored, os.environ) if each.place != "default" or not changed]
    result(
        [{"setting": each.name, "value": each.value, "from": each.place} for each in found],
        as_json=as_json,
        people=lambda: _listed(found),
    )


_sure = click.option("--yes", is_flag=True, help="Do not ask about what else the change does.")
_seen = click.option("--seen", metavar="VALUE", help="Change nothing unless this is what counts now.")


@command.command(
    "set",
    examples=(
        "homeport config set usage_days 90",
        "homeport config set url https://homeport.example",
        "homeport config set allowed_networks 10.0.0.0/8,192.168.0.0/16",
    ),
)
@click.argument("name")
@click.argument("value")
@_seen
@_sure
@json_option
def set_(*, name: str, value: str, seen: str | None, yes: bool, as_json: bool) -> None:
    """Change a setting while it runs; a running server follows within two seconds.

    What homeport.toml, a variable or the command line says wins, and is not changed here.
    """
    _change(name, value, seen=seen, yes=yes, as_json=as_json)


@command.command("unset", examples=("homeport config unset usage_days",))
@click.argument("name")
@_seen
@_sure
@json_option
def unset(*, name: str, seen: str | None, yes: bool, as_json: bool) -> None:
    """Give a setting its default back while it runs."""
    _change(name, "", seen=seen, yes=yes, as_json=as_json)


def _change(name: str, value: str, *, seen: str | None, yes: bool, as_json: bool) -> None:
    from homeport.domain.errors import Unconfirmed  # noqa: PLC0415 (beside its only use)

    async def changed(store: Store) -> Effective:
        return await _changed(store, name, value, seen, sure=yes)

    try:
        found = in_store(changed, make=True)
    except Unconfirmed as error:
        from homeport.cli._as_code import confirm  # noqa: PLC0415 (loads every family and platform)

        confirm(error.saw)
        yes = True
        found = in_store(changed)
    shown = {"setting": name, "value": found.value, "from": found.place}
    result(shown, as_json=as_json, people=lambda: f"{name} is {found.plain} ({found.place}).")


async def _changed(store: Store, name: str, value: str, seen: str | None, *, sure: bool) -> Effective:
    """The setting as it counts then; raises BadRequest, Unconfirmed or Outdated."""
    from homeport.diagnostics._change import checked  # noqa: PLC0415 (loads what resolves names)
    from homeport.store import live  # noqa: PLC0415 (loads pydantic)

    settings, snapshot = load(), await store.snapshot()
    wanted = await checked(settings, snapshot, {name: value}, sure=sure)
    was = live.counting(settings, snapshot.settings)
    if seen is not None and seen != live.text_of(getattr(was, name)):
        raise live.other()
    await store.set_settings(wanted, check=live.as_seen(live.version(snapshot.settings)), by=whoami())
    return next(each for each in live.placed(settings, await store.settings(), os.environ) if each.name == name)


@command.command(
    "export",
    examples=(
        "homeport config export",
        "homeport config export --file configuration.toml",
        "homeport config export --file configuration.toml --force && git diff",
    ),
)
@click.option("--file", type=click.Path(path_type=Path), help="Write it there instead of to standard output.")
@click.option("--force", is_flag=True, help="Replace the file if there is one.")
@json_option
def export(*, file: Path | None, force: bool, as_json: bool) -> None:
    """Write models, features and settings as a TOML file.

    The same content gives the same bytes. Keys are not in it: a model that has one says key = "stored".
    """
    from homeport.cli import _as_code  # noqa: PLC0415 (loads every family and platform)
    from homeport.store import config_file  # noqa: PLC0415 (loads SQLAlchemy)

    found = in_store(_snapshot)
    text = config_file.write(found)
    for problem in found.problems:
        warn(problem)
    shown: dict[str, Any] = {"revision": found.revision, **tomllib.loads(text)}
    if file is None:
        result(shown, as_json=as_json, people=text.rstrip)
        return
    _as_code.write(file, text, force=force)
    shown = {"revision": found.revision, "file": str(file.absolute())}
    result(shown, as_json=as_json, people=lambda: f"Wrote {file} (revision {found.revision}).")


async def _snapshot(store: Store) -> Snapshot:
    return await store.snapshot()


@command.command(
    "plan",
    examples=(
        "homeport config plan configuration.toml",
        "homeport config plan configuration.toml --prune --exit-code",
        "homeport config plan configuration.toml --json | jq .changes",
    ),
)
@_file
@_prune
@click.option("--exit-code", is_flag=True, help="End with 3 if there is something to change, as `diff` would.")
@json_option
def plan(*, file: Path, prune: bool, exit_code: bool, as_json: bool) -> int:
    """Show what `apply` would change; changes nothing.

    Keys are never shown, and need not be there yet: `apply` needs them.
    """
    from homeport.cli import _as_code  # noqa: PLC0415 (loads every family and platform)

    desired = _as_code.read(file, resolve_keys=False)
    found = in_store(lambda store: _as_code.look(store, desired, prune=prune))
    said = (
        f"{_as_code.summary(found, done=False) or 'Nothing to change'}; the database is at revision {found.revision}."
    )
    whole = "\n".join(filter(None, (_as_code.diff(found.changes), said)))
    result(_as_code.document(found), as_json=as_json, people=lambda: whole)
    _as_code.concerns(found, prune=prune)
    if found.changes:
        more = " --prune" if prune else ""
        note(f"Do it:  homeport config apply {shlex.quote(str(file))}{more} --expect {found.revision}")
    return CHANGES if exit_code and found.changes else 0


@command.command(
    "apply",
    examples=(
        "homeport config apply configuration.toml",
        "CODER_KEY=… homeport config apply configuration.toml --expect 12",
        "homeport config apply configuration.toml --prune --yes",
    ),
)
@_file
@_prune
@click.option("--expect", type=int, metavar="REVISION", help="Change nothing unless the database is still at it.")
@click.option("--yes", is_flag=True, help="Do not ask whether something may be removed.")
@json_option
def apply(*, file: Path, prune: bool, expect: int | None, yes: bool, as_json: bool) -> None:
    """Make the database hold what the file says, as a whole or not at all.

    Each change is in the audit like one that was typed. Applying the same file again changes nothing. A
    running server sees the change within two seconds.
    """
    from homeport.cli import _as_code  # noqa: PLC0415 (loads every family and platform)

    desired = _as_code.read(file, resolve_keys=True)
    found, revision = in_store(
        lambda store: _as_code.carry_out(store, desired, prune=prune, expect=expect, yes=yes),
        make=True,
        patience_s=PATIENCE_S,
    )
    said = f"{_as_code.summary(found, done=True) or 'Nothing to change'}; the database is at revision {revision}."
    whole = "\n".join(filter(None, (_as_code.diff(found.changes), said)))
    shown = {**_as_code.document(found), "revision": revision, "applied": bool(found.changes)}
    result(shown, as_json=as_json, people=lambda: whole)
    _as_code.concerns(found, prune=prune)


def _listed(found: list[Effective]) -> str:
    if not found:
        return "Every setting has its default."
    return table(("SETTING", "VALUE", "FROM"), [(each.name, each.plain, each.place) for each in found])

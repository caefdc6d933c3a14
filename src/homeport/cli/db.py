"""`homeport db`: the database."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path

import click

from homeport.cli._command import LOOK_AFTER, Group, json_option
from homeport.cli._output import note, result, sheet, warn
from homeport.cli._session import in_store, load, whoami
from homeport.domain.errors import BadConfiguration


@click.group(
    "db",
    cls=Group,
    section=LOOK_AFTER,
    examples=("homeport db status", "homeport db backup /backups/homeport.db", "homeport db rotate-keys"),
)
def command() -> None:
    """Look after the database: version, upgrade, backup, restore, root keys."""


@command.command("status", examples=("homeport db status", "homeport db status --json"))
@json_option
def status(*, as_json: bool) -> None:
    """Say which database it is and whether its tables fit this program."""
    from homeport.store import schema  # noqa: PLC0415 (loads SQLAlchemy)

    found = asyncio.run(schema.status(load().sqlalchemy_url()))
    plain = {name: value or "-" for name, value in asdict(found).items()}
    result(asdict(found), as_json=as_json, people=lambda: sheet(plain.items()))
    if found.state in {"missing", "empty", "older"}:
        note("Bring it up to date:  homeport db upgrade")


@command.command("upgrade", examples=("homeport db backup before.db && homeport db upgrade",))
@json_option
def upgrade(*, as_json: bool) -> None:
    """Bring the tables to what this program needs; makes the database if there is none.

    It is one transaction: it happens as a whole or not at all. `up` and `serve` do it by themselves.
    """
    from homeport.store import schema  # noqa: PLC0415 (loads SQLAlchemy)

    url = load().sqlalchemy_url()
    changed = asyncio.run(schema.upgrade(url, on_wait=note))
    found = asyncio.run(schema.status(url))
    said = f"Upgraded {found.location} to version {found.version}."
    if not changed:
        said = f"{found.location} is at version {found.version} already."
    result({"changed": changed, **asdict(found)}, as_json=as_json, people=lambda: said)


@command.command(
    "backup", examples=("homeport db backup /backups/homeport.db", "homeport db backup /backups/homeport.jsonl")
)
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def backup(*, file: Path, as_json: bool) -> None:
    """Copy the database to a new FILE while it is in use.

    A name that ends in .jsonl asks for lines of JSON, which SQLite and PostgreSQL both read back. The
    root keys are not in it: keep a copy of them too, in another place.
    """
    from homeport.kit.vault import KEY_FILE  # noqa: PLC0415 (loads cryptography)
    from homeport.store import schema  # noqa: PLC0415 (loads SQLAlchemy)

    settings = load()
    asyncio.run(schema.backup(settings.sqlalchemy_url(), file))
    size = file.stat().st_size
    shown = {"file": str(file.absolute()), "bytes": size}
    result(shown, as_json=as_json, people=lambda: f"Wrote {file} ({size} bytes).")
    note(f"It is worth nothing without the root keys: keep {settings.data_dir / KEY_FILE} too, in another place.")


@command.command("restore", examples=("homeport db restore /backups/homeport.db",))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask whether the present content may be replaced.")
@json_option
def restore(*, file: Path, yes: bool, as_json: bool) -> None:
    """Replace the database by a copy that `db backup` wrote, whole or not at all."""
    from homeport.store import schema  # noqa: PLC0415 (loads SQLAlchemy)

    url = load().sqlalchemy_url()
    found = asyncio.run(schema.status(url))
    if found.state not in {"missing", "empty"} and not yes:
        click.confirm(f"Replace everything in {found.location}?", abort=True, err=True)
    asyncio.run(schema.restore(url, file))
    result({"restored": str(file)}, as_json=as_json, people=lambda: f"Restored {found.location} from {file}.")
    note("See that the root keys fit it:  homeport doctor")


@command.command("new-keys", examples=("homeport db new-keys",))
@click.option("--yes", is_flag=True, help="Do not ask whether the old keys are lost for good.")
@json_option
def new_keys(*, yes: bool, as_json: bool) -> None:
    """Make new root keys for a database whose own are lost.

    What they protected stays lost: API keys must be entered again, and tokens made again. A key file
    that is there is left alone.
    """
    from homeport.kit.vault import KEY_FILE, Vault  # noqa: PLC0415 (loads cryptography)
    from homeport.store import root_keys  # noqa: PLC0415 (loads SQLAlchemy)

    settings = load()
    file = settings.data_dir / KEY_FILE
    if file.exists():
        saw = f"There is a key file {file} already."
        raise BadConfiguration(saw, "Move it away if it is the wrong one, or restore the right one over it.")
    lost = asyncio.run(root_keys.bound(settings.sqlalchemy_url()))
    if any(lost):
        warn(root_keys.told(lost))
        if not yes:
            click.confirm("Is the key file lost for good?", abort=True, err=True)
    made = Vault(file).sealing_id
    shown = {"file": str(file), "key": made, "lost_api_keys": lost.secrets, "lost_tokens": lost.tokens}
    result(shown, as_json=as_json, people=lambda: f"Made {file} with the root key {made}.")
    note(
        "Keep a copy of it in another place. Next: homeport models edit NAME --api-key-env VAR, homeport tokens create"
    )


@command.command("rotate-keys", examples=("homeport db rotate-keys",))
@json_option
def rotate_keys(*, as_json: bool) -> None:
    """Make a new root key and seal every stored API key with it.

    Nothing stops working: tokens and sessions stay valid, and running servers read the new key by themselves. The
    older keys stay in the key file, because backups of the database still need them.
    """
    from homeport.kit.vault import KEY_FILE  # noqa: PLC0415 (loads cryptography)

    made, count = in_store(lambda store: store.rotate_keys(by=whoami()))
    file = load().data_dir / KEY_FILE
    sealed = f"{count} API key{'' if count == 1 else 's'}"
    shown = {"file": str(file), "key": made, "sealed": count}
    result(shown, as_json=as_json, people=lambda: f"The root key {made} seals from now on; {sealed} sealed again.")
    note(f"Keep a new copy of {file} in another place.")

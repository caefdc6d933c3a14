"""`homeport audit`: what was changed, by whom and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from homeport.cli._command import LOOK_AFTER, Command, json_option
from homeport.cli._output import result, table
from homeport.cli._session import in_store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homeport.store.database import Store
    from homeport.store.records import AuditEvent

HEAD = ("WHEN (UTC)", "WHO", "WHAT", "ON", "BEFORE AND AFTER", "FROM", "ID")
WIDTH = 100


@click.command(
    "audit",
    cls=Command,
    section=LOOK_AFTER,
    examples=(
        "homeport audit",
        "homeport audit --kind model --about coder",
        "homeport audit --who ada --from 2027-01-01 --to 2027-01-31 --limit 10000 --csv > january.csv",
    ),
)
@click.option("--about", "find", default="", help="A part of the name of what was changed.")
@click.option("--who", default="", help="Who changed it, exactly: ada, cli:root, api:ada.")
@click.option("--kind", "thing", default="", help="What was changed: model, feature, token, user, setting …")
@click.option("--address", default="", help="Where it came from, exactly: 10.0.0.7, or local for commands and files.")
@click.option("--from", default="", metavar="DAY", help="From this day on (UTC).")
@click.option("--to", default="", metavar="DAY", help="Up to and with this day (UTC).")
@click.option("--below", default="", metavar="ID", help="Go on with what is older than this event.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many at most.")
@click.option("--csv", "as_csv", is_flag=True, help="Print it as CSV.")
@json_option
def command(*, limit: int, as_csv: bool, as_json: bool, **said: str) -> None:
    """Look for changes, whoever made them and by whatever way; newest first.

    What is secret was never written down.
    """
    from homeport.store import audit  # noqa: PLC0415 (loads SQLAlchemy)

    found = in_store(lambda store: _found(store, limit, said))
    if as_csv:
        click.echo(audit.as_csv(found), nl=False)
        return
    shown = [audit.document(each) for each in found]
    result(shown, as_json=as_json, people=lambda: table(HEAD, map(_row, found)) if found else "No change is like this.")


async def _found(store: Store, limit: int, said: dict[str, Any]) -> Sequence[AuditEvent]:
    from homeport.store.audit import wanted  # noqa: PLC0415 (loads SQLAlchemy)

    return await store.audit(limit, wanted(said))


def _row(event: AuditEvent) -> tuple[str, ...]:
    before, after = event.before or {}, event.after or {}
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    differs = ", ".join(f"{name}: {_told(before, name)} → {_told(after, name)}" for name in names)
    cells = (
        f"{event.at:%Y-%m-%d %H:%M:%S}",
        event.who,
        event.what,
        event.subject,
        differs or "-",
        event.address or "-",
        str(event.id),
    )
    return tuple("".join(char if char.isprintable() else "?" for char in cell) for cell in cells)


def _told(side: Mapping[str, Any], name: str) -> str:
    """A value on one line, the beginning of a long one."""
    text = str(side.get(name, "-"))
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"

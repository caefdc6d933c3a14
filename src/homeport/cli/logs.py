"""`homeport logs`: what was asked, and the life of one request."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from homeport.cli._command import LOOK_AFTER, Command, json_option
from homeport.cli._logged_requests import document, lines_with, named_files, one_line, row, shown
from homeport.cli._output import note, result, table
from homeport.cli._request_log import opened
from homeport.cli._session import load
from homeport.domain.entries import ENDINGS
from homeport.domain.errors import Unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homeport.kit.settings import Settings
    from homeport.store.log_search import Found, Sought
    from homeport.store.request_log import RequestLog

HEAD = ("WHEN (UTC)", "WHO", "FEATURE", "MODEL", "STATUS", "ENDED", "TOOK", "ID")
AGAIN_S = 1.0
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def _since(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float:
    """Unix seconds of a time ago (90m, 12h, 7d) or of a day."""
    if not value:
        return 0.0
    if value[:-1].isdecimal() and value[-1] in _UNITS and len(value) <= len("9999d"):
        return (datetime.now(UTC) - int(value[:-1]) * _UNITS[value[-1]]).timestamp()
    try:
        return datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        message = f"{value!r} is neither a time ago like 90m, 12h or 7d nor a day like 2027-01-31."
        raise click.BadParameter(message) from error


@click.command(
    "logs",
    cls=Command,
    section=LOOK_AFTER,
    examples=(
        "homeport logs",
        "homeport logs 71b6df6e0779e7c1eee6325d0fa3aebe",
        "homeport logs --user ada --status failed --since 1h",
        "homeport logs --text 'did not answer' --json",
        "homeport logs --follow",
    ),
)
@click.argument("id_", metavar="[ID]", required=False)
@click.option("--user", "who", default="", help="Who asked.")
@click.option("--team", default="", help="The team of who asked.")
@click.option("--feature", default="", help="What was asked for.")
@click.option("--model", default="", help="Who answered.")
@click.option("--language", default="", help="The language of the code.")
@click.option("--client", default="", help="The program that asked.")
@click.option("--status", default="", help="How it ended: answered, failed, refused, left; or 502, 5xx.")
@click.option("--text", default="", help="A part of an error's text or code.")
@click.option("--since", callback=_since, help="A time ago (90m, 12h, 7d) or a day.")
@click.option("--until", callback=_since, help="The same: only those that ended before.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many at most.")
@click.option("--follow", is_flag=True, help="Go on with new ones until Ctrl-C.")
@json_option
def command(*, id_: str | None, limit: int, follow: bool, as_json: bool, **wanted: Any) -> None:  # noqa: ANN401 (filters)
    """Look for requests, or see the whole life of the one with this ID.

    Newest last, as in a log. What is asked is here a second after it has ended.
    """
    settings = load()
    if id_:
        asyncio.run(_one(settings, id_, as_json=as_json))
        return
    asyncio.run(_list(settings, wanted, limit, follow=follow, as_json=as_json))


async def _one(settings: Settings, id_: str, *, as_json: bool) -> None:
    async with opened(settings) as log:
        found = await log.find(id_)
    lines = await asyncio.to_thread(lines_with, id_, named_files(settings))
    if not found and not lines:
        raise Unknown(f"No request with the id {id_[:64]!r} is kept.", "It may be too old, or of another instance.")
    whole = {"requests": [document(each) for each in found], "lines": lines}
    result(whole, as_json=as_json, people=lambda: shown(found, lines))


async def _list(settings: Settings, wanted: dict[str, Any], limit: int, *, follow: bool, as_json: bool) -> None:
    from homeport.store.log_search import Sought  # noqa: PLC0415 (loads SQLAlchemy)

    _check(wanted["status"])
    sought = Sought(**wanted)
    async with opened(settings) as log:
        found = list(reversed(await log.search(sought, limit)))
        if not follow:
            whole = [document(each) for each in found]
            result(whole, as_json=as_json, people=lambda: table(HEAD, map(row, found)) if found else "No request.")
            return
        _print(found, as_json=as_json)
        await _follow(log, sought, found, as_json=as_json)


async def _follow(log: RequestLog, sought: Sought, found: Sequence[Found], *, as_json: bool) -> None:
    """Print new ones as they come."""
    note("Following; Ctrl-C ends it.")
    since = time.time() if not found else 0.0
    above = found[-1].row if found else 0
    while True:
        await asyncio.sleep(AGAIN_S)
        new = list(reversed(await log.search(sought._replace(above=above, since=since or sought.since), 1000)))
        _print(new, as_json=as_json)
        above = new[-1].row if new else above


def _print(found: Sequence[Found], *, as_json: bool) -> None:
    for each in found:
        click.echo(one_line(each, as_json=as_json))


def _check(status: str) -> None:
    classes = {"", *ENDINGS, *(f"{number}xx" for number in range(1, 6))}
    if status not in classes and not (status.isdecimal() and len(status) == len("200")):
        message = f"{status!r} is no status: write {', '.join(ENDINGS)}, a number such as 502, or a class such as 5xx."
        raise click.UsageError(message)

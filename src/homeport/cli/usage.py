"""`homeport usage`: how much was asked, by whom, of which model."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from homeport.cli._command import LOOK_AFTER, Command, json_option
from homeport.cli._output import result, table
from homeport.cli._session import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homeport.store.log_usage import Used

BY = ("model", "user", "team", "feature", "language", "error")
NAMES = {"user": "who", "error": "error_code"}
HEAD = (
    "REQUESTS",
    "FAILED",
    "LEFT",
    "REFUSED",
    "TOKENS IN",
    "TOKENS OUT",
    "MEDIAN",
    "P95",
    "FIRST P50",
    "FIRST P95",
    "ACCEPTED",
)
DAY = 86_400


@click.command(
    "usage",
    cls=Command,
    section=LOOK_AFTER,
    examples=("homeport usage", "homeport usage --by user --team Platform --days 7", "homeport usage --by error --csv"),
)
@click.option("--by", type=click.Choice(BY), default="model", show_default=True, help="What is told apart.")
@click.option("--days", type=click.IntRange(1, 400), default=30, show_default=True, help="How far back.")
@click.option("--user", "who", default="", help="Only what this person asked.")
@click.option("--team", default="", help="Only what this team asked.")
@click.option("--feature", default="", help="Only what was asked for this.")
@click.option("--model", default="", help="Only what this model was asked.")
@click.option("--language", default="", help="Only what was asked about code in this language.")
@click.option("--csv", "as_csv", is_flag=True, help="Print it as CSV.")
@json_option
def command(*, by: str, days: int, as_csv: bool, as_json: bool, **only: str) -> None:
    """Sum up requests: how many, how many tokens, how fast, what failed.

    How many suggestions were accepted, where editors tell. Whoever is in several teams counts in each of them.
    """
    found = asyncio.run(_used(NAMES.get(by, by), days, only))
    if as_csv:
        click.echo(_csv(by, found), nl=False)
        return
    head = (by.upper(), *HEAD)
    result([each._asdict() for each in found], as_json=as_json, people=lambda: table(head, map(_row, found)))


async def _used(by: str, days: int, only: dict[str, Any]) -> Sequence[Used]:
    from homeport.cli._request_log import opened  # noqa: PLC0415 (loads SQLAlchemy)
    from homeport.store.log_usage import Asked  # noqa: PLC0415 (loads SQLAlchemy)

    now = time.time()
    async with opened(load()) as log:
        left, until = await log.behind()
        if left:
            before = f"{datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC"
            click.echo(f"Requests from before {before} are still being added up, by the running instance.", err=True)
        return await log.usage(Asked(now - days * DAY, now + 1, by, **only))


def _row(each: Used) -> tuple[Any, ...]:
    accepted = f"{100 * each.accepted / each.offered:.0f} %" if each.offered else "-"
    median, p95, _ = each.took_ms
    first, first_p95, _ = each.first_ms
    name = "".join(char if char.isprintable() else "?" for char in each.name) or "-"
    counts = (each.requests, each.failed, each.cancelled, each.refused)
    guessed = "≈" if each.estimated else ""
    tokens = (f"{guessed}{each.prompt_tokens}", f"{guessed}{each.answer_tokens}")
    return name, *counts, *tokens, *(f"{ms} ms" for ms in (median, p95, first, first_p95)), accepted


def _csv(by: str, found: Sequence[Used]) -> str:
    from homeport.store.log_usage import COLUMNS, flat  # noqa: PLC0415 (loads SQLAlchemy)

    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow((by, *COLUMNS))
    writer.writerows(flat(each) for each in found)
    return out.getvalue()

"""Sums by one trait alone, beside those by all of them: few rows say who asks most, and how much is asked in all.

The database makes them of the sums that it is just given, in the same transaction.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select
from sqlalchemy.dialects import sqlite

from homeport.store.log_endings import ended_as
from homeport.store.log_rows import DAY, adding, as_sent, summed, unnested
from homeport.store.log_tables import COUNTED, ENDS, sums, unsummed, usage, usage_kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

    from homeport.store.log_rows import Row

TRAITS = ("who", "team", "feature", "model", "language", "error_code", "outcome")
"""What sums are told apart by; those of everything have an empty trait and name."""
FRESH = "fresh_usage"
"""Sums that are just given: a table of the connection's own, in SQLite."""
_MARKS = ", ".join("?" * len(usage.c))
_COLUMNS = ", ".join(usage.c.keys())
_USAGE = f"INSERT INTO {usage.name} ({_COLUMNS})"
_SUMS = f"INSERT INTO {sums.name} (span, trait, start, name, {', '.join((*COUNTED, *ENDS))})"
_USAGE_KEPT = f"ON CONFLICT {adding(usage, 'span, start, kind', COUNTED)}"
_SUMS_KEPT = f"ON CONFLICT {adding(sums, 'span, trait, start, name', (*COUNTED, *ENDS))}"


async def write(connection: AsyncConnection, rows: Sequence[Row], piece: int) -> None:
    """Add the sums of hours to those that are there, and to those of days; so many are handed on at once."""
    pieces = [list(rows[at : at + piece]) for at in range(0, len(rows), piece)]
    if connection.dialect.name == "postgresql":
        given = f"(SELECT * FROM {unnested(usage)}) AS given ({_COLUMNS})"  # noqa: S608 (our own names)
        for statement in (into_usage(given), into_sums(given)):
            for each in pieces:
                await connection.exec_driver_sql(statement, as_sent(each, "postgresql"))
        return
    made = f"CREATE TEMP TABLE IF NOT EXISTS {FRESH} AS SELECT {_COLUMNS} FROM {usage.name} WHERE 0"  # noqa: S608 (as above)
    await connection.exec_driver_sql(made)
    for each in pieces:
        await connection.exec_driver_sql(f"INSERT INTO {FRESH} VALUES ({_MARKS})", each)  # noqa: S608 (as above)
    given = f"{FRESH} AS given"
    for statement in (into_usage(given), into_sums(given), f"DELETE FROM {FRESH}"):  # noqa: S608 (as above)
        await connection.exec_driver_sql(statement)


def put_off(connection: Connection) -> None:
    """Note of what was counted before there were any sums that they are to be made."""
    there = select(usage.c.span, usage.c.start).distinct()
    connection.execute(insert(unsummed).from_select(["span", "start"], there))


async def catch_up(connection: AsyncConnection) -> bool:
    """Make those of the newest hour or day that has none; gives whether there was one.

    What was added to them meanwhile is counted in `usage`, too, and made anew with the rest.
    """
    newest = select(unsummed).order_by(unsummed.c.start.desc(), unsummed.c.span).limit(1)
    found = (await connection.execute(newest)).first()
    if found is None:
        return False
    of_it = (unsummed.c.span == found.span, unsummed.c.start == found.start)
    if (await connection.execute(delete(unsummed).where(*of_it))).rowcount:  # no other process was faster
        key = (sums.c.span == found.span, sums.c.trait.in_(("", *TRAITS)), sums.c.start == found.start)
        await connection.execute(delete(sums).where(*key))
        await connection.exec_driver_sql(of_what_is_there(found.span, found.start))
    return True


async def behind(connection: AsyncConnection) -> tuple[int, int]:
    """How many hours and days have none, and when the last of them ends (Unix seconds)."""
    row = (await connection.execute(select(func.count(), func.max(unsummed.c.start + unsummed.c.span)))).one()
    return int(row[0]), int(row[1] or 0)


@cache
def into_usage(given: str) -> str:
    """The statement that adds rows of hours, each to its hour and its day."""
    return f"{_USAGE} SELECT {_COLUMNS} FROM {given} UNION ALL {days(given)} ORDER BY 1, 2, 3 {_USAGE_KEPT}"  # noqa: S608 (as above)


def days(given: str) -> str:
    """Rows of days, from those of hours."""
    counts = ", ".join(summed(name) for name in COUNTED)
    return f"SELECT {DAY}, start / {DAY} * {DAY}, kind, {counts} FROM {given} GROUP BY 1, 2, 3"  # noqa: S608 (as above)


@cache
def into_sums(given: str) -> str:
    """The statement that adds the same by each trait; in the order of keys, as several writers may be at it."""
    names = (*COUNTED, *ENDS)
    counts = ", ".join(summed(name) for name in names)
    return f"""
        WITH folded (span, trait, start, name, {", ".join(names)}) AS MATERIALIZED ({_folded(given)})
        {_SUMS} SELECT * FROM folded UNION ALL
        SELECT {DAY}, trait, start / {DAY} * {DAY}, name, {counts} FROM folded GROUP BY 1, 2, 3, 4
        ORDER BY 1, 2, 3, 4 {_SUMS_KEPT}
    """  # noqa: S608 (as above)


def of_what_is_there(span: int, start: int) -> str:
    """The statement that makes them of the rows of one hour or day, for which there are none."""
    return f"{_SUMS} {_folded(f'{usage.name} AS given', f'given.span = {span} AND given.start = {start}')}"


def _folded(given: str, where: str = "1 = 1") -> str:
    traits = " UNION ALL ".join(f"SELECT '{trait}' AS trait" for trait in ("", *TRAITS))
    names = " ".join(f"WHEN '{trait}' THEN {usage_kinds.name}.{trait}" for trait in TRAITS)
    counts = [summed(name, "given.") for name in COUNTED]
    ends = [
        f"SUM(CASE WHEN {_written(ended_as(usage_kinds, ending))} THEN given.requests ELSE 0 END)"
        for ending in ENDS.values()
    ]
    return f"""
        SELECT given.span, told.trait, given.start, CASE told.trait {names} ELSE '' END, {", ".join((*counts, *ends))}
        FROM {given} JOIN {usage_kinds.name} ON {usage_kinds.name}.id = given.kind CROSS JOIN ({traits}) AS told
        WHERE {where} GROUP BY 1, 2, 3, 4
    """  # noqa: S608 (as above)


def _written(condition: ColumnElement[bool]) -> str:
    """In words that both databases know."""
    return str(condition.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))

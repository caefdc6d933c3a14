"""Bringing the tables of an older request log up to date; the requests themselves stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, inspect, select

from homeport.domain.entries import Traits
from homeport.store.log_rows import as_sent, insert, known
from homeport.store.log_tables import LONGEST, UNKNOWN, endings, kinds, origins, requests, sums, usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from homeport.store.log_rows import Row

FIRST_VERSION, SECOND_VERSION, SUMMED = 1, 2, 4
"""The last: from it on there are sums by one trait."""
BITE = 2_000
TEXTS_1 = tuple(name for name in Traits._fields if name not in {"status", "method", "path"})

_kinds_1 = Table(
    "request_kinds",
    MetaData(),
    Column("id", BigInteger, primary_key=True),
    *(Column(name, BigInteger) for name in ("first", "last")),
    *(Column(name, String) for name in TEXTS_1),
    Column("status", Integer),
)
"""Each kind with all of its texts, as version 1 had them."""


def from_1(connection: Connection) -> None:
    """Tell origins and endings apart; a kind keeps its number."""
    last = -1
    while rows := connection.execute(
        select(_kinds_1).where(_kinds_1.c.id > last).order_by(_kinds_1.c.id).limit(BITE)
    ).all():
        _add(connection, rows)
        last = rows[-1].id
    _kinds_1.drop(connection)


def from_2(connection: Connection) -> None:
    """Give requests and sums the columns that tell guessed tokens."""
    for table in (requests, usage):
        _widen(connection, table, ("estimated",), "0")


def from_4(connection: Connection) -> None:
    """Give origins the columns that tell where a request was sent."""
    _widen(connection, origins, ("method", "path"), "''")


def from_5(connection: Connection) -> None:
    """Give sums the columns that tell the longest time."""
    for table in (usage, sums):
        _widen(connection, table, LONGEST, str(UNKNOWN))


def _widen(connection: Connection, table: Table, names: Sequence[str], usual: str) -> None:
    """Add columns that are not there yet; both databases do that without rewriting rows."""
    there = {each["name"] for each in inspect(connection).get_columns(table.name)}
    for name in (each for each in names if each not in there):
        kind = table.c[name].type.compile(connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {name} {kind} NOT NULL DEFAULT {usual}")


def _add(connection: Connection, rows: Sequence[Any]) -> None:
    found = [(row, known(Traits(**{name: getattr(row, name) for name in (*TEXTS_1, "status")}))) for row in rows]
    add(connection, kinds, [(row.id, row.first, row.last, each.origin[0], each.ending[0]) for row, each in found])
    add(connection, origins, [*{each.origin for _, each in found}])
    add(connection, endings, [*{each.ending for _, each in found}])


def add(connection: Connection, table: Table, rows: list[Row]) -> None:
    """Add rows that are not there yet."""
    dialect = connection.dialect.name
    connection.exec_driver_sql(insert(table, "DO NOTHING", dialect=dialect), as_sent(rows, dialect))

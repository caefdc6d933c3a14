"""Forgetting: by age, by number and by size, in small bites from the old end, so that nobody waits for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from homeport.store.engine import reading, writing
from homeport.store.log_rows import DAY, HOUR, first_of
from homeport.store.log_sums import TRAITS
from homeport.store.log_tables import contents, contexts, endings, kinds, origins, reports, requests, sums, usage

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

BITE = 5_000
"""Requests that are forgotten in one transaction."""
PAUSE_S = 0.05
"""Between two of them: writers come first."""
HOURS_KEPT_S = 35 * DAY
"""How long there are sums for each hour; for each day there are as long as the operator wants."""


async def oldest(engine: AsyncEngine, now: float, days: float, rows: int) -> int:
    """The number from which on requests are kept."""
    by_age = first_of(now - days * DAY)
    async with reading(engine) as connection:
        day, left = await _reaches(connection, DAY, 0, now + DAY, rows)
        if day:
            hour, _ = await _reaches(connection, HOUR, day, day + DAY, left)
            return max(by_age, first_of(hour or day))
    return by_age


async def _reaches(connection: AsyncConnection, span: int, since: float, until: float, rows: int) -> tuple[int, int]:
    """The newest span with which there are more than `rows` requests, and how many of it are not too many; or 0."""
    wanted = (sums.c.span == span, sums.c.trait == "", sums.c.start >= int(since), sums.c.start < int(until))
    each = select(sums.c.start, sums.c.requests).where(*wanted).order_by(sums.c.start.desc())
    for row in await connection.execute(each):
        if row.requests > rows:
            return row.start, rows
        rows -= row.requests
    return 0, rows


async def forget(engine: AsyncEngine, before: int) -> int:
    """Forget requests below this number; gives how many."""
    gone = 0
    while True:
        async with writing(engine) as connection:
            beyond = select(requests.c.id).order_by(requests.c.id).offset(BITE).limit(1)
            until = min(before, await connection.scalar(beyond) or before)
            count = (await connection.execute(delete(requests).where(requests.c.id < until))).rowcount
            await connection.execute(delete(contents).where(contents.c.id < until))
            await connection.execute(delete(contexts).where(contexts.c.id < until))
            await connection.execute(delete(reports).where(reports.c.id < until))
            if until == before:
                await _forget_kinds(connection, before)
                return gone + count
        gone += count
        await asyncio.sleep(PAUSE_S)


async def _forget_kinds(connection: AsyncConnection, before: int) -> None:
    """Forget kinds without requests, and what no kind refers to any longer."""
    if connection.dialect.name == "postgresql":  # a new kind must not refer to what is just being forgotten
        await connection.exec_driver_sql(f"LOCK TABLE {kinds.name} IN SHARE ROW EXCLUSIVE MODE")
    if (await connection.execute(delete(kinds).where(kinds.c.last < before))).rowcount:
        await connection.execute(delete(origins).where(origins.c.id.not_in(select(kinds.c.origin))))
        await connection.execute(delete(endings).where(endings.c.id.not_in(select(kinds.c.ending))))


async def forget_content(engine: AsyncEngine, before: float, most: int) -> None:
    """Forget what was said before this moment, and the oldest of what is more than `most` bytes.

    Names of files that a prompt showed are a part of what was said: they are gone as early.
    """
    async with writing(engine) as connection:
        await connection.execute(delete(contexts).where(contexts.c.id < first_of(before)))
        await connection.execute(delete(contents).where(contents.c.id < first_of(before)))
        size = await connection.scalar(select(func.sum(contents.c.size))) or 0
        if size <= most:
            return
        sums = func.sum(contents.c.size).over(order_by=contents.c.id.desc())
        each = select(contents.c.id, sums.label("upto")).subquery()
        last = select(func.max(each.c.id)).where(each.c.upto > most).scalar_subquery()
        await connection.execute(delete(contents).where(contents.c.id <= last))


async def forget_usage(engine: AsyncEngine, now: float, days: float) -> None:
    """Forget sums that are too old."""
    async with writing(engine) as connection:
        for span, kept_s in ((HOUR, min(HOURS_KEPT_S, days * DAY)), (DAY, days * DAY)):
            old = int(now - kept_s)
            await connection.execute(delete(usage).where(usage.c.span == span, usage.c.start < old))
            # each trait by its name, so that the key leads to them
            wanted = (sums.c.span == span, sums.c.trait.in_(("", *TRAITS)), sums.c.start < old)
            await connection.execute(delete(sums).where(*wanted))

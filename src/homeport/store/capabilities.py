"""Rows that say what each model was seen to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from homeport.domain.capabilities import Capabilities, from_json
from homeport.store import models
from homeport.store.tables import model_capabilities
from homeport.store.tables import models as model_table

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from homeport.store.writing import Writing

_ROWS = select(model_table.c.name, model_capabilities.c.measured, model_capabilities.c.seen).join(model_table)


async def load(connection: AsyncConnection) -> dict[str, tuple[datetime, Capabilities]]:
    """What was seen of each model that was measured, and when, by name."""
    return {row.name: (row.measured, from_json(row.seen)) for row in await connection.execute(_ROWS)}


async def put(writing: Writing, name: str, seen: Capabilities) -> None:
    """Keep what was seen instead of what was seen before, as far as it was seen anew; raises Unknown."""
    before = (await load(writing.connection)).get(name)
    seen = seen if before is None else seen.after(before[1])
    model_id = models.pick(await models.ids(writing.connection), name)
    await writing.connection.execute(delete(model_capabilities).where(model_capabilities.c.model_id == model_id))
    row = {"model_id": model_id, "measured": writing.at, "seen": seen.as_json()}
    await writing.connection.execute(insert(model_capabilities).values(row))
    await writing.record("model.measure", name, after=seen.as_json())

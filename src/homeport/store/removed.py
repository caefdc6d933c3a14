"""Rows of models that were removed lately: all that brings one back, its key sealed as it was."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from homeport.domain.errors import Unknown
from homeport.domain.models import FeatureSetting
from homeport.store import features, models
from homeport.store.records import Restored
from homeport.store.tables import model_capabilities, model_keys, removed_models
from homeport.store.tables import models as model_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from homeport.store.writing import Writing

KEPT = timedelta(hours=1)
"""How long a removal can be undone."""
_SEALED = ("origin", "key_id", "ciphertext")


async def remove(
    writing: Writing, name: str, *, force: bool = False, before: Mapping[str, FeatureSetting] | None = None
) -> None:
    """Remove a model, and keep for `KEPT` what brings it back; raises Unknown, or InUse unless `force`.

    `before`: the settings of features as they were, where others were changed in the same step.
    """
    row = await models.find(writing.connection, name)
    measured = (
        await writing.connection.execute(select(model_capabilities).where(model_capabilities.c.model_id == row.id))
    ).first()
    was = await features.load(writing.connection) if before is None else before
    await models.remove(writing, name, force=force)
    await forget(writing.connection, writing.at)
    served = await _served(writing.connection, was, name)
    fields = {column.name: getattr(row, column.name) for column in model_table.c if column.name != "id"}
    kept = {"id": row.id, "name": name, "removed": writing.at, "fields": fields, "features": served}
    seen = {"measured": measured and measured.measured, "seen": measured.seen if measured else {}}
    sealed = {"origin": row.origin or "", "key_id": row.key_id, "ciphertext": row.ciphertext}
    await writing.connection.execute(insert(removed_models).values(**kept, **seen, **sealed))


async def _served(connection: AsyncConnection, was: Mapping[str, FeatureSetting], name: str) -> list[list[Any]]:
    """The setting of each feature that the model served, and what has become of it."""
    now = await features.load(connection)
    return [[asdict(was[each]), asdict(now[each])] for each in was if name in was[each].models and each in now]


async def forget(connection: AsyncConnection, now: datetime) -> None:
    """Forget for good what was kept long enough."""
    await connection.execute(delete(removed_models).where(removed_models.c.removed <= now - KEPT))


async def stale(connection: AsyncConnection, now: datetime) -> bool:
    """Whether there is something to forget."""
    asked = select(removed_models.c.id).where(removed_models.c.removed <= now - KEPT).limit(1)
    return (await connection.execute(asked)).first() is not None


async def names(connection: AsyncConnection, now: datetime) -> dict[str, datetime]:
    """The models that can be brought back, the latest first, and when each was removed."""
    gone = removed_models.c
    asked = select(gone.name, gone.removed).where(gone.removed > now - KEPT).order_by(gone.removed.desc())
    found: dict[str, datetime] = {}
    for row in await connection.execute(asked):
        found.setdefault(row.name, row.removed)
    return found


async def restore(writing: Writing, name: str) -> Restored:
    """Bring a model back, with its key, what was seen of it, and the features that it served.

    A feature whose setting was changed since keeps it; the notes say which. Raises Unknown for one that was
    not removed lately, BadRequest when another model has its name now.
    """
    row = await _find(writing, name)
    await models.refuse_taken(writing.connection, name)
    await writing.connection.execute(insert(model_table).values(id=row.id, **row.fields))
    if row.ciphertext is not None:
        key = {each: getattr(row, each) for each in _SEALED}
        await writing.connection.execute(insert(model_keys).values(model_id=row.id, **key))
    if row.measured is not None:
        seen = {"model_id": row.id, "measured": row.measured, "seen": row.seen}
        await writing.connection.execute(insert(model_capabilities).values(seen))
    await writing.connection.execute(delete(removed_models).where(removed_models.c.id == row.id))
    built, problems = models.build([await models.find(writing.connection, name)], writing.vault)
    await writing.record("model.restore", name, after=models.shown(built[name]))
    kept = await features.give_back(writing, ((_setting(old), _setting(left)) for old, left in row.features))
    return Restored(model=built[name], kept=tuple(kept), notes=(*problems, *kept.values()))


async def _find(writing: Writing, name: str) -> Row[Any]:
    known = await names(writing.connection, writing.at)
    if name not in known:
        saw = f"No model named {name[:100]!r} was removed within the last hour."
        raise Unknown(
            saw, f"These can be brought back: {', '.join(known)}." if known else "Add it anew.", param="model"
        )
    same = (removed_models.c.name == name, removed_models.c.removed == known[name])
    return (await writing.connection.execute(select(removed_models).where(*same))).one()


def _setting(kept: Mapping[str, Any]) -> FeatureSetting:
    made = FeatureSetting(**kept)
    return replace(made, fallbacks=tuple(made.fallbacks))

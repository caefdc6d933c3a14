"""A plan carried out: the same writing functions, and the same records, as for single changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport.store import features, models, removed, settings
from homeport.store.plan import FeatureChange, ModelChange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homeport.domain.models import FeatureSetting
    from homeport.store.plan import Change
    from homeport.store.writing import Writing


async def carry_out(writing: Writing, changes: Sequence[Change]) -> None:
    """Make every change, in this order; raises BadRequest, Unknown or InUse at the first that cannot be."""
    was = await features.load(writing.connection)
    for change in changes:
        if isinstance(change, ModelChange):
            await _model(writing, change, was)
        elif isinstance(change, FeatureChange):
            await features.put(writing, change.setting)
        else:
            await settings.put(writing, change.name, change.after)


async def _model(writing: Writing, change: ModelChange, was: Mapping[str, FeatureSetting]) -> None:
    if change.after is None:
        await removed.remove(writing, change.name, before=was)
    elif change.before is None:
        await models.add(writing, change.after)
    else:
        await models.edit(writing, change.name, change.edits)

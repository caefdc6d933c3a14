"""Rows that say which model serves a feature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from homeport.domain.errors import BadRequest
from homeport.domain.models import FeatureSetting
from homeport.store import checks, models
from homeport.store.tables import feature_fallbacks, feature_settings
from homeport.store.tables import models as model_table

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from homeport.store.writing import Writing

_ASSIGNMENTS = ("unassigned", "disabled", "model", "inherit")
_SETTINGS = select(feature_settings.c.feature, feature_settings.c.assignment, model_table.c.name).outerjoin(model_table)
_FALLBACKS = select(feature_fallbacks.c.feature, model_table.c.name).join(model_table)


async def load(connection: AsyncConnection) -> dict[str, FeatureSetting]:
    """Every feature that has a setting."""
    fallbacks: dict[str, list[str]] = {}
    in_order = _FALLBACKS.order_by(feature_fallbacks.c.feature, feature_fallbacks.c.position)
    for row in await connection.execute(in_order):
        fallbacks.setdefault(row.feature, []).append(row.name)
    found = await connection.execute(_SETTINGS.order_by(feature_settings.c.feature))
    return {
        row.feature: FeatureSetting(
            feature=row.feature,
            assignment=row.assignment,
            model=row.name or "",
            fallbacks=tuple(fallbacks.get(row.feature, ())),
        )
        for row in found
    }


async def put(writing: Writing, setting: FeatureSetting) -> None:
    """Replace a feature's setting; raises BadRequest, or Unknown for a model that is not registered."""
    _check(setting)
    known = await models.ids(writing.connection)
    model_id = models.pick(known, setting.model) if setting.assignment == "model" else None
    fallback_ids = [models.pick(known, name) for name in setting.fallbacks]
    before = (await load(writing.connection)).get(setting.feature)
    await _clear(writing.connection, setting.feature)
    row = {"feature": setting.feature, "assignment": setting.assignment, "model_id": model_id}
    await writing.connection.execute(insert(feature_settings).values(row))
    for position, fallback_id in enumerate(fallback_ids):
        fallback = {"feature": setting.feature, "position": position, "model_id": fallback_id}
        await writing.connection.execute(insert(feature_fallbacks).values(fallback))
    await writing.record("feature.set", setting.feature, before=_shown(before), after=_shown(setting))


def _check(setting: FeatureSetting) -> None:
    checks.keyword(setting.feature, "feature")
    if setting.assignment not in _ASSIGNMENTS:
        saw = f"A feature cannot be {setting.assignment!r}."
        raise BadRequest(saw, f"Give a model, or one of: {', '.join(_ASSIGNMENTS)}.", param="assignment")
    if (setting.assignment == "model") != bool(setting.model):
        saw = f"The setting of {setting.feature} names {setting.model or 'no model'} but is {setting.assignment!r}."
        raise BadRequest(saw, "Name a model exactly when a model shall serve it.", param="model")
    routes = (setting.model, *setting.fallbacks)
    if len(set(routes)) < len(routes) or (setting.fallbacks and not setting.model):
        saw = f"The fallbacks of {setting.feature} name a model twice, or nothing that they could stand in for."
        raise BadRequest(saw, "Name a model and then other ones to try after it.", param="fallbacks")


async def _clear(connection: AsyncConnection, feature: str) -> None:
    await connection.execute(delete(feature_fallbacks).where(feature_fallbacks.c.feature == feature))
    await connection.execute(delete(feature_settings).where(feature_settings.c.feature == feature))


def _shown(setting: FeatureSetting | None) -> dict[str, Any] | None:
    if setting is None:
        return None
    return {"assignment": setting.assignment, "model": setting.model, "fallbacks": list(setting.fallbacks)}

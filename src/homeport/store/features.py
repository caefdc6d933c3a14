"""Rows that say which model serves a feature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from homeport.domain.errors import BadRequest
from homeport.domain.models import FeatureSetting
from homeport.store import checks, models
from homeport.store.tables import feature_fallbacks, feature_settings, feature_shares
from homeport.store.tables import models as model_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from homeport.store.writing import Writing

SET = "feature.set"
"""What the audit calls a change of a setting."""
_ASSIGNMENTS = ("unassigned", "disabled", "model", "inherit")
_MOST_WEIGHT = 1000
_SETTINGS = select(
    feature_settings.c.feature, feature_settings.c.assignment, feature_settings.c.sticky, model_table.c.name
).outerjoin(model_table)
_SHARES = select(feature_shares.c.feature, feature_shares.c.weight, feature_shares.c.shadow, model_table.c.name).join(
    model_table
)
_FALLBACKS = select(feature_fallbacks.c.feature, model_table.c.name).join(model_table)


async def load(connection: AsyncConnection) -> dict[str, FeatureSetting]:
    """Every feature that has a setting."""
    fallbacks: dict[str, list[str]] = {}
    in_order = _FALLBACKS.order_by(feature_fallbacks.c.feature, feature_fallbacks.c.position)
    for row in await connection.execute(in_order):
        fallbacks.setdefault(row.feature, []).append(row.name)
    weights: dict[str, dict[str, int]] = {}
    shadows: dict[str, str] = {}
    for share in await connection.execute(_SHARES.order_by(feature_shares.c.feature, model_table.c.name)):
        if share.shadow:
            shadows[share.feature] = share.name
        else:
            weights.setdefault(share.feature, {})[share.name] = share.weight
    found = await connection.execute(_SETTINGS.order_by(feature_settings.c.feature))
    return {
        row.feature: FeatureSetting(
            feature=row.feature,
            assignment=row.assignment,
            model=row.name or "",
            fallbacks=tuple(fallbacks.get(row.feature, ())),
            weights=weights.get(row.feature, {}),
            sticky=row.sticky,
            shadow=shadows.get(row.feature, ""),
        )
        for row in found
    }


async def put(writing: Writing, setting: FeatureSetting) -> None:
    """Replace a feature's setting; raises BadRequest, or Unknown for a model that is not registered."""
    _check(setting)
    known = await models.ids(writing.connection)
    model_id = models.pick(known, setting.model) if setting.assignment == "model" else None
    fallback_ids = [models.pick(known, name) for name in setting.fallbacks]
    shares = [
        {"feature": setting.feature, "model_id": models.pick(known, name), "weight": weight, "shadow": weight == 0}
        for name, weight in (*setting.weights.items(), *((setting.shadow, 0),) * bool(setting.shadow))
    ]
    before = (await load(writing.connection)).get(setting.feature)
    await _clear(writing.connection, setting.feature)
    row: dict[str, Any] = {"feature": setting.feature, "assignment": setting.assignment, "model_id": model_id}
    row["sticky"] = setting.sticky
    await writing.connection.execute(insert(feature_settings).values(row))
    for position, fallback_id in enumerate(fallback_ids):
        fallback = {"feature": setting.feature, "position": position, "model_id": fallback_id}
        await writing.connection.execute(insert(feature_fallbacks).values(fallback))
    if shares:
        await writing.connection.execute(insert(feature_shares), shares)
    await writing.record(SET, setting.feature, before=_shown(before), after=_shown(setting))


async def give_back(writing: Writing, pairs: Iterable[tuple[FeatureSetting, FeatureSetting]]) -> dict[str, str]:
    """Replace settings by what they were before; pairs are of what was and what became of it.

    A feature that was set otherwise since, or needs a model that is gone, stays; gives a sentence for each.
    """
    notes: dict[str, str] = {}
    now, known = await load(writing.connection), await models.ids(writing.connection)
    for before, after in pairs:
        lost = sorted(set(before.models) - known.keys())
        if lost:
            notes[before.feature] = f"{before.feature} stays as it is: it needs {', '.join(lost)}, which is gone."
        elif now.get(before.feature) != after:
            notes[before.feature] = otherwise(before.feature)
        else:
            await put(writing, before)
    return notes


def otherwise(feature: str) -> str:
    """Why a feature does not get an earlier setting back."""
    return f"{feature} stays as it is: it was set otherwise since."


def _check(setting: FeatureSetting) -> None:
    checks.keyword(setting.feature, "feature")
    if setting.assignment not in _ASSIGNMENTS:
        saw = f"A feature cannot be {setting.assignment!r}."
        raise BadRequest(saw, f"Give a model, or one of: {', '.join(_ASSIGNMENTS)}.", param="assignment")
    if (setting.assignment == "model") != bool(setting.model):
        saw = f"The setting of {setting.feature} names {setting.model or 'no model'} but is {setting.assignment!r}."
        raise BadRequest(saw, "Name a model exactly when a model shall serve it.", param="model")
    _check_others(setting)


def _check_others(setting: FeatureSetting) -> None:
    """Models beside the first: each once, and only where there is a first."""
    named = setting.models
    others = (*setting.fallbacks, *setting.weights, setting.shadow)
    if len(set(named)) < len(named) or (any(others) and not setting.model):
        saw = f"The setting of {setting.feature} names a model twice, or others without a first one."
        raise BadRequest(saw, "Name a model, and then other ones that help it, follow it or shadow it.", param="model")
    for name, weight in setting.weights.items():
        if not 1 <= weight <= _MOST_WEIGHT:
            saw = f"The model {name!r} cannot have the weight {weight}."
            raise BadRequest(saw, f"Give a whole number from 1 to {_MOST_WEIGHT}.", param="weights")


async def _clear(connection: AsyncConnection, feature: str) -> None:
    await connection.execute(delete(feature_fallbacks).where(feature_fallbacks.c.feature == feature))
    await connection.execute(delete(feature_shares).where(feature_shares.c.feature == feature))
    await connection.execute(delete(feature_settings).where(feature_settings.c.feature == feature))


def _shown(setting: FeatureSetting | None) -> dict[str, Any] | None:
    if setting is None:
        return None
    shown: dict[str, Any] = {
        "assignment": setting.assignment,
        "model": setting.model,
        "fallbacks": list(setting.fallbacks),
    }
    more = {"weights": dict(setting.weights), "sticky": setting.sticky, "shadow": setting.shadow}
    return shown | {name: value for name, value in more.items() if value}

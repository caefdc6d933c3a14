"""Changes of what serves features, from the audit, and the way back while nothing was set otherwise since."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from homeport.domain.errors import Outdated, Unknown
from homeport.domain.models import FeatureSetting
from homeport.store import features, models
from homeport.store.records import FeaturesChanged, Undone
from homeport.store.tables import audit_events

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from homeport.store.writing import Writing

KEPT = timedelta(hours=1)
"""How long a change can be undone."""
MOST = 2_000
"""Events of the audit that are looked through."""


async def lately(connection: AsyncConnection, now: datetime) -> list[FeaturesChanged]:
    """The changes that can be undone, the latest first.

    One of their features at least is as they left it, and the models that it had before are still there.
    """
    current, there = await features.load(connection), (await models.ids(connection)).keys()
    known = _with_later(await _changes(connection, now))
    return [each for each, later in known if _may_go_back(each, later, current, there)]


def _may_go_back(
    change: FeaturesChanged, later: AbstractSet[str], current: Mapping[str, FeatureSetting], there: AbstractSet[str]
) -> bool:
    return any(
        after.feature not in later and current.get(after.feature) == after and there >= set(before.models)
        for before, after in change.settings
    )


def _with_later(changes: Iterable[FeaturesChanged]) -> Iterator[tuple[FeaturesChanged, frozenset[str]]]:
    """Each change, and the features that later ones changed."""
    later: frozenset[str] = frozenset()
    for each in changes:
        yield each, later
        later |= {after.feature for _, after in each.settings}


async def _changes(connection: AsyncConnection, now: datetime) -> list[FeaturesChanged]:
    """Every change since then; what one transaction did has one moment.

    The first id keeps the database from going through the changes of years by their kind.
    """
    events = audit_events.c
    first = select(events.id).where(events.at > now - KEPT).order_by(events.at, events.id).limit(1).scalar_subquery()
    asked = select(audit_events).where(events.what == features.SET, events.id >= first, events.at > now - KEPT)
    found: dict[tuple[datetime, str], list[Row[Any]]] = {}
    for row in await connection.execute(asked.order_by(events.id.desc()).limit(MOST)):
        found.setdefault((row.at, row.who), []).insert(0, row)
    return [each for each in map(_change, found.values()) if each.settings]


def _change(rows: Sequence[Row[Any]]) -> FeaturesChanged:
    """What was set to what it was already is none of it, nor what another version wrote and we do not understand."""
    pairs = ((_setting(row.subject, row.before), _setting(row.subject, row.after)) for row in rows)
    changed = tuple((before, after) for before, after in pairs if before and after and before != after)
    return FeaturesChanged(id=rows[0].id, at=rows[0].at, by=rows[0].who, settings=changed)


def _setting(feature: str, shown: Mapping[str, Any] | None) -> FeatureSetting | None:
    said = {**(shown or {})}
    try:
        return FeatureSetting(feature=feature, **{**said, "fallbacks": tuple(said.get("fallbacks", ()))})
    except TypeError:
        return None


async def undo(writing: Writing, id_: int) -> Undone:
    """Give features the settings that a change replaced; those that were set otherwise since stay, and notes say so.

    Raises Unknown for no change of the last hour, Outdated when nothing of it can be undone.
    """
    known = _with_later(await _changes(writing.connection, writing.at))
    change, later = next(((each, later) for each, later in known if each.id == id_), (None, frozenset[str]()))
    if change is None:
        saw = f"What serves features was not changed within the last hour by a change {id_}."
        raise Unknown(saw, "The audit says what was before: set it as it was.", param="change")
    kept = {name: features.otherwise(name) for name in (after.feature for _, after in change.settings) if name in later}
    kept |= await features.give_back(writing, [each for each in change.settings if each[0].feature not in later])
    if len(kept) == len(change.settings):
        raise Outdated(" ".join(kept.values()), "Nothing was changed. Set it as you want it.")
    back = tuple(before for before, _ in change.settings if before.feature not in kept)
    return Undone(settings=back, kept=tuple(kept), notes=tuple(kept.values()))

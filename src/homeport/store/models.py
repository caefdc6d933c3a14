"""Rows of models and of their keys. A key is sealed for one model at one origin and opens nowhere else."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import delete, func, insert, select, update

from homeport.domain.errors import BadRequest, InUse, Unknown
from homeport.domain.models import Limits, Model, Secret, origin_of
from homeport.kit.extra_headers import holds_references
from homeport.kit.network import OPTIONS
from homeport.kit.vault import VaultError
from homeport.store import checks, secrets
from homeport.store.records import Edited
from homeport.store.tables import (
    feature_fallbacks,
    feature_settings,
    feature_shares,
    model_capabilities,
    model_keys,
    models,
    removed_models,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from homeport.kit.vault import Vault
    from homeport.store.writing import Writing

PURPOSE = "db-secrets"
_LIMITS = frozenset(each.name for each in fields(Limits))
_FIELDS = tuple(each.name for each in fields(Model) if each.name not in {"registered", "trouble"})
_NO_BRACKETS = str.maketrans("", "", "[]")
_ROWS = select(models, model_keys.c.origin, model_keys.c.key_id, model_keys.c.ciphertext).outerjoin(model_keys)


async def rows(connection: AsyncConnection) -> Sequence[Row[Any]]:
    """Every model with its sealed key, by name."""
    return (await connection.execute(_ROWS.order_by(models.c.name))).all()


def build(found: Iterable[Row[Any]], vault: Vault) -> tuple[dict[str, Model], tuple[str, ...]]:
    """The models by name, and a sentence for each key that cannot be read: its model goes without one."""
    made, problems = {}, []
    for row in found:
        try:
            key = _open_key(row, vault)
        except VaultError as error:
            key = Secret()
            problems.append(f"The key of the model {row.name!r} cannot be read. {error.saw} {error.fix}")
        made[row.name] = _model(row, key)
    return made, tuple(problems)


def _model(row: Row[Any], key: Secret) -> Model:
    """Limits that this program does not know, from a newer one, are passed over."""
    known = {name: value for name, value in row.limits.items() if name in _LIMITS}
    return Model(
        name=row.name,
        platform=row.platform,
        family=row.family,
        endpoint=row.endpoint,
        identifier=row.identifier,
        key=key,
        enabled=row.enabled,
        limits=Limits(**known),
        options=row.options,
        clean=row.clean,
    )


def _open_key(row: Row[Any], vault: Vault) -> Secret:
    """The key, if it was sealed for where the model's endpoint points now, whatever the row says of its origin."""
    if row.ciphertext is None:
        return Secret()
    return Secret(vault.open(PURPOSE, _context(row.id, origin_of(row.endpoint)), row.ciphertext))


def _context(model_id: str, origin: str) -> str:
    return f"model_keys|ciphertext|{model_id}|{_bound(origin)}"


def _bound(origin: str) -> str:
    """An origin as keys are sealed for it: there an IPv6 address has no brackets, whatever people are shown."""
    return origin.translate(_NO_BRACKETS)


async def ids(connection: AsyncConnection) -> dict[str, str]:
    """Every model's id by its name."""
    found = await connection.execute(select(models.c.name, models.c.id).order_by(models.c.name))
    return {row.name: row.id for row in found}


def pick(known: Mapping[str, str], name: str) -> str:
    """The id of a model by name; raises Unknown with the names there are."""
    if name in known:
        return known[name]
    saw = f"There is no model named {name!r}."
    raise Unknown(saw, f"Known: {', '.join(known)}." if known else "Add one with: homeport models add", param="model")


async def find(connection: AsyncConnection, name: str) -> Row[Any]:
    """The row of one model; raises Unknown."""
    row = (await connection.execute(_ROWS.where(models.c.name == name))).first()
    if row is None:
        pick(await ids(connection), name)
        raise AssertionError(name)
    return row


async def add(writing: Writing, given: Model) -> Model:
    """Store a new model; raises BadRequest for a field that cannot be stored or a name that is taken."""
    model = checks.model(given)
    await refuse_taken(writing.connection, model.name)
    model_id = uuid4().hex
    await writing.connection.execute(insert(models).values(id=model_id, **_columns(model)))
    await _store_key(writing, model_id, model)
    await writing.record("model.add", model.name, after=shown(model))
    return model


async def edit(writing: Writing, name: str, changes: Mapping[str, Any]) -> Edited:
    """Change some fields; a stored key stays only while the endpoint's origin does."""
    row = await find(writing.connection, name)
    before = _model(row, Secret("stored") if row.ciphertext else Secret())
    after = checks.model(_changed(before, changes))
    if after.name != name:
        await refuse_taken(writing.connection, after.name)
    notes: tuple[str, ...] = ()
    if "key" in changes:
        await _store_key(writing, row.id, after)
    elif row.ciphertext and _bound(after.origin) != _bound(row.origin):
        after, notes = await _drop_key(writing, row, after)
    if before.origin != after.origin and "headers" not in changes.get("options", {}):
        after, notes = _without_headers(after, notes)
    await writing.connection.execute(update(models).where(models.c.id == row.id).values(_columns(after)))
    if _served(before) != _served(after):
        # what was measured was measured of another one
        await writing.connection.execute(delete(model_capabilities).where(model_capabilities.c.model_id == row.id))
    await _record_edit(writing, before, after, rekeyed="key" in changes)
    return Edited(model=await _as_stored(writing, after), notes=notes)


def _served(model: Model) -> tuple[str, str, str]:
    """Which model of which server it is."""
    return model.platform, model.endpoint, model.identifier or model.name


def _changed(model: Model, changes: Mapping[str, Any]) -> Model:
    unknown = sorted(changes.keys() - set(_FIELDS))
    if unknown:
        saw = f"A model has no field {', '.join(map(repr, unknown))}."
        raise BadRequest(saw, f"Known: {', '.join(_FIELDS)}.", param=unknown[0])
    values = dict(changes)
    if "limits" in values and not isinstance(values["limits"], Limits):
        values["limits"] = checks.limits(values["limits"], model.limits)
    if "options" in values:
        values["options"] = checks.options(values["options"], _kept(model, values))
    elif values.get("platform", model.platform) != model.platform:
        values["options"] = _kept(model, values)
    if "key" in values and not isinstance(values["key"], Secret):
        values["key"] = Secret(values["key"] or "")
    return replace(model, **values)


def _kept(model: Model, changes: Mapping[str, Any]) -> Mapping[str, str]:
    """What was said to one platform means nothing to another, but for the way there."""
    if changes.get("platform", model.platform) == model.platform:
        return model.options
    return {name: value for name, value in model.options.items() if name in OPTIONS}


async def _as_stored(writing: Writing, model: Model) -> Model:
    """The model with its real key, which `edit` never had in its hands unless it was changed."""
    if not model.key:
        return model
    built, _ = build([await find(writing.connection, model.name)], writing.vault)
    return built[model.name]


async def _drop_key(writing: Writing, row: Row[Any], model: Model) -> tuple[Model, tuple[str, ...]]:
    await writing.connection.execute(delete(model_keys).where(model_keys.c.model_id == row.id))
    note = (
        f"The stored key was removed: it was for {row.origin or 'no address'} "
        f"and goes nowhere else. If {model.origin or 'the new platform'} needs a key, set it."
    )
    return replace(model, key=Secret()), (note,)


def _without_headers(model: Model, notes: tuple[str, ...]) -> tuple[Model, tuple[str, ...]]:
    """Headers that hold secrets were meant for one server, as its key was."""
    if not holds_references(model.options.get("headers", "")):
        return model, notes
    kept = {name: value for name, value in model.options.items() if name != "headers"}
    whom = model.origin or "the new platform"
    note = f"The option headers was removed: its secrets were not for {whom}. If they are, set it again."
    return replace(model, options=kept), (*notes, note)


async def _store_key(writing: Writing, model_id: str, model: Model) -> None:
    """Replace the stored key; an empty one removes it."""
    await writing.connection.execute(delete(model_keys).where(model_keys.c.model_id == model_id))
    if model.key:
        sealed = writing.vault.seal(PURPOSE, _context(model_id, model.origin), model.key.reveal())
        row = {"model_id": model_id, "origin": model.origin, "key_id": _key_id(sealed), "ciphertext": sealed}
        await writing.connection.execute(insert(model_keys).values(row))


def _key_id(sealed: str) -> str:
    """The root key that sealed it, repeated in a column so that a rotation can find what is left to do."""
    return sealed.split(".")[1]


async def refuse_taken(connection: AsyncConnection, name: str) -> None:
    """Raise BadRequest when a model is called so."""
    if name in await ids(connection):
        saw = f"There is already a model named {name!r}."
        raise BadRequest(saw, "Choose another name, or edit that one.", param="name")


async def _record_edit(writing: Writing, before: Model, after: Model, *, rekeyed: bool) -> None:
    """Only what changed; a key that was replaced by another counts although both show the same."""
    old, new = shown(before), shown(after)
    changed = [field for field in old if old[field] != new[field] or (rekeyed and field == "key")]
    if "limits" in changed:
        old["limits"], new["limits"] = _apart(old["limits"], new["limits"]), _apart(new["limits"], old["limits"])
    await writing.record(
        "model.edit", before.name, before={f: old[f] for f in changed}, after={f: new[f] for f in changed}
    )


def _apart(these: Mapping[str, Any], those: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in these.items() if value != those[name]}


def _columns(model: Model) -> dict[str, Any]:
    values = {column.name: getattr(model, column.name) for column in models.c if column.name not in {"id", "limits"}}
    return {**values, "limits": asdict(model.limits), "options": dict(model.options)}


def shown(model: Model) -> dict[str, Any]:
    """A model as the audit shows it: whether there is a key, not which."""
    return {**_columns(model), "key": "(set)" if model.key else "(none)"}


async def remove(writing: Writing, name: str, *, force: bool) -> None:
    """Delete a model and its key; raises InUse while features use it, unless they shall lose it."""
    row = await find(writing.connection, name)
    users = await _users(writing.connection, row.id)
    if users and not force:
        saw = f"The model {name!r} serves {', '.join(users)}."
        raise InUse(saw, "Assign another model to them first, or remove it by force: they lose it then.", param="name")
    await _release(writing, row.id)
    await writing.connection.execute(delete(models).where(models.c.id == row.id))
    before = shown(_model(row, Secret("stored") if row.ciphertext else Secret()))
    await writing.record("model.remove", name, before={**before, "served": users} if users else before)


async def _users(connection: AsyncConnection, model_id: str) -> list[str]:
    """Features that a model serves: at first, with others, as a fallback or as a shadow."""
    first = select(feature_settings.c.feature).where(feature_settings.c.model_id == model_id)
    later = select(feature_fallbacks.c.feature).where(feature_fallbacks.c.model_id == model_id)
    shared = select(feature_shares.c.feature).where(feature_shares.c.model_id == model_id)
    return sorted(await connection.scalars(first.union(later, shared)))


async def _release(writing: Writing, model_id: str) -> None:
    """Take the model out of every feature's setting."""
    served = feature_settings.c.model_id == model_id
    await writing.connection.execute(delete(feature_fallbacks).where(feature_fallbacks.c.model_id == model_id))
    await writing.connection.execute(delete(feature_shares).where(feature_shares.c.model_id == model_id))
    await writing.connection.execute(
        update(feature_settings).where(served).values(assignment="unassigned", model_id=None)
    )


async def sealed(connection: AsyncConnection) -> dict[str, int]:
    """How many keys are sealed with each root key, by its id."""
    found = Counter(await secrets.sealed(connection))
    for table in (model_keys, removed_models):
        sealing = table.c.key_id
        counted = select(sealing, func.count().label("sealed")).where(sealing.is_not(None)).group_by(sealing)
        found += Counter({row.key_id: row.sealed for row in await connection.execute(counted)})
    return dict(found)


async def reseal(writing: Writing) -> int:
    """Seal every key that an older root key sealed with the newest; returns how many. An unreadable one stays."""
    current = writing.vault.sealing_id
    stale = (await writing.connection.execute(_ROWS.where(model_keys.c.key_id != current))).all()
    readable, _ = build(stale, writing.vault)
    again = [row for row in stale if readable[row.name].key]
    for row in again:
        await _store_key(writing, row.id, readable[row.name])
    await _reseal_removed(writing)
    others = await secrets.reseal(writing)
    named = {"models": [row.name for row in again]} | ({"secrets": others} if others else {})
    await writing.record("keys.rotate", current, after=named)
    return len(again) + len(others)


async def _reseal_removed(writing: Writing) -> None:
    """The same for models that can be brought back."""
    gone = removed_models.c
    stale = select(gone.id, gone.origin, gone.ciphertext).where(gone.key_id != writing.vault.sealing_id)
    for row in (await writing.connection.execute(stale)).all():
        context = _context(row.id, row.origin)
        try:
            key = writing.vault.open(PURPOSE, context, row.ciphertext)
        except VaultError:
            continue
        made = writing.vault.seal(PURPOSE, context, key)
        again = update(removed_models).where(gone.id == row.id).values(key_id=_key_id(made), ciphertext=made)
        await writing.connection.execute(again)

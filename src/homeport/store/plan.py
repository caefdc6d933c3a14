"""What to change so that a database holds what a configuration file says. Pure: no file, no database."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from homeport.domain.errors import BadRequest
from homeport.domain.models import FeatureSetting, Limits, Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from homeport.domain.models import Snapshot

Kind = Literal["model", "feature", "setting"]
Action = Literal["add", "change", "remove"]
SAID = ("platform", "family", "endpoint", "identifier", "enabled", "clean", "options", "limits")
"""The fields of a model that a file says; any other stays as it is."""
A_KEY, OTHER_KEY, NO_KEY = "(set)", "(another)", "(none)"
"""How a key is shown."""


class Key(NamedTuple):
    """What a file says of a model's key."""

    how: Literal["", "stored", "none", "given", "unknown"] = ""
    """Nothing (it stays), that it stays, that there is none, what it is, or a place where it is not."""
    why: str = ""
    """Why it is not known, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A model as a file wants it, with its key if that is given."""

    model: Model
    key: Key = field(default_factory=Key)


def _anywhere(error: BadRequest, _kind: Kind, _name: str) -> Exception:
    return error


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What a file says: everything about what it names, nothing about the rest."""

    models: Mapping[str, Wanted] = field(default_factory=dict)
    features: Mapping[str, FeatureSetting] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    kinds: frozenset[Kind] = frozenset({"model", "feature", "setting"})
    """Those that it speaks of at all: pruning leaves the others alone."""
    at: Callable[[BadRequest, Kind, str], Exception] = _anywhere
    """What to raise in place of an error about one of its entries: it knows the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """One step from what is to what shall be."""

    name: str
    before: Any = None
    after: Any = None

    @property
    def action(self) -> Action:
        """What it does with the thing as a whole."""
        return "add" if self.before is None else "remove" if self.after is None else "change"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChange(_Change):
    """A model comes, goes, or becomes another one."""

    before: Model | None = None
    after: Model | None = None
    """Its key is the one to store, if it is given."""
    key: tuple[str, str] = (NO_KEY, NO_KEY)
    """How the key looks before and after: never which."""
    rekeyed: bool = False
    """Whether the key of `after` is to be stored."""
    kind: Literal["model"] = "model"

    @property
    def edits(self) -> dict[str, Any]:
        """The fields that differ, as the store takes them; an option that goes is empty."""
        if self.before is None or self.after is None:
            return {}
        changed = _differing(self.before, self.after)
        if changed.keys() & {"options", "platform", "endpoint"}:  # the store forgets what was said to another one
            changed["options"] = {**dict.fromkeys(self.before.options, ""), **self.after.options}
        return changed | ({"key": self.after.key} if self.rekeyed else {})

    def shown(self) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Before and after, for people and programs: of a change only what differs, secrets masked."""
        old = None if self.before is None else {**_facts(self.before), "key": self.key[0]}
        new = None if self.after is None else {**_facts(self.after), "key": self.key[1]}
        if old is None or new is None:
            return _told(old), _told(new)
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        return {name: old.get(name) for name in names}, {name: new.get(name) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureChange(_Change):
    """Something else serves a feature."""

    before: FeatureSetting | None = None
    after: FeatureSetting | None = None
    kind: Literal["feature"] = "feature"

    @property
    def setting(self) -> FeatureSetting:
        """What to store."""
        return self.after or FeatureSetting(feature=self.name)

    def shown(self) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Before and after, for people and programs."""
        return _route(self.before), _route(self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange(_Change):
    """A setting comes, goes, or has another value."""

    before: str | None = None
    after: str | None = None
    kind: Literal["setting"] = "setting"

    def shown(self) -> tuple[str | None, str | None]:
        """Before and after, for people and programs."""
        return self.before, self.after


Change = ModelChange | FeatureChange | SettingChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All changes, in an order in which each is possible, and what else to tell."""

    revision: int = 0
    """The state that it begins with."""
    changes: tuple[Change, ...] = ()
    left: tuple[tuple[Kind, str], ...] = ()
    """What is there although the file does not name it."""
    warnings: tuple[str, ...] = ()

    @property
    def losses(self) -> tuple[str, ...]:
        """What would be gone for good, for the question whether it may."""
        words = {"model": "the model", "feature": "what serves", "setting": "the setting"}
        gone = [f"{words[each.kind]} {each.name}" for each in self.changes if each.action == "remove"]
        keys = [each for each in self.changes if isinstance(each, ModelChange) and each.action == "change"]
        return (*gone, *(f"the key of {each.name}" for each in keys if each.key == (A_KEY, NO_KEY)))


def plan(current: Snapshot, desired: Desired, *, prune: bool = False) -> Plan:
    """What takes `current` to `desired`; with `prune`, without what is not named.

    Raises what `desired.at` makes of an error about an entry, or BadRequest.
    """
    pruned = desired.kinds if prune else frozenset()
    there: list[tuple[Kind, Iterable[str], Iterable[str]]] = [
        ("model", current.models, desired.models),
        ("feature", assigned(current), desired.features),
        ("setting", current.settings, desired.settings),
    ]
    unnamed = [(kind, name) for kind, names, named in there for name in sorted(set(names) - set(named))]
    gone = {each for each in unnamed if each[0] in pruned}
    models = [change for name in sorted(desired.models) if (change := _model(current, desired, name))]
    _refuse_missing(current, desired, {name for kind, name in gone if kind == "model"})
    _refuse_used(current, desired, gone)
    return Plan(
        revision=current.revision,
        changes=(*sorted(models, key=lambda each: each.action), *_others(current, desired, gone)),
        left=tuple(each for each in unnamed if each not in gone),
        warnings=tuple(_warnings(current, desired, models)),
    )


def assigned(current: Snapshot) -> dict[str, FeatureSetting]:
    """The features about which something is said: not those that nothing serves."""
    return {name: setting for name, setting in current.features.items() if setting.assignment != "unassigned"}


def _others(current: Snapshot, desired: Desired, gone: set[tuple[Kind, str]]) -> Iterator[Change]:
    """Features once their models are there, then models that nothing needs any more, then settings."""
    yield from _features(current, desired, gone)
    for name in sorted(name for kind, name in gone if kind == "model"):
        before = current.models[name]
        yield ModelChange(name=name, before=before, key=(_key(before), NO_KEY))
    for name in sorted({*desired.settings, *(name for kind, name in gone if kind == "setting")}):
        old, new = current.settings.get(name), desired.settings.get(name)
        if old != new:
            yield SettingChange(name=name, before=old, after=new)


def _features(current: Snapshot, desired: Desired, gone: set[tuple[Kind, str]]) -> Iterator[FeatureChange]:
    known = assigned(current)
    for name in sorted({*desired.features, *(name for kind, name in gone if kind == "feature")}):
        wanted = desired.features.get(name)
        before = known.get(name)
        after = wanted if wanted and wanted.assignment != "unassigned" else None
        if before and after and not after.model:
            before = replace(before, sticky=after.sticky)  # it means nothing there
        if before != after:
            yield FeatureChange(name=name, before=known.get(name), after=after)


def _model(current: Snapshot, desired: Desired, name: str) -> ModelChange | None:
    """The change that a model needs, if any."""
    wanted, before = desired.models[name], current.models.get(name)
    try:
        looks, rekeyed = _keys(before, wanted)
    except BadRequest as error:
        raise desired.at(error, "model", name) from error
    if before and not rekeyed and looks[0] == looks[1] and not _differing(before, wanted.model):
        return None
    return ModelChange(name=name, before=before, after=wanted.model, key=looks, rekeyed=rekeyed)


def _differing(before: Model, after: Model) -> dict[str, Any]:
    return {name: getattr(after, name) for name in SAID if getattr(before, name) != getattr(after, name)}


def _keys(before: Model | None, wanted: Wanted) -> tuple[tuple[str, str], bool]:
    """How the key looks before and after, and whether to store the wanted one. A key serves one origin only."""
    old = _key(before)
    moved = before is not None and before.origin != wanted.model.origin
    how = wanted.key.how
    if how == "given":
        same = before is not None and before.key == wanted.model.key and not moved
        return (old, old if same else A_KEY if old == NO_KEY else OTHER_KEY), not same
    if how == "unknown":
        return (old, OTHER_KEY if moved and old == A_KEY else A_KEY), old == NO_KEY or moved
    if how == "stored" and (old == NO_KEY or moved):
        raise _no_key(wanted.model, before, old)
    kept = old if how != "none" and not moved else NO_KEY
    return (old, kept), how == "none" and old == A_KEY


def _no_key(model: Model, before: Model | None, old: str) -> BadRequest:
    """A key that was to stay is not there, or may not go where the model went."""
    saw = f"The database has no key of the model {model.name!r}."
    if before is not None and old == A_KEY:
        saw = f"The stored key of {model.name!r} is for {before.origin or 'no address'} and goes nowhere else."
    variable = "".join(each if each.isalnum() else "_" for each in model.name).upper()
    return BadRequest(saw, f'Write where it is: key = "env:{variable}_KEY"', param="key")


def _key(model: Model | None) -> str:
    return A_KEY if model is not None and model.key else NO_KEY


def _refuse_missing(current: Snapshot, desired: Desired, gone: set[str]) -> None:
    """Raise for a feature that names a model which would not be there."""
    names = ({*current.models} - gone) | {*desired.models}
    for feature, setting in desired.features.items():
        for model in setting.models:
            if model in gone:
                saw = f"There is no model {model!r} in this file: it would be removed."
                error = BadRequest(saw, "Add its [[models]], or name another model.", param=feature)
                raise desired.at(error, "feature", feature)
            if model not in names:
                known = ", ".join(sorted(names)) or "none"
                error = BadRequest(f"There is no model {model!r}.", f"There are: {known}.", param=feature)
                raise desired.at(error, "feature", feature)


def _refuse_used(current: Snapshot, desired: Desired, gone: set[tuple[Kind, str]]) -> None:
    """Raise for a model that goes while a feature of which the file says nothing uses it."""
    untouched = {
        name: setting
        for name, setting in current.features.items()
        if name not in desired.features and ("feature", name) not in gone
    }
    for name in sorted(name for kind, name in gone if kind == "model"):
        users = [feature for feature, setting in untouched.items() if name in setting.models]
        if users:
            saw = f"The model {name!r} is not in this file and would be removed, but it serves {', '.join(users)}."
            fix = f'Add its [[models]], or say what serves instead: [features] {users[0]} = "MODEL" (or "unassigned").'
            raise desired.at(BadRequest(saw, fix), "model", name)


def _warnings(current: Snapshot, desired: Desired, changes: Iterable[ModelChange]) -> Iterator[str]:
    for name, wanted in desired.models.items():
        if wanted.key.how == "unknown":
            compared = " to see whether the key changes" if _key(current.models.get(name)) == A_KEY else ""
            yield f"{wanted.key.why} `apply` needs it{compared}."
    for change in changes:
        if change.before and not change.rekeyed and change.key == (A_KEY, NO_KEY):
            where = change.before.origin or "no address"
            yield f"The key of {change.name!r} goes: it is for {where}, and no other is named."


def _facts(model: Model) -> dict[str, Any]:
    """A model's fields by their names, those of its parts with a dot."""
    plain = {name: getattr(model, name) for name in SAID if name not in {"options", "limits"}}
    options = {f"options.{name}": value for name, value in sorted(model.options.items())}
    return plain | options | {f"limits.{each.name}": getattr(model.limits, each.name) for each in fields(Limits)}


_USUAL = {**_facts(Model(name="", platform="", family="")), "key": NO_KEY}


def _told(facts: dict[str, Any] | None) -> dict[str, Any] | None:
    """What is not as it usually is."""
    return facts and {name: value for name, value in facts.items() if name not in _USUAL or value != _USUAL[name]}


def _route(setting: FeatureSetting | None) -> dict[str, Any] | None:
    """A feature's setting, without what does not matter."""
    if setting is None:
        return None
    if not setting.model:
        return {"assignment": setting.assignment}
    more = {"weights": dict(setting.weights), "sticky": setting.sticky, "shadow": setting.shadow}
    told = {"fallbacks": list(setting.fallbacks), **more}
    return {"model": setting.model} | {name: value for name, value in told.items() if value}

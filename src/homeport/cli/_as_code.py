"""Models, features and settings as a file: what `homeport config export`, `plan` and `apply` share."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from homeport import families, features, providers
from homeport.cli._models import doubts, shelf_of_platforms
from homeport.cli._output import note, warn
from homeport.cli._session import load, whoami
from homeport.diagnostics._change import concerns as concerns_of
from homeport.domain.errors import BadConfiguration, BadRequest
from homeport.domain.verbose import SETTING
from homeport.families import BETA, Family, guess, resolve
from homeport.features import Feature
from homeport.kit.discover import discover
from homeport.store import config_file, live
from homeport.store.database import outdated
from homeport.store.plan import A_KEY, NO_KEY, OTHER_KEY, FeatureChange, ModelChange, SettingChange, plan
from homeport.store.seats import LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from homeport.domain.models import FeatureSetting, Model, Snapshot
    from homeport.store.database import Store
    from homeport.store.plan import Change, Desired, Plan

_MARKS = {"add": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}
_DONE = {"add": "added", "change": "changed", "remove": "removed"}
_TO_DO = {action: f"to {action}" for action in _DONE}


def read(file: Path, *, resolve_keys: bool) -> Desired:
    """What the file wants; families by any known name, or guessed as by `models add`. Raises BadConfiguration."""
    shelf = discover(families, Family)

    def family(name: str) -> str:
        key, known = resolve(name, shelf)
        return key if known else name

    found = config_file.read(file, family=family, guess=lambda of: guess(of, shelf) or "general", resolve=resolve_keys)
    _check_names(found)
    return found


def _check_names(found: Desired) -> None:
    """Raise BadConfiguration for a setting that there is not."""
    from homeport.access import sso  # noqa: PLC0415 (loads cryptography)

    known = (*sso.NAMES, BETA, SETTING, LIMIT, *live.LIVE)
    for name in found.settings:
        if name not in known:
            error = BadRequest("there is no such setting.", f"Known: {', '.join(known)}.", param="settings")
            raise found.at(error, "setting", name)


def write(file: Path, text: str, *, force: bool) -> None:
    """Put the text into a file; raises BadConfiguration for one that is there, OSError for one that cannot be."""
    try:
        with file.open("w" if force else "x", encoding="utf-8", newline="\n") as out:
            out.write(text)
    except FileExistsError as error:
        saw = f"There is already a file {file}."
        raise BadConfiguration(saw, "Choose another name, or add --force to replace it.") from error


async def look(store: Store, desired: Desired, *, prune: bool) -> Plan:
    """The plan for the database as it is; raises BadConfiguration for what cannot be, with its line."""
    snapshot = await store.snapshot()
    found = plan(snapshot, desired, prune=prune)
    for change in found.changes:
        try:
            _check(change)
        except BadRequest as error:
            raise desired.at(error, change.kind, change.name) from error
    return replace(found, warnings=(*found.warnings, *await _brought(snapshot, found)))


async def _brought(snapshot: Snapshot, found: Plan) -> list[str]:
    """What the changed settings bring about that somebody should know."""
    settings = load()
    changes = {each.name: each.after for each in found.changes if isinstance(each, SettingChange)}
    then = live.counting(settings, live.after(snapshot.settings, changes))
    return await concerns_of(live.counting(settings, snapshot.settings), then, snapshot)


async def carry_out(store: Store, desired: Desired, *, prune: bool, expect: int | None, yes: bool) -> tuple[Plan, int]:
    """Look, ask where something would be lost, make the changes; gives the plan and the revision after it."""
    found = await look(store, desired, prune=prune)
    if not found.changes:
        return found, found.revision
    if expect is not None and expect != found.revision:
        raise outdated(found.revision, expect)
    if found.losses and not yes:
        note(diff(found.changes))
        confirm(f"This removes {', '.join(found.losses)}.")
    return found, await store.carry_out(found, by=whoami())


def confirm(what: str) -> None:
    """Raise Abort unless somebody says yes; where nobody can, tell which option does."""
    try:
        sure = click.confirm(f"{what} Go on?", err=True)
    except click.Abort:
        if not sys.stdin.isatty():
            note("\nNobody can be asked here: add --yes to go on without a question.")
        raise
    if not sure:
        raise click.Abort


def _check(change: Change) -> None:
    """Raise BadRequest for what no model server, family or feature of this program fits."""
    if isinstance(change, ModelChange) and change.after is not None:
        _check_model(change.after, new=change.before is None)
    elif isinstance(change, FeatureChange) and change.after is not None:
        _check_feature(change.after)
    elif isinstance(change, SettingChange) and change.after is not None and change.name in live.LIVE:
        live.read(change.name, change.after)


def _check_model(model: Model, *, new: bool) -> None:
    shelf = shelf_of_platforms()
    providers.check(shelf, model.platform, model.options)
    if model.family not in (known := discover(families, Family)):
        raise BadRequest(f"There is no family {model.family!r}.", f"Known: {', '.join(known)}.", param="family")
    offer = shelf[model.platform]
    wanted = {"endpoint": offer.needs_endpoint, "identifier": offer.needs_identifier}
    for name in (name for name, needed in wanted.items() if needed and not getattr(model, name)):
        raise BadRequest(f"{offer.label} needs it.", f'Write {name} = "…".', param=name)
    if new:
        _check_name(model.name)


def _check_name(name: str) -> None:
    """Callers must be able to write it for a model."""
    if any(map(str.isspace, name)):
        fix = f"Write it like {'-'.join(name.split())}."
        raise BadRequest(f"{name!r} cannot be a model's name: it has spaces.", fix, param="name")
    if name in discover(features, Feature):
        saw = f"{name!r} cannot be a model's name: it is a feature's, which stands for whatever serves it."
        raise BadRequest(saw, "Choose another name.", param="name")


def _check_feature(setting: FeatureSetting) -> None:
    shelf = discover(features, Feature)
    listed = [key for key, offer in shelf.items() if offer.listed]
    if setting.feature not in listed:
        raise BadRequest(f"There is no feature {setting.feature!r}.", f"Known: {', '.join(listed)}.")
    if setting.assignment == "inherit" and not shelf[setting.feature].inherits:
        saw = f"There is nothing that {setting.feature!r} could inherit from."
        raise BadRequest(saw, 'Name a model, or write "unassigned".')


def document(found: Plan) -> dict[str, Any]:
    """A plan as a JSON document."""
    return {
        "revision": found.revision,
        "changes": [_shown(change) for change in found.changes],
        "not_in_file": [{"kind": kind, "name": name} for kind, name in found.left],
        "warnings": [*found.warnings, *_doubts(found)],
    }


def _shown(change: Change) -> dict[str, Any]:
    before, after = change.shown()
    return {"action": change.action, "kind": change.kind, "name": change.name, "before": before, "after": after}


def concerns(found: Plan, *, prune: bool) -> None:
    """What else a person should know of a plan."""
    for sentence in (*found.warnings, *_doubts(found)):
        warn(sentence)
    if found.left:
        names = ", ".join(f"{kind} {name}" for kind, name in found.left)
        why = (
            "It has no table for them." if prune else "With --prune they go, where the file has a table for their kind."
        )
        note(f"Not in the file, so they stay: {names}. {why}")


def _doubts(found: Plan) -> Iterator[str]:
    models = (each.after for each in found.changes if isinstance(each, ModelChange) and each.after is not None)
    return (f"{model.name}: {doubt}" for model in models for doubt in doubts(model))


def diff(changes: Iterable[Change]) -> str:
    """The changes as people read them: what goes is red, what comes is green."""
    return "\n".join(line for change in changes for line in _lines(change))


def _lines(change: Change) -> Iterator[str]:
    mark, colour = _MARKS[change.action]
    yield click.style(f"{mark} {change.kind} {change.name}", fg=colour, bold=True)
    old, new = _sides(change)
    for name in {**old, **new}:
        for side, (sign, shade) in ((old, _MARKS["remove"]), (new, _MARKS["add"])):
            if side.get(name) is not None:
                yield click.style(f"    {sign} {name} = {config_file.literal(side[name])}", fg=shade)
    if isinstance(change, ModelChange) and (said := _KEYS.get(change.key)):
        sign, shade = _MARKS[said[0]]
        yield click.style(f"    {sign} key: {said[1]}", fg=shade)


_KEYS = {
    (NO_KEY, A_KEY): ("add", "comes"),
    (A_KEY, NO_KEY): ("remove", "goes"),
    (A_KEY, OTHER_KEY): ("change", "changes"),
}
"""What is said of a key: never which it is."""


def _sides(change: Change) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What goes and what comes, in the words of the file; of a model that goes, its name is enough."""
    if isinstance(change, FeatureChange):
        return _route(change.before), _route(change.after)
    if isinstance(change, ModelChange):
        before, after = change.shown()
        return _fields(before if change.after else None), _fields(after)
    return {change.name: change.before}, {change.name: change.after}


def _route(setting: FeatureSetting | None) -> Mapping[str, Any]:
    return {setting.feature: config_file.route(setting)} if setting else {}


def _fields(facts: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return {name: value for name, value in (facts or {}).items() if name != "key"}


def summary(found: Plan, *, done: bool) -> str:
    """How many things come, change and go."""
    words = _DONE if done else _TO_DO
    counts = {action: sum(change.action == action for change in found.changes) for action in words}
    return ", ".join(f"{count} {words[action]}" for action, count in counts.items() if count)

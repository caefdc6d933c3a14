"""`homeport features`: which model serves what."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from homeport.cli._command import SET_UP, Group, json_option
from homeport.cli._output import note, result, table, warn
from homeport.cli._session import in_store, load, whoami
from homeport.domain.errors import Unknown
from homeport.domain.models import FeatureSetting
from homeport.store.plan import FeatureChange, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homeport.domain.models import Model, Snapshot
    from homeport.features import Feature
    from homeport.store.database import Store
    from homeport.store.records import Undone

WORDS = ("unassigned", "disabled", "inherit")
"""What may stand in place of a model."""


@click.group(
    "features",
    cls=Group,
    section=SET_UP,
    examples=("homeport features list", "homeport features set code_completions coder"),
)
def command() -> None:
    """Decide which model serves which feature.

    A running server sees each change within two seconds.
    """


@command.command("list", examples=("homeport features list", "homeport features list --json"))
@json_option
def list_(*, as_json: bool) -> None:
    """List the features and what serves them."""
    shelf = _shelf()
    settings, models = in_store(_read)
    rows = [_row(key, offer, settings, models) for key, offer in shelf.items() if offer.listed]
    result(
        rows,
        as_json=as_json,
        people=lambda: table(
            ("FEATURE", "TITLE", "SERVED BY", "FALLBACKS"),
            [(row["feature"], row["title"], *_told(row, settings)) for row in rows],
        ),
    )
    if not any(row["serves"] for row in rows):
        note("Assign a model:  homeport features set code_completions MODEL")


async def _read(store: Store) -> tuple[Mapping[str, FeatureSetting], Mapping[str, Model]]:
    return await store.features(), {model.name: model for model in await store.models()}


def _row(
    key: str, offer: Feature, settings: Mapping[str, FeatureSetting], models: Mapping[str, Model]
) -> dict[str, Any]:
    """A feature as a JSON document; `serves` is the model that answers now, or null."""
    setting = settings.get(key, FeatureSetting(feature=key))
    effective = settings.get(offer.inherits) if setting.assignment in {"inherit", "unassigned"} else setting
    model = models.get(effective.model) if effective and effective.assignment == "model" else None
    return {
        "feature": key,
        "title": offer.title,
        "section": offer.section,
        **_shown(setting),
        "inherits": offer.inherits or None,
        "serves": model.name if model and model.enabled else None,
    }


def _told(row: Mapping[str, Any], settings: Mapping[str, FeatureSetting]) -> tuple[str, str]:
    """The models that answer and those behind them, or why there is none."""
    if row["assignment"] == "model":
        own = settings[row["feature"]]
        return own.shared + ("" if row["serves"] else " (disabled model)"), " ".join(own.fallbacks) or "-"
    if row["assignment"] == "disabled":
        return "(switched off)", "-"
    if not row["serves"]:
        return "(nothing yet)", "-"
    inherited = settings[row["inherits"]]
    return f"{inherited.shared} (as {row['inherits']})", " ".join(inherited.fallbacks) or "-"


@command.command(
    "set",
    examples=(
        "homeport features set code_completions coder",
        "homeport features set chat big --fallback small",
        "homeport features set chat vllm-1 --weight vllm-1=2 --weight vllm-2=1 --sticky",
        "homeport features set chat big --shadow candidate",
        "homeport features set code_generations disabled",
    ),
)
@click.argument("feature")
@click.argument("model", metavar="MODEL|disabled|inherit|unassigned")
@click.option("--fallback", "fallbacks", multiple=True, metavar="MODEL", help="Tried next; may be repeated.")
@click.option(
    "--weight",
    "weights",
    multiple=True,
    metavar="MODEL=N",
    help="Shares the work, N parts of it; MODEL itself has 1 part unless you say otherwise. May be repeated.",
)
@click.option("--sticky", is_flag=True, help="One file or conversation stays with one model, whose cache knows it.")
@click.option("--shadow", default="", metavar="MODEL", help="Is asked the same; nobody sees its answers.")
@json_option
def set_(  # noqa: PLR0913 (one for each option)
    *,
    feature: str,
    model: str,
    fallbacks: tuple[str, ...],
    weights: tuple[str, ...],
    sticky: bool,
    shadow: str,
    as_json: bool,
) -> None:
    """Let a model serve a feature, or several models; or switch the feature off.

    What is not said is as if it had never been: each `set` replaces the whole setting.
    """
    _known(feature)
    setting = replace(_setting(feature, model, fallbacks), weights=_weights(weights), sticky=sticky, shadow=shadow)
    served = in_store(lambda store: _assign(store, setting), make=True)
    for sentence in _away(served, setting):
        warn(sentence)
    _done([setting], model, as_json=as_json)
    _say_the_way_back(feature)
    if setting.assignment == "model" and feature == "code_completions":
        note("Try it:  homeport complete FILE:LINE:COLUMN")


async def _assign(store: Store, setting: FeatureSetting) -> Snapshot:
    await store.set_feature(setting, by=whoami())
    return await store.snapshot()


def _away(snapshot: Snapshot, setting: FeatureSetting) -> list[str]:
    """A sentence for each of its models that cannot be reached."""
    from homeport.cli._doctor import unreachable  # noqa: PLC0415 (loads every check)

    return unreachable(load(), snapshot, list(setting.models))


@command.command("apply", examples=('homeport features apply "Code Suggestions" coder',))
@click.argument("section")
@click.argument("model", metavar="MODEL|disabled|inherit|unassigned")
@json_option
def apply(*, section: str, model: str, as_json: bool) -> None:
    """Let a model serve every feature of a section."""
    members = [key for key, offer in _shelf().items() if offer.listed and offer.section.lower() == section.lower()]
    if not members:
        sections = dict.fromkeys(offer.section for offer in _shelf().values() if offer.listed)
        message = f"There is no section {section!r}. Known: {', '.join(map(repr, sections))}."
        raise click.UsageError(message)
    settings = in_store(lambda store: _apply(store, [_setting(feature, model, ()) for feature in members]), make=True)
    _done(settings, model, as_json=as_json)
    _say_the_way_back(members[0])


async def _apply(store: Store, wanted: Sequence[FeatureSetting]) -> list[FeatureSetting]:
    """Set all of them in one step; models that help the first one of a feature go on helping another."""
    revision, now = await store.revision(), await store.features()
    settings = [now[each.feature].led_by(each.model) if each.model and each.feature in now else each for each in wanted]
    pairs = [(now.get(each.feature), each) for each in settings]
    changes = tuple(FeatureChange(name=new.feature, before=old, after=new) for old, new in pairs if old != new)
    if changes:
        await store.carry_out(Plan(revision=revision, changes=changes), by=whoami())
    return settings


def _say_the_way_back(feature: str) -> None:
    note(f"Within an hour this undoes it:  homeport features undo {feature}")


@command.command("undo", examples=("homeport features undo", "homeport features undo code_completions"))
@click.argument("feature", required=False)
@json_option
def undo(*, feature: str | None, as_json: bool) -> None:
    """Undo the latest change of what serves features, or FEATURE, within the last hour.

    What was set in the same step, a whole section, is undone with it.
    """
    undone = in_store(lambda store: _undo(store, feature))
    for each in undone.notes:
        warn(each)
    settings = [{"feature": each.feature, **_shown(each)} for each in undone.settings]
    lines = (f"{each.feature}: {each.route or each.assignment} again." for each in undone.settings)
    result({"features": settings, "notes": list(undone.notes)}, as_json=as_json, people=lambda: "\n".join(lines))


async def _undo(store: Store, feature: str | None) -> Undone:
    changes = await store.feature_changes()
    fits = (each for each in changes if not feature or feature in {before.feature for before, _ in each.settings})
    latest = next(fits, None)
    if latest is None:
        which = f"what serves {feature}" if feature else "what serves features"
        saw = f"There is no change of {which} in the last hour that is still in force."
        raise Unknown(saw, "The audit has older ones:  homeport audit --kind feature")
    return await store.undo_features(latest.id, by=whoami())


def _shelf() -> dict[str, Feature]:
    from homeport import features  # noqa: PLC0415 (loads every feature)
    from homeport.kit.discover import discover  # noqa: PLC0415 (as above)

    return discover(features, features.Feature)


def _known(feature: str) -> None:
    listed = [key for key, offer in _shelf().items() if offer.listed]
    if feature not in listed:
        message = f"There is no feature {feature!r}. Known: {', '.join(listed)}."
        raise click.UsageError(message)


def _setting(feature: str, model: str, fallbacks: tuple[str, ...]) -> FeatureSetting:
    if model == "disabled":
        return FeatureSetting(feature=feature, assignment="disabled", fallbacks=fallbacks)
    if model == "inherit":
        if not _shelf()[feature].inherits:
            message = f"There is nothing that {feature!r} could inherit from. Name a model, or write: unassigned"
            raise click.UsageError(message)
        return FeatureSetting(feature=feature, assignment="inherit", fallbacks=fallbacks)
    if model == "unassigned":
        return FeatureSetting(feature=feature, fallbacks=fallbacks)
    return FeatureSetting(feature=feature, assignment="model", model=model, fallbacks=fallbacks)


def _weights(given: tuple[str, ...]) -> dict[str, int]:
    """`MODEL=N` as a weight for each model."""
    weights = {}
    for each in given:
        name, _, number = each.rpartition("=")
        if not name or not number.isdecimal():
            message = f"{each!r} is no weight. Write MODEL=N, for example: --weight vllm-2=1"
            raise click.UsageError(message)
        weights[name] = int(number)
    return weights


def _shown(setting: FeatureSetting) -> dict[str, Any]:
    return setting.said() | {"model": setting.model or None, "shadow": setting.shadow or None}


def _done(settings: list[FeatureSetting], model: str, *, as_json: bool) -> None:
    shown = [{"feature": each.feature, **_shown(each)} for each in settings]
    names = ", ".join(each.feature for each in settings)
    what = f"{names}: {model}" if model in WORDS else f"{names}: served by {settings[0].route}"
    result(shown[0] if len(shown) == 1 else shown, as_json=as_json, people=lambda: f"{what}.")

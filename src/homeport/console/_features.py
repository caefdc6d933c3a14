"""What the pages about features share: what may be chosen, how a change is told, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import (
    Renderable,
    button,
    form,
    input,  # noqa: A004 (the element)
)

from homeport.console._layout import guard
from homeport.console._texts import mark, t

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from homeport.console import Asked
    from homeport.domain.models import Assignment, FeatureSetting
    from homeport.store.records import FeaturesChanged

ADDRESS = "/console/features"
MODEL = "model:"
"""Before the name of a model, where something else could be chosen too."""
FITS = {"fully": mark("Fully compatible"), "largely": mark("Largely compatible"), "not": mark("Not compatible")}
WORDS: Mapping[str, Assignment] = {"disabled": "disabled", "inherit": "inherit", "unassigned": "unassigned"}
"""What may be chosen beside a model."""


def in_place() -> dict[str, str]:
    """With a script the features are drawn again where they are, and who typed stays at the same control."""
    return {
        "hx_post": ADDRESS,
        "hx_target": "#features",
        "hx_select": "#features",
        "hx_swap": "outerHTML",
        "hx_sync": "this:drop",
    }


async def just_changed(asked: Asked, keys: Collection[str]) -> FeaturesChanged | None:
    """What who looks changed last of these features, while it can be undone."""
    mine = (each for each in await asked.desk.store.feature_changes() if each.by == asked.person.name)
    return next((each for each in mine if any(after.feature in keys for _, after in each.settings)), None)


def told(asked: Asked, change: FeaturesChanged) -> str:
    """A change in a sentence."""
    settings = [after for _, after in change.settings]
    if len(settings) == 1:
        return _one(asked, *change.settings[0])
    count, models = len(settings), {each.model for each in settings}
    if models == {""} or len(models) > 1:
        return t("{count} features are set otherwise now.", count=count)
    return t("{count} features now use {model}.", count=count, model=models.pop())


def _one(asked: Asked, before: FeatureSetting, setting: FeatureSetting) -> str:
    offer = asked.desk.bench.features.get(setting.feature)
    title = t(offer.title) if offer else setting.feature
    if setting.model and before.pool.keys() == setting.pool.keys():
        return t("{feature} is set otherwise now.", feature=title)
    if setting.assignment == "model":
        return t("{feature} now uses {model}.", feature=title, model=", ".join(setting.pool))
    if setting.assignment == "disabled":
        return t("{feature} is disabled now.", feature=title)
    parent = asked.desk.bench.features.get(offer.inherits) if offer and offer.inherits else None
    if parent is None:
        return t("{feature} is unassigned now.", feature=title)
    return t("{feature} now follows {parent}.", feature=title, parent=t(parent.title))


def undoing(asked: Asked, change: FeaturesChanged, at: str, place: str | None = None, **more: str) -> Renderable:
    """The way back; `at` is the feature or the section where it is told what came of it.

    `place`: the id of the button, which stays where it is while what it undoes changes; `more`: attributes of the form.
    """
    return form(".back", method="post", action=ADDRESS, **more)[
        guard(asked, "undo"),
        input(type="hidden", name="change", value=str(change.id)),
        input(type="hidden", name="at", value=at),
        button(".quiet", id=place, type="submit", aria_label=t("Undo: {change}", change=told(asked, change)))[
            t("Undo")
        ],
    ]

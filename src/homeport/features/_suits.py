"""Whether a model is made for a feature, gets by in it, or cannot serve it; and why, in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from homeport.domain.requests import EmbeddingRequest
from homeport.families import UNKNOWN
from homeport.features._holes import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from homeport.domain.capabilities import Capabilities
    from homeport.domain.models import Model
    from homeport.families import Family
    from homeport.features import Feature, Workbench

Fit = Literal["fully", "largely", "not"]


class Suits(NamedTuple):
    """How well a model serves a feature."""

    fit: Fit
    why: str


COMPLETES, GENERATES = "complete_code", "generate_code"
"""Scopes of the features that write code at the cursor; every other one is a conversation."""


def suits(feature: Feature, key: str, family: Family, *, text: bool = True, seen: Capabilities | None = None) -> Suits:
    """How well a model of this family (and its `key`) serves a feature.

    `text` says whether its platform continues plain text; `seen` is what was measured of the model, which
    counts for more than what is known of its family.
    """
    if feature.request is EmbeddingRequest:
        return _embedding(key, family, seen)
    if family.embeds:
        return Suits("not", "It turns texts into vectors and writes none.")
    if feature.scope == COMPLETES:
        return _completing(family, seen, text=text and (seen is None or seen.text is not False))
    talks = family.chat if seen is None or seen.chat is None else seen.chat
    if feature.scope == GENERATES and not talks:
        return Suits("largely", "It continues the code, with a comment as its instruction.") if text else _mute(family)
    if not talks:
        return _mute(family)
    return _talking(key, family)


def _completing(family: Family, seen: Capabilities | None, *, text: bool) -> Suits:
    if text and seen is not None and seen.best_layout == SUFFIX:
        return Suits("fully", "Its server fills code in at the cursor, by its parameter `suffix`.")
    if text and family.completion == "fim":
        return Suits("fully", f"{family.label} is made to fill code in at the cursor.")
    if text and family.completion == "prefix":
        return Suits("largely", "It continues the code before the cursor and does not see what follows.")
    if not family.chat:
        return Suits("not", "Its platform does not continue plain text, and it holds no conversation.")
    if family.completion == "fim":
        return Suits("largely", "Its platform does not continue plain text, so it is asked in words.")
    return Suits("largely", "It is asked in words: slower, and less exact at the cursor.")


def _embedding(key: str, family: Family, seen: Capabilities | None) -> Suits:
    if family.embeds or (seen is not None and seen.embeds):
        return Suits("fully", "It turns texts into vectors.")
    if key == UNKNOWN and (seen is None or seen.chat is not True):
        return Suits("largely", "Nothing is known of its family: whether it embeds shows when it is asked.")
    return Suits("not", f"{family.label} models write text and make no vectors.")


def _talking(key: str, family: Family) -> Suits:
    if key == UNKNOWN:
        return Suits("largely", "Nothing is known of its family: it is asked in words that most models follow.")
    if family.release == "experimental":
        return Suits("largely", f"{family.label} is experimental: it holds a conversation, and not a deep one.")
    return Suits("fully", f"{family.label} holds conversations.")


def _mute(family: Family) -> Suits:
    return Suits("not", f"{family.label} models only continue text: they hold no conversation.")


def by_fit(
    bench: Workbench, feature: Feature, seen: Mapping[str, Capabilities], models: Iterable[Model]
) -> dict[Fit, list[str]]:
    """The names of models by how well they serve a feature, the best first."""
    found: dict[Fit, list[str]] = {"fully": [], "largely": [], "not": []}
    for model in models:
        found[of_model(bench, feature, model, seen.get(model.name)).fit].append(model.name)
    return found


def of_model(bench: Workbench, feature: Feature, model: Model, seen: Capabilities | None = None) -> Suits:
    """How well a model serves a feature."""
    key = bench.family_key(model)
    return suits(feature, key, bench.families[key], text=model.platform in bench.text_platforms, seen=seen)

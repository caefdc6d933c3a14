"""How a hole in code is shown to a model: laid out by its family's sentinels, or by its server's parameter `suffix`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport.features._seen import seen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.domain.capabilities import Capabilities
    from homeport.domain.models import Model
    from homeport.families import Family
    from homeport.features import Workbench

SUFFIX, PREFIX = "suffix", "prefix"
"""Beside the keys of families, the ways in which holes were tried."""
HALF = 0.5


def by_suffix(bench: Workbench, model: Model) -> bool:
    """Whether its server is told what follows: where its registration says so, else where that was proven best."""
    said = model.options.get("fim")
    if said is not None:
        return said == SUFFIX
    known = seen(bench, model)
    return known is not None and proven(known, bench.families, bench.family(model))


def continues(bench: Workbench, model: Model) -> bool:
    """Whether it can be given plain text: its platform takes that, and its server was not seen to refuse it."""
    known = seen(bench, model)
    return model.platform in bench.text_platforms and (known is None or known.text is not False)


def is_mute(bench: Workbench, model: Model) -> bool:
    """Whether it was seen to hold no conversation, whatever its family does."""
    known = seen(bench, model)
    return known is not None and known.chat is False


def proven(found: Capabilities, families: Mapping[str, Family], family: Family) -> bool:
    """Whether `suffix` filled more than half of the holes, more than the family's way, and more than none at all."""
    score = found.holes.get(SUFFIX, 0.0)
    if score <= HALF or score <= found.holes.get(PREFIX, 0.0):
        return False
    return family.completion != "fim" or score > found.holes.get(own_layout(families, family, found.holes), 0.0)


def own_layout(families: Mapping[str, Family], family: Family, holes: Mapping[str, float]) -> str:
    """The key under which the family's layout was tried; empty when it was not."""
    return next((key for key in holes if key in families and _same_layout(families[key], family)), "")


def _same_layout(one: Family, other: Family) -> bool:
    return bool(one.fim and other.fim and one.fim.layout == other.fim.layout)

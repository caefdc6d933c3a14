"""Who words a prompt: the administrator first, then the model's family, then the feature itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from homeport.domain.wording import Wording

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.domain.models import Model
    from homeport.families import Family
    from homeport.features import Override, Template, Workbench

BUILT_IN = "built in"
ONLY = "1.0.0"
"""The version of what has no others."""


class Spoken(NamedTuple):
    """What will be said, and where each part of it comes from."""

    wording: Wording
    temperature: float | None
    """The administrator's, or None."""
    max_tokens: int | None
    stop: tuple[str, ...] | None
    sources: Mapping[str, str]
    """By part: "built in", "family NAME" or the administrator's file."""


def spoken(
    overrides: Mapping[tuple[str, str], Override],
    template: Template,
    version: str,
    feature: str,
    family: tuple[str, Family],
) -> Spoken:
    """The wording of `template` in `version` for a family; each part is the first that somebody gave."""
    key, kind = family
    files = [each for name in (key, "") if (each := overrides.get((template.id, name)))]
    reworded = kind.rewords.get(feature)
    base, origin = (reworded, f"family {key}") if reworded else (template.versions[version], BUILT_IN)
    parts: dict[str, str] = {}
    sources: dict[str, str] = {}
    for part in ("system", "user", "prefill"):
        owner = next((each for each in files if getattr(each, part) is not None), None)
        parts[part] = getattr(owner or base, part)
        sources[part] = owner.file if owner else origin
    numbers = {}
    for part in ("temperature", "max_tokens", "stop"):
        owner = next((each for each in files if getattr(each, part) is not None), None)
        numbers[part] = getattr(owner, part) if owner else None
        sources[part] = owner.file if owner else BUILT_IN
    return Spoken(Wording(**parts), **numbers, sources=sources)


def worded_by(bench: Workbench, template: Template, feature: str, model: Model) -> Spoken:
    """How code is asked for, on every keystroke: nothing is looked up where nobody reworded anything."""
    family = bench.family(model)
    if not bench.overrides:
        return Spoken(family.rewords.get(feature) or template.versions[ONLY], None, None, None, {})
    return spoken(bench.overrides, template, ONLY, feature, (bench.family_key(model), family))

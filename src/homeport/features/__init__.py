"""What people can ask for. One file per feature offers one `Feature`, an async generator of chunks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from homeport.families import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from homeport.domain.models import Model, Snapshot
    from homeport.domain.ports import Generate
    from homeport.domain.streams import Chunks
    from homeport.families import Family
    from homeport.features._capacity import Capacity
    from homeport.features._measure import Measures


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """Something people ask for: what it takes, what it gives, who may use it."""

    title: str
    section: str
    scope: str
    """What a token needs to use it."""
    request: type[Any]
    """The domain type it takes."""
    run: Callable[[Workbench, Any], Chunks]
    inherits: str = ""
    """The feature whose setting serves when this one has none."""
    listed: bool = True
    """Whether an administrator assigns a model to it; one that is not listed only inherits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """All that a feature works with; put together once, in `app.py`."""

    snapshot: Callable[[], Snapshot]
    """Today's registry: an attribute read, never a query."""
    families: Mapping[str, Family]
    generate: Mapping[str, Generate]
    """By platform: ask a model."""
    features: Mapping[str, Feature]
    capacity: Capacity
    measures: Measures
    text_platforms: frozenset[str] = field(default_factory=frozenset)
    """Platforms that can continue plain text."""
    trouble: Callable[[], str] = str
    """What is wrong with the registry right now, or an empty text."""
    completion_prompt_tokens: int = 8192
    """The most tokens of a completion prompt, however large the model's window."""

    def family(self, model: Model) -> Family:
        """The model's family, by key or alias; one we do not know is asked like the general one."""
        return self.families.get(model.family) or self.families[resolve(model.family, self.families)[0]]

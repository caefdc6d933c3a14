"""What a model and its server were seen to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


REST = "the rest"
"""Key of the problem that ended a measurement before all was tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """Measured, not declared; None is what could not be found out."""

    context_tokens: int = 0
    """The window as the server tells it; 0 when it does not."""
    chat: bool | None = None
    text: bool | None = None
    """Continues plain text."""
    wrapped: bool | None = None
    """The server puts a chat template around plain text, in which sentinels mean nothing."""
    streams: bool | None = None
    """Answers piece by piece."""
    tools: bool | None = None
    """Calls a tool that it is offered."""
    embeds: bool | None = None
    """Turns texts into vectors; only found out of a model that does not chat."""
    thinks: bool | None = None
    """Thinks aloud before it answers."""
    thought_begun: bool | None = None
    """Its text begins inside a thought, of which only the end is told: its server's chat template begins it."""
    first_token_s: float | None = None
    holes: Mapping[str, float] = field(default_factory=dict)
    """By layout (a family's key, "suffix" for the server's own parameter, "prefix" for none): the part of the known
    holes that were filled as expected, 0 to 1."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """By what was tried: what came back instead of an answer."""

    @property
    def best_layout(self) -> str:
        """The layout that filled most holes, if any filled more than the half."""
        known = {name: score for name, score in self.holes.items() if name != "prefix"}
        best = max(known, key=known.__getitem__, default="")
        return best if best and known[best] > 0.5 and known[best] > self.holes.get("prefix", 0.0) else ""  # noqa: PLR2004 (the half)

    def after(self, before: Capabilities) -> Capabilities:
        """The same; of a measurement that was broken off, with what was seen `before` in place of what is missing."""
        if REST not in self.problems:
            return self
        missing = [each.name for each in fields(self) if _is_missing(getattr(self, each.name))]
        return replace(self, **{name: getattr(before, name) for name in missing})

    def as_json(self) -> dict[str, Any]:
        """Every field, as JSON has it."""
        return asdict(self)


def _is_missing(value: object) -> bool:
    return value is not False and not value


def from_json(found: Mapping[str, Any]) -> Capabilities:
    """What was stored; fields that this program does not know are passed over."""
    known = {each.name for each in fields(Capabilities)}
    return Capabilities(**{name: value for name, value in found.items() if name in known})

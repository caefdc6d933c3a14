"""Model families: how each likes to be asked. One file per family offers one `Family`; data only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from homeport.domain.wording import fill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.domain.wording import Wording


@dataclass(frozen=True, slots=True, kw_only=True)
class Fim:
    """A fill-in-the-middle layout: the sentinels a model was trained with, as a template."""

    layout: str
    """Holds `{before}` and `{after}`, for example "<PRE> {before} <SUF>{after} <MID>"."""
    stops: tuple[str, ...] = ()
    """Sentinels that end the answer."""
    file: str = ""
    """How a related file is written ahead of the layout, with `{name}` and `{content}`; empty
    means as a comment block in the file's own language."""
    current: str = ""
    """Written between related files and the layout, with `{name}` of the current file."""

    def render(self, before: str, after: str, *, lead: str = "") -> str:
        """The prompt text, with `lead` (rendered related files) where the family wants it."""
        return lead + fill(self.layout, {"before": before, "after": after})


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What is true of every model of a family, whoever hosts it."""

    label: str
    release: Literal["generally available", "beta", "experimental"] = "generally available"
    completion: Literal["fim", "prefix", "chat"] = "chat"
    """How code is completed: by sentinels, by continuing the prefix, or by asking in words."""
    fim: Fim | None = None
    chat: bool = True
    """Whether it can hold a conversation."""
    system_role: bool = True
    """Whether its chat template knows a system message."""
    context_tokens: int = 8192
    """Used when the model's own window is not configured."""
    completion_tokens: int = 128
    """How long a completion may be unless the caller says otherwise."""
    completion_temperature: float = 0.0
    generation_tokens: int = 1024
    generation_temperature: float = 0.0
    chat_temperature: float | None = None
    stops: tuple[str, ...] = ()
    """End-of-turn tokens that leak out of a badly configured server."""
    aliases: tuple[str, ...] = ()
    """Other names under which registrations and GitLab versions send this family."""
    rewords: Mapping[str, Wording] = field(default_factory=dict)
    """By feature: wording that serves this family better than the feature's own."""

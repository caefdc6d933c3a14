"""What a model was seen to do, as `homeport models detect` measured it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homeport.domain.capabilities import Capabilities
    from homeport.domain.models import Model
    from homeport.features import Workbench


def seen(bench: Workbench, model: Model) -> Capabilities | None:
    """What was measured; None of a model that was not, or that the request brought along."""
    return bench.snapshot().measured.get(model.name) if model.registered else None


def thought_begun(bench: Workbench, model: Model, kind: str = "chat") -> bool:
    """Whether the answer to a prompt of this kind begins inside a thought.

    Never guessed: an answer would be taken for a thought.
    """
    found = seen(bench, model) if kind == "chat" else None
    return found is not None and bool(found.thought_begun)

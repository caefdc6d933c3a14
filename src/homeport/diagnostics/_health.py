"""How a model does, by what this server has seen of it lately."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from homeport.domain.models import Model
    from homeport.features import Workbench


class Health(NamedTuple):
    """What is known of a model at this moment; nothing of it is kept."""

    state: Literal["disabled", "never asked", "left alone", "well"]
    running: int = 0
    """Requests."""
    first_token_s: float | None = None
    """How long it lately took to begin to answer."""
    back_in_s: float | None = None
    """When one that is left alone is tried again; 0: with the next request."""


def how_is(bench: Workbench, model: Model) -> Health:
    """How it is; an embedded model is known by where its engine answers, which the store does not hold."""
    if not model.endpoint:
        model = replace(model, endpoint=bench.snapshot().models.get(model.name, model).endpoint)
    running = bench.capacity.running(model)
    state = bench.health.state(model)
    if not model.enabled:
        return Health("disabled", running)
    if state is None:
        return Health("never asked", running)
    if not state.healthy:
        return Health("left alone", running, back_in_s=bench.health.back_in(model))
    return Health("well", running, first_token_s=bench.health.first_s(model) or None)

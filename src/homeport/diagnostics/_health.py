"""How a model does, by what this server has seen of it lately: whoever tells it, tells it in these words."""

from __future__ import annotations

import math
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
    note: str = ""
    """The same for people."""


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
        back_in_s = bench.health.back_in(model)
        return Health("left alone", running, back_in_s=back_in_s, note=_back(back_in_s, bench.health.is_tried(model)))
    first_s = bench.health.first_s(model)
    return Health("well", running, first_s or None, note=f"first token {first_s * 1000:.0f} ms" if first_s else "")


def _back(in_s: float, tried: bool) -> str:  # noqa: FBT001 (of the lines above alone)
    if tried:
        return "a request tries it now"
    return f"again in {math.ceil(in_s)} s" if in_s else "the next request tries it"


def why_left_alone(bench: Workbench, model: Model) -> str:
    """A sentence on a model that failed; empty for any other."""
    found = how_is(bench, model)
    return f"Left alone because it failed: {found.note}." if found.state == "left alone" else ""

"""How a model does, by what this server has seen of it lately: whoever tells it, tells it in these words."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from homeport.domain.models import Model
    from homeport.features import Workbench
    from homeport.routing.health import Last

ILL = frozenset({"paused", "failing"})
"""States of a model that failed when it was asked last."""


class Health(NamedTuple):
    """What is known of a model at this moment; nothing of it is kept."""

    state: Literal["disabled", "never asked", "paused", "failing", "well"]
    """`failing`: when it was asked last, that failed; `paused`: so often that requests stay away for a while."""
    running: int = 0
    """Requests."""
    first_token_s: float | None = None
    """How long it lately took to begin to answer."""
    back_in_s: float | None = None
    """When one that is paused is tried again; 0: with the next request."""
    note: str = ""
    """The same for people."""


AGES = (
    (86_400, "1 day ago", "{count} days ago"),
    (3_600, "1 hour ago", "{count} hours ago"),
    (60, "1 minute ago", "{count} minutes ago"),
    (1, "1 second ago", "{count} seconds ago"),
)
"""Units of time in seconds, the longest first, and how one and several of them are told."""


def how_is(bench: Workbench, model: Model) -> Health:
    """How it is; an embedded model is known by where its engine answers, which the store does not hold."""
    if not model.endpoint:
        model = replace(model, endpoint=bench.snapshot().models.get(model.name, model).endpoint)
    running = bench.capacity.running(model)
    state, last = bench.health.state(model), bench.health.last(model)
    if not model.enabled:
        return Health("disabled", running)
    if state is None:
        return Health("never asked", running)
    if not state.healthy:
        back_in_s = bench.health.back_in(model)
        back = _back(back_in_s, bench.health.is_tried(model))
        return Health("paused", running, back_in_s=back_in_s, note=_because(back, model, last))
    first_s = bench.health.first_s(model)
    if last is not None and last.why:
        return Health("failing", running, first_s or None, note=_because(_went(last), model, last))
    begins = f"first token {first_s * 1000:.0f} ms" if first_s else ""
    return Health("well", running, first_s or None, note=_went(last) if last else begins)


def _back(in_s: float, tried: bool) -> str:  # noqa: FBT001 (of the lines above alone)
    if tried:
        return "after failures a request tries it now"
    return (
        f"not asked for {math.ceil(in_s)} s more after failures" if in_s else "after failures the next request tries it"
    )


def _went(last: Last) -> str:
    when = ago(last.age_s)
    if last.tested:
        return f"connection test failed {when}" if last.why else f"connection test passed {when}"
    return f"last request failed {when}" if last.why else f"last request passed {when}"


def ago(age_s: float) -> str:
    """So many seconds ago, in words."""
    for size, one, several in AGES:
        if age_s >= size:
            count = int(age_s // size)
            return one if count == 1 else several.replace("{count}", str(count))
    return "just now"


def _because(said: str, model: Model, last: Last | None) -> str:
    """The reason without the model's name, which stands beside it."""
    if last is None or not last.why:
        return said
    why = last.why.removeprefix(f"The model {model.name!r} ").removeprefix("cannot be reached: ")
    return f"{said}: {why.partition(chr(10))[0].rstrip('.')}"


def is_paused(bench: Workbench, model: Model) -> bool:
    """Whether it failed so often that requests stay away, or that the next one only tries it."""
    return how_is(bench, model).state == "paused"


def take_in(bench: Workbench, model: Model, why: str) -> None:
    """Take in how a test of a connection ended, if that was what is registered and no draft."""
    here = bench.snapshot().models.get(model.name)
    if here is None or model.endpoint not in {"", here.endpoint}:
        return
    if (model.identifier, model.key) == (here.identifier, here.key):
        bench.health.tested(here, why)

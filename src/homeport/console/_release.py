"""Families that are beta or experimental: an administrator says once that they may be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Renderable, button, div, form, h2, p

from homeport.console import _forms
from homeport.console._layout import guard
from homeport.families import BETA, SETTLED, opted_in

if TYPE_CHECKING:
    from htpy import Node

    from homeport.console import Asked
    from homeport.domain.models import Model
    from homeport.families import Family

FIELD = "beta"
BOX = "Allow beta and experimental families"
TICK = f"tick “{BOX}” below the family"
WHAT = "Beta families work but were tried less; experimental ones may answer badly."


def allowed(asked: Asked) -> bool:
    """Whether an administrator opted in."""
    return asked.desk.bench.snapshot().settings.get(BETA) == "on"


def opt_in(asked: Asked) -> Node:
    """The box that opts in, until somebody did."""
    if allowed(asked):
        return None
    return _forms.check(FIELD, BOX, on=asked.form.get(FIELD) == "on", tip=WHAT)


def reminder(asked: Asked, family: Family) -> str:
    """What an administrator has to do yet before a model of this family can be added."""
    if family.release == SETTLED or allowed(asked) or asked.form.get(FIELD) == "on":
        return ""
    return f"To add it, {TICK}."


async def consent(asked: Asked, model: Model) -> None:
    """Keep the opt-in that came with the form; raises BadRequest for a family that needs it and has none."""
    if allowed(asked):
        return
    if asked.form.get(FIELD) == "on":
        await asked.desk.store.set_setting(BETA, "on", by=asked.person.name)
        return
    opted_in(asked.desk.bench.families[model.family], {}, now=False, way=TICK)


def switch(asked: Asked) -> Renderable:
    """What was decided, and the way to decide otherwise."""
    on = allowed(asked)
    said = "may be used by new models." if on else "are offered when somebody who adds a model opts in."
    return div[
        h2["Beta and experimental families"],
        p[WHAT, f" They {said}"],
        form(method="post", action=asked.path)[
            guard(asked, "beta"),
            div(".buttons")[button(type="submit", name=FIELD, value="" if on else "on")["Forbid" if on else "Allow"]],
        ]
        if asked.person.role == "admin"
        else None,
    ]


async def decide(asked: Asked) -> None:
    """Keep what the switch was set to."""
    value = "on" if asked.form.get(FIELD) == "on" else None
    await asked.desk.store.set_setting(BETA, value, by=asked.person.name)

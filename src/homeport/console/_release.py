"""Families that are beta or experimental: an administrator says once that they may be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Renderable, button, div, form, h2, p

from homeport.console import _forms
from homeport.console._layout import guard
from homeport.console._texts import mark, t
from homeport.families import BETA, SETTLED, opted_in

if TYPE_CHECKING:
    from htpy import Node

    from homeport.console import Asked
    from homeport.domain.models import Model
    from homeport.families import Family

FIELD = "beta"
RELEASES = (mark("generally available"), mark("beta"), mark("experimental"))
"""How settled families are, as they say it; the most settled first."""
BOX = mark("Allow beta and experimental families in this whole instance")
TICK = mark("tick “{box}” below the family")
WHAT = mark("Beta families work but were tried less; experimental ones may answer badly.")


def allowed(asked: Asked) -> bool:
    """Whether an administrator opted in."""
    return asked.desk.bench.snapshot().settings.get(BETA) == "on"


def opt_in(asked: Asked) -> Node:
    """The box that opts in, until somebody did."""
    if allowed(asked):
        return None
    return _forms.check(FIELD, t(BOX), on=asked.form.get(FIELD) == "on", tip=t(WHAT))


def reminder(asked: Asked, family: Family) -> str:
    """What an administrator has to do yet before a model of this family can be added."""
    if family.release == SETTLED or allowed(asked) or asked.form.get(FIELD) == "on":
        return ""
    return t("To add it, tick “{box}” below the family.", box=t(BOX))


def consent(asked: Asked, model: Model) -> None:
    """Raise BadRequest for a family that needs the opt-in and has none, neither before nor with the form."""
    if allowed(asked) or asked.form.get(FIELD) == "on":
        return
    opted_in(asked.desk.bench.families[model.family], {}, now=False, way=t(TICK, box=t(BOX)))


async def keep(asked: Asked) -> None:
    """Keep the opt-in that came with the form, once what it was given for is stored."""
    if not allowed(asked) and asked.form.get(FIELD) == "on":
        await asked.desk.store.set_setting(BETA, "on", by=asked.person.name)


def switch(asked: Asked) -> Renderable:
    """What was decided, and the way to decide otherwise."""
    on = allowed(asked)
    said = t("They may be used by new models.") if on else t("They are offered when somebody who adds a model opts in.")
    return div[
        h2[t("Beta and experimental families")],
        p[f"{t(WHAT)} {said}"],
        form(method="post", action=asked.path)[
            guard(asked, "beta"),
            div(".buttons")[
                button(type="submit", name=FIELD, value="" if on else "on")[t("Forbid") if on else t("Allow")]
            ],
        ]
        if asked.person.role == "admin"
        else None,
    ]


async def decide(asked: Asked) -> None:
    """Keep what the switch was set to."""
    value = "on" if asked.form.get(FIELD) == "on" else None
    await asked.desk.store.set_setting(BETA, value, by=asked.person.name)

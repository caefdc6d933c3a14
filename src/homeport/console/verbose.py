"""Verbose logging: prompts and answers are written down for a while, which ends by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Renderable, button, div, form, h1, h2, li, p, ul

from homeport.console import Asked, Page, Sent, go
from homeport.console._forms import choice
from homeport.console._layout import guard, page, problem
from homeport.console._requests import moment
from homeport.domain.errors import BadRequest
from homeport.domain.verbose import SETTING, until_after, until_of

if TYPE_CHECKING:
    from htpy import Node

TIMES = (("15", "15 minutes"), ("60", "an hour"), ("480", "8 hours"), ("1440", "a day"))


async def view(asked: Asked) -> Renderable:
    """The page."""
    until = until_of(asked.desk.bench.snapshot())
    days = asked.desk.settings.request_content_days
    return page(
        asked,
        "Verbose logging",
        h1["Verbose logging"],
        p(".lead")["Write down what is asked and answered, to find out why an answer is not what it should be."],
        problem(asked),
        div(".card")[h2["On until ", moment(until)] if until else h2["Off"], _switch(asked, until)],
        ul[
            li["Code, prompts and answers of everybody go into the request log and the logs while it is on."],
            li["Keys and tokens are masked. Only administrators may read what was said."],
            li[f"It ends by itself, and what was written into the request log is forgotten after {days:g} days."],
        ],
    )


def _switch(asked: Asked, until: float) -> Node:
    if asked.desk.settings.log_content == "never":
        return p["Whoever runs Homeport said that content is never logged (HOMEPORT_LOG_CONTENT)."]
    if asked.person.role != "admin":
        return p["An administrator can switch it on."]
    if until:
        return form(method="post", action=asked.path)[guard(asked, "off"), button(type="submit")["Switch it off now"]]
    return form(method="post", action=asked.path)[
        guard(asked, "on"),
        choice("minutes", "For how long", TIMES, asked.form.get("minutes", "60")),
        div(".buttons")[button(".first", type="submit")["Switch it on"]],
    ]


async def on(asked: Asked) -> Sent:
    """Begin, until a moment."""
    if asked.desk.settings.log_content == "never":
        raise BadRequest("Content is never logged here.", "HOMEPORT_LOG_CONTENT says so; ask who runs Homeport.")
    minutes = asked.form.get("minutes", "")
    if minutes not in dict(TIMES):
        raise BadRequest("That is no time to choose.", "Choose one from the list.", param="minutes")
    await asked.desk.store.set_setting(SETTING, until_after(int(minutes)), by=asked.person.name)
    return go(asked.path)


async def off(asked: Asked) -> Sent:
    """End it at once."""
    await asked.desk.store.set_setting(SETTING, None, by=asked.person.name)
    return go(asked.path)


PAGE = Page(
    path="/console/verbose",
    title="Verbose logging",
    see="auditor",
    view=view,
    acts={"on": on, "off": off},
    menu="Operate",
    order=40,
)

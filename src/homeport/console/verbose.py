"""Verbose logging: prompts and answers are written down for a while, which ends by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Renderable, button, div, form, h1, h2, li, p, ul

from homeport.console import Asked, Page, Sent, go
from homeport.console._forms import choice
from homeport.console._layout import guard, page, problem
from homeport.console._requests import moment
from homeport.console._texts import choices, mark, rich, t
from homeport.domain.errors import BadRequest
from homeport.domain.verbose import SETTING, until_after, until_of

if TYPE_CHECKING:
    from htpy import Node

TIMES = (("15", mark("15 minutes")), ("60", mark("an hour")), ("480", mark("8 hours")), ("1440", mark("a day")))


async def view(asked: Asked) -> Renderable:
    """The page."""
    until = until_of(asked.desk.bench.snapshot())
    days = asked.desk.settings.request_content_days
    return page(
        asked,
        t("Verbose logging"),
        h1[t("Verbose logging")],
        p(".lead")[t("Write down what is asked and answered, to find out why an answer is not what it should be.")],
        problem(asked),
        # Translators: whether verbose logging is switched on
        div(".card")[h2[rich("On until {when}", when=moment(until))] if until else h2[t("Off")], _switch(asked, until)],
        ul[
            li[t("Code, prompts and answers of everybody go into the request log and the logs while it is on.")],
            li[t("Keys and tokens are masked. Only administrators may read what was said.")],
            li[
                t(
                    "It ends by itself, and what was written into the request log is forgotten after {days} days.",
                    days=f"{days:g}",
                )
            ],
        ],
    )


def _switch(asked: Asked, until: float) -> Node:
    if asked.desk.settings.log_content == "never":
        return p[t("Whoever runs Homeport said that content is never logged (HOMEPORT_LOG_CONTENT).")]
    if asked.person.role != "admin":
        return p[t("An administrator can switch it on.")]
    if until:
        return form(method="post", action=asked.path)[
            guard(asked, "off"), button(type="submit")[t("Switch it off now")]
        ]
    return form(method="post", action=asked.path)[
        guard(asked, "on"),
        choice("minutes", t("For how long"), choices(TIMES), asked.form.get("minutes", "60")),
        div(".buttons")[button(".first", type="submit")[t("Switch it on")]],
    ]


async def on(asked: Asked) -> Sent:
    """Begin, until a moment."""
    if asked.desk.settings.log_content == "never":
        raise BadRequest(t("Content is never logged here."), t("HOMEPORT_LOG_CONTENT says so; ask who runs Homeport."))
    minutes = asked.form.get("minutes", "")
    if minutes not in dict(TIMES):
        raise BadRequest(t("That is no time to choose."), t("Choose one from the list."), param="minutes")
    await asked.desk.store.set_setting(SETTING, until_after(int(minutes)), by=asked.person.name)
    return go(asked.path)


async def off(asked: Asked) -> Sent:
    """End it at once."""
    await asked.desk.store.set_setting(SETTING, None, by=asked.person.name)
    return go(asked.path)


PAGE = Page(
    path="/console/verbose",
    title=mark("Verbose logging"),
    see="auditor",
    view=view,
    acts={"on": on, "off": off},
    menu="Operate",
    order=40,
)

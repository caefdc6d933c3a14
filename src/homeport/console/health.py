"""What `homeport doctor` asks, asked by the server itself: each hop as it is known, and the last result kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Renderable, button, code, div, form, h1, li, ol, p, span, strong, time

from homeport.console import Asked, Page, Sent, go
from homeport.console._layout import guard, page, problem
from homeport.console._model_help import IN_WORDS, MARKS
from homeport.console._texts import mark, rich, t
from homeport.console._told import told
from homeport.console._ways import drawn, told_with_ways

if TYPE_CHECKING:
    from htpy import Node

    from homeport.diagnostics._examination import Examination

NOTICED_S = 0.001
ADDRESS = "/console/health"
EVERY = "every 500ms"


async def view(asked: Asked) -> Renderable:
    """The page; a script that waits asks for the list alone."""
    known = asked.desk.prober.examiner.known
    if asked.htmx and "list" in asked.query and known is not None:
        return _list(asked, known)
    return page(
        asked,
        t("Health"),
        h1[t("Health")],
        p(".lead")[t("The whole way of a request, hop by hop. The first one that is broken is the one to mend.")],
        problem(asked),
        _list(asked, known) if known else _nothing(asked),
    )


def _nothing(asked: Asked) -> Renderable:
    return div(".empty")[p[t("Nobody asked since Homeport started. It takes a few seconds.")], _begin(asked, None)]


def _begin(asked: Asked, known: Examination | None) -> Node:
    if asked.person.role != "admin":
        return None
    said = t("Ask again") if known else t("Ask everything")
    busy = bool(known and known.running)
    return form(".buttons", method="post", action=ADDRESS)[
        guard(asked, "examine"), button(".first", type="submit", disabled=busy)[t("Asking …") if busy else said]
    ]


def _list(asked: Asked, known: Examination) -> Renderable:
    awaited = {"hx_get": f"{ADDRESS}?list", "hx_trigger": EVERY, "hx_swap": "outerHTML"} if known.running else {}
    names = sorted(known.checks, key=lambda name: (known.checks[name].order, name))
    return div("#checks.card", aria_live="polite", **awaited)[
        _verdict(known),
        ol(".steps")[(_line(asked, known, name) for name in names)],
        _begin(asked, known),
        p(".soft.small")[rich("{command} asks the same, also where no server runs.", command=code["homeport doctor"])],
    ]


def _verdict(known: Examination) -> Renderable:
    at = time(datetime=known.began.isoformat())[f"{known.began:%Y-%m-%d %H:%M}"]
    if known.broken:
        return div(".note.bad", role="alert")[
            p[strong[t("The first broken hop is {hop}.", hop=known.broken[0])], " ", at]
        ]
    if known.running:
        return p(role="status")[t("{done} of {all} …", done=len(known.found), all=len(known.checks))]
    if known.odd:
        return div(".note.warn")[p[strong[t("It works, with warnings.")], " ", at]]
    return div(".note.good", role="status")[p[strong[t("All is well.")], " ", at]]


def _line(asked: Asked, known: Examination, name: str) -> Renderable:
    question = t(known.checks[name].question)
    if name not in known.found:
        shade, sign = MARKS[""]
        waits = IN_WORDS["" if known.running else "skip"]
        return li[span(class_=shade, title=t(waits))[sign], span(".soft")[question], span(".soft.small")[""]]
    found, took_s = known.found[name]
    shade, sign = MARKS[found.status]
    took = f"{took_s * 1000:.0f} ms" if took_s >= NOTICED_S else ""
    return li[
        span(class_=shade, title=t(IN_WORDS[found.status]))[sign],
        span[question, " ", span(".soft.small")[name]],
        span(".soft.small.nowrap")[took],
        (span(".fix")[drawn(line)] for line in told(found.saw).splitlines()),
        (span(".fix")[strong[told_with_ways(asked, line)]] for line in told(found.fix).splitlines()),
    ]


async def examine(asked: Asked) -> Sent:
    """Begin to ask everything, unless that goes on already."""
    asked.desk.prober.examiner.begin(asked.here)
    return go(ADDRESS)


PAGE = Page(
    path=ADDRESS,
    title=mark("Health"),
    see="auditor",
    view=view,
    acts={"examine": examine},
    menu="Operate",
    order=10,
)

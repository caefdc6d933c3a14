"""Requests that have ended: looked for by who, what, which model, how it ended and when; newest first, or live."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from htpy import (
    Renderable,
    a,
    button,
    code,
    div,
    form,
    h1,
    h2,
    input,  # noqa: A004 (the element)
    label,
    nav,
    p,
    span,
    table,
    tbody,
    th,
    thead,
    tr,
)

from homeport.console import Asked, Page, Sent, go
from homeport.console._forms import PER_PAGE, sifter
from homeport.console._layout import page
from homeport.console._render import cell
from homeport.console._requests import ended, lasting, log_of, moment, tokens
from homeport.console._texts import choices, mark, rich, t
from homeport.console._told import told
from homeport.domain.entries import ANSWERED, FAILED, LEFT, REFUSED
from homeport.domain.errors import BadRequest
from homeport.store.log_search import Sought

if TYPE_CHECKING:
    from collections.abc import Sequence

    from htpy import Node

    from homeport.store.log_search import Found

STATUSES = (
    ("", mark("However it ended")),
    (ANSWERED, mark("Answered")),
    (FAILED, mark("Failed")),
    (REFUSED, mark("Refused: the caller's mistake")),
    (LEFT, mark("Client left")),
    ("429", mark("Too many (429)")),
    ("2xx", mark("HTTP 2xx")),
    ("4xx", mark("HTTP 4xx")),
    ("5xx", mark("HTTP 5xx")),
)
FILTERS = ("find", "who", "team", "feature", "model", "language", "client", "status", "code", "from", "to")
EXACT = ("who", "team", "feature", "model", "language", "client")
HEADS = (
    mark("When"),
    mark("Who"),
    mark("Feature"),
    mark("Model"),
    mark("Outcome"),
    mark("Took"),
    mark("Tokens"),
    mark("Id"),
)
AN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
A_STATUS = re.compile(r"[1-5][0-9]{2}")
DIGITS = 18


async def view(asked: Asked) -> Renderable | Sent:
    """The page; an id leads straight to its request."""
    log = log_of(asked)
    typed = asked.query.get("find", "").strip()
    if AN_ID.fullmatch(typed) and await log.find(typed):
        return go(f"{asked.path}/{quote(typed)}")
    found = await log.search(_sought(asked), PER_PAGE + 1)
    return page(
        asked,
        t("Requests"),
        div(".top")[h1[t("Requests")], div(".buttons")[_tail(asked)]],
        p(".lead")[t("What was asked, of which model, and how it ended; newest first, times are UTC.")],
        _filter(asked, *[await log.names(trait) for trait in ("team", "feature", "model")]),
        _rows(asked, found),
    )


def _sought(asked: Asked) -> Sought:
    query = {name: value.strip() for name, value in asked.query.items()}
    below, status = query.get("below", ""), query.get("status", "")
    if status and status not in dict(STATUSES) and not A_STATUS.fullmatch(status):
        raise BadRequest(t("There is no such status."), t("Choose one, or write a number such as 502."), param="status")
    exact: dict[str, Any] = {name: query.get(name, "") for name in EXACT}
    return Sought(
        **exact,
        error_code=query.get("code", ""),
        status=status,
        text=query.get("find", ""),
        since=_moment(query.get("from", "")),
        until=_moment(query.get("to", "")),
        below=int(below) if below.isdecimal() and len(below) <= DIGITS + 1 else 0,
    )


def _moment(typed: str) -> float:
    """Unix seconds of a moment as browsers write it, in UTC; 0 for none."""
    if not typed:
        return 0.0
    try:
        return datetime.fromisoformat(typed).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise BadRequest(t("The filter has a time that is none."), t("Write one like 2027-01-31T09:00.")) from error


def _address(asked: Asked, **more: object) -> str:
    kept = {name: asked.query[name] for name in FILTERS if asked.query.get(name)}
    return f"{asked.path}?{urlencode({**kept, **more})}"


def _tail(asked: Asked) -> Renderable:
    if "live" in asked.query:
        return a(".button", href=_address(asked))[t("Stop following")]
    return a(".button", href=_address(asked, live="1"))[t("Follow live")]


def _filter(asked: Asked, teams: Sequence[str], features: Sequence[str], models: Sequence[str]) -> Renderable:
    return form(".filter", method="get", action=asked.path, role="search")[
        _line(asked, "find", t("Id, or text of an error"), type="search"),
        _line(asked, "who", t("User, exactly")),
        sifter(asked, "team", t("Team"), (("", t("Every team")), *((each, each) for each in teams))) if teams else None,
        sifter(asked, "feature", t("Feature"), (("", t("Every feature")), *((each, each) for each in features))),
        sifter(asked, "model", t("Model"), (("", t("Every model")), *((each, each) for each in models))),
        sifter(asked, "status", t("Outcome"), choices(STATUSES)),
        _when(asked, "from", t("From")),
        _when(asked, "to", t("To")),
        button(type="submit")[t("Show")],
    ]


def _line(asked: Asked, name: str, called: str, **more: Any) -> Renderable:  # noqa: ANN401 (attributes)
    return input(name=name, value=asked.query.get(name, ""), placeholder=called, aria_label=called, **more)


def _when(asked: Asked, name: str, called: str) -> Renderable:
    value = asked.query.get(name, "")
    return label(".check")[span(".soft")[called], input(type="datetime-local", name=name, value=value)]


def _rows(asked: Asked, found: Sequence[Found]) -> Renderable:
    """The list; followed live it asks for itself again, and only it is drawn anew."""
    again: dict[str, Any] = {}
    if "live" in asked.query:
        again = {
            "hx_get": _address(asked, live="1"),
            "hx_trigger": "every 2s",
            "hx_select": "#rows",
            "hx_swap": "outerHTML",
        }
    live = p(".soft.small")[t("Following: the list is drawn anew every two seconds.")] if again else None
    return div("#rows", **again)[live, _table(found[:PER_PAGE]) if found else _nothing(asked), _pager(asked, found)]


def _nothing(asked: Asked) -> Renderable:
    if any(asked.query.get(name) for name in (*FILTERS, "below")):
        return div(".empty")[h2[t("No request is like this")], p[a(href=asked.path)[t("Show all")]]]
    return div(".empty")[
        h2[t("Nobody asked for anything yet")],
        p[
            rich(
                "Whatever is asked from now on is here within a second. {link}",
                link=a(href="/console/playground")[t("Ask something")],
            )
        ],
    ]


def _pager(asked: Asked, found: Sequence[Found]) -> Node:
    newest = a(".button", href=_address(asked))[t("← Newest")] if asked.query.get("below") else None
    older = None
    if len(found) > PER_PAGE:
        older = a(".button", href=_address(asked, below=found[PER_PAGE - 1].row))[t("Older →")]
    return nav(".buttons", aria_label=t("Pages of the list"))[newest, older] if newest or older else None


def _table(found: Sequence[Found]) -> Renderable:
    return div(".scroll")[
        table(".wide")[thead[tr[(th(scope="col")[t(head)] for head in HEADS)]], tbody[(_row(each) for each in found)]]
    ]


def _row(each: Found) -> Renderable:
    traits = each.traits
    return tr[
        cell(t("When"), ".nowrap")[moment(each.at)],
        cell(t("Who"))[traits.who or span(".soft")[t("nobody")]],
        cell(t("Feature"))[traits.feature or span(".soft")[told(traits.protocol) or t("unknown path")]],
        cell(t("Model"))[traits.model or span(".soft")[t("none")]],
        cell(t("Outcome"))[ended(traits), " ", code[traits.error_code] if traits.error_code else None],
        cell(t("Took"), ".nowrap")[lasting(each.phases.took)],
        cell(t("Tokens"), ".nowrap")[tokens(each)],
        cell(t("Id"), ".nowrap")[
            a(href=f"/console/requests/{quote(each.correlation_id)}", title=each.correlation_id)[
                code[f"…{each.correlation_id[-8:]}"]
            ]
        ],
    ]


PAGE = Page(path="/console/requests", title=mark("Requests"), see="auditor", view=view, menu="Operate", order=20)

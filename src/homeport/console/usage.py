"""Usage: how much is asked, by whom, of which model, how fast and with what success; as figures, a chart and files."""

from __future__ import annotations

import csv
import io
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import orjson
from htpy import Fragment, Renderable, a, button, caption, div, form, h1, h2, p, table, tbody, td, th, thead, tr

from homeport.console import Asked, Page, Sent
from homeport.console._chart import Series, chart, charted
from homeport.console._forms import PER_PAGE, page_of, pager, sifter
from homeport.console._layout import page
from homeport.console._requests import log_of
from homeport.domain.errors import BadRequest
from homeport.store.log_usage import COLUMNS, Used, flat
from homeport.store.log_usage import Asked as Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from htpy import Node

DAY = 86_400
DAYS = (("1", "The last day"), ("7", "7 days"), ("30", "30 days"), ("90", "90 days"), ("365", "A year"))
BY = (
    ("model", "By model"),
    ("who", "By user"),
    ("team", "By team"),
    ("feature", "By feature"),
    ("language", "By language"),
    ("error_code", "By cause of failure"),
)
NOTHING = {"error_code": "no error", "language": "no code", "team": "no team"}
"""What an empty name means."""
TOKENS = "tokens, in and out"
HEADS = ("Requests", "Failed", "Client left", "Refused", "Tokens", "Median", "95 %", "First, 95 %", "Accepted")


async def view(asked: Asked) -> Renderable | Sent:
    """The page, or a file."""
    by, days = asked.query.get("by", "model"), asked.query.get("days", "30")
    if by not in dict(BY) or days not in dict(DAYS):
        raise BadRequest("There is no such usage.", "Choose one from the lists.")
    now = time.time()
    log = log_of(asked)
    teams, team = await log.names("team"), asked.query.get("team", "")
    wanted = Wanted(now - int(days) * DAY, now + 1, team=team)
    if "export" in asked.query:
        return _exported(asked.query["export"], by, await log.usage(wanted._replace(by=by)))
    beyond = (page_of(asked) - 1) * PER_PAGE
    found = await log.usage(wanted._replace(by=by, first=beyond, most=PER_PAGE + 1))
    whole = await log.usage(wanted)
    times = await log.usage(wanted._replace(over_time=True))
    return page(
        asked,
        "Usage",
        div(".top")[h1["Usage"], div(".buttons")[(_file(asked, kind) for kind in ("csv", "json"))]],
        form(".filter", method="get", action=asked.path)[
            sifter(asked._replace(query={"days": days}), "days", "Time", DAYS),
            sifter(asked._replace(query={"by": by}), "by", "Told apart", BY),
            _teams(asked, teams),
            button(type="submit")["Show"],
        ],
        [_figures(whole[0]), h2["Over time"], _over_time(times, wanted), _table(found[:PER_PAGE], by)]
        if times
        else _none(),
        pager(asked, beyond + len(found)),
    )


def _teams(asked: Asked, teams: Sequence[str]) -> Node:
    choices = (("", "Every team"), *((each, each) for each in teams))
    return sifter(asked, "team", "Team", choices) if teams else None


def _file(asked: Asked, kind: str) -> Renderable:
    kept = {name: asked.query[name] for name in ("by", "days", "team") if name in asked.query}
    address = f"{asked.path}?{urlencode({**kept, 'export': kind})}"
    return a(".button", href=address, download=f"usage.{kind}", hx_boost="false")[kind.upper()]


def _none() -> Renderable:
    return div(".empty")[h2["Nothing was asked in this time"], p["What is asked is counted here within seconds."]]


def _figures(whole: Used) -> Renderable:
    figures = (
        (f"{whole.requests:,}", "requests"),
        (f"{whole.prompt_tokens + whole.answer_tokens:,}", TOKENS),
        (_ms(whole.first_ms[1]), "until the first piece, 95th percentile"),
        (_share(whole.failed, whole.requests - whole.refused), "failed"),
        (_share(whole.accepted, whole.offered), "of suggestions accepted"),
    )
    notes = {
        "failed": f"{whole.refused:,} refused for a caller's mistake" if whole.refused else "",
        TOKENS: f"{whole.estimated:,} of them estimated" if whole.estimated else "",
    }
    return div(".cards")[
        (
            div(".card.figure")[
                div(".value")[value],
                div(".label")[said],
                div(".small.soft")[note] if (note := notes.get(said)) else None,
            ]
            for value, said in figures
        )
    ]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _ms(ms: int) -> str:
    return f"{ms:,} ms" if ms else "-"


def _over_time(times: Sequence[Used], wanted: Wanted) -> Fragment:
    """How many requests, and how fast, in each hour or day; one in which nobody asked counts as none."""
    span = wanted.span
    called = "hour" if span < DAY else "day"
    known = {each.start: each for each in times}
    at = range(int(wanted.since) // span * span, int(wanted.until), span)
    found = [known.get(start) for start in at]
    told = f"In each {called}; at most {max(each.requests for each in times):,}."
    return charted(
        chart(
            "Requests",
            told,
            at,
            [
                Series("Requests", [each.requests if each else 0 for each in found]),
                Series("Failed", [each.failed if each else 0 for each in found], "bad"),
            ],
        ),
        chart(
            "Until the first piece",
            f"The median and the 95th percentile of each {called}.",
            at,
            [
                Series("Median", [each.first_ms[0] or None if each else None for each in found]),
                Series("95 %", [each.first_ms[1] or None if each else None for each in found], "warn"),
            ],
            unit="ms",
        ),
    )


def _table(found: Sequence[Used], by: str) -> Renderable:
    said = dict(BY)[by].removeprefix("By ").capitalize()
    return div(".scroll")[
        table(".wide")[
            caption(".soft.small")[
                "Percentiles are estimated from histograms; ≈ marks tokens of which some were not counted."
            ],
            thead[tr[(th(scope="col")[head] for head in (said, *HEADS))]],
            tbody[(_row(each, by) for each in found)],
        ]
    ]


def _row(each: Used, by: str) -> Renderable:
    cells: tuple[Node, ...] = (
        f"{each.requests:,}",
        f"{each.failed:,}",
        f"{each.cancelled:,}",
        f"{each.refused:,}",
        f"{'≈ ' if each.estimated else ''}{each.prompt_tokens:,} + {each.answer_tokens:,}",
        _ms(each.took_ms[0]),
        _ms(each.took_ms[1]),
        _ms(each.first_ms[1]),
        _share(each.accepted, each.offered),
    )
    name = each.name or NOTHING.get(by, "none")
    return tr[
        th(scope="row")[name],
        (td(".nowrap", data_label=head)[cell] for head, cell in zip(HEADS, cells, strict=True)),
    ]


# files


def _exported(kind: str, by: str, found: Sequence[Used]) -> Sent:
    if kind not in {"csv", "json"}:
        raise BadRequest("There is no such file.", "Choose CSV or JSON.", param="export")
    kept = (b"content-disposition", f'attachment; filename="usage.{kind}"'.encode())
    if kind == "json":
        text = orjson.dumps({"usage": [each._asdict() for each in found]}, option=orjson.OPT_INDENT_2).decode()
        return Sent(text, headers=(kept,), content_type="application/json")
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow((by, *COLUMNS))
    writer.writerows(flat(each) for each in found)
    return Sent(out.getvalue(), headers=(kept,), content_type="text/csv; charset=utf-8")


PAGE = Page(path="/console/usage", title="Usage", see="auditor", view=view, menu="Operate", order=25)

"""Usage: how much is asked, by whom, of which model, how fast and with what success; as figures, a chart and files."""

from __future__ import annotations

import csv
import io
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import orjson
from htpy import Fragment, Renderable, a, button, caption, div, form, h1, h2, p, table, tbody, th, thead, tr
from htpy import time as moment

from homeport.console import Asked, Page, Sent
from homeport.console._chart import Series, chart, charted
from homeport.console._forms import PER_PAGE, page_of, pager, sifter
from homeport.console._layout import page
from homeport.console._render import cell
from homeport.console._requests import log_of
from homeport.console._texts import choices, filled, mark, t, tn
from homeport.domain.errors import BadRequest
from homeport.store.log_usage import BEYOND_MS, COLUMNS, Used, flat
from homeport.store.log_usage import Asked as Wanted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence

    from htpy import Node

DAY = 86_400
DAYS = (
    ("1", mark("The last day")),
    ("7", mark("7 days")),
    ("30", mark("30 days")),
    ("90", mark("90 days")),
    ("365", mark("A year")),
)
BY = (
    ("model", mark("By model")),
    ("who", mark("By user")),
    ("team", mark("By team")),
    ("feature", mark("By feature")),
    ("language", mark("By language")),
    ("error_code", mark("By cause of failure")),
)
KINDS = {
    "model": mark("Model"),
    "who": mark("User"),
    "team": mark("Team"),
    "feature": mark("Feature"),
    "language": mark("Language"),
    "error_code": mark("Cause of failure"),
}
NOTHING = {"error_code": mark("no error"), "language": mark("no code"), "team": mark("no team")}
"""What an empty name means."""
NONE = mark("none")
IN_HOURS = (
    mark("In each hour; at most {count}."),
    mark("The median and the 95th percentile of each hour."),
)
IN_DAYS = (
    mark("In each day; at most {count}."),
    mark("The median and the 95th percentile of each day."),
)
HEADS = (
    mark("Requests"),
    mark("Failed"),
    mark("Client left"),
    mark("Refused"),
    mark("Tokens"),
    mark("Median"),
    mark("95 %"),
    mark("First, 95 %"),
    mark("Accepted"),
)


async def view(asked: Asked) -> Renderable | Sent:
    """The page, or a file."""
    by, days = asked.query.get("by", "model"), asked.query.get("days", "30")
    if by not in dict(BY) or days not in dict(DAYS):
        raise BadRequest(t("There is no such usage."), t("Choose one from the lists."))
    now = time.time()
    log = log_of(asked)
    teams, team = await log.names("team"), asked.query.get("team", "")
    wanted = Wanted(now - int(days) * DAY, now + 1, team=team)
    if "export" in asked.query:
        return await _exported(asked.query["export"], by, log.usage_pieces(wanted._replace(by=by)))
    beyond = (page_of(asked) - 1) * PER_PAGE
    found = await log.usage(wanted._replace(by=by, first=beyond, most=PER_PAGE + 1))
    whole, every = await log.usage(wanted._replace(of_features=True)), await log.usage(wanted)
    times = await log.usage(wanted._replace(over_time=True, of_features=True))
    return page(
        asked,
        t("Usage"),
        div(".top")[h1[t("Usage")], div(".buttons")[(_file(asked, kind) for kind in ("csv", "json"))]],
        form(".filter", method="get", action=asked.path)[
            sifter(asked._replace(query={"days": days}), "days", t("Time"), choices(DAYS)),
            # Translators: by what the rows of the usage differ: model, user, team …
            sifter(asked._replace(query={"by": by}), "by", t("Told apart"), choices(BY)),
            _teams(asked, teams),
            button(type="submit")[t("Show")],
        ],
        _behind(*await log.behind()),
        [
            _figures(whole[0], every[0].refused) if whole else None,
            [h2[t("Over time")], _over_time(times, wanted)] if times else None,
            _table(found[:PER_PAGE], by),
        ]
        if found
        else _none(),
        pager(asked, beyond + len(found)),
    )


def _behind(count: int, until: int) -> Node:
    """What an older log has not summed up yet: the newest comes first."""
    if not count:
        return None
    said = tn(
        "Requests from before {time} are still being added up: {count} hour or day is left.",
        "Requests from before {time} are still being added up: {count} hours and days are left.",
        count,
    )
    at = datetime.fromtimestamp(until, UTC)
    when = moment(datetime=at.isoformat(), data_clock=True)[t("{when} UTC", when=f"{at:%Y-%m-%d %H:%M}")]
    return div(".note.warn", role="status")[p[filled(said, time=when)]]


def _teams(asked: Asked, teams: Sequence[str]) -> Node:
    every = (("", t("Every team")), *((each, each) for each in teams))
    return sifter(asked, "team", t("Team"), every) if teams else None


def _file(asked: Asked, kind: str) -> Renderable:
    kept = {name: asked.query[name] for name in ("by", "days", "team") if name in asked.query}
    address = f"{asked.path}?{urlencode({**kept, 'export': kind})}"
    return a(".button", href=address, download=f"usage.{kind}", hx_boost="false")[kind.upper()]


def _none() -> Renderable:
    return div(".empty")[h2[t("Nothing was asked in this time")], p[t("What is asked is counted here within seconds.")]]


def _figures(whole: Used, refusals: int) -> Renderable:
    refused = t("{count} refused for a caller's mistake, not counted", count=f"{refusals:,}") if refusals else ""
    estimated = t("{count} of them estimated", count=f"{whole.estimated:,}") if whole.estimated else ""
    figures = (
        (f"{whole.served:,}", tn("request", "requests", whole.served), refused),
        (f"{whole.prompt_tokens + whole.answer_tokens:,}", t("tokens, in and out"), estimated),
        (_ms(whole.first_ms[1]), t("time to the first token, 95th percentile"), ""),
        (_share(whole.failed, whole.served), t("failed"), ""),
        (_share(whole.accepted, whole.offered), t("of suggestions accepted"), ""),
    )
    return div(".cards")[
        (
            div(".card.figure")[div(".value")[value], div(".label")[said], div(".small.soft")[more] if more else None]
            for value, said, more in figures
        )
    ]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _ms(ms: int) -> str:
    return "-" if not ms else f"> {ms:,} ms" if ms >= BEYOND_MS else f"{ms:,} ms"


def _over_time(times: Sequence[Used], wanted: Wanted) -> Fragment:
    """How many requests, and how fast, in each hour or day; one in which nobody asked counts as none."""
    span = wanted.span
    most, medians = IN_HOURS if span < DAY else IN_DAYS
    known = {each.start: each for each in times}
    at = range(int(wanted.since) // span * span, int(wanted.until), span)
    found = [known.get(start) for start in at]
    told = t(most, count=f"{max(each.served for each in times):,}")
    return charted(
        chart(
            t("Requests"),
            told,
            at,
            [
                Series(t("Requests"), [each.served if each else 0 for each in found]),
                Series(t("Failed"), [each.failed if each else 0 for each in found], "bad"),
            ],
        ),
        chart(
            t("Time to the first token"),
            t(medians),
            at,
            [
                Series(t("Median"), [each.first_ms[0] or None if each else None for each in found]),
                Series(t("95 %"), [each.first_ms[1] or None if each else None for each in found], "warn"),
            ],
            unit="ms",
        ),
    )


def _table(found: Sequence[Used], by: str) -> Renderable:
    return div(".scroll")[
        table(".wide")[
            caption(".soft.small")[
                t("Percentiles are estimated from histograms; ≈ marks tokens of which some were not counted.")
            ],
            thead[tr[(th(scope="col")[head] for head in map(t, (KINDS[by], *HEADS)))]],
            tbody[(_row(each, by) for each in found)],
        ]
    ]


def _row(used: Used, by: str) -> Renderable:
    cells: tuple[Node, ...] = (
        f"{used.requests:,}",
        f"{used.failed:,}",
        f"{used.cancelled:,}",
        f"{used.refused:,}",
        f"{'≈ ' if used.estimated else ''}{used.prompt_tokens:,} + {used.answer_tokens:,}",
        _ms(used.took_ms[0]),
        _ms(used.took_ms[1]),
        _ms(used.first_ms[1]),
        _share(used.accepted, used.offered),
    )
    name = used.name or t(NOTHING.get(by, NONE))
    return tr[
        th(scope="row")[name],
        (cell(t(head), ".nowrap")[each] for head, each in zip(HEADS, cells, strict=True)),
    ]


# files


async def _exported(kind: str, by: str, pieces: AsyncGenerator[Sequence[Used]]) -> Sent:
    """A file that is sent piece by piece, as that of the audit."""
    if kind not in FILES:
        raise BadRequest(t("There is no such file."), t("Choose CSV or JSON."), param="export")
    content_type, write = FILES[kind]
    first = await anext(pieces, None) or ()  # what goes wrong ahead of it is still told by a page
    kept = (b"content-disposition", f'attachment; filename="usage.{kind}"'.encode())
    return Sent(write(by, first, pieces), headers=(kept,), content_type=content_type)


async def _csv(by: str, first: Sequence[Used], rest: AsyncGenerator[Sequence[Used]]) -> AsyncGenerator[str]:
    yield _lines([(by, *COLUMNS), *map(flat, first)])
    async for found in rest:
        yield _lines(map(flat, found))


def _lines(rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


async def _json(_by: str, first: Sequence[Used], rest: AsyncGenerator[Sequence[Used]]) -> AsyncGenerator[str]:
    """One name on a line."""
    yield '{"usage": [\n' + _documents(first)
    async for found in rest:
        yield ",\n" + _documents(found)
    yield "\n]}\n"


def _documents(found: Sequence[Used]) -> str:
    return ",\n".join(orjson.dumps(each._asdict()).decode() for each in found)


FILES = {"csv": ("text/csv; charset=utf-8", _csv), "json": ("application/json", _json)}


PAGE = Page(path="/console/usage", title=mark("Usage"), see="auditor", view=view, menu="Operate", order=25)

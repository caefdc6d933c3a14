"""A chart: a table that everybody can read, drawn as lines where there is a script."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from htpy import (
    Fragment,
    Renderable,
    details,
    div,
    figcaption,
    figure,
    fragment,
    h3,
    link,
    p,
    script,
    summary,
    table,
    tbody,
    td,
    th,
    thead,
    time,
    tr,
)

from homeport.console._layout import asset
from homeport.console._texts import t

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

CELLS = 1_000
"""Cells that are kept as they were drawn."""


class Series(NamedTuple):
    """One line of a chart."""

    called: str
    values: Sequence[float | None]
    """As many as there are moments; None where nothing is known."""
    shade: str = "accent"
    """A colour among the tokens of the style sheet."""


def chart(called: str, said: str, at: Sequence[int], series: Sequence[Series], *, unit: str = "") -> Renderable:
    """Series over moments (seconds since 1970); `said` is what a reader shall see in them, in one sentence."""
    head = tr[
        th[t("When")], (th(data_shade=each.shade)[f"{each.called}{f' ({unit})' if unit else ''}"] for each in series)
    ]
    return figure(".card.chart", data_chart=asset("uplot/uplot.js"), data_unit=unit)[
        figcaption[h3[called], p(".soft.small")[said]],
        div(".plot", aria_hidden="true"),
        details[
            summary[t("As a table")],
            div(".scroll", tabindex="0")[table[thead[head], tbody[_rows(at, [each.values for each in series])]]],
        ],
    ]


def charted(*figures: Renderable) -> Fragment:
    """Charts beside each other, with what draws them."""
    return fragment[
        link(rel="stylesheet", href=asset("uplot/uplot.css")),
        link(rel="modulepreload", href=asset("uplot/uplot.js")),
        div(".charts")[figures],
        script(type="module", src=asset("charts.js")),
    ]


def _rows(at: Sequence[int], columns: Iterable[Sequence[float | None]]) -> Iterator[Renderable]:
    for moment, *values in zip(at, *columns, strict=True):
        when = datetime.fromtimestamp(moment, UTC)
        said = t("{when} UTC", when=f"{when:%Y-%m-%d %H:%M}")
        yield tr[_when(when.isoformat(), said), (_value(each, _told(each)) for each in values)]


@lru_cache(CELLS)
def _when(at: str, said: str) -> Renderable:
    """The head of a row; several charts on a page have the same ones."""
    return th(scope="row")[time(datetime=at, data_clock=True)[said]]


@lru_cache(CELLS)
def _value(value: float | None, said: str) -> Renderable:
    return td(".number", data_value=None if value is None else str(value))[said]


def _told(value: float | None) -> str:
    return t("none") if value is None else f"{value:,.0f}"

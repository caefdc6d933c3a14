"""The first page: what runs here, which model serves what, and what to do next.

It names no model and no endpoint to somebody who is not known: only how many there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Renderable, a, code, h1, h2, p, pre, span, table, tbody, td, th, thead, tr

from homeport.console._layout import plain
from homeport.console._texts import mark, rich, t, tn
from homeport.features._ask import setting_of

if TYPE_CHECKING:
    from homeport.features import Workbench

TRY = """curl -s {}/v1/completions \\
  -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{"prompt": "def is_even(n):\\n    return", "suffix": "\\n\\nprint(is_even(4))\\n"}'"""


STATES = {"unassigned": mark("unassigned"), "disabled": mark("disabled"), "inherit": mark("inherit")}


def draw(bench: Workbench, url: str, *, console: bool = False) -> Renderable:
    """The page; `url` is our address, `console` says whether there is one to go on to."""
    menu = (*((("/console", t("Console")),) if console else ()), ("/docs", "API"), ("/openapi.json", "OpenAPI"))
    snapshot = bench.snapshot()
    models = sum(model.enabled for model in snapshot.models.values())
    trouble = bench.trouble()
    state = span(".pill.warn")[t("degraded")] if trouble else span(".pill.good")[t("running")]
    return plain(
        t("Welcome"),
        h1[rich("Homeport is {state}", state=state)],
        p(".lead")[
            t("AI for code from models that you run yourself."),
            " ",
            tn("{count} model is registered.", "{count} models are registered.", models),
        ],
        h2[t("Features")],
        _features(bench),
        h2[t("Ask for a completion")],
        pre[code[TRY.replace("{}", url, 1)]],
        p(".soft")[
            rich(
                "The token is the one that {up} printed; make more with {create}.",
                up=code["homeport up"],
                create=code["homeport tokens create"],
            )
        ],
        h2[t("Next")],
        p[rich("{link}, or register your own model:", link=a(href="/docs")[t("Read what the API takes")])],
        pre[
            code["homeport models add NAME --family qwen_coder --endpoint http://HOST:8000/v1 --identifier SERVED-NAME"]
        ],
        menu=menu,
    )


def _features(bench: Workbench) -> Renderable:
    listed = sorted((feature.section, feature.title, key) for key, feature in bench.features.items() if feature.listed)
    rows = [(section, title, _state(bench, key)) for section, title, key in listed]
    return table[
        thead[tr[th[t("Section")], th[t("Feature")], th[t("State")]]],
        tbody[
            (
                tr[
                    td(".soft")[t(section)],
                    td[t(title)],
                    td[span(class_=["pill", "warn" if state in {"unassigned", "disabled"} else "good"])[state]],
                ]
                for section, title, (state, called) in rows
            )
        ],
    ]


def _state(bench: Workbench, feature: str) -> tuple[str, str]:
    """Whether a model serves the feature, as a key and in words that say whose setting it is."""
    snapshot = bench.snapshot()
    own, decides = snapshot.features.get(feature), setting_of(bench.features, snapshot, feature)
    if decides is None or decides.assignment != "model":
        off = decides.assignment if decides else "unassigned"
        return off, t(STATES.get(off, off))
    if decides is own:
        return "model", t("assigned")
    return "model", t("as {feature}", feature=t(bench.features[decides.feature].title).lower())

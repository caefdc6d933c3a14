"""The self-hosted models: what there is, what it serves, how it does."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from htpy import (
    Node,
    Renderable,
    a,
    button,
    code,
    details,
    div,
    form,
    h1,
    h2,
    p,
    search,
    span,
    summary,
    table,
    tbody,
    td,
    th,
    thead,
    tr,
)
from htpy import input as field

from homeport.console import Asked, Page, Sent, go
from homeport.console import _model_form as model_form
from homeport.console._layout import guard, page, problem
from homeport.console._render import cell
from homeport.console._requests import today
from homeport.console._texts import mark, rich, t, tn
from homeport.console._told import told
from homeport.diagnostics._health import how_is
from homeport.diagnostics._scene import EMBEDDED
from homeport.domain.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from homeport.domain.capabilities import Capabilities
    from homeport.domain.models import Model

AT_ONCE = 100
"""Rows of one page."""
# Translators: how a model is; failing: the last request failed; paused: several did, and it is not asked for a while
STATES = (mark("disabled"), mark("never asked"), mark("paused"), mark("failing"), mark("well"))
"""Words for how a model is."""
SHADES = {"well": "good", "failing": "warn", "paused": "bad"}
ABLE = (("chat", mark("chat")), ("tools", mark("tools")), ("streams", mark("streams")))


class Row(NamedTuple):
    """A model, and what is known of it."""

    model: Model
    platform: str
    family: str
    release: str
    serves: tuple[str, ...]
    state: tuple[str, str, str]
    """Its shade, a word, and more."""
    running: int
    seen: Capabilities | None
    today: int = 0
    """Requests since midnight (UTC)."""


ORDERS: Mapping[str, tuple[str, Callable[[Row], object]]] = {
    "name": (mark("Name"), lambda row: row.model.name.lower()),
    "family": (mark("Family"), lambda row: (row.family.lower(), row.model.name.lower())),
    "endpoint": (mark("Endpoint"), lambda row: (row.model.endpoint, row.model.name.lower())),
    "serves": (mark("Serves"), lambda row: (-len(row.serves), row.model.name.lower())),
    "state": (mark("State"), lambda row: (row.state[1], -row.running, row.model.name.lower())),
}
"""What a column is called, and how rows are put in order by it."""


async def view(asked: Asked) -> Renderable:
    """The page."""
    models = asked.desk.bench.snapshot().models
    title = t("Self-hosted models")
    add = a(".button.first", href=model_form.NEW)[t("Add self-hosted model")] if asked.person.role == "admin" else None
    top = div(".top")[h1[title], div(".buttons")[add]]
    removed = list(await asked.desk.store.removed_models()) if asked.person.role == "admin" else []
    if not models:
        return page(
            asked, title, _undo(asked, removed), h1[title], problem(asked), _empty(asked), _lately(asked, removed)
        )
    seen = {name: each for name, (_, each) in (await asked.desk.store.capabilities()).items()}
    used = await today(asked.desk.request_log)
    rows = _sorted(asked, [row for row in _rows(asked, seen, used) if _found(row, asked.query.get("q", ""))])
    return page(
        asked,
        title,
        _undo(asked, removed),
        top,
        p(".lead")[t("The models that Homeport may ask, and how they are.")],
        problem(asked),
        _search(asked),
        div("#list")[_table(asked, rows)],
        _lately(asked, removed),
    )


def _rows(asked: Asked, seen: Mapping[str, Capabilities], used: Mapping[str, int]) -> Iterator[Row]:
    bench = asked.desk.bench
    snapshot = bench.snapshot()
    serves: dict[str, list[str]] = {}
    for setting in snapshot.features.values():
        offer = bench.features.get(setting.feature)
        for name in setting.models:
            serves.setdefault(name, []).append(t(offer.title) if offer else setting.feature)
    for model in snapshot.models.values():
        family, kind = bench.family(model), asked.desk.providers.get(model.platform)
        yield Row(
            model=model,
            platform=t(kind.label).partition(" (")[0] if kind else model.platform,
            family=t(family.label),
            release=family.release,
            serves=tuple(serves.get(model.name, ())),
            state=_state(asked, model),
            running=bench.capacity.running(model),
            seen=seen.get(model.name),
            today=used.get(model.name, 0),
        )


def _state(asked: Asked, model: Model) -> tuple[str, str, str]:
    found = how_is(asked.desk.bench, model)
    return SHADES.get(found.state, "soft"), found.state, told(found.note)


def _found(row: Row, wanted: str) -> bool:
    """Whether every word that was typed is somewhere in the row."""
    model = row.model
    whole = " ".join(
        (model.name, model.identifier, model.endpoint, row.platform, row.family, row.release, row.state[1], *row.serves)
    ).lower()
    return all(word in whole for word in wanted.lower().split())


def _sorted(asked: Asked, rows: list[Row]) -> list[Row]:
    order = asked.query.get("sort", "name")
    _, key = ORDERS.get(order, ORDERS["name"])
    return sorted(rows, key=key, reverse=asked.query.get("down") == "1")  # type: ignore[arg-type]


def _address(asked: Asked, **changed: str) -> str:
    """This list, put otherwise."""
    kept = {name: asked.query[name] for name in ("q", "sort", "down", "page") if asked.query.get(name)}
    query = {name: value for name, value in {**kept, **changed}.items() if value}
    return f"{model_form.LIST}?{urlencode(query)}" if query else model_form.LIST


# what is drawn


def _empty(asked: Asked) -> Renderable:
    admin = asked.person.role == "admin"
    return div(".cards")[
        div(".empty")[
            h2[t("You run a model server")],
            p[t("vLLM, SGLang, llama.cpp, Ollama, or one of a cloud: add it by its address.")],
            a(".button.first", href=model_form.NEW)[t("Add self-hosted model")]
            if admin
            else p[t("Ask an administrator.")],
        ],
        div(".empty")[
            h2[t("You only want to see it work")],
            p[t("Homeport brings a small model that runs on this machine's processor. Start it on the command line:")],
            p[code["homeport up"]],
        ],
    ]


def _undo(asked: Asked, removed: Sequence[str]) -> Node:
    """The way back for who has just disabled or deleted a model, and what it left out."""
    said, about = asked.query.get("said"), asked.query.get("about", "")
    model = asked.desk.bench.snapshot().models.get(about)
    if said == "recovered":
        return _kept(asked)
    if said == "removed" and about in removed:
        return div(".buttons.undo")[_restoring(asked, about, t("Undo: bring it back"))]
    if said != "disabled" or model is None or model.enabled or asked.person.role != "admin":
        return None
    return div(".buttons.undo")[_switch(asked, model, t("Undo: enable it again"))]


def _kept(asked: Asked) -> Node:
    """The features that somebody set otherwise, which a model that is back does not serve again."""
    wanted = asked.query.get("kept", "").split(",")
    titles = [t(offer.title) for key, offer in asked.desk.bench.features.items() if key in wanted]
    if not titles:
        return None
    said = tn(
        "One feature was set otherwise since and stays so: {names}.",
        "{count} features were set otherwise since and stay so: {names}.",
        len(titles),
        names=", ".join(titles),
    )
    return div(".note.warn", role="status")[p[said, " ", a(href="/console/features")[t("Look at the features")]]]


def _lately(asked: Asked, removed: Sequence[str]) -> Node:
    """The way back for who went elsewhere after a deletion."""
    if not removed:
        return None
    return details[
        summary[t("Deleted lately")],
        div[
            p(".soft")[t("For an hour a model can be brought back, with its key and for the features that it served.")],
            table[
                tbody[
                    (
                        tr[th(scope="row")[name], td(".right")[_restoring(asked, name, t("Bring back"))]]
                        for name in removed
                    )
                ]
            ],
        ],
    ]


def _restoring(asked: Asked, name: str, said: str) -> Renderable:
    return form(method="post", action=_address(asked))[
        guard(asked, "restore"),
        field(type="hidden", name="name", value=name),
        button(".quiet", type="submit", aria_label=t("{action} {name}", action=said, name=name))[said],
    ]


def _switch(asked: Asked, model: Model, said: str) -> Renderable:
    return form(method="post", action=_address(asked))[
        guard(asked, "disable" if model.enabled else "enable"),
        field(type="hidden", name="name", value=model.name),
        button(".quiet", type="submit", aria_label=t("{action} {name}", action=said, name=model.name))[said],
    ]


def _search(asked: Asked) -> Renderable:
    kept = ((name, asked.query[name]) for name in ("sort", "down") if asked.query.get(name))
    return search[
        form(".filter", method="get", action=model_form.LIST)[
            (field(type="hidden", name=name, value=value) for name, value in kept),
            field(
                type="search",
                name="q",
                value=asked.query.get("q", ""),
                placeholder=t("Search (press /)"),
                aria_label=t("Search models"),
                hx_get=model_form.LIST,
                hx_trigger="input changed delay:250ms",
                hx_include="closest form",
                hx_target="#list",
                hx_select="#list",
                hx_swap="outerHTML",
                hx_replace_url="true",
            ),
            button(type="submit")[t("Search")],
        ]
    ]


def _table(asked: Asked, rows: Sequence[Row]) -> Node:
    if not rows:
        return div(".empty")[
            h2[t("Nothing fits")],
            p[rich("No model has all of these words. {link}", link=a(href=_address(asked, q=""))[t("Show all")])],
        ]
    number = asked.query.get("page", "1")[:6]
    first = (int(number) - 1) * AT_ONCE if number.isascii() and number.isdigit() and int(number) else 0
    shown = list(islice(rows, first, first + AT_ONCE))
    admin = asked.person.role == "admin"
    return (
        div(".scroll")[
            table(".wide")[
                thead[tr[_heads(asked), th[t("Can do")], th[span(".unseen")[t("Actions")]] if admin else None]],
                tbody[(_drawn(asked, row) for row in shown)],
            ]
        ],
        _pages(asked, len(rows), first),
    )


def _heads(asked: Asked) -> Iterator[Renderable]:
    now, down = asked.query.get("sort", "name"), asked.query.get("down") == "1"
    for key, (called, _) in ORDERS.items():
        here = key == now
        turned = "1" if here and not down else ""
        told = ("descending" if down else "ascending") if here else None
        arrow = (" ↓" if down else " ↑") if here else ""
        address = _address(asked, sort=key, down=turned, page="")
        yield th(aria_sort=told)[a(href=address)[t(called), span(aria_hidden="true")[arrow]]]


def _drawn(asked: Asked, row: Row) -> Renderable:
    model = row.model
    shade, word, more = row.state
    running = t("{count} running", count=row.running) if row.running else ""
    used = t("{count} today", count=f"{row.today:,}") if row.today else ""
    return tr[
        th(".name", scope="row")[a(href=model_form.address(model.name))[model.name], _sub(model.identifier)],
        cell(t("Family"))[row.family, " ", _release(row.release), _sub(row.platform)],
        cell(t("Endpoint"))[_endpoint(model)],
        cell(t("Serves"))[_served(row)],
        cell(t("State"))[span(f".pill.{shade}")[t(word)], _sub(", ".join(filter(None, (running, used, more))))],
        cell(t("Can do"), ".small")[_can_do(row.seen)],
        td(".right")[_switch(asked, model, t("Disable") if model.enabled else t("Enable"))]
        if asked.person.role == "admin"
        else None,
    ]


def _sub(text: str) -> Node:
    return span(".sub")[text] if text else None


def _endpoint(model: Model) -> Node:
    if model.platform == EMBEDDED:
        return span(".soft")[t("inside Homeport")]
    return span(".break.small")[model.endpoint] if model.endpoint else span(".soft")[t("the platform's own")]


def _release(release: str) -> Node:
    return None if release == "generally available" else span(".pill.warn")[t(release)]


def _served(row: Row) -> Node:
    if not row.serves:
        return span(".soft")[t("nothing yet")]
    first = ", ".join(row.serves[:2])
    return span(title=", ".join(row.serves))[
        t("{names} and {count} more", names=first, count=len(row.serves) - 2) if row.serves[2:] else first
    ]


def _can_do(seen: Capabilities | None) -> Node:
    if seen is None:
        return span(".soft")[t("not looked at")]
    able = [t(said) for what, said in ABLE if getattr(seen, what)]
    holes = [t("fills holes")] if seen.best_layout else []
    window = [t("{size} window", size=f"{seen.context_tokens // 1024}k")] if seen.context_tokens else []
    return ", ".join((*able, *holes, *window)) or span(".soft")[t("nothing was seen")]


def _pages(asked: Asked, many: int, first: int) -> Node:
    if many <= AT_ONCE:
        return None
    number = first // AT_ONCE + 1
    return div(".buttons")[
        # Translators: to the page before this one of a list
        a(".button", href=_address(asked, page=str(number - 1)))[t("Back")] if first else None,
        span(".soft")[t("{first} to {last} of {all}", first=first + 1, last=min(first + AT_ONCE, many), all=many)],
        # Translators: on to the next page of a list
        a(".button", href=_address(asked, page=str(number + 1)))[t("On")] if first + AT_ONCE < many else None,
    ]


# what its forms do


async def enable(asked: Asked) -> Sent:
    """Let a model serve again; raises BadRequest."""
    return await _switched(asked, on=True)


async def disable(asked: Asked) -> Sent:
    """Let a model serve nobody; raises BadRequest."""
    return await _switched(asked, on=False)


async def _switched(asked: Asked, *, on: bool) -> Sent:
    name = asked.form.get("name", "")
    if name not in asked.desk.bench.snapshot().models:
        raise BadRequest(t("There is no model named {name}.", name=f"{name[:100]!r}"), t("It may have been deleted."))
    await asked.desk.store.edit_model(name, {"enabled": on}, by=asked.person.name)
    back = _address(asked, said="enabled" if on else "disabled", about=name)
    return go(back)


async def restore(asked: Asked) -> Sent:
    """Undo a deletion; raises Unknown, or BadRequest when another model has its name now."""
    back = await asked.desk.store.restore_model(asked.form.get("name", ""), by=asked.person.name)
    return go(_address(asked, said="recovered", about=back.model.name, kept=",".join(back.kept)))


PAGE = Page(
    path=model_form.LIST,
    title=mark("Self-hosted models"),
    see="auditor",
    view=view,
    acts={"enable": enable, "disable": disable, "restore": restore},
    menu="Models",
    order=10,
)

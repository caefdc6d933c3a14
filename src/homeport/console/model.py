"""One self-hosted model: what it is, what it can do, what it serves; change it, copy it, delete it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from htpy import (
    Node,
    Renderable,
    a,
    button,
    dd,
    div,
    dl,
    dt,
    form,
    fragment,
    h1,
    h2,
    li,
    meter,
    p,
    span,
    strong,
    table,
    tbody,
    td,
    th,
    time,
    tr,
    ul,
)
from htpy import input as field

from homeport.console import Asked, Page, Sent, _release, go
from homeport.console import _model_form as model_form
from homeport.console import _model_help as model_help
from homeport.console._forms import choice
from homeport.console._layout import guard, page, problem
from homeport.console._texts import mark, rich, t, tn
from homeport.console._told import told
from homeport.console._well import trouble_of
from homeport.diagnostics._health import ILL, how_is
from homeport.diagnostics._prove import doubts as doubts_of_seen
from homeport.diagnostics._registration import doubts
from homeport.diagnostics._scene import EMBEDDED
from homeport.domain.errors import BadRequest, Outdated, Unknown
from homeport.features._holes import PREFIX, SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from homeport.diagnostics import Doubt
    from homeport.domain.capabilities import Capabilities
    from homeport.domain.models import FeatureSetting, Model

    Seen = tuple[datetime, Capabilities] | None

NOBODY = "-"
"""The choice of a replacement by which features lose the model."""
ABLE = {
    "chat": mark("chats"),
    "text": mark("continues text"),
    "streams": mark("streams"),
    "tools": mark("calls tools"),
    "thinks": mark("thinks"),
}

LAYOUTS = {PREFIX: mark("none (what precedes)"), SUFFIX: mark("the server's own")}
"""Layouts that are no family's."""


async def view(asked: Asked) -> Renderable:
    """The page, or the question whether to delete it."""
    model = await _model(asked)
    if "delete" in asked.query or asked.form.get("do") == "delete":
        return _deleting(asked, model)
    mends = {"mend", "switch", "measure"}
    typed = asked.form if asked.form and asked.form.get("do") not in mends else None
    fresh = asked.query.get("said") == "added" or "test" in asked.query
    ask = fresh and asked.person.role == "admin" and not asked.form
    beside = model_help.at_once(model_form.address(model.name)) if ask else None
    return await _page(asked, model, typed or model_form.values_of(model, asked.desk.providers), beside=beside)


async def _model(asked: Asked) -> Model:
    """The model of this address; raises Unknown."""
    name = asked.tail.strip()
    known = asked.desk.bench.snapshot().models
    if name not in known:
        raise Unknown(
            t("There is no model named {name}.", name=f"{name[:100]!r}"), t("It may have been deleted or renamed.")
        )
    return await asked.desk.store.model(name)


async def _page(
    asked: Asked, model: Model, values: Mapping[str, str], found: Sequence[str] = (), beside: Node = None
) -> Renderable:
    address = model_form.address(model.name)
    seen = (await asked.desk.store.capabilities()).get(model.name)
    odd = model_help.doubted(asked, _doubts(asked, model, seen), address)
    facts = (odd, _serves(asked, model), _can_do(asked, model, seen))
    drawn = model_form.Drawn(address, t("Save"), model, found, beside, facts)
    return page(
        asked,
        model.name,
        div(".top")[h1[model.name], _actions(asked, model)],
        _lead(asked, model),
        model_form.draw(asked, values, drawn),
    )


def _doubts(asked: Asked, model: Model, seen: Seen) -> Iterator[Doubt]:
    offer = asked.desk.providers.get(model.platform)
    if offer is not None and model.platform != EMBEDDED:
        yield from doubts(model, offer)
    if seen is not None:
        yield from doubts_of_seen(model, asked.desk.bench.families, seen[1])


def _lead(asked: Asked, model: Model) -> Renderable:
    said = _state(asked, model)
    return (
        div(".note.warn", role="status")[p[said]] if how_is(asked.desk.bench, model).state in ILL else p(".lead")[said]
    )


def _state(asked: Asked, model: Model) -> str:
    bench = asked.desk.bench
    here = bench.snapshot().models.get(model.name, model)
    running = bench.capacity.running(here)
    if not model.enabled:
        return t("Disabled: it serves nobody.")
    if trouble := trouble_of(bench, here):
        return trouble
    if running:
        return tn("{count} request running now.", "{count} requests running now.", running)
    found = how_is(bench, here)
    return (
        t("Never asked yet.")
        if found.state == "never asked"
        else ", ".join(filter(None, (t("Ready"), told(found.note))))
    )


def _actions(asked: Asked, model: Model) -> Node:
    if asked.person.role != "admin":
        return None
    address = model_form.address(model.name)
    return div(".buttons")[
        form(method="post", action=address)[
            guard(asked, "switch"),
            field(type="hidden", name="on", value="no" if model.enabled else "yes"),
            button(type="submit")[t("Disable") if model.enabled else t("Enable")],
        ],
        a(".button", href=f"{model_form.NEW}?like={quote(model.name, safe='')}")[t("Duplicate")]
        if model.platform != EMBEDDED
        else None,
        a(".button", href=f"{address}?delete")[t("Delete …")],
    ]


def _users(asked: Asked, name: str) -> list[FeatureSetting]:
    """Settings of features that name the model: at first, with others, as a fallback or as a shadow."""
    return [each for each in asked.desk.bench.snapshot().features.values() if name in each.models]


def _title(asked: Asked, feature: str) -> str:
    offer = asked.desk.bench.features.get(feature)
    return t(offer.title) if offer else feature


def _role(setting: FeatureSetting, name: str) -> str:
    if name in setting.fallbacks:
        return t("as a fallback")
    # Translators: how a model serves a feature: unseen, together with others, or as the one that is asked first
    return t("as its shadow") if name == setting.shadow else t("with others") if setting.weights else t("first")


def _serves(asked: Asked, model: Model) -> Renderable:
    users = _users(asked, model.name)
    listed = ul(".plainly")[
        (li[_title(asked, each.feature), " ", span(".soft.small")[_role(each, model.name)]] for each in users)
    ]
    nothing = p(".soft")[
        rich("No feature uses it yet. {link}.", link=a(href="/console/features")[t("Choose which ones do")])
    ]
    return div(".card")[h2[t("Serves")], listed if users else nothing]


# what it can do


def _can_do(asked: Asked, model: Model, seen: Seen) -> Renderable:
    address = model_form.address(model.name)
    ask = form(method="post", action=address)[
        guard(asked, "measure"),
        button(
            type="submit",
            hx_post=address,
            hx_target="#can",
            hx_swap="outerHTML",
            hx_disabled_elt="this",
        )[t("Find out what it can do") if seen is None else t("Find out again")],
        span(".htmx-indicator.soft", role="status")[
            " ", t("Asking it some twenty questions; this may take a minute …")
        ],
    ]
    return div("#can.card")[
        h2[t("What it can do")],
        p(".soft")[t("Nobody looked yet: whether it chats, streams, calls tools, and in which layout it fills holes.")]
        if seen is None
        else _measured(asked, *seen),
        ask if asked.person.role == "admin" else None,
    ]


def _measured(asked: Asked, at: datetime, seen: Capabilities) -> Renderable:
    facts = [(t(said), getattr(seen, what)) for what, said in ABLE.items()]
    if seen.embeds is not None:
        facts.append((t("makes vectors"), seen.embeds))
    return div[
        p(".soft.small")[rich("Looked at {when}", when=time(datetime=at.isoformat())[f"{at:%Y-%m-%d %H:%M}"])],
        dl(".facts")[
            (fragment[dt[said], dd[_yes(value)]] for said, value in facts),
            fragment[
                dt[t("context window")],
                dd[
                    tn("{count} token", "{count} tokens", seen.context_tokens, count=f"{seen.context_tokens:,}")
                    if seen.context_tokens
                    else t("not told")
                ],
            ],
            fragment[
                dt[t("first token after")],
                dd[f"{seen.first_token_s * 1000:.0f} ms"],
            ]
            if seen.first_token_s
            else None,
        ],
        _holes(asked, seen) if seen.holes else None,
        ul(".plainly.small")[(li[strong[what], ": ", said] for what, said in seen.problems.items())]
        if seen.problems
        else None,
    ]


def _yes(value: bool | None) -> Node:  # noqa: FBT001 (what was seen)
    if value is None:
        return span(".soft")[t("not known")]
    return span(".good")[t("yes")] if value else span(".soft")[t("no")]


def _holes(asked: Asked, seen: Capabilities) -> Renderable:
    families = asked.desk.bench.families
    ranked = [
        (t(families[layout].label) if layout in families else t(LAYOUTS.get(layout, layout)), score)
        for layout, score in sorted(seen.holes.items(), key=lambda each: -each[1])
    ]
    rows = [
        tr[
            th(scope="row")[called],
            td[meter(value=str(score), min="0", max="1", aria_label=called)],
            td(".number")[f"{score:.0%}"],
        ]
        for called, score in ranked
    ]
    return div[p(".label")[t("Holes in code that it filled, by layout")], table(".slim")[tbody[rows]]]


# what its forms do


async def save(asked: Asked) -> Sent:
    """Store what changed; raises BadRequest, or Outdated when somebody else did in between."""
    if "use" in asked.form:
        return await model_help.beside(detect)(asked)
    stored = await _model(asked)
    if asked.form.get("seen", "") != model_form.fingerprint(stored):
        saw = t("Somebody changed this model while you did.")
        raise Outdated(saw, t("Yours is still below and not saved: save again to keep yours, or reload to see theirs."))
    drafted = model_form.drafted(asked, stored)
    model = model_form.complete(drafted, asked.desk, named=drafted.name != stored.name)
    changed = model_form.changes(model, stored, asked.form)
    if not changed:
        return go(f"{model_form.address(stored.name)}?said=same")
    if "family" in changed:
        _release.consent(asked, model)
    edited = await asked.desk.store.edit_model(stored.name, changed, by=asked.person.name)
    if "family" in changed:
        await _release.keep(asked)
    said = "moved" if edited.notes else "saved"
    return go(f"{model_form.address(edited.model.name)}?said={said}&about={quote(edited.model.name)}")


async def detect(asked: Asked) -> Sent:
    """Ask the endpoint what it serves."""
    stored = await _model(asked)
    address = model_form.address(stored.name)
    found = await model_help.detect(asked, model_form.drafted(asked, stored), asked.form, address)
    if asked.htmx:
        drawn = model_form.Drawn(address, t("Save"), stored, found.names)
        return Sent(fragment[found.help, model_form.where(asked, found.values, drawn, swap=True)])
    return Sent(await _page(asked, stored, found.values, found.names, found.help))


async def test(asked: Asked) -> Sent:
    """Ask it as the form describes it, a step at a time where a script waits for each."""
    stored = await _model(asked)
    model = model_form.complete(model_form.drafted(asked, stored), asked.desk, named=False)
    if not asked.htmx:
        return Sent(await _page(asked, stored, asked.form, (), await model_help.whole(asked, model)))
    address = model_form.address(stored.name)
    if "step" in asked.form:
        return Sent(fragment[await model_help.one(asked, model, asked.form["step"], address)])
    return Sent(model_help.started(address))


async def measure(asked: Asked) -> Sent:
    """Find out what it can do, and keep that."""
    stored = await _model(asked)
    desk = asked.desk
    await desk.store.measured(stored.name, await desk.prober.measure(stored), by=asked.person.name)
    if asked.htmx:
        return Sent(_can_do(asked, stored, (await desk.store.capabilities()).get(stored.name)))
    return go(f"{model_form.address(stored.name)}?said=measured&about={quote(stored.name)}#can")


async def mend(asked: Asked) -> Sent:
    """Make a change that a doubt proposes; raises BadRequest for any other one."""
    stored = await _model(asked)
    seen = (await asked.desk.store.capabilities()).get(stored.name)
    proposed = [
        (each.change.field, each.change.value) for each in _doubts(asked, stored, seen) if each.change is not None
    ]
    wanted = (asked.form.get("field", ""), asked.form.get("value", ""))
    if wanted not in proposed:
        raise BadRequest(t("That is not proposed any more."), t("Look at the model again."))
    part, _, name = wanted[0].rpartition(".")
    value: Any = int(wanted[1]) if part == "limits" else wanted[1]
    changed = {part: {name: value}} if part else {name: value}
    edited = await asked.desk.store.edit_model(stored.name, changed, by=asked.person.name)
    said = "moved" if edited.notes else "saved"
    return go(f"{model_form.address(stored.name)}?said={said}&about={quote(stored.name)}&test")


async def switch(asked: Asked) -> Sent:
    """Let it serve, or not; the list offers to undo it."""
    stored = await _model(asked)
    on = asked.form.get("on") == "yes"
    await asked.desk.store.edit_model(stored.name, {"enabled": on}, by=asked.person.name)
    return go(f"{model_form.LIST}?said={'enabled' if on else 'disabled'}&about={quote(stored.name)}")


# deleting


def _deleting(asked: Asked, model: Model) -> Renderable:
    users = _users(asked, model.name)
    address = model_form.address(model.name)
    return page(
        asked,
        t("Delete {name}", name=model.name),
        h1[t("Delete {name}?", name=model.name)],
        problem(asked),
        p(".lead")[t("For an hour you can bring it back, with its key. The model's server is not touched.")],
        form(".stack.card", method="post", action=f"{address}?delete")[
            guard(asked, "delete"),
            _instead(asked, model, users) if users else None,
            div(".buttons")[
                button(".danger", type="submit")[t("Delete it") if not users else t("Reassign and delete")],
                a(".button.quiet", href=address)[t("Keep it")],
            ],
        ],
    )


def _instead(asked: Asked, model: Model, users: Sequence[FeatureSetting]) -> Node:
    """By whom it is used, and who shall serve that instead."""
    chosen = asked.form.get("instead", "")
    others = [each for each in asked.desk.bench.snapshot().models.values() if each.enabled and each.name != model.name]
    offered = (
        ("", t("Choose …")),
        *((each.name, _with_trouble(asked, each)) for each in others),
        (NOBODY, t("Nobody: they lose it")),
    )
    return (
        div(".note.warn")[
            strong[t("It is in use:")],
            ul(".plainly")[(li[_title(asked, each.feature), f" ({_role(each, model.name)})"] for each in users)],
        ],
        choice("instead", t("Who shall serve them instead?"), offered, chosen, about="name", required=True),
    )


def _with_trouble(asked: Asked, model: Model) -> str:
    """Its name, and how it failed when it was asked last."""
    found = how_is(asked.desk.bench, model)
    return f"{model.name} ({told(found.note)})" if found.state in ILL else model.name


async def delete(asked: Asked) -> Sent:
    """Forget it, and in the same step let another one serve what it served; raises BadRequest, InUse."""
    model, desk = await _model(asked), asked.desk
    instead, by = asked.form.get("instead", ""), asked.person.name
    if instead in {"", NOBODY}:
        await desk.store.remove_model(model.name, by=by, force=instead == NOBODY)
    else:
        await desk.store.replace_model(model.name, instead, by=by)
    return go(f"{model_form.LIST}?said=removed&about={quote(model.name)}")


PAGE = Page(
    path=f"{model_form.LIST}/{{name}}",
    title=mark("Self-hosted model"),
    see="auditor",
    view=view,
    acts={
        "save": save,
        "detect": model_help.beside(detect),
        "test": model_help.beside(test),
        "measure": measure,
        "mend": mend,
        "switch": switch,
        "delete": delete,
    },
    order=0,
)

"""Help beside a model's form: what its server serves, whether it answers, what looks odd."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from htpy import Node, Renderable, button, div, h2, input, li, ol, p, span, strong, ul  # noqa: A004 (the element)
from htpy import form as form_tag

from homeport.console import Sent, _release
from homeport.console import _model_form as model_form
from homeport.console._layout import guard
from homeport.console._texts import mark, rich, t
from homeport.console._told import in_words, told
from homeport.diagnostics._connection import STEPS, Step
from homeport.diagnostics._served import NO_SUCH_PATH, of_the_server, wants_a_key
from homeport.domain.errors import CallerError, UpstreamError, UpstreamRefused, UpstreamTimeout, UpstreamUnreachable
from homeport.families import UNKNOWN, guess

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from homeport.console import Asked
    from homeport.diagnostics import Change, Doubt, Finding
    from homeport.domain.models import Model
    from homeport.families import Family

MARKS = {
    "ok": ("good", "✓"),
    "warn": ("warn", "!"),
    "fail": ("bad", "✗"),
    "skip": ("soft", "\N{EN DASH}"),
    "": ("soft", "○"),
}
IN_WORDS = {
    "ok": mark("done"),
    # Translators: a step went through, with something worth a look
    "warn": mark("odd"),
    "fail": mark("failed"),
    "skip": mark("not asked"),
    "": mark("running"),
}
FIELDS = {
    "endpoint": mark("Endpoint"),
    "identifier": mark("Model identifier"),
    "family": mark("Model family"),
    "key": mark("API key"),
    "limits.context_tokens": mark("Context window"),
}
"""What the form calls what a change is about."""
SHOWN = 30


def beside(act: Callable[[Asked], Awaitable[Sent]]) -> Callable[[Asked], Awaitable[Sent]]:
    """The same act; where a script asked for help alone, what is wrong with the form stands there too."""

    async def answered(asked: Asked) -> Sent:
        try:
            return await act(asked)
        except CallerError as error:
            if not asked.htmx:
                raise
            return Sent(div(".note.bad", role="alert")[p[in_words(error)]], error.status)

    return answered


def called(change: Change) -> str:
    """The field that a change is about, as the form calls it."""
    name = change.field.rpartition(".")[2].replace("_", " ").capitalize()
    return t(FIELDS.get(change.field, name))


# what is served


class Detected(NamedTuple):
    """What detecting found, as values of the form and help to show."""

    values: Mapping[str, str]
    names: Sequence[str]
    help: Renderable


async def detect(asked: Asked, model: Model, values: Mapping[str, str], address: str) -> Detected:
    """Ask the endpoint what it serves and fill in what follows from that."""
    try:
        found = await asked.desk.prober.served(model)
    except UpstreamError as error:
        return Detected(values, (), _not_served(replace(model, name=model.name or "new"), error))
    identifier = _chosen(asked.form.get("use", ""), model.identifier, found.names)
    # what nobody knows yet is guessed when it is saved: another identifier may be typed until then
    family = guess(identifier, asked.desk.bench.families) or values.get("family", "")
    filled = {**values, "endpoint": found.endpoint, "identifier": identifier, "family": family}
    moved = found.endpoint if model.endpoint and found.endpoint != model.endpoint else ""
    return Detected(filled, found.names, _served(asked, filled, found.names, moved, address))


def _chosen(used: str, typed: str, names: Sequence[str]) -> str:
    """The name that was picked, else what was typed, else the only one there is."""
    if used in names:
        return used
    return names[0] if len(names) == 1 and typed not in names else typed


def _served(asked: Asked, values: Mapping[str, str], names: Sequence[str], moved: str, address: str) -> Renderable:
    family = asked.desk.bench.families.get(values["family"] or UNKNOWN)
    return div(".card")[
        h2[t("What is served there")],
        p(".note.warn")[t("It answers at {moved}: the endpoint is set to that.", moved=moved)] if moved else None,
        ul(".picks")[(li[_pick(values, name, address)] for name in names[:SHOWN])],
        p(".soft.small")[t("And {count} more: begin to type one.", count=len(names) - SHOWN)]
        if len(names) > SHOWN
        else None,
        p(".soft")[t("The server tells no names: type the identifier.")] if not names else None,
        _of_family(asked, family) if family and values["identifier"] else None,
    ]


def _of_family(asked: Asked, family: Family) -> Renderable:
    todo = _release.reminder(asked, family)
    said = rich("Family: {label} ({release}).", label=strong[t(family.label)], release=t(family.release))
    return p[said, f" {todo}" if todo else None]


def _pick(values: Mapping[str, str], name: str, address: str) -> Node:
    if name == values["identifier"]:
        return span(".pill.good")[t("chosen")], " ", name
    return model_form.asks("detect", t("Use {name}", name=name), address, name="use", value=name)


def _not_served(model: Model, error: UpstreamError) -> Renderable:
    return div(".note.bad", role="alert")[p[strong[told(of_the_server(model, error))]], p[told(_remedy(model, error))]]


def _remedy(model: Model, error: UpstreamError) -> str:
    """What to do about a server that does not say what it serves; one that answered needs no starting."""
    if wants_a_key(error):
        return t("It wants another API key.") if model.key else t("It wants an API key: fill it in and detect again.")
    if not model.endpoint:
        return error.fix
    if isinstance(error, UpstreamUnreachable | UpstreamTimeout):
        return t("Start it, or mend the endpoint: up to and including /v1 where it has one.")
    if isinstance(error, UpstreamRefused) and error.upstream_status in NO_SUCH_PATH:
        return t(
            "It runs, and lists no models at this path: mend the path of the endpoint, which often is just /v1. "
            "A server that never lists them may work all the same: type the identifier and test the connection."
        )
    return t("It runs: its own log says why it answers so.") if isinstance(error, UpstreamRefused) else error.fix


# whether it answers


def started(address: str) -> Renderable:
    """The first step, which loads the next one when it is done."""
    return div(".card")[h2[t("Test connection")], ol(".steps")[_pending(STEPS[0], address)]]


def at_once(address: str) -> Renderable:
    """The same where a script runs, which asks without being told to: who adds a model sees whether it works."""
    return div(data_scripted=True, hidden=True)[started(address)]


def _pending(step: Step, address: str) -> Renderable:
    return li(
        hx_post=address,
        hx_trigger="load",
        hx_include="#model-form",
        hx_vals=f'{{"do": "test", "step": "{step.key}"}}',
        hx_swap="outerHTML",
        hx_target="this",
    )[_mark(""), span[t(step.question)], span(".soft.small")[t("asking …")]]


async def one(asked: Asked, model: Model, key: str, address: str) -> Node:
    """The step called `key`, done, and the next one where there is one and this one went well."""
    at = next((number for number, each in enumerate(STEPS) if each.key == key), 0)
    taken = await asked.desk.prober.take(model, STEPS[at])
    done = _done(*taken)
    if taken.found.status == "fail":
        return done, _verdict(well=False)
    return done, _pending(STEPS[at + 1], address) if at + 1 < len(STEPS) else _verdict(well=True)


async def whole(asked: Asked, model: Model) -> Renderable:
    """Every step at once, up to the first that fails."""
    taken = [each async for each in asked.desk.prober.steps(model)]
    lines = [_done(*each) for each in taken]
    well = taken[-1].found.status != "fail"
    return div(".card")[h2[t("Test connection")], ol(".steps")[lines, _verdict(well=well)]]


def _done(step: Step, found: Finding, took_s: float) -> Renderable:
    fix = _fix(found)
    return li[
        _mark(found.status),
        span[t(step.question)],
        span(".soft.small.nowrap")[f"{took_s * 1000:.0f} ms"],
        span(".fix")[told(found.saw)],
        span(".fix")[strong[fix]] if fix else None,
    ]


def _fix(found: Finding) -> str:
    """What to do, in words of the form."""
    words, command, _ = told(found.fix).partition(": homeport ")
    if found.change is None or not command:
        return words
    if found.change.value:
        return t("Set {called} to {value}", called=called(found.change), value=found.change.value)
    return t("See the field {called}.", called=called(found.change)) if found.fix.startswith("Run:") else f"{words}."


def _verdict(*, well: bool) -> Renderable:
    said = t("It works.") if well else t("Mend this, then test again.")
    return li(role="status")[_mark("ok" if well else "fail"), strong[said], ""]


def _mark(status: str) -> Renderable:
    shade, sign = MARKS[status]
    return span(class_=shade, title=t(IN_WORDS[status]))[sign]


# what looks odd


def doubted(asked: Asked, doubts: Iterable[Doubt], address: str) -> Node:
    """What looks odd about a registration, with a button where a change would mend it."""
    drawn = [li[p[f"{told(each.said)}."], _mend(asked, each.change, address)] for each in doubts]
    return div(".note.warn")[strong[t("Worth a look")], ul(".plainly")[drawn]] if drawn else None


def _mend(asked: Asked, change: Change | None, address: str) -> Node:
    if change is None or not change.value or asked.person.role != "admin":
        return None
    return form_tag(method="post", action=address)[
        guard(asked, "mend"),
        input(type="hidden", name="field", value=change.field),
        input(type="hidden", name="value", value=change.value),
        button(type="submit")[t("Set {called} to {value}", called=called(change), value=change.value)],
    ]

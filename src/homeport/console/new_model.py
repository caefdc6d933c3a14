"""Add a self-hosted model: with what its own server says about itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING
from urllib.parse import quote

from htpy import Renderable, div, fragment, h1, h2, li, ol, p

from homeport.console import Asked, Page, Sent, _release, go
from homeport.console import _model_form as model_form
from homeport.console import _model_help as model_help
from homeport.console._layout import page
from homeport.console._texts import mark, t
from homeport.domain.models import Limits, free_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from htpy import Node

    from homeport.domain.models import Model

PLATFORM = "openai"
TITLE = mark("Add self-hosted model")


async def view(asked: Asked) -> Renderable:
    """The form: empty, as it was sent, or like that of another model."""
    return _page(asked, _values(asked), ())


def _values(asked: Asked) -> Mapping[str, str]:
    if asked.form:
        return asked.form
    snapshot = asked.desk.bench.snapshot()
    like = snapshot.models.get(asked.query.get("like", ""))
    if like is not None:
        return {**model_form.values_of(like, asked.desk.providers), "name": free_name(like.name, snapshot.models)}
    limits = {f"limits.{name}": "" for name in asdict(Limits())}
    return {"platform": PLATFORM, "clean": "on", "family": model_form.GUESS, **limits}


def _page(asked: Asked, values: Mapping[str, str], found: Sequence[str], beside: Node = None) -> Renderable:
    drawn = model_form.Drawn(model_form.NEW, t(TITLE), found=found, beside=beside or _guide())
    lead = p(".lead")[t("A model that runs on a server of yours, or that a cloud runs for you.")]
    return page(asked, t(TITLE), h1[t(TITLE)], lead, model_form.draw(asked, values, drawn))


def _guide() -> Renderable:
    return div(".card")[
        h2[t("How this goes")],
        ol(".plainly")[
            li[t("Type the address of its server, and a key if it wants one.")],
            li[t("Detect fills in the name under which the model is served, and its family.")],
            li[t("Test connection tells step by step whether it answers.")],
            li[t("Add it, and choose which features it serves.")],
        ],
    ]


async def add(asked: Asked) -> Sent:
    """Register it; raises BadRequest."""
    if "use" in asked.form:
        return await model_help.beside(detect)(asked)
    model = model_form.complete(model_form.drafted(asked, None), asked.desk)
    _release.consent(asked, model)
    await asked.desk.store.add_model(model, by=asked.person.name)
    await _release.keep(asked)
    return go(f"{model_form.address(model.name)}?said=added&about={quote(model.name)}")


async def detect(asked: Asked) -> Sent:
    """Ask the endpoint what it serves."""
    found = await model_help.detect(asked, _draft(asked), asked.form, model_form.NEW)
    if asked.htmx:
        drawn = model_form.Drawn(model_form.NEW, t(TITLE), found=found.names)
        return Sent(fragment[found.help, model_form.where(asked, found.values, drawn, swap=True)])
    return Sent(_page(asked, found.values, found.names, found.help))


async def test(asked: Asked) -> Sent:
    """Ask the model, a step at a time where a script waits for each."""
    model = model_form.complete(_draft(asked), asked.desk, named=False)
    if not asked.htmx:
        return Sent(_page(asked, asked.form, (), await model_help.whole(asked, model)))
    if "step" in asked.form:
        return Sent(fragment[await model_help.one(asked, model, asked.form["step"], model_form.NEW)])
    return Sent(model_help.started(model_form.NEW))


def _draft(asked: Asked) -> Model:
    """The model as far as it is described; it needs no name to be asked."""
    named = {**asked.form, "name": asked.form.get("name", "").strip() or t("It")}
    return model_form.drafted(asked._replace(form=named), None)


PAGE = Page(
    path=model_form.NEW,
    title=TITLE,
    see="admin",
    view=view,
    acts={"save": add, "detect": model_help.beside(detect), "test": model_help.beside(test)},
    order=0,
)

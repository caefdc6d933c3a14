"""Parts of forms: a label that is tied to its control, and a sentence of help that is too."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from htpy import (
    Renderable,
    a,
    button,
    div,
    fieldset,
    form,
    input,  # noqa: A004 (the element)
    label,
    legend,
    nav,
    optgroup,
    option,
    select,
    span,
    textarea,
)

from homeport.console._texts import t

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from htpy import Node

    from homeport.console import Asked

PER_PAGE = 100
"""Rows of a list before it goes on to another page."""
_DIGITS = 6

Choices = tuple[tuple[str, str], ...]
"""Values and what they are called."""


class Refusal(NamedTuple):
    """Why the form of this request came back; what draws a field asks whether it is the one."""

    said: str = ""
    about: tuple[str, ...] = ()
    """What was refused, as the error names it: none where it is no field, several where one of them is wrong."""

    def of(self, *names: str) -> bool:
        """Whether it is about the field that has one of these names."""
        return any(each in names for each in self.about)

    def begins_at(self, *names: str) -> bool:
        """Whether that field is the first to mend."""
        return self.of(*names) and self.about[0] in names


_NONE = Refusal()
_refusal: ContextVar[Refusal] = ContextVar("refusal", default=_NONE)


def refuse(said: str = "", about: str | None = None) -> None:
    """From here on this request draws the field that `about` names as refused; without a text, none is."""
    _refusal.set(Refusal(said, tuple(about.split(",")) if about else ()))


def is_whole() -> bool:
    """Whether no field alone is refused: what was said is where to go on."""
    return not _refusal.get().about


def doings() -> Renderable:
    """The head of a column of links and buttons, for those who hear it."""
    return span(".out")[t("What can be done")]


def field(name: str, called: Node, control: Renderable, tip: Node = None, *more: Node, about: str = "") -> Renderable:
    """A control that was made with `tied(name)`, under its label and over its help and what was wrong with it."""
    told = span(".help", id=f"{name}-help")[tip] if tip else None
    why = wrong(name, about)
    return div(class_=["field", {"wrong": why is not None}])[label(for_=name)[called], control, why, told, more]


def wrong(name: str, about: str = "") -> Node:
    """What was wrong with a field, for those who see it and for those who hear it; None where nothing was."""
    refusal = _refusal.get()
    return span(".why", id=f"{name}-wrong")[refusal.said] if refusal.of(name, about) else None


def tied(name: str, tip: Node = None, about: str = "") -> dict[str, Any]:
    """The attributes by which a control belongs to its label, its help, and to why it was refused.

    `about` is what errors call it, where they do not say `name`.
    """
    refusal = _refusal.get()
    refused = refusal.of(name, about)
    described = [*((f"{name}-wrong",) if refused else ()), *((f"{name}-help",) if tip else ())]
    plain = {"id": name, "name": name, "aria_describedby": " ".join(described) or None}
    return plain | {"aria_invalid": "true", "autofocus": refusal.begins_at(name, about)} if refused else plain


def _made(tied_: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """All attributes of a control: a form that came back begins at what was refused, wherever it usually does."""
    kept = more if not _refusal.get().said else {name: value for name, value in more.items() if name != "autofocus"}
    return {**tied_, **kept}


def text(name: str, /, called: Node, value: str, tip: Node = None, about: str = "", **more: Any) -> Renderable:  # noqa: ANN401 (attributes)
    """One line to type; `about` as in `tied`, `more` are attributes of the input, as in `choice`."""
    made = _made({"type": "text", "value": value, **tied(name, tip, about)}, more)
    return field(name, called, input(**made), tip, about=about)


def lines(name: str, called: Node, value: str, tip: Node = None, about: str = "", **more: Any) -> Renderable:  # noqa: ANN401 (attributes)
    """Several lines to type."""
    # what begins with a line end would lose it
    return field(name, called, textarea(**_made(tied(name, tip, about), more))["\n" + value], tip, about=about)


def choice(
    name: str,
    /,
    called: Node,
    choices: Choices | Mapping[str, Sequence[tuple[str, str]]],
    value: str,
    tip: Node = None,
    about: str = "",
    **more: Any,  # noqa: ANN401 (attributes)
) -> Renderable:
    """One of several, perhaps in groups; a value that is none of them stays visible as the first.

    With a `name` among `more`, the first argument is the id alone: several controls may share a name.
    """
    groups = choices if not isinstance(choices, tuple) else {"": choices}
    known = {key for group in groups.values() for key, _ in group}
    odd = (
        option(value=value, selected=True)[t("{value} (unknown)", value=value)]
        if value and value not in known
        else None
    )
    drawn = [_group(title, group, value) for title, group in groups.items()]
    return field(name, called, select(**_made(tied(name, tip, about), more))[odd, drawn], tip, about=about)


def _group(title: str, group: Sequence[tuple[str, str]], value: str) -> Node:
    drawn = [option(value=key, selected=key == value)[said] for key, said in group]
    return optgroup(label=title)[drawn] if title else drawn


def check(name: str, called: Node, *, on: bool, tip: Node = None, value: str = "on") -> Renderable:
    """Yes or no; its field is the `value` or missing."""
    box = input(type="checkbox", checked=on, value=None if value == "on" else value, **tied(name, tip))
    return div(".field")[
        label(".check", for_=name)[box, called], wrong(name), span(".help", id=f"{name}-help")[tip] if tip else None
    ]


def group(name: str, called: Node, *boxes: Node) -> Renderable:
    """Boxes made with `ticked` under what they are together."""
    refused = wrong(name) is not None
    began: dict[str, Any] = {"class_": "wrong", "tabindex": "-1", "autofocus": True} if refused else {}
    return fieldset(**began)[legend[called], wrong(name), boxes]


def ticked(asked: Asked, name: str, value: str, called: Node, *, on: bool) -> Renderable:
    """A box of a group that may have several; what was sent wins over `on`."""
    on = value in asked.lists.get(name, ()) if asked.form else on
    more = {"id": f"{name}-{value}", "type": "checkbox", "value": value, "checked": on, "autofocus": False}
    return label(".check", for_=f"{name}-{value}")[input(**{**tied(name), **more}), span[called]]


def finder(asked: Asked, called: str, *more: Node) -> Renderable:
    """A search above a list, kept in the address: `find` holds what was typed."""
    typed = asked.query.get("find", "")
    line = input(type="search", name="find", value=typed, placeholder=called, aria_label=called)
    return form(".filter", method="get", action=asked.path, role="search")[line, more, button(type="submit")[t("Show")]]


def sifter(asked: Asked, name: str, called: str, choices: Choices) -> Renderable:
    """A choice beside the search."""
    value = asked.query.get(name, "")
    return select(name=name, aria_label=called)[
        (option(value=key, selected=key == value)[said] for key, said in choices)
    ]


def page_of(asked: Asked) -> int:
    """The page of a list that is wanted, from 1."""
    said = asked.query.get("page", "")
    return max(1, int(said)) if said.isdecimal() and len(said) <= _DIGITS else 1


def pager(asked: Asked, count: int) -> Node:
    """The way to the other pages of a list of `count` rows."""
    here, last = page_of(asked), max(1, -(-count // PER_PAGE))
    if last == 1:
        return None
    kept = {name: value for name, value in asked.query.items() if name not in {"page", "said", "about"}}
    return nav(".buttons", aria_label=t("Pages of the list"))[
        a(".button", href=f"?{urlencode({**kept, 'page': here - 1})}")[t("← Before")] if here > 1 else None,
        span(".soft")[t("Page {here} of {last}", here=min(here, last), last=last)],
        a(".button", href=f"?{urlencode({**kept, 'page': here + 1})}")[t("Next →")] if here < last else None,
    ]

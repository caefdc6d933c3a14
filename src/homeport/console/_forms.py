"""Parts of forms: a label that is tied to its control, and a sentence of help that is too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from htpy import (
    Renderable,
    a,
    button,
    div,
    form,
    input,  # noqa: A004 (the element)
    label,
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


def doings() -> Renderable:
    """The head of a column of links and buttons, for those who hear it."""
    return span(".out")[t("What can be done")]


def field(name: str, called: Node, control: Renderable, tip: Node = None, *more: Node) -> Renderable:
    """A control that was made with `tied(name)`, under its label and over its help."""
    told = span(".help", id=f"{name}-help")[tip] if tip else None
    return div(".field")[label(for_=name)[called], control, told, more]


def tied(name: str, tip: Node = None) -> dict[str, Any]:
    """The attributes by which a control belongs to its label and its help."""
    return {"id": name, "name": name, "aria_describedby": f"{name}-help" if tip else None}


def text(name: str, /, called: Node, value: str, tip: Node = None, **more: Any) -> Renderable:  # noqa: ANN401 (attributes)
    """One line to type; `more` are attributes of the input, as in `choice`."""
    return field(name, called, input(**{"type": "text", "value": value, **tied(name, tip), **more}), tip)


def lines(name: str, called: Node, value: str, tip: Node = None, **more: Any) -> Renderable:  # noqa: ANN401 (attributes)
    """Several lines to type."""
    # what begins with a line end would lose it
    return field(name, called, textarea(**{**tied(name, tip), **more})["\n" + value], tip)


def choice(
    name: str,
    /,
    called: Node,
    choices: Choices | Mapping[str, Sequence[tuple[str, str]]],
    value: str,
    tip: Node = None,
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
    return field(name, called, select(**{**tied(name, tip), **more})[odd, drawn], tip)


def _group(title: str, group: Sequence[tuple[str, str]], value: str) -> Node:
    drawn = [option(value=key, selected=key == value)[said] for key, said in group]
    return optgroup(label=title)[drawn] if title else drawn


def check(name: str, called: Node, *, on: bool, tip: Node = None) -> Renderable:
    """Yes or no; its field is "on" or missing."""
    box = input(type="checkbox", checked=on, **tied(name, tip))
    return div(".field")[
        label(".check", for_=name)[box, called], span(".help", id=f"{name}-help")[tip] if tip else None
    ]


def ticked(asked: Asked, name: str, value: str, called: Node, *, on: bool) -> Renderable:
    """A box of a group that may have several; what was sent wins over `on`."""
    on = value in asked.lists.get(name, ()) if asked.form else on
    box = input(id=f"{name}-{value}", type="checkbox", name=name, value=value, checked=on)
    return label(".check", for_=f"{name}-{value}")[box, span[called]]


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

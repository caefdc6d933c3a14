"""Parts of forms: a label that is tied to its control, and a sentence of help that is too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from htpy import Renderable, div, input, label, optgroup, option, select, span, textarea  # noqa: A004 (the element)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from htpy import Node

Choices = tuple[tuple[str, str], ...]
"""Values and what they are called."""


def field(name: str, called: Node, control: Renderable, tip: Node = None, *more: Node) -> Renderable:
    """A control that was made with `tied(name)`, under its label and over its help."""
    told = span(".help", id=f"{name}-help")[tip] if tip else None
    return div(".field")[label(for_=name)[called], control, told, more]


def tied(name: str, tip: Node = None) -> dict[str, Any]:
    """The attributes by which a control belongs to its label and its help."""
    return {"id": name, "name": name, "aria_describedby": f"{name}-help" if tip else None}


def text(name: str, called: Node, value: str, tip: Node = None, **more: Any) -> Renderable:  # noqa: ANN401 (attributes)
    """One line to type; `more` are attributes of the input."""
    return field(name, called, input(**{"type": "text", "value": value, **tied(name, tip), **more}), tip)


def lines(name: str, called: Node, value: str, tip: Node = None, **more: Any) -> Renderable:  # noqa: ANN401 (attributes)
    """Several lines to type."""
    # what begins with a line end would lose it
    return field(name, called, textarea(**{**tied(name, tip), **more})["\n" + value], tip)


def choice(
    name: str,
    called: Node,
    choices: Choices | Mapping[str, Sequence[tuple[str, str]]],
    value: str,
    tip: Node = None,
    **more: Any,  # noqa: ANN401 (attributes)
) -> Renderable:
    """One of several, perhaps in groups; a value that is none of them stays visible as the first."""
    groups = choices if not isinstance(choices, tuple) else {"": choices}
    known = {key for group in groups.values() for key, _ in group}
    odd = option(value=value, selected=True)[f"{value} (unknown)"] if value and value not in known else None
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

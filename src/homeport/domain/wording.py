r"""What is said in words: templates that can hold values and nothing else.

`{name}` is the value of a slot. `{#name}…{/name}` is kept when the value is not blank, `{^name}…{/name}`
when it is; a section's tag that is alone in its line takes the line with it. `\{name}` is the text
"{name}". There are no expressions, no attributes and no loops, so a template cannot run anything, and
values are never read as templates. The format is a part of Mustache, with single braces.

Source: mustache(5), https://mustache.github.io/mustache.5.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from homeport.domain.requests import Message

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_TAG = re.compile(
    r"(?m:^)[ \t]*\{(?P<alone>[#^/])(?P<section>[a-z_][a-z0-9_]*)\}[ \t]*(?:\n|\Z)"
    r"|(?P<plain>\\?)\{(?P<mark>[#^/]?)(?P<name>[a-z_][a-z0-9_]*)\}"
)
_FOREIGN = re.compile(r"\{\{|\{%")
REMEMBERED = 1024
"""Templates that are kept parsed: those of all families and features, and an administrator's."""


class Flaw(NamedTuple):
    """Something in a template that its writer cannot have meant."""

    line: int
    column: int
    what: str


class _Slot(NamedTuple):
    name: str
    source: str

    def said(self, values: Mapping[str, str]) -> str:
        return values.get(self.name, self.source)


class _Section(NamedTuple):
    name: str
    inverted: bool
    nodes: tuple[str | _Slot | _Section, ...]

    def said(self, values: Mapping[str, str]) -> str:
        blank = not values.get(self.name, "").strip()
        return _said(self.nodes, values) if blank is self.inverted else ""


_Node = str | _Slot | _Section


class _Open(NamedTuple):
    """A section that was opened and is not yet closed."""

    name: str
    inverted: bool
    source: str
    at: int
    nodes: list[_Node]


class _Parsed(NamedTuple):
    nodes: tuple[_Node, ...]
    slots: tuple[_Slot, ...] | None
    """All of a template without sections, in order; None with sections."""
    form: str
    """That template as a format of Python's, with %s for each slot: filled at half the cost."""
    names: tuple[tuple[str, int], ...]
    """Every name that is asked for, and where."""
    unbalanced: tuple[tuple[str, int], ...]
    """Every tag of a section that lacks its other half, and where."""


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put `values` into `template`; an unknown slot and half a section stay as they are written.

    Never fails, and never reads a value as a template.
    """
    parsed = _parse(template)
    if parsed.slots is None:
        return _said(parsed.nodes, values)
    get = values.get
    return parsed.form % tuple([get(name, source) for name, source in parsed.slots])


def check(template: str, slots: Collection[str]) -> tuple[Flaw, ...]:
    """What is wrong with a template that may ask for `slots`: unknown names, sections without a beginning or an end."""
    parsed = _parse(template)
    known = ", ".join(sorted(slots)) or "none"
    unknown = [
        (at, f"there is no slot {name!r}; known slots: {known}") for name, at in parsed.names if name not in slots
    ]
    halves = [(at, f"{tag} lacks its other half") for tag, at in parsed.unbalanced]
    foreign = [
        (found.start(), f"{found[0]} is of another format; a slot is written {{name}}, a section {{#name}}…{{/name}}")
        for found in _FOREIGN.finditer(template)
    ]
    return tuple(_flaw(template, at, what) for at, what in sorted((*unknown, *halves, *foreign)))


def asked_for(template: str) -> frozenset[str]:
    """The names of all slots and sections of a template."""
    return frozenset(name for name, _at in _parse(template).names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How a feature asks: a system message, a user message and, if any, how the answer starts."""

    system: str = ""
    user: str = ""
    prefill: str = ""

    def messages(self, values: Mapping[str, str], *, system_role: bool = True) -> tuple[Message, ...]:
        """The filled-in messages; without a system role its text leads the user message."""
        system, user = fill(self.system, values), fill(self.user, values)
        if system and not system_role:
            system, user = "", f"{system}\n\n{user}"
        turns = (("system", system), ("user", user), ("assistant", fill(self.prefill, values)))
        return tuple(Message(role=role, content=text) for role, text in turns if text)


def _said(nodes: tuple[_Node, ...], values: Mapping[str, str]) -> str:
    return "".join([node if isinstance(node, str) else node.said(values) for node in nodes])


@lru_cache(maxsize=REMEMBERED)
def _parse(template: str) -> _Parsed:
    names: list[tuple[str, int]] = []
    stray: list[tuple[str, int]] = []
    nodes: list[_Node] = []
    within: list[_Open] = []
    end = 0
    for tag in _TAG.finditer(template):
        nodes.append(template[end : tag.start()])
        end = tag.end()
        mark, name = tag["alone"] or tag["mark"] or "", tag["section"] or tag["name"]
        if tag["plain"]:
            nodes.append(tag[0][1:])
        elif not mark:
            names.append((name, tag.start()))
            nodes.append(_Slot(name, tag[0]))
        elif mark != "/":
            within.append(_Open(name, mark == "^", tag[0], tag.start(), nodes))
            nodes = []
        elif within and within[-1].name == name:
            opened = within.pop()
            names.append((name, opened.at))
            nodes = [*opened.nodes, _Section(name, opened.inverted, tuple(nodes))]
        else:
            stray.append((tag[0].strip(), tag.start()))
            nodes.append(tag[0])
    nodes.append(template[end:])
    for opened in reversed(within):
        stray.append((opened.source.strip(), opened.at))
        nodes = [*opened.nodes, opened.source, *nodes]
    return _Parsed(tuple(node for node in nodes if node), *_flat(nodes), tuple(names), tuple(stray))


def _flat(nodes: list[_Node]) -> tuple[tuple[_Slot, ...] | None, str]:
    """The slots and the format of a template that has no sections."""
    if any(isinstance(node, _Section) for node in nodes):
        return None, ""
    form = "".join(node.replace("%", "%%") if isinstance(node, str) else "%s" for node in nodes)
    return tuple(node for node in nodes if isinstance(node, _Slot)), form


def _flaw(template: str, at: int, what: str) -> Flaw:
    before = template[:at]
    return Flaw(before.count("\n") + 1, at - before.rfind("\n"), what)

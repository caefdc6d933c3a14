"""Find a page, a feature or a model by a few letters: a page of its own, and with a script a dialog over any other."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from htpy import (
    Fragment,
    Renderable,
    a,
    button,
    div,
    form,
    fragment,
    h1,
    h2,
    input,  # noqa: A004 (the element)
    li,
    nav,
    p,
    span,
    ul,
)

from homeport.console import RANK, Asked, Page, Sent
from homeport.console._layout import page
from homeport.console._texts import mark, t

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ADDRESS = "/console/find"
MOST = 24
"""What is shown of each kind."""
PLACES = (
    ("/console/account", mark("Your account"), mark("password, light or dark theme, sign out")),
    ("/console/keys", mark("Keyboard"), ""),
    ("/console/models/new", mark("Add a model"), ""),
)
"""Pages that are in no menu and that people look for, and what else they may call it."""


class Hit(NamedTuple):
    """Something that may be looked for."""

    called: str
    address: str
    also: str = ""


async def view(asked: Asked) -> Renderable | Sent:
    """The search and what it found; alone, when it is shown over another page."""
    content = _content(asked)
    return Sent(content) if asked.htmx else page(asked, t("Find"), content)


def _content(asked: Asked) -> Fragment:
    typed = asked.query.get("q", "")[:100]
    line = input(
        type="search", name="q", value=typed, aria_label=t("Find a page, a feature or a model"), placeholder=t("Find…"),
        autocomplete="off", autofocus=True, hx_get=ADDRESS, hx_trigger="input changed delay:60ms", hx_target="#found",
        hx_select="#found", hx_swap="outerHTML", hx_sync="this:replace",
    )  # fmt: skip
    search = form(".joined", method="get", action=ADDRESS, role="search")[line, button(type="submit")[t("Find")]]
    return fragment[h1[t("Find")], search, _found(asked, typed.casefold().split())]


def _found(asked: Asked, words: list[str]) -> Renderable:
    groups = [(called, _matching(hits, words)) for called, hits in _kinds(asked)]
    count = sum(len(found) for _, found in groups)
    said = t("{count} found.", count=count) if count else t("Nothing is called so. Try fewer letters.")
    return div("#found")[
        p(".soft.small", role="status")[said],
        nav(aria_label=t("Found"))[((h2[called], _listed(found)) for called, found in groups if found)],
    ]


def _listed(found: Iterable[Hit]) -> Renderable:
    return ul[
        (li[a(href=each.address)[each.called, span(".soft.small")[each.also] if each.also else None]] for each in found)
    ]


def _kinds(asked: Asked) -> Iterator[tuple[str, Iterable[Hit]]]:
    yield t("Pages"), _pages(asked)
    if _may(asked, "/console/features"):
        features = asked.desk.bench.features.items()
        yield (
            t("Features"),
            (Hit(each.title, f"/console/features/{quote(key)}", key) for key, each in features if each.listed),
        )
    if _may(asked, "/console/models"):
        models = sorted(asked.desk.bench.snapshot().models.values(), key=lambda each: each.name)
        yield (
            t("Models"),
            (Hit(each.name, f"/console/models/{quote(each.name, safe='')}", each.family) for each in models),
        )


def _pages(asked: Asked) -> Iterator[Hit]:
    for each in sorted(asked.desk.pages.values(), key=lambda each: each.order):
        if each.order and _may(asked, each.path):
            yield Hit(t(each.title), each.path)
    yield from (Hit(t(called), address, also and t(also)) for address, called, also in PLACES if _may(asked, address))


def _may(asked: Asked, address: str) -> bool:
    there = asked.desk.pages.get(address)
    return there is not None and RANK[asked.person.role] >= RANK[there.see]


def _matching(hits: Iterable[Hit], words: list[str]) -> list[Hit]:
    """Those in which every word stands; where a name begins with the first one, it comes before others."""
    found = (each for each in hits if all(word in f"{each.called} {each.also}".casefold() for word in words))
    first = words[0] if words else ""
    return list(islice(sorted(found, key=lambda each: not each.called.casefold().startswith(first)), MOST))


PAGE = Page(path=ADDRESS, title=mark("Find"), see="user", view=view, order=0)

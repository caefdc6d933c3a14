"""Find a page, a feature, a model or a person by a few letters: a page, and with a script a dialog over any other."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlencode

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
from homeport.store.records import WantedPeople

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ADDRESS = "/console/find"
PEOPLE = "/console/people"
MOST = 24
"""What is shown of each kind."""
SOUGHT = 200
"""People with the longest word, among whom those are chosen who have the others, too."""
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
    content = await _content(asked)
    return Sent(content) if asked.htmx else page(asked, t("Find"), content)


async def _content(asked: Asked) -> Fragment:
    typed = asked.query.get("q", "")[:100]
    words = typed.casefold().split()
    called = t("Find a page, a feature, a model or a person")
    line = input(
        type="search", name="q", value=typed, aria_label=called, placeholder=t("Find…"),
        autocomplete="off", autofocus=True, hx_get=ADDRESS, hx_trigger="input changed delay:60ms", hx_target="#found",
        hx_select="#found", hx_swap="outerHTML", hx_sync="this:queue last",
    )  # fmt: skip
    search = form(".joined", method="get", action=ADDRESS, role="search")[line, button(type="submit")[t("Find")]]
    return fragment[h1[t("Find")], search, _found(asked, words, await _people(asked, words))]


def _found(asked: Asked, words: list[str], people: Iterable[Hit]) -> Renderable:
    groups = [(called, _matching(hits, words)) for called, hits in (*_kinds(asked), (t("People"), people))]
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
            (Hit(t(each.title), f"/console/features/{quote(key)}", key) for key, each in features if each.listed),
        )
    if _may(asked, "/console/models"):
        models = sorted(asked.desk.bench.snapshot().models.values(), key=lambda each: each.name)
        yield (
            t("Models"),
            (Hit(each.name, f"/console/models/{quote(each.name, safe='')}", each.family) for each in models),
        )


async def _people(asked: Asked, words: list[str]) -> Iterable[Hit]:
    """Those of whom somebody typed a part: they may be thousands."""
    if not words or not all(map(str.isprintable, words)) or not _may(asked, PEOPLE):
        return ()
    by = "name" if asked.person.role == "admin" else "find"
    found = await asked.desk.store.users(WantedPeople(find=max(words, key=len)), SOUGHT)
    return [
        Hit(each.name, f"{PEOPLE}?{urlencode({by: each.name})}", " ".join(filter(None, (each.display, each.email))))
        for each in found
    ]


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

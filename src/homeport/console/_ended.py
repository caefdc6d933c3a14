"""What becomes of a form whose session ended before it was sent: nothing that was typed is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from htpy import Renderable, a, button, div, form, h1, p
from htpy import input as field

from homeport.console import Asked, Sent
from homeport.console._desk import FORM_KEY, SIGN_IN
from homeport.console._layout import door
from homeport.console._texts import t

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = frozenset({"api_key", "password", "sso_client_secret", "old", "new", "again"})
"""Fields whose values are never sent back to a page: every one of type password."""
WHOLE = ((b"hx-retarget", b"body"), (b"hx-reswap", b"innerHTML"))
"""For a script that asked for a part: it gets the whole page."""


def ended(asked: Asked) -> Sent:
    """A page that keeps the form until somebody has signed in again, in another tab."""
    kept = [(name, value) for name, values in asked.lists.items() for value in values if _kept(name, value)]
    lost = any(value and name in SECRET for name, value in asked.form.items())
    drawn = door(
        t("Your session has ended"),
        h1[t("Your session has ended")],
        p[t("Nothing was changed, and nothing that you typed is lost.")],
        p(".soft")[t("What is secret has to be typed again.")] if lost else None,
        div(".buttons")[_way(asked), _back(kept)],
    )
    return Sent(drawn, 401, (*WHOLE, (b"hx-reselect", b"main")) if asked.htmx else ())


def again(sent: Sent, *, part: bool) -> Sent:
    """The page of a form that came from another session: it was not carried out and can be sent now."""
    return sent._replace(status=403, headers=(*WHOLE, (b"hx-reselect", b".frame")) if part else ())


def _kept(name: str, value: str) -> bool:
    return name not in SECRET | {FORM_KEY} and bool(value or name == "do")


def _way(asked: Asked) -> Renderable:
    there = f"{SIGN_IN}?next={quote(asked.path)}"
    return a(".button.first", href=there, target="_blank", rel="noopener")[t("Sign in in another tab")]


def _back(kept: list[tuple[str, str]]) -> Renderable:
    """The same form, to the same address, without the key that only a session can give."""
    return form(method="post")[_hidden(kept), button(type="submit")[t("Then go back to the form")]]


def _hidden(kept: list[tuple[str, str]]) -> Iterator[Renderable]:
    return (field(type="hidden", name=name, value=value) for name, value in kept)

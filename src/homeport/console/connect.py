"""Connect your editor: what to enter where, for every client that speaks what this server offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Renderable, a, code, div, h1, p

from homeport.access import SCOPES
from homeport.console import Asked, Page
from homeport.console._connect import PLACEHOLDER, address_of, copied, reach, setups
from homeport.console._layout import page
from homeport.console._texts import mark, rich, t

if TYPE_CHECKING:
    from htpy import Node


async def view(asked: Asked) -> Renderable:
    """Every client, with a place for the token."""
    return page(
        asked,
        t("Connect your editor"),
        div(".top")[
            h1[t("Connect your editor")],
            div(".buttons")[a(".button.first", href="/console/tokens?new")[t("Make a token and fill it in")]],
        ],
        p(".lead")[t("Homeport answers at this address. Choose your editor or tool below.")],
        copied("address", address_of(asked)),
        reach(asked),
        _seat(asked, has=await _seated(asked)),
        p(".soft")[
            rich(
                "In place of {placeholder} goes a token: one for each editor, so that you can end it alone.",
                placeholder=code[PLACEHOLDER],
            )
        ],
        setups(asked, PLACEHOLDER, frozenset(SCOPES)),
    )


async def _seated(asked: Asked) -> bool:
    return (await asked.desk.store.user(asked.person.name)).seat


def _seat(asked: Asked, *, has: bool) -> Node:
    if has:
        return None
    return div(".note.warn", role="status")[
        p[
            t(
                "You ({name}) have no seat yet: your tokens will be refused. An administrator gives you one.",
                name=asked.person.name,
            )
        ]
    ]


PAGE = Page(path="/console/connect", title=mark("Connect your editor"), see="user", view=view, menu="People", order=5)

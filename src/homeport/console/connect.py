"""Connect your editor: what to enter where, for every client that speaks what this server offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Renderable, a, code, div, h1, p

from homeport.access import SCOPES
from homeport.console import Asked, Page
from homeport.console._connect import PLACEHOLDER, address_of, copied, setups
from homeport.console._layout import page

if TYPE_CHECKING:
    from htpy import Node


async def view(asked: Asked) -> Renderable:
    """Every client, with a place for the token."""
    return page(
        asked,
        "Connect your editor",
        div(".top")[
            h1["Connect your editor"],
            div(".buttons")[a(".button.first", href="/console/tokens?new")["Make a token and fill it in"]],
        ],
        p(".lead")["Homeport answers at this address. Choose your editor or tool below."],
        copied("address", address_of(asked)),
        _seat(asked, has=await _seated(asked)),
        p(".soft")[
            "In place of ", code[PLACEHOLDER], " goes a token: one for each editor, so that you can end it alone."
        ],
        setups(asked, PLACEHOLDER, frozenset(SCOPES)),
    )


async def _seated(asked: Asked) -> bool:
    return (await asked.desk.store.user(asked.person.name)).seat


def _seat(asked: Asked, *, has: bool) -> Node:
    if has:
        return None
    return div(".note.warn", role="status")[
        p[f"You ({asked.person.name}) have no seat yet: your tokens will be refused. An administrator gives you one."]
    ]


PAGE = Page(path="/console/connect", title="Connect your editor", see="user", view=view, menu="People", order=5)

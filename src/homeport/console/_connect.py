"""The set-up of each client, to copy: with this instance's address and a token in it."""

from __future__ import annotations

from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING

from htpy import Element, Renderable, button, code, details, div, h2, p, pre, span, summary

from homeport.console import _clients
from homeport.console._clients import GROUPS, Client, filled
from homeport.console._texts import t
from homeport.kit.discover import discover

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homeport.console import Asked

PLACEHOLDER = "YOUR-TOKEN"


@cache
def clients() -> dict[str, Client]:
    """Every client by its file's name, in the order in which they are shown."""
    return dict(sorted(discover(_clients, Client).items(), key=lambda each: each[1].order))


def address_of(asked: Asked) -> str:
    """Where people reach this instance."""
    return asked.address or f"http://127.0.0.1:{asked.desk.settings.port}"


def setups(asked: Asked, token: str, scopes: frozenset[str], heading: Element = h2) -> Iterator[Renderable]:
    """A part to open for each client that a token with these scopes is good for, group by group."""
    fit = {key: each for key, each in clients().items() if each.scopes <= scopes}
    for name, group in groupby(fit.items(), key=lambda each: group_of(each[1])):
        yield heading[t(name)]
        yield from (_setup(asked, key, each, token) for key, each in group)


def group_of(client: Client) -> str:
    """The name of the group that a client is shown in."""
    return next(name for below, name in GROUPS if client.order < below)


def _setup(asked: Asked, key: str, client: Client, token: str) -> Renderable:
    return details(id=f"client-{key}")[
        summary[span[t(client.label), " ", span(".soft.small")[t(client.does)]]],
        div[
            (
                div[
                    p(".soft")[t(step.where)],
                    copied(f"setup-{key}-{number}", filled(step.text, address_of(asked), token)),
                ]
                for number, step in enumerate(client.steps)
            )
        ],
    ]


def copied(key: str, value: str) -> Renderable:
    """A text with a button that copies it."""
    return div(".copied")[
        pre(tabindex="0")[code(id=key)[value]],
        button(type="button", data_copy=key, data_scripted=True, hidden=True)[t("Copy")],
    ]

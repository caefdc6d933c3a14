"""The set-up of each client, to copy: with this instance's address and a token in it."""

from __future__ import annotations

from functools import cache
from ipaddress import ip_address
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from htpy import Element, Renderable, a, button, code, details, div, h2, p, pre, span, summary

from homeport.console import _clients
from homeport.console._clients import GROUPS, Client, filled
from homeport.console._texts import rich, t
from homeport.kit.discover import discover

if TYPE_CHECKING:
    from collections.abc import Iterator

    from htpy import Node

    from homeport.console import Asked

PLACEHOLDER = "YOUR-TOKEN"


@cache
def clients() -> dict[str, Client]:
    """Every client by its file's name, in the order in which they are shown."""
    return dict(sorted(discover(_clients, Client).items(), key=lambda each: each[1].order))


def address_of(asked: Asked) -> str:
    """Where people reach this instance."""
    return asked.address or f"http://127.0.0.1:{asked.desk.settings.port}"


def reach(asked: Asked) -> Node:
    """Whether others can use that address: what a browser said of itself is no more than a guess."""
    settings = asked.desk.settings
    if settings.url:
        return None
    name = t("the public address")
    setting = a(href="/console/settings#url")[name] if asked.person.role == "admin" else name
    if not _is_here(urlsplit(address_of(asked)).hostname or ""):
        return p(".soft.small")[
            rich(
                "The address begins as this browser reached Homeport. If others reach it by another one, "
                "an administrator sets {setting} to that.",
                setting=setting,
            )
        ]
    told = rich(
        "Nobody on another machine can open this address: it begins as this browser reached Homeport. "
        "An administrator sets {setting} to the one that others use, such as {example}.",
        setting=setting,
        example=code[f"http://homeport.example:{settings.port}"],
    )
    alone = rich(
        "It also listens on this machine alone: start it with {option}, or let a proxy pass requests on to it.",
        option=code["--host 0.0.0.0"],
    )
    return div(".note.warn", role="status")[p[told, [" ", alone] if _is_here(settings.host) else None]]


def _is_here(host: str) -> bool:
    """Whether a host is the very machine that asks for it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


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

"""Connections: lists by pages, as Relay describes them and GitLab has them everywhere."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from homeport.domain.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ARGUMENTS = "after: String, before: String, first: Int, last: Int"
MOST = 100


def types(name: str) -> str:
    """The types of a connection of `name`."""
    return f"""
type {name}Connection {{ nodes: [{name}] edges: [{name}Edge] pageInfo: PageInfo! count: Int! }}
type {name}Edge {{ cursor: String! node: {name} }}
"""


def page(found: Sequence[Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """One page of what was found; raises BadRequest for a cursor that is none of ours."""
    first, last = arguments.get("first"), arguments.get("last")
    if any(each is not None and each < 0 for each in (first, last)):
        raise BadRequest("A page cannot have fewer than 0 entries.", f"Ask for 0 to {MOST}.", param="first")
    low = _place(arguments["after"]) + 1 if arguments.get("after") else 0
    high = min(_place(arguments["before"]), len(found)) if arguments.get("before") else len(found)
    if last is not None and first is None:
        low = max(low, high - min(last, MOST))
    else:
        high = min(high, low + min(MOST if first is None else first, MOST))
    shown = [(_cursor(at), found[at]) for at in range(low, high)]
    return {
        "nodes": [node for _, node in shown],
        "edges": [{"cursor": cursor, "node": node} for cursor, node in shown],
        "count": len(found),
        "pageInfo": {
            "hasNextPage": high < len(found),
            "hasPreviousPage": low > 0,
            "startCursor": shown[0][0] if shown else None,
            "endCursor": shown[-1][0] if shown else None,
        },
    }


def _cursor(at: int) -> str:
    return base64.urlsafe_b64encode(f"at {at}".encode()).decode()


def _place(cursor: str) -> int:
    try:
        word, number = base64.urlsafe_b64decode(cursor.encode()).decode().split(" ")
        if word == "at" and len(number) < 10 and number.isdecimal():  # noqa: PLR2004 (digits of any list that fits into memory)
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise BadRequest("That is no cursor of this list.", "Take one from its edges or its pageInfo.", param="after")

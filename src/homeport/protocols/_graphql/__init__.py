"""Fields of the GraphQL API. One file per query, mutation or small group offers one `Fields`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from homeport.domain.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from homeport.access import Need
    from homeport.features import Workbench
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door
    from homeport.protocols._graphql._run import Api


async def api_of(door: Door) -> Api:
    """The API, made when it is first asked, beside the event loop: what reads GraphQL takes a while to load."""
    if door.api is None:
        door.api = await asyncio.to_thread(_made, door)
    return door.api


def _made(door: Door) -> Api:
    from homeport.protocols._graphql._run import Api  # noqa: PLC0415 (see above)

    return Api(door.bench)


class Asking(NamedTuple):
    """A request: a document, its variables, and which of its operations is meant."""

    query: str
    variables: Mapping[str, Any]
    operation: str | None = None


def variables(given: object) -> Mapping[str, Any]:
    """Variables as an object or as the text of one; raises BadRequest."""
    try:
        found = orjson.loads(given or "{}") if isinstance(given, str) else given or {}
    except orjson.JSONDecodeError as problem:
        raise BadRequest("The variables are not JSON.", "Send an object.", param="variables") from problem
    if not isinstance(found, dict):
        raise BadRequest("The variables are not an object.", "Send an object.", param="variables")
    return found


class Call(NamedTuple):
    """Who asks, and what there is to answer with."""

    door: Door
    arrival: Arrival


@dataclass(frozen=True, slots=True)
class Resolver:
    """What answers one field of a root type, and what its caller needs: one without a `Need` cannot be made."""

    need: Need
    run: Callable[[Call, Mapping[str, Any]], Any]
    """From the arguments to plain values: dictionaries whose values may be functions of the arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Fields of the root types, in GraphQL's schema language, with what answers them."""

    query: str = ""
    mutation: str = ""
    subscription: str = ""
    types: str | Callable[[Workbench], str] = ""
    """Further types; a function where the shelves say what there is."""
    resolvers: Mapping[str, Resolver] = field(default_factory=dict)
    """By root type and field: `Query.currentUser`."""

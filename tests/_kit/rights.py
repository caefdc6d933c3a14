"""Who may do what, derived from what pages and endpoints declare; nothing is listed by hand."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLNonNull, is_list_type, is_required_argument
from townsfolk import TAILS

from homeport import console, protocols
from homeport.console import RANK, Page, Role
from homeport.kit.discover import discover
from homeport.protocols import WireProtocol, method_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import GraphQLField

    from homeport.access import Need

ROLES: tuple[Role, ...] = ("anyone", "user", "auditor", "admin")
TO_THE_DOOR, TO_SIGN_IN, REFUSED, OPEN = "to the door", "to sign in", "refused", "open"


class Deed(NamedTuple):
    """A page that somebody reads, or an act of its forms that they carry out."""

    page: Page
    address: str
    act: str
    role: Role

    @property
    def expected(self) -> str:
        """What happens, by what the page declares."""
        mine = RANK[self.role]
        if (self.address, self.role) == ("/console/sso", "anyone") and self.act:
            return REFUSED  # an account's own ways to sign in, on the page where strangers come back from a provider
        if mine < RANK[self.page.see]:
            strange = TO_SIGN_IN if self.act else TO_THE_DOOR
            return strange if self.role == "anyone" else REFUSED
        return REFUSED if self.act and mine < RANK[self.page.change] else OPEN


def deeds() -> list[Deed]:
    """Every page and every act, for everybody."""
    pages = discover(console, Page)
    addresses = {name: page.path.partition("{")[0] + TAILS.get(name, "") for name, page in pages.items()}
    return [
        Deed(page, addresses[name], act, role)
        for name, page in pages.items()
        for act, role in product(("", *page.acts), ROLES)
    ]


def seen(status: int, location: str) -> str:
    """What an answer was."""
    if status == 303 and location.startswith("/console/sign-in?next="):
        return TO_THE_DOOR
    return {401: TO_SIGN_IN, 403: REFUSED}.get(status, OPEN if status < 500 else f"broken: {status}")


class Route(NamedTuple):
    """An endpoint for programs."""

    method: str
    path: str
    need: Need


def routes() -> list[Route]:
    """Every endpoint of every protocol, with something in place of a name; a shared one is told once."""
    found = (
        Route(method_of(route), path.replace("{", "").replace("}", ""), route.need)
        for protocol in discover(protocols, WireProtocol).values()
        for route in protocol.routes
        for path in route.paths
    )
    return list(dict.fromkeys(found))


def document(root: str, name: str, field: GraphQLField) -> str:
    """The shortest document that asks for a field of the schema."""
    needed = {each: arg.type for each, arg in field.args.items() if is_required_argument(arg)}
    given = ", ".join(f"{each}: {_value(kind)}" for each, kind in needed.items())
    inner = field.type
    while hasattr(inner, "of_type"):
        inner = inner.of_type
    fields = " { __typename }" if hasattr(inner, "fields") or hasattr(inner, "types") else ""
    return f"{root.lower()} {{ {name}{f'({given})' if given else ''}{fields} }}"


def _value(kind: object) -> str:
    if isinstance(kind, GraphQLNonNull):
        return _value(kind.of_type)
    if is_list_type(kind):
        return "[]"
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        needed: Mapping[str, object] = {
            name: each.type for name, each in kind.fields.items() if isinstance(each.type, GraphQLNonNull)
        }
        return "{" + ", ".join(f"{name}: {_value(each)}" for name, each in needed.items()) + "}"
    return {"Int": "1", "Float": "1.0", "Boolean": "true"}.get(str(kind), '"gid://gitlab/Ai::SelfHostedModel/1"')

"""Who may see and do what: every page, every act and every endpoint, by everybody, against what each declares."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

import pytest
from house import PEPPER
from offices import office_at
from rights import OPEN, REFUSED, ROLES, TO_SIGN_IN, Deed, Route, deeds, document, routes, seen
from townsfolk import settle_in

from homeport import console
from homeport.access import SCOPES, sessions, tokens
from homeport.console import RANK, Page
from homeport.domain.models import Token
from homeport.kit.discover import discover
from homeport.protocols import _graphql
from homeport.protocols._graphql import Fields, api_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from offices import Office, Shown

DEEDS = deeds()
DIRECT = {"/v1/code/user_access_token", "/api/v4/code_suggestions/direct_access"}
EVERY = sorted({*SCOPES, "scim"})
UNKNOWN = tokens.mint()
"""One for all endpoints: many different ones from one address are answered with 429."""


@pytest.fixture(scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """An office in full use."""
    async with office_at(tmp_path_factory.mktemp("town")) as office:
        await office.sign_in()
        await settle_in(office)
        yield office


async def be(office: Office, role: str) -> None:
    """Somebody of this role, or nobody."""
    office.cookie = ""
    if role != "anyone":
        await office.be({"admin": "ada", "auditor": "dewi", "user": "bea"}[role], role)


async def carried_out(office: Office, deed: Deed, **headers: str) -> Shown:
    """Send the form of an act with nothing filled in, or open the page."""
    if not deed.act:
        return await office.get(deed.address)
    fields = {"do": deed.act, "key": office.key if office.cookie else ""}
    return await office.ask("POST", deed.address, urlencode(fields).encode(), **headers)


def named(deed: Deed) -> str:
    return f"{deed.role} {deed.act or 'reads'} {deed.page.path}"


@pytest.mark.parametrize("deed", DEEDS, ids=named)
async def test_what_each_role_sees_and_does(town: Office, deed: Deed) -> None:
    await be(town, deed.role)
    before = await town.store.revision()
    shown = await carried_out(town, deed)
    assert seen(shown.status, shown.location) == deed.expected, (shown.status, shown.text[:400])
    if deed.expected != OPEN:
        assert await town.store.revision() == before


@pytest.mark.parametrize("deed", [each for each in DEEDS if each.act and each.role == "admin"], ids=named)
async def test_no_act_without_its_own_sessions_key(town: Office, deed: Deed) -> None:
    await be(town, "user")
    others = town.key
    await be(town, "admin")
    before = await town.store.revision()
    for key in ("", "0" * 40, others):
        body = urlencode({"do": deed.act, "key": key}).encode()
        shown = await town.ask("POST", deed.address, body)
        assert shown.status == 403
    for headers in ({"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "", "Origin": "http://evil.test"}):
        assert (await carried_out(town, deed, **headers)).status == 403
    assert await town.store.revision() == before


@pytest.mark.parametrize("role", ROLES)
async def test_the_menu_leads_only_where_one_may_go(town: Office, role: str) -> None:
    await be(town, role)
    body = (await town.get("/console" if role != "anyone" else "/console/sign-in")).body
    for page in discover(console, Page).values():
        if page.order and page.path != "/console/sign-in" and "{" not in page.path:
            listed = f'href="{page.path}"' in body
            assert not listed or RANK[role] >= RANK[page.see], page.path


# programs


TOKENS: WeakKeyDictionary[Any, dict[tuple[str, ...], str]] = WeakKeyDictionary()


async def token_for(office: Office, *scopes: str, owner: str = "ada") -> str:
    """A token for just this; the same one each time."""
    mine = TOKENS.setdefault(office, {})
    if (owner, *scopes) not in mine:
        mine[owner, *scopes] = await fresh_token(office, *scopes, owner=owner)
    return mine[owner, *scopes]


async def fresh_token(office: Office, *scopes: str, owner: str) -> str:
    made = tokens.mint()
    row = Token(
        name=f"t-{made[-8:]}", owner=owner, digest=tokens.digest(PEPPER, made), hint="abcd", scopes=frozenset(scopes)
    )
    await office.store.add_token(row, by="tests")
    return made


async def asked(office: Office, route: Route, token: str) -> str:
    body = None if route.method in {"GET", "DELETE"} else {}
    answer = await office.house.ask(route.method, route.path, body, token=token)
    assert b"Traceback" not in answer.body
    return seen(answer.status, "")


@pytest.mark.parametrize("route", routes(), ids=lambda route: f"{route.method} {route.path}")
async def test_endpoints_open_to_what_they_need_alone(town: Office, route: Route) -> None:
    town.house.app.door.gate._guesses._of.clear()  # noqa: SLF001 (all routes' wrong tokens are too many for one address)
    if route.need.public:
        assert await asked(town, route, "") == OPEN
        return
    assert await asked(town, route, "") == TO_SIGN_IN
    assert await asked(town, route, UNKNOWN) == TO_SIGN_IN
    if route.need.scope:
        others = [each for each in EVERY if each != route.need.scope]
        assert await asked(town, route, await token_for(town, *others)) == REFUSED
        theirs = await token_for(town, route.need.scope, owner="emre")
        assert await asked(town, route, theirs) == TO_SIGN_IN, "a disabled owner's token opens nothing"
    if route.need.scope in {"admin", "scim"}:
        theirs = await token_for(town, route.need.scope, owner="bea")
        assert await asked(town, route, theirs) == REFUSED, "a user's token administers nothing, whatever it says"
    # some ask for more than a scope: what a body is about, or that direct access is switched on
    strict = route.need.scope and route.path not in DIRECT
    fitting = await token_for(town, *([route.need.scope] if route.need.scope else EVERY))
    assert await asked(town, route, fitting) in ({OPEN} if strict else {OPEN, REFUSED})


GRAPHQL = {
    name: resolver.need.scope
    for fields in discover(_graphql, Fields).values()
    for name, resolver in fields.resolvers.items()
    if not name.startswith("Subscription.")
}


@pytest.mark.parametrize("name", GRAPHQL)
async def test_fields_of_graphql_open_to_what_they_need_alone(town: Office, name: str) -> None:
    root, _, field = name.partition(".")
    kind = (await api_of(town.house.app.door)).schema.get_type(root)
    query = document(root, field, kind.fields[field])  # type: ignore[union-attr]

    async def codes(*scopes: str) -> set[str]:
        answer = await town.house.post("/api/graphql", {"query": query}, await token_for(town, *scopes))
        assert answer.status == 200
        found: list[dict[str, Any]] = json.loads(answer.body).get("errors", [])
        return {each["extensions"]["code"] for each in found}

    if scope := GRAPHQL[name]:
        others = [each for each in EVERY if each != scope]
        await token_for(town, *others)
        before = await town.store.revision()
        assert await codes(*others) == {"not_allowed"}
        assert await town.store.revision() == before
    assert "not_allowed" not in await codes(*([scope] if scope else EVERY))


# what belongs to somebody else


async def test_a_token_of_somebody_else(town: Office) -> None:
    await be(town, "user")
    shown = await town.get("/console/tokens?state=all")
    assert ("my editor" in shown.text, "nightly build" in shown.text) == (True, False)
    assert "Revoke old laptop" not in (await town.get("/console/tokens?revoke=old+laptop")).text
    for name in ("old laptop", "nightly build"):
        assert (await town.send("/console/tokens", "revoke", name=name)).status == 404
    assert not [each for each in await town.store.tokens() if each.revoked]


async def test_a_session_of_somebody_else(town: Office) -> None:
    await be(town, "admin")
    cookie = town.cookie
    [digest, *_] = await town.store.sessions("ada", sessions.IDLE)
    await be(town, "user")
    await town.send("/console/account", "end", session=digest.hex())
    town.cookie = cookie
    assert (await town.get("/console")).status == 200


async def test_an_answer_of_somebody_else(town: Office) -> None:
    body = {"model": "chat", "input": "hello", "store": True}
    made = await town.house.post("/v1/responses", body, await token_for(town, "duo_chat", owner="ada"))
    assert made.status == 200
    path = f"/v1/responses/{json.loads(made.body)['id']}"
    theirs = await token_for(town, "duo_chat", owner="bea")
    assert (await town.house.get(path, theirs)).status == 404
    assert (await town.house.ask("DELETE", path, token=theirs)).status == 404
    on = body | {"previous_response_id": path.rpartition("/")[2]}
    assert (await town.house.post("/v1/responses", on, theirs)).status in {400, 404}

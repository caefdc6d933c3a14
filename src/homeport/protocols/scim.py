"""SCIM 2.0: a directory such as Entra ID or Okta says who there is and who belongs together.

A token with the scope `scim` opens it. Users are the people of the console, groups are teams. The audit names "SCIM".
Source: RFC 7643 (schemas) and RFC 7644 (protocol).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

import orjson
from pydantic import BaseModel, ConfigDict

from homeport.access import Need
from homeport.domain.errors import BadRequest, CallerError, Unknown
from homeport.protocols import Act, Reply, WireProtocol
from homeport.protocols._scim_filter import lookup, matches, part, read, read_path, values
from homeport.protocols._scim_map import Place, group_resource, user_fields, user_resource
from homeport.protocols._scim_patch import patched
from homeport.protocols._scim_schemas import (
    GROUP,
    MOST,
    SCHEMAS,
    USER,
    BadValue,
    attributes_of,
    config,
    form,
    kind,
    only,
    schema,
)
from homeport.store.records import Team, User

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from homeport.domain.errors import HomeportError
    from homeport.protocols import Arrival, Method
    from homeport.protocols._endpoint import Door
    from homeport.store.database import Store
    from homeport.store.directory import Directory

    Wanted = Callable[[dict[str, Any]], dict[str, Any]]
    """Of the resource as it is: as it shall be."""

NEED = Need("scim")
BY = "SCIM"
ROOT = "/scim/v2"
USERS, GROUPS = f"{ROOT}/Users", f"{ROOT}/Groups"
TYPE = b"application/scim+json"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
USUAL = 100
"""Resources of an answer, where nobody says how many."""
TURN = 200
"""Resources that are looked at before others get their turn."""
COLUMNS = {"username": "name", "externalid": "external_id", "id": "id", "displayname": "display"}
"""Attributes that the database can look for."""


class Taken(CallerError):
    """Another resource has this name."""

    status = 409
    code = "in_use"
    scim_type = "uniqueness"


class Changed(CallerError):
    """The resource is not what it was when it was read."""

    status = 412
    code = "outdated"


class Document(BaseModel):
    """Any resource or message of SCIM: its schema says what is in it."""

    model_config = ConfigDict(extra="allow")

    def said(self) -> dict[str, Any]:
        """Everything that was sent."""
        return self.model_extra or {}


class Query(NamedTuple):
    """What a list is asked for."""

    filter: str = ""
    sort: str = ""
    down: bool = False
    start: int = 1
    most: int = USUAL
    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()


def error(problem: HomeportError, correlation_id: str) -> tuple[int, bytes]:
    """SCIM's error message (RFC 7644, section 3.12)."""
    said = {"schemas": [ERROR], "status": str(problem.status), "detail": f"{problem} (correlation id {correlation_id})"}
    kind_ = getattr(problem, "scim_type", "invalidValue" if isinstance(problem, BadRequest) and problem.param else "")
    if not kind_ and isinstance(problem, BadRequest):
        kind_ = "invalidSyntax"
    return problem.status, orjson.dumps(said | ({"scimType": kind_} if kind_ else {}))


def _store(door: Door) -> Store:
    if door.store is None:
        raise Unknown("This gateway has no database and no people.", "Ask the instance.")
    return door.store


def _base(door: Door, arrival: Arrival) -> str:
    return (door.url or "http://" + arrival.header(b"host")) + ROOT


def _reply(found: Any, status: int = 200, *headers: tuple[bytes, bytes]) -> Reply:  # noqa: ANN401 (any JSON)
    return Reply(orjson.dumps(found), status, TYPE, headers)


def _resource(found: Mapping[str, Any], query: Query, status: int = 200) -> Reply:
    meta = found["meta"]
    headers = [(b"etag", meta["version"].encode())]
    if status == 201:  # noqa: PLR2004 (HTTP's own number)
        headers.append((b"location", meta["location"].encode("ascii", "backslashreplace")))
    return _reply(only(found, query.wanted, query.unwanted), status, *headers)


# what is asked


def _query(arrival: Arrival) -> Query:
    """The query of an address; raises BadValue."""
    try:
        pairs = parse_qsl(arrival.query, keep_blank_values=True, max_num_fields=50)
    except ValueError as problem:
        raise BadValue("The query cannot be read.", "Send up to 50 fields in UTF-8.") from problem
    return _asked(dict(pairs))


def _asked(said: Mapping[str, Any]) -> Query:
    names = {key.lower(): value for key, value in said.items()}
    return Query(
        filter=_text(names.get("filter", "")),
        sort=_text(names.get("sortby", "")),
        down=_text(names.get("sortorder", "")).lower() == "descending",
        start=max(_number(names.get("startindex", 1), "startIndex"), 1),
        most=min(max(_number(names.get("count", USUAL), "count"), 0), MOST),
        wanted=_names(names.get("attributes", ())),
        unwanted=_names(names.get("excludedattributes", ())),
    )


def _text(value: Any) -> str:  # noqa: ANN401 (any JSON)
    if not isinstance(value, str):
        raise BadValue("A part of the query is no text.", "Send filter, sortBy and sortOrder as texts.")
    return value


def _number(value: Any, name: str) -> int:  # noqa: ANN401 (any JSON)
    text = str(value)
    if isinstance(value, bool) or len(text) > 10 or not text.removeprefix("-").isdecimal() or not text.isascii():  # noqa: PLR2004 (digits of any number that makes sense)
        raise BadValue(f"{name} is no whole number.", "Give one.", param=name)
    return int(text)


def _names(value: Any) -> tuple[str, ...]:  # noqa: ANN401 (any JSON)
    several = value.split(",") if isinstance(value, str) else value
    if not isinstance(several, list | tuple) or not all(isinstance(each, str) for each in several):
        raise BadValue("Names of attributes are texts.", "Separate them by commas.", param="attributes")
    return tuple(each.strip() for each in several if each.strip())


# lists


def _listed(found: Sequence[Mapping[str, Any]], total: int, query: Query) -> Reply:
    shown = [only(each, query.wanted, query.unwanted) for each in found]
    about = {"schemas": [LIST], "totalResults": total, "itemsPerPage": len(shown), "startIndex": query.start}
    return _reply({**about, "Resources": shown})


async def _chosen(resources: Sequence[dict[str, Any]], query: Query) -> Reply:
    """Those that the filter finds, in order, as one page; others get their turn meanwhile."""
    asked = read(query.filter) if query.filter else None
    found = []
    for number, each in enumerate(resources):
        if number % TURN == TURN - 1:
            await asyncio.sleep(0)
        if asked is None or matches(asked, each):
            found.append(each)
    if query.sort:
        found.sort(key=_by(query.sort), reverse=query.down)
    return _listed(found[query.start - 1 : query.start - 1 + query.most], len(found), query)


def _by(sort: str) -> Any:  # noqa: ANN401 (a key for sorting)
    """By the first value of an attribute; whoever has none is last when it goes up (RFC 7644, section 3.4.2.3)."""
    path = read_path(sort).path

    def key(resource: Mapping[str, Any]) -> tuple[bool, str]:
        several = values(resource, path)
        first = several[0] if several else None
        plain = part(first, "value") if isinstance(first, dict) else first
        return plain is None, str(plain).casefold()

    return key


async def _candidates(store: Store, query: Query) -> list[User]:
    """Whoever may match; the filter decides."""
    wanted = lookup(read(query.filter)) if query.filter else None
    if wanted is None or wanted[0] not in COLUMNS or not wanted[1].isprintable():
        return await store.users()
    return await store.users_like(COLUMNS[wanted[0]], wanted[1])


async def _users(door: Door, query: Query, base: str) -> Reply:
    store = _store(door)
    place = Place(base, await store.team_ids())
    if query.filter or query.sort:
        return await _chosen([user_resource(each, place) for each in await _candidates(store, query)], query)
    page = await store.users(limit=query.most, offset=query.start - 1) if query.most else []
    return _listed([user_resource(each, place) for each in page], await store.count_users(), query)


async def users(door: Door, _body: None, arrival: Arrival) -> Reply:
    """The people, or those whom a filter finds."""
    return await _users(door, _query(arrival), _base(door, arrival))


async def search_users(door: Door, body: Document, arrival: Arrival) -> Reply:
    """The same, asked in a body (RFC 7644, section 3.4.3)."""
    return await _users(door, _asked(body.said()), _base(door, arrival))


async def _groups(door: Door, query: Query, base: str) -> Reply:
    store = _store(door)
    members = await store.people_of() if _shows_members(query) else {}
    found = [group_resource(each, members.get(each.id, ()), base) for each in await store.teams()]
    return await _chosen(found, query)


def _shows_members(query: Query) -> bool:
    wanted = {each.lower().partition(".")[0] for each in query.wanted}
    if "members" in query.filter.lower() or "members" in query.sort.lower():
        return True
    return "members" in wanted if wanted else "members" not in {each.lower() for each in query.unwanted}


async def groups(door: Door, _body: None, arrival: Arrival) -> Reply:
    """The teams, or those that a filter finds."""
    return await _groups(door, _query(arrival), _base(door, arrival))


async def search_groups(door: Door, body: Document, arrival: Arrival) -> Reply:
    """The same, asked in a body."""
    return await _groups(door, _asked(body.said()), _base(door, arrival))


async def search(door: Door, body: Document, arrival: Arrival) -> Reply:
    """People and teams at once: those that a filter finds."""
    query, base, store = _asked(body.said()), _base(door, arrival), _store(door)
    place = Place(base, await store.team_ids())
    people = [user_resource(each, place) for each in await _candidates(store, query)]
    members = await store.people_of() if _shows_members(query) else {}
    teams = [group_resource(each, members.get(each.id, ()), base) for each in await store.teams()]
    return await _chosen([*people, *teams], query)


# one user


async def _user(at: Store | Directory, arrival: Arrival, base: str) -> tuple[User, dict[str, Any]]:
    """Whom an address means, and how SCIM shows them; raises Unknown."""
    try:
        found = await at.user(id_=arrival.tail)
    except Unknown as problem:
        saw = f"There is no user with the id {arrival.tail[:100]!r}."
        raise Unknown(saw, "Look for them with a filter.") from problem
    return found, user_resource(found, Place(base, await at.team_ids()))


def _unchanged(arrival: Arrival, resource: Mapping[str, Any]) -> None:
    """Raise Changed unless the caller means the resource as it is (RFC 7644, section 3.14)."""
    wanted = arrival.header(b"if-match")
    if wanted and wanted.strip() != "*" and resource["meta"]["version"] not in map(str.strip, wanted.split(",")):
        raise Changed("The resource was changed since it was read.", "Read it again.")


def _known(arrival: Arrival, resource: Mapping[str, Any]) -> bool:
    """Whether the caller has the resource already."""
    return resource["meta"]["version"] in map(str.strip, arrival.header(b"if-none-match").split(","))


async def user(door: Door, _body: None, arrival: Arrival) -> Reply:
    """One person."""
    _found, resource = await _user(_store(door), arrival, _base(door, arrival))
    return Reply(b"", 304) if _known(arrival, resource) else _resource(resource, _query(arrival))


def _changing(door: Door) -> AbstractAsyncContextManager[Directory]:
    """One transaction for all that a request looks at and changes: a failure in the middle leaves nothing half done."""
    return _store(door).directory(by=BY)


async def _free(at: Directory, name: str, but: str = "") -> None:
    """Raise Taken for a name that somebody has, in whatever case."""
    alike = await at.users_like("name", name)
    if any(each.name.casefold() == name.casefold() and each.id != but for each in alike):
        raise Taken("Somebody has this userName already.", "Find them with a filter.", param="userName")


async def add_user(door: Door, body: Document, arrival: Arrival) -> Reply:
    """Let somebody in: with a seat if one is free."""
    fields, query = user_fields(form(body.said(), attributes_of(USER))), _query(arrival)
    async with _changing(door) as at:
        await _free(at, fields["name"])
        made = await at.add_user(User(**fields))
    return _resource(user_resource(made, Place(_base(door, arrival), {})), query, 201)


async def _store_user(at: Directory, before: User, shaped: Mapping[str, Any]) -> None:
    fields = user_fields(shaped)
    if fields["name"] != before.name:
        await _free(at, fields["name"], but=before.id)
    changes = {name: value for name, value in fields.items() if getattr(before, name) != value}
    if changes:
        await at.edit_user(before.name, changes)


async def replace_user(door: Door, body: Document, arrival: Arrival) -> Reply:
    """Say everything about somebody anew; who is not said to be active or not stays as they are."""
    return await _changed_user(door, arrival, lambda _resource: body.said())


async def patch_user(door: Door, body: Document, arrival: Arrival) -> Reply:
    """Change some of what is known of somebody."""
    return await _changed_user(door, arrival, lambda resource: patched(resource, USER, body.said()))


async def _changed_user(door: Door, arrival: Arrival, wanted: Wanted) -> Reply:
    base, query = _base(door, arrival), _query(arrival)
    async with _changing(door) as at:
        before, resource = await _user(at, arrival, base)
        _unchanged(arrival, resource)
        await _store_user(at, before, form(wanted(resource), attributes_of(USER)))
        _after, resource = await _user(at, arrival, base)
    return _resource(resource, query)


async def remove_user(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Delete somebody; in the console it can be undone for a while."""
    async with _changing(door) as at:
        before, resource = await _user(at, arrival, _base(door, arrival))
        _unchanged(arrival, resource)
        await at.remove_user(before.name)
    return Reply(b"", 204, TYPE)


# one group


async def _group(at: Store | Directory, id_: str, base: str) -> tuple[Team, dict[str, Any]]:
    """Which team is meant, and how SCIM shows it; raises Unknown."""
    try:
        found = await at.team(id_=id_)
    except Unknown as problem:
        raise Unknown(f"There is no group with the id {id_[:100]!r}.", "Look for it with a filter.") from problem
    members = await at.people_of(found.id)
    return found, group_resource(found, members.get(found.id, ()), base)


async def group(door: Door, _body: None, arrival: Arrival) -> Reply:
    """One team."""
    _found, resource = await _group(_store(door), arrival.tail, _base(door, arrival))
    return Reply(b"", 304) if _known(arrival, resource) else _resource(resource, _query(arrival))


async def _members(at: Directory, shaped: Mapping[str, Any]) -> set[str]:
    """The names of the members of a group; raises BadValue for one who is nobody."""
    ids = {str(each.get("value", "")) for each in shaped.get("members", ()) if isinstance(each, dict)}
    names = await at.names_of(sorted(ids))
    lost = sorted(ids - names.keys())
    if lost:
        raise BadValue(f"There is no user with the id {lost[0][:100]!r}.", "Make them first.", param="members")
    return set(names.values())


def _called(shaped: Mapping[str, Any]) -> str:
    name = str(shaped.get("displayName", "")).strip()
    if not name:
        raise BadValue("displayName is missing.", "Say what the group is called.", param="displayName")
    return name


async def _only_one(at: Directory, name: str, but: str = "") -> None:
    """Raise Taken for a name that a team has, in whatever case."""
    if any(each.casefold() == name.casefold() and id_ != but for each, id_ in (await at.team_ids()).items()):
        raise Taken("There is a group with this displayName.", "Find it with a filter.", param="displayName")


async def add_group(door: Door, body: Document, arrival: Arrival) -> Reply:
    """A new team."""
    shaped, query = form(body.said(), attributes_of(GROUP)), _query(arrival)
    name = _called(shaped)
    async with _changing(door) as at:
        await _only_one(at, name)
        members = tuple(sorted(await _members(at, shaped)))
        made = await at.add_team(Team(name=name, external_id=shaped.get("externalId", ""), members=members))
        _found, resource = await _group(at, made.id, _base(door, arrival))
    return _resource(resource, query, 201)


async def _store_group(at: Directory, before: Team, shaped: Mapping[str, Any]) -> None:
    name, external = _called(shaped), shaped.get("externalId", "")
    members, held = await _members(at, shaped), set(before.members)
    if name != before.name:
        await _only_one(at, name, but=before.id)
    if members != held:
        await at.change_members(before.name, join=members - held, leave=held - members)
    if (name, external) != (before.name, before.external_id):
        await at.edit_team(before.name, to=name, external_id=external)


async def replace_group(door: Door, body: Document, arrival: Arrival) -> Reply:
    """Say everything about a team anew, its members too."""
    return await _changed_group(door, arrival, lambda _resource: body.said())


async def patch_group(door: Door, body: Document, arrival: Arrival) -> Reply:
    """Change a team's name or members."""
    return await _changed_group(door, arrival, lambda resource: patched(resource, GROUP, body.said()))


async def _changed_group(door: Door, arrival: Arrival, wanted: Wanted) -> Reply:
    base, query = _base(door, arrival), _query(arrival)
    async with _changing(door) as at:
        before, resource = await _group(at, arrival.tail, base)
        _unchanged(arrival, resource)
        await _store_group(at, before, form(wanted(resource), attributes_of(GROUP)))
        _after, resource = await _group(at, arrival.tail, base)
    return _resource(resource, query)


async def remove_group(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Forget a team; its members stay."""
    async with _changing(door) as at:
        before, resource = await _group(at, arrival.tail, _base(door, arrival))
        _unchanged(arrival, resource)
        await at.remove_team(before.name)
    return Reply(b"", 204, TYPE)


# what there is


async def about(door: Door, _body: None, arrival: Arrival) -> Reply:
    """What this server can do."""
    return _reply(config(_base(door, arrival)))


async def kinds(door: Door, _body: None, arrival: Arrival) -> Reply:
    """The types of resources."""
    found = [kind(name, _base(door, arrival)) for name in ("User", "Group")]
    return _listed(found, len(found), Query())


async def one_kind(door: Door, _body: None, arrival: Arrival) -> Reply:
    """One type of resources."""
    if arrival.tail not in {"User", "Group"}:
        raise Unknown("There is no such type of resource.", "There are User and Group.")
    return _reply(kind(arrival.tail, _base(door, arrival)))


async def schemas(door: Door, _body: None, arrival: Arrival) -> Reply:
    """What resources are made of."""
    found = [schema(urn, _base(door, arrival)) for urn in SCHEMAS]
    return _listed(found, len(found), Query())


async def one_schema(door: Door, _body: None, arrival: Arrival) -> Reply:
    """One schema."""
    if arrival.tail not in SCHEMAS:
        raise Unknown("There is no such schema.", f"There are: {', '.join(SCHEMAS)}.")
    return _reply(schema(arrival.tail, _base(door, arrival)))


async def nothing(_door: Door, _body: None, _arrival: Arrival) -> Reply:
    """What is not offered, bulk operations and `/Me` for example."""
    raise Unknown("There is nothing at this path.", f"See {ROOT}/ServiceProviderConfig.")


def _act(path: str, act: Any, method: Method, summary: str, **more: Any) -> Act:  # noqa: ANN401 (as Act takes it)
    return Act(paths=(path,), need=NEED, act=act, method=method, summary=summary, **more)


PERSON = {"schemas": [USER], "userName": "ada@example.com", "name": {"givenName": "Ada", "familyName": "Lovelace"}}
TEAM = {"schemas": [GROUP], "displayName": "Platform", "members": []}
PATCH = {
    "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations": [{"op": "replace", "path": "active", "value": False}],
}
RENAME = {**PATCH, "Operations": [{"op": "replace", "path": "displayName", "value": "Platform team"}]}
SEARCH = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": 'userName sw "a"', "count": 10}
ONE_USER, ONE_GROUP = f"{USERS}/{{id}}", f"{GROUPS}/{{id}}"
BODY: dict[str, Any] = {"body": Document}

PROTOCOL = WireProtocol(
    label="SCIM 2.0",
    error=error,
    routes=(
        _act(USERS, users, "GET", "List or find people."),
        _act(USERS, add_user, "POST", "Let somebody in.", **BODY, example=PERSON),
        _act(f"{USERS}/.search", search_users, "POST", "Find people.", **BODY, example=SEARCH),
        _act(ONE_USER, user, "GET", "Show a person."),
        _act(ONE_USER, replace_user, "PUT", "Say everything about a person.", **BODY, example=PERSON),
        _act(ONE_USER, patch_user, "PATCH", "Change a person.", **BODY, example=PATCH),
        _act(ONE_USER, remove_user, "DELETE", "Delete a person."),
        _act(f"{ROOT}/.search", search, "POST", "Find people and teams.", **BODY, example=SEARCH),
        _act(GROUPS, groups, "GET", "List or find teams."),
        _act(GROUPS, add_group, "POST", "Make a team.", **BODY, example=TEAM),
        _act(f"{GROUPS}/.search", search_groups, "POST", "Find teams.", **BODY, example={**SEARCH, "filter": ""}),
        _act(ONE_GROUP, group, "GET", "Show a team."),
        _act(ONE_GROUP, replace_group, "PUT", "Say everything about a team.", **BODY, example=TEAM),
        _act(ONE_GROUP, patch_group, "PATCH", "Change a team.", **BODY, example=RENAME),
        _act(ONE_GROUP, remove_group, "DELETE", "Forget a team."),
        _act(f"{ROOT}/ServiceProviderConfig", about, "GET", "What this server can do."),
        _act(f"{ROOT}/ResourceTypes", kinds, "GET", "The types of resources."),
        _act(f"{ROOT}/ResourceTypes/{{name}}", one_kind, "GET", "One type of resources."),
        _act(f"{ROOT}/Schemas", schemas, "GET", "What resources are made of."),
        _act(f"{ROOT}/Schemas/{{urn}}", one_schema, "GET", "One schema."),
        _act(f"{ROOT}/{{path}}", nothing, "GET", "What is not offered."),
        _act(f"{ROOT}/{{path}}", nothing, "POST", "What is not offered."),
    ),
)

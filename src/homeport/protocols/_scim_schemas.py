"""What SCIM resources are made of: the schemas, what this server can do, and how a body is brought into their form.

Source: RFC 7643 (sections 3 to 7) and RFC 7644, section 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeport.domain.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Schema"
KIND = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
CONFIG = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
ALWAYS = frozenset({"schemas", "id"})
"""What every resource has, whatever is asked for."""
MOST = 1000
"""Resources of one answer at most."""

Attribute = dict[str, Any]


class BadValue(BadRequest):
    """A value that cannot be one of this attribute."""

    scim_type = "invalidValue"


def _is(name: str, told: str, kind: str = "string", *parts: Attribute, **more: Any) -> Attribute:  # noqa: ANN401 (what differs)
    made = {
        "name": name,
        "type": kind,
        "multiValued": False,
        "description": told,
        "required": False,
        "mutability": "readWrite",
        "returned": "default",
    }
    if kind == "string":
        made |= {"caseExact": False, "uniqueness": "none"}
    if kind == "reference":
        made |= {"caseExact": True, "uniqueness": "none"}
    return made | ({"subAttributes": list(parts)} if parts else {}) | more


def _several(name: str, told: str, value: str = "string") -> Attribute:
    """An attribute with several values of the usual form."""
    kinds = {"referenceTypes": ["external"]} if value == "reference" else {}
    parts = (
        _is("value", "The value.", value, **kinds),
        _is("display", "How it is shown."),
        _is("type", "What it is for, for example work."),
        _is("primary", "Whether it is the one to prefer.", "boolean"),
    )
    return _is(name, told, "complex", *parts, multiValued=True)


_NAMES = ("formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix")
_ADDRESS = ("formatted", "streetAddress", "locality", "region", "postalCode", "country", "type")
_FIXED = {"mutability": "readOnly"}
USER_ATTRIBUTES: Sequence[Attribute] = (
    _is("userName", "What they sign in with.", required=True, uniqueness="server"),
    _is("name", "The parts of their name.", "complex", *(_is(each, "A part of the name.") for each in _NAMES)),
    _is("displayName", "How they are called."),
    _is("nickName", "How friends call them."),
    _is("profileUrl", "Where there is more about them.", "reference", referenceTypes=["external"]),
    _is("title", "What they do."),
    _is("userType", "How they belong to the organisation."),
    _is("preferredLanguage", "The language that they read."),
    _is("locale", "How they write numbers and days."),
    _is("timezone", "Where their clock is."),
    _is("active", "Whether they may sign in; false ends their sessions and tokens at once.", "boolean"),
    _several("emails", "Their addresses for mail."),
    _several("phoneNumbers", "Their telephones."),
    _several("ims", "Their addresses for instant messages."),
    _several("photos", "Their pictures, which are not fetched.", "reference"),
    _is(
        "addresses",
        "Where they are.",
        "complex",
        *(_is(each, "A part of the address.") for each in _ADDRESS),
        _is("primary", "Whether it is the one to prefer.", "boolean"),
        multiValued=True,
    ),
    _is(
        "groups",
        "Their teams: change the group.",
        "complex",
        _is("value", "The id of the team.", **_FIXED),
        _is("$ref", "The address of the team.", "reference", referenceTypes=["Group"], **_FIXED),
        _is("display", "The name of the team.", **_FIXED),
        multiValued=True,
        **_FIXED,
    ),
    _several("entitlements", "What they are entitled to elsewhere."),
    _several("roles", "Their roles elsewhere; those of Homeport are given in its console."),
)
GROUP_ATTRIBUTES: Sequence[Attribute] = (
    _is("displayName", "The name of the team.", required=True, uniqueness="server"),
    _is(
        "members",
        "Who is in it.",
        "complex",
        _is("value", "The id of the user.", mutability="immutable"),
        _is("$ref", "The address of the user.", "reference", referenceTypes=["User"], mutability="immutable"),
        _is("type", "Always User.", canonicalValues=["User"], mutability="immutable"),
        multiValued=True,
    ),
)
ENTERPRISE_ATTRIBUTES: Sequence[Attribute] = (
    _is("employeeNumber", "Their number."),
    _is("costCenter", "Who pays."),
    _is("organization", "The organisation."),
    _is("division", "The division."),
    _is("department", "The department."),
    _is(
        "manager",
        "Whom they report to.",
        "complex",
        _is("value", "The manager's id."),
        _is("$ref", "The manager's address.", "reference", referenceTypes=["User"]),
        _is("displayName", "The manager's name.", **_FIXED),
    ),
)
COMMON: Sequence[Attribute] = (_is("externalId", "What the directory calls it.", caseExact=True),)
SCHEMAS: Mapping[str, tuple[str, str, Sequence[Attribute]]] = {
    USER: ("User", "Somebody who may sign in", USER_ATTRIBUTES),
    GROUP: ("Group", "A team", GROUP_ATTRIBUTES),
    ENTERPRISE: ("EnterpriseUser", "What an organisation knows of somebody", ENTERPRISE_ATTRIBUTES),
}


def schema(urn: str, base: str) -> dict[str, Any]:
    """One of SCHEMAS as it is answered."""
    name, told, attributes = SCHEMAS[urn]
    meta = {"resourceType": "Schema", "location": f"{base}/Schemas/{urn}"}
    about = {"schemas": [SCHEMA], "id": urn, "name": name, "description": told}
    return {**about, "attributes": list(attributes), "meta": meta}


def kind(name: str, base: str) -> dict[str, Any]:
    """A type of resource, User or Group, as it is answered."""
    urn = {"User": USER, "Group": GROUP}[name]
    meta = {"resourceType": "ResourceType", "location": f"{base}/ResourceTypes/{name}"}
    about = {"schemas": [KIND], "id": name, "name": name, "description": SCHEMAS[urn][1], "endpoint": f"/{name}s"}
    more = {"schemaExtensions": [{"schema": ENTERPRISE, "required": False}]} if name == "User" else {}
    return {**about, "schema": urn, **more, "meta": meta}


def config(base: str) -> dict[str, Any]:
    """What this server can do."""
    return {
        "schemas": [CONFIG],
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": MOST},
        "changePassword": {"supported": False},
        "sort": {"supported": True},
        "etag": {"supported": True},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Token",
                "description": "A token with the scope scim, as Authorization: Bearer.",
                "primary": True,
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base}/ServiceProviderConfig"},
    }


def attributes_of(urn: str) -> dict[str, Attribute]:
    """The attributes of a schema by their names in lower case; an extension is one of its user."""
    found = {each["name"].lower(): each for each in (*SCHEMAS[urn][2], *(COMMON if urn != ENTERPRISE else ()))}
    if urn == USER:
        inner = _is(ENTERPRISE, "What an organisation knows.", "complex", *ENTERPRISE_ATTRIBUTES)
        found[ENTERPRISE.lower()] = inner
    return found


def parts_of(attribute: Attribute) -> dict[str, Attribute]:
    """The parts of an attribute by their names in lower case."""
    return {each["name"].lower(): each for each in attribute.get("subAttributes", ())}


def form(body: Mapping[str, Any], known: Mapping[str, Attribute]) -> dict[str, Any]:
    """What a body says, under the names of the schema: unknown and read-only attributes are left out.

    Raises BadValue for what is of another type.
    """
    found = {}
    for name, value in body.items():
        attribute = known.get(name.lower())
        if attribute is None or attribute["mutability"] == "readOnly" or value is None:
            continue
        shaped = shape(attribute, value)
        if shaped not in ({}, []):
            found[attribute["name"]] = shaped
    return found


def shape(attribute: Attribute, value: Any) -> Any:  # noqa: ANN401 (any JSON)
    """A value in the form of its attribute; raises BadValue."""
    if not attribute["multiValued"]:
        return _single(attribute, value)
    several = value if isinstance(value, list) else [value]
    return _one_primary([_single(attribute, each) for each in several if each is not None])


def _single(attribute: Attribute, value: Any) -> Any:  # noqa: ANN401 (any JSON)
    name, kind_ = attribute["name"], attribute["type"]
    if kind_ == "complex":
        # a lone text stands for its value, as some directories send it
        inside = {"value": value} if isinstance(value, str) and "value" in parts_of(attribute) else value
        if isinstance(inside, dict):
            return form(inside, parts_of(attribute))
    elif kind_ == "boolean":
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in {"true", "false"}:
            return value.lower() == "true"
    elif isinstance(value, str):
        return value
    raise BadValue(f"{name} cannot be a {type(value).__name__}.", f"It is a {kind_}.", param=name)


def _one_primary(several: list[Any]) -> list[Any]:
    """The last one that says so is the primary one (RFC 7644, section 3.5.2)."""
    marked = [number for number, each in enumerate(several) if isinstance(each, dict) and each.get("primary")]
    for number in marked[:-1]:
        several[number] = {**several[number], "primary": False}
    return several


def only(resource: Mapping[str, Any], wanted: Sequence[str], unwanted: Sequence[str]) -> dict[str, Any]:
    """A resource with the `wanted` attributes alone, or without the `unwanted` ones (RFC 7644, section 3.9)."""
    if wanted:
        kept = ((name, _kept(name, value, wanted)) for name, value in resource.items())
        return {name: value for name, value in kept if value is not None}
    names = {_plain(each) for each in unwanted} - ALWAYS
    parts = {
        name: {each.partition(".")[2] for each in names if each.startswith(f"{name.lower()}.")} for name in resource
    }
    return {name: _without(value, parts[name]) for name, value in resource.items() if name.lower() not in names}


def _kept(name: str, value: Any, wanted: Sequence[str]) -> Any:  # noqa: ANN401 (any JSON)
    lower = name.lower()
    asked = [_plain(each) for each in wanted]
    if lower in ALWAYS or lower in asked:
        return value
    subs = {each.partition(".")[2] for each in asked if each.startswith(f"{lower}.")}
    subs |= {each[len(lower) + 1 :] for each in asked if each.startswith(f"{lower}:")}
    if not subs:
        return None
    several = value if isinstance(value, list) else [value]
    kept = [{k: v for k, v in each.items() if k.lower() in subs} for each in several if isinstance(each, dict)]
    return kept if isinstance(value, list) else (kept[0] if kept else None)


def _plain(name: str) -> str:
    """A name without the schema that all of its resources have."""
    lower = name.strip().lower()
    for urn in (USER, GROUP):
        lower = lower.removeprefix(f"{urn.lower()}:")
    return lower


def _without(value: Any, subs: set[str]) -> Any:  # noqa: ANN401 (any JSON)
    if not subs:
        return value
    if isinstance(value, list):
        return [_without(each, subs) for each in value]
    return {k: v for k, v in value.items() if k.lower() not in subs} if isinstance(value, dict) else value

"""Between SCIM's resources and what the store remembers."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from homeport.protocols._scim_schemas import ENTERPRISE, GROUP, USER, BadValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from homeport.store.records import Team, User

LARGEST = 16_384
"""Characters of what is kept of a person besides our own fields."""
OWN = frozenset({"userName", "displayName", "externalId", "active", "groups"})
"""Attributes that have a field in the store."""


class Place(NamedTuple):
    """Where resources are: what their addresses begin with, and the ids of the teams."""

    base: str
    teams: Mapping[str, str]


def user_resource(user: User, place: Place) -> dict[str, Any]:
    """A person as SCIM shows them."""
    resource: dict[str, Any] = {"schemas": [USER], "id": user.id, "userName": user.name}
    resource |= {"active": not user.disabled, **user.attributes}
    if ENTERPRISE in resource:
        resource["schemas"] = [USER, ENTERPRISE]
    resource |= {key: text for key, text in (("displayName", user.display), ("externalId", user.external_id)) if text}
    if "emails" not in resource and user.email:
        resource["emails"] = [{"value": user.email, "type": "work", "primary": True}]
    groups = [(place.teams[name], name) for name in user.teams if name in place.teams]
    if groups:
        shown = ({"value": id_, "$ref": f"{place.base}/Groups/{id_}", "display": name} for id_, name in groups)
        resource["groups"] = list(shown)
    return _stamped(resource, "User", place.base, user.created, user.changed)


def group_resource(team: Team, members: Sequence[tuple[str, str]], base: str) -> dict[str, Any]:
    """A team as SCIM shows it; `members` are ids and names."""
    resource: dict[str, Any] = {"schemas": [GROUP], "id": team.id, "displayName": team.name}
    if team.external_id:
        resource["externalId"] = team.external_id
    if members:
        resource["members"] = [{"value": id_, "$ref": f"{base}/Users/{id_}", "type": "User"} for id_, _name in members]
    return _stamped(resource, "Group", base, team.created, team.changed)


def _stamped(
    resource: dict[str, Any], kind: str, base: str, created: datetime | None, changed: datetime | None
) -> dict[str, Any]:
    """With its meta; the version is another one whenever anything that is shown is."""
    version = hashlib.sha256(orjson.dumps(resource, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
    resource["meta"] = {
        "resourceType": kind,
        **({"created": created.isoformat()} if created else {}),
        **({"lastModified": changed.isoformat()} if changed else {}),
        "location": f"{base}/{kind}s/{resource['id']}",
        "version": f'W/"{version}"',
    }
    return resource


def user_fields(shaped: Mapping[str, Any]) -> dict[str, Any]:
    """What the store keeps of a resource in the schema's form, named as in `User`; raises BadValue."""
    name = shaped.get("userName", "").strip()
    if not name:
        raise BadValue("userName is missing.", "Say what they sign in with.", param="userName")
    rest = {key: value for key, value in shaped.items() if key not in OWN}
    if len(json.dumps(rest)) > LARGEST:
        raise BadValue("The resource is too large.", f"Send up to {LARGEST} characters of attributes.")
    fields = {
        "name": name,
        "display": _line(shaped.get("displayName", "")),
        "external_id": shaped.get("externalId", ""),
        "email": _line(_email(shaped.get("emails", ()))),
        "attributes": rest,
    }
    return fields | ({"disabled": not shaped["active"]} if "active" in shaped else {})


def _email(emails: Sequence[Mapping[str, Any]]) -> str:
    """The primary one, or the first."""
    best = next((each for each in emails if each.get("primary")), emails[0] if emails else {})
    return str(best.get("value", ""))


def _line(text: str) -> str:
    """In one line, as lists show it."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:200]

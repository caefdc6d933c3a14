"""`project` and `projects`: there are none here, and what a token may use holds in every one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeport.access import KNOWN
from homeport.domain.errors import BadRequest
from homeport.protocols._graphql import Fields, Resolver
from homeport.protocols._graphql._connection import ARGUMENTS, page, types
from homeport.protocols._instance import gid, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.protocols._graphql import Call

PATH, IDS = 1024, 100


def project(_call: Call, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Any project, by its path; raises BadRequest for a path that is too long."""
    path = arguments["fullPath"]
    if len(path) > PATH:
        raise BadRequest(f"The path has more than {PATH} characters.", "Send the project's path.", param="fullPath")
    return {"id": gid("Project", number(path)), "fullPath": path, "duoFeaturesEnabled": True}


def projects(_call: Call, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Any projects, by their ids; raises BadRequest for too many."""
    ids = arguments.get("ids") or []
    if len(ids) > IDS or any(len(each) > PATH for each in ids):
        raise BadRequest(f"More than {IDS} projects are asked for.", "Ask for fewer.", param="ids")
    return page([{"id": each, "fullPath": each, "duoFeaturesEnabled": True} for each in ids], arguments)


FIELDS = Fields(
    query=f"project(fullPath: ID!): Project projects(ids: [ID!], {ARGUMENTS}): ProjectConnection",
    types=f"type Project {{ id: ID! fullPath: ID! duoFeaturesEnabled: Boolean }} {types('Project')}",
    resolvers={"Query.project": Resolver(KNOWN, project), "Query.projects": Resolver(KNOWN, projects)},
)

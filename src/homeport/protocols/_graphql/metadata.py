"""`metadata` and `featureFlagEnabled`: which GitLab clients take this for, and which of its flags are on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeport import __version__
from homeport.access import KNOWN
from homeport.domain.errors import BadRequest
from homeport.protocols._graphql import Fields, Resolver
from homeport.protocols._instance import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.protocols._graphql import Call

ON = frozenset({"advanced_context_resolver", "code_suggestions_context", "duo_additional_context"})
"""With these, editors send open files along and let people add context to a chat."""
FLAGS = 100


def metadata(_call: Call, _arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The version, and on demand any flags."""
    return {
        "version": VERSION,
        "revision": f"homeport-{__version__}",
        "enterprise": True,
        "kas": {"enabled": False, "version": None, "externalUrl": None},
        "featureFlags": lambda _info, names: _flags(names),
    }


def _flags(names: list[str]) -> list[dict[str, Any]]:
    if len(names) > FLAGS:
        raise BadRequest(f"More than {FLAGS} flags are asked for.", "Ask for fewer.", param="names")
    return [{"name": name, "enabled": name in ON} for name in names]


def flag(_call: Call, arguments: Mapping[str, Any]) -> bool:
    """Whether one flag is on; one that is not known is off."""
    return arguments["name"] in ON


FIELDS = Fields(
    query="metadata: Metadata featureFlagEnabled(name: String!): Boolean!",
    types="""
type MetadataFeatureFlag { name: String! enabled: Boolean! }
type Kas { enabled: Boolean! version: String externalUrl: String }
type Metadata {
  version: String! revision: String! enterprise: Boolean! kas: Kas!
  featureFlags(names: [String!]!): [MetadataFeatureFlag!]!
}
""",
    resolvers={"Query.metadata": Resolver(KNOWN, metadata), "Query.featureFlagEnabled": Resolver(KNOWN, flag)},
)

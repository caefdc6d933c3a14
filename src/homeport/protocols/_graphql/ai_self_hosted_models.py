"""`aiSelfHostedModels`: the registered models. A key is written and never read: `apiToken` is always null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeport.protocols._admin import store_of
from homeport.protocols._graphql import Fields, Resolver
from homeport.protocols._graphql._admin import ADMIN, known
from homeport.protocols._graphql._connection import ARGUMENTS, page, types
from homeport.protocols._graphql._ids import model_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.features import Workbench
    from homeport.protocols._graphql import Call


async def models(call: Call, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """All of them by name, or the one with this id."""
    registry = await known(call)
    names = sorted(registry.models)
    if arguments.get("id") is not None:
        names = [await model_named(store_of(call.door), arguments["id"])]
    return page([registry.model(name) for name in names], arguments)


def declared(bench: Workbench) -> str:
    """The types; the families are those on the shelf."""
    return f"""
scalar AiSelfHostedModelID
enum AiAcceptedSelfHostedModels {{ {" ".join(key.upper() for key in bench.families)} }}
enum AiSelfHostedModelReleaseState {{ EXPERIMENTAL BETA GA }}
type AiSelfHostedModel {{
  id: AiSelfHostedModelID!
  name: String!
  model: AiAcceptedSelfHostedModels!
  modelDisplayName: String!
  endpoint: String!
  identifier: String
  apiToken: String @deprecated(reason: "Keys are never read back: ask for hasApiToken.")
  hasApiToken: Boolean!
  releaseState: AiSelfHostedModelReleaseState!
  enabled: Boolean!
  featureSettings({ARGUMENTS}): AiFeatureSettingConnection!
}}
{types("AiSelfHostedModel")}
"""


FIELDS = Fields(
    query=f"aiSelfHostedModels(id: AiSelfHostedModelID, {ARGUMENTS}): AiSelfHostedModelConnection",
    types=declared,
    resolvers={"Query.aiSelfHostedModels": Resolver(ADMIN, models)},
)

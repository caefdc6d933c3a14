"""`aiFeatureSettings` and `aiFeatureSettingUpdate`: which model serves which feature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeport.domain.errors import BadRequest, Unknown
from homeport.domain.models import FeatureSetting
from homeport.protocols._admin import apply, store_of
from homeport.protocols._gitlab import GITLABS
from homeport.protocols._graphql import Fields, Resolver
from homeport.protocols._graphql._admin import ADMIN, OURS, changer, known, told
from homeport.protocols._graphql._connection import ARGUMENTS, page, types
from homeport.protocols._graphql._ids import model_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.features import Workbench
    from homeport.protocols._graphql import Call


async def settings(call: Call, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Every feature that GitLab has a setting for, or those that one model serves."""
    registry = await known(call)
    if arguments.get("selfHostedModelId") is not None:
        name = await model_named(store_of(call.door), arguments["selfHostedModelId"])
        return page(registry.features_of(name), arguments)
    return page([registry.feature(key) for key in GITLABS if key in call.door.bench.features], arguments)


async def update(call: Call, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Let a model serve all these features or none of them."""
    given = arguments["input"]

    async def work() -> dict[str, Any]:
        keys = [OURS[name.lower()] for name in given["features"]]
        if not keys:
            raise BadRequest("At least one feature is needed.", "Name it in features.", param="features")
        model = await _model(call, given)
        await apply(call.door, {key: _wanted(call, key, given["provider"], model) for key in keys}, changer(call))
        registry = await known(call)
        return {"aiFeatureSettings": [registry.feature(key) for key in keys]}

    return await told(work(), arguments, "aiFeatureSettings")


async def _model(call: Call, given: Mapping[str, Any]) -> str:
    if given["provider"] == "VENDORED":
        raise BadRequest("There are no models of a vendor here.", "Use SELF_HOSTED, DISABLED or UNASSIGNED.")
    if given["provider"] != "SELF_HOSTED":
        return ""
    if not given.get("aiSelfHostedModelId"):
        raise BadRequest("SELF_HOSTED needs a model.", "Name it in aiSelfHostedModelId.", param="aiSelfHostedModelId")
    return await model_named(store_of(call.door), given["aiSelfHostedModelId"])


def _wanted(call: Call, key: str, provider: str, model: str) -> FeatureSetting | str:
    """A model's name, or a setting without one; what is not assigned inherits where it can."""
    if key not in call.door.bench.features:
        raise Unknown(f"There is no feature {key!r}.")
    if model:
        return model
    inherits = call.door.bench.features[key].inherits
    return FeatureSetting(
        feature=key, assignment="disabled" if provider == "DISABLED" else "inherit" if inherits else "unassigned"
    )


def declared(_bench: Workbench) -> str:
    """The types; the features are those that GitLab has a setting for."""
    return f"""
enum AiFeatures {{ {" ".join(theirs.upper() for theirs in GITLABS.values())} }}
enum AiFeatureProviders {{ DISABLED VENDORED SELF_HOSTED UNASSIGNED }}
type AiModelSelectionOfferedModel {{ ref: String! name: String! }}
{types("AiModelSelectionOfferedModel")}
type AiFeatureSetting {{
  feature: String!
  title: String
  mainFeature: String
  provider: AiFeatureProviders!
  releaseState: String
  compatibleLlms: [AiAcceptedSelfHostedModels!]
  selfHostedModel: AiSelfHostedModel
  gitlabModel: AiModelSelectionOfferedModel
  defaultGitlabModel: AiModelSelectionOfferedModel
  validModels({ARGUMENTS}): AiSelfHostedModelConnection
  validGitlabModels({ARGUMENTS}): AiModelSelectionOfferedModelConnection
}}
{types("AiFeatureSetting")}
input AiFeatureSettingUpdateInput {{
  features: [AiFeatures!]!
  provider: AiFeatureProviders!
  aiSelfHostedModelId: AiSelfHostedModelID
  offeredModelRef: String
  clientMutationId: String
}}
type AiFeatureSettingUpdatePayload {{
  aiFeatureSettings: [AiFeatureSetting!]
  errors: [String!]!
  clientMutationId: String
}}
"""


FIELDS = Fields(
    query=f"aiFeatureSettings(selfHostedModelId: AiSelfHostedModelID, {ARGUMENTS}): AiFeatureSettingConnection",
    mutation="aiFeatureSettingUpdate(input: AiFeatureSettingUpdateInput!): AiFeatureSettingUpdatePayload",
    types=declared,
    resolvers={
        "Query.aiFeatureSettings": Resolver(ADMIN, settings),
        "Mutation.aiFeatureSettingUpdate": Resolver(ADMIN, update),
    },
)

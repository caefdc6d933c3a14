"""`duoSettings`, `cloudConnectorStatus` and `aiChatAvailableModels`: what is asked of a GitLab's set-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeport.access import Need
from homeport.domain.errors import SetupError
from homeport.features._ask import assigned
from homeport.protocols._graphql import Fields, Resolver
from homeport.protocols._graphql._admin import ADMIN
from homeport.protocols._instance import CHAT, address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.protocols._graphql import Call

CHECKED = ("code_completions", "code_generations", "chat")


def settings(call: Call, _arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The gateway is this program itself."""
    return {"aiGatewayUrl": address(call.door.url, call.arrival)}


def status(call: Call, _arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Whether the main features have a model each; nobody is contacted."""
    probes = [_probe(call, key) for key in CHECKED]
    return {"success": all(each["success"] for each in probes), "probeResults": probes}


def _probe(call: Call, key: str) -> dict[str, Any]:
    bench = call.door.bench
    offer = bench.features[key]
    try:
        model = assigned(bench, bench.snapshot(), key).name
    except SetupError as problem:
        told = str(problem)
        return {"name": key, "success": False, "message": told, "details": {}, "errors": [told]}
    said = f"{offer.title} is served by {model}."
    return {"name": key, "success": True, "message": said, "details": {"model": model}, "errors": []}


def models(call: Call, _arguments: Mapping[str, Any]) -> dict[str, Any]:
    """An administrator chooses who serves chat, and nobody else."""
    bench = call.door.bench
    try:
        found = assigned(bench, bench.snapshot(), "chat")
    except SetupError:
        return {"defaultModel": None, "selectableModels": [], "pinnedModel": None}
    family = bench.family(found).label
    one = {
        "name": found.name,
        "ref": found.name,
        "modelProvider": "self-hosted",
        "modelDescription": family,
        "costIndicator": None,
    }
    return {"defaultModel": one, "selectableModels": [], "pinnedModel": one}


FIELDS = Fields(
    query="""
duoSettings: DuoSettings
cloudConnectorStatus: CloudConnectorStatus
aiChatAvailableModels(rootNamespaceId: GroupID!): AiChatAvailableModels
""",
    types="""
type DuoSettings { aiGatewayUrl: String }
type CloudConnectorStatus { success: Boolean! probeResults: [CloudConnectorProbeResult!] }
type AiChatModel {
  name: String! ref: String! modelProvider: String modelDescription: String costIndicator: String
}
type AiChatAvailableModels { defaultModel: AiChatModel selectableModels: [AiChatModel!]! pinnedModel: AiChatModel }
""",
    resolvers={
        "Query.duoSettings": Resolver(ADMIN, settings),
        "Query.cloudConnectorStatus": Resolver(ADMIN, status),
        "Query.aiChatAvailableModels": Resolver(Need(CHAT), models),
    },
)

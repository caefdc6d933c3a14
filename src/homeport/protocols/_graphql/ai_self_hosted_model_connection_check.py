"""`aiSelfHostedModelConnectionCheck`: does a model answer that is not registered yet?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeport.protocols._admin import drafted, store_of
from homeport.protocols._graphql import Fields, Resolver
from homeport.protocols._graphql._admin import ADMIN, changes, told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.protocols._graphql import Call


async def check(call: Call, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Each step up to the first that fails; the details have them all."""

    async def work() -> dict[str, Any]:
        store_of(call.door)
        model = drafted(call.door, changes(call, arguments["input"]))
        taken = [each async for each in call.door.prober.steps(model)]
        last = taken[-1].found
        well = last.status != "fail"
        details = {each.step.key: {"status": each.found.status, "saw": each.found.saw} for each in taken}
        said = "It works." if well else f"ERROR: {last.saw} {last.fix}".strip()
        errors = [] if well else [last.saw]
        found = {"name": "connection", "success": well, "message": said, "details": details, "errors": errors}
        return {"result": found}

    return await told(work(), arguments, "result")


FIELDS = Fields(
    mutation=(
        "aiSelfHostedModelConnectionCheck(input: AiSelfHostedModelConnectionCheckInput!): "
        "AiSelfHostedModelConnectionCheckPayload"
    ),
    types="""
input AiSelfHostedModelConnectionCheckInput {
  name: String! model: AiAcceptedSelfHostedModels! endpoint: String! apiToken: String identifier: String
  clientMutationId: String
}
type CloudConnectorProbeResult {
  name: String success: Boolean message: String details: JSON errors: [String!]
}
type AiSelfHostedModelConnectionCheckPayload {
  result: CloudConnectorProbeResult errors: [String!]! clientMutationId: String
}
""",
    resolvers={"Mutation.aiSelfHostedModelConnectionCheck": Resolver(ADMIN, check)},
)

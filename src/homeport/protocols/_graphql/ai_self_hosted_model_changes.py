"""`aiSelfHostedModelCreate`, `…Update` and `…Delete`: as in the console, with the same checks and the same audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from homeport.protocols._admin import added, edited, store_of
from homeport.protocols._graphql import Fields, Resolver
from homeport.protocols._graphql._admin import ADMIN, changer, changes, known, told
from homeport.protocols._graphql._ids import model_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.protocols._graphql import Call

SHOWN = "selfHostedModel"
ID = "id: AiSelfHostedModelID!"
INPUT = "name: String{0} model: AiAcceptedSelfHostedModels{0} endpoint: String{0} apiToken: String identifier: String"


async def create(call: Call, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Register a model; what its identifier begins with says where it runs."""

    async def work() -> dict[str, Any]:
        model = await added(call.door, changes(call, arguments["input"]), changer(call))
        return {SHOWN: (await known(call)).model(model.name)}

    return await told(work(), arguments, SHOWN)


async def update(call: Call, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Change what is given. An empty `apiToken` forgets the key, and one that is left out keeps it."""

    async def work() -> dict[str, Any]:
        name = await model_named(store_of(call.door), arguments["input"]["id"])
        changed = await edited(call.door, name, changes(call, arguments["input"]), changer(call))
        return {SHOWN: (await known(call)).model(changed.model.name)}

    return await told(work(), arguments, SHOWN)


async def delete(call: Call, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Forget a model; refused while it serves a feature."""

    async def work() -> dict[str, Any]:
        store = store_of(call.door)
        name = await model_named(store, arguments["input"]["id"])
        gone = (await known(call)).model(name) | {"featureSettings": None}
        await store.remove_model(name, by=changer(call))
        return {SHOWN: gone}

    return await told(work(), arguments, SHOWN)


def _payload(verb: str) -> str:
    head = f"type AiSelfHostedModel{verb}Payload"
    return f"{head} {{ selfHostedModel: AiSelfHostedModel errors: [String!]! clientMutationId: String }}"


def _mutation(verb: str) -> str:
    name = f"AiSelfHostedModel{verb}"
    return f"a{name[1:]}(input: {name}Input!): {name}Payload"


VERBS = ("Create", "Update", "Delete")

FIELDS = Fields(
    mutation="\n".join(map(_mutation, VERBS)),
    types="\n".join(
        (
            *map(_payload, VERBS),
            f"input AiSelfHostedModelCreateInput {{ {INPUT.format('!')} clientMutationId: String }}",
            f"input AiSelfHostedModelUpdateInput {{ {ID} {INPUT.format('')} clientMutationId: String }}",
            f"input AiSelfHostedModelDeleteInput {{ {ID} clientMutationId: String }}",
        )
    ),
    resolvers={
        "Mutation.aiSelfHostedModelCreate": Resolver(ADMIN, create),
        "Mutation.aiSelfHostedModelUpdate": Resolver(ADMIN, update),
        "Mutation.aiSelfHostedModelDelete": Resolver(ADMIN, delete),
    },
)

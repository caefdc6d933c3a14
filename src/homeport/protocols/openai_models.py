"""OpenAI's `/v1/models`: what is registered and enabled.

Source: the OpenAI API reference, "Models".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from homeport.access import KNOWN
from homeport.features._ask import named
from homeport.protocols import Act, Look, Reply, WireProtocol
from homeport.protocols._openai import error

if TYPE_CHECKING:
    from homeport.domain.models import Model
    from homeport.features import Workbench
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door


def look(bench: Workbench) -> Reply:
    """Every enabled model by its registered name."""
    models = [model for model in bench.snapshot().models.values() if model.enabled]
    data = [_described(bench, model) for model in sorted(models, key=lambda each: each.name)]
    return Reply(body=orjson.dumps({"object": "list", "data": data}))


async def one(door: Door, _body: None, arrival: Arrival) -> Reply:
    """The model of that name; raises Unknown with the names there are."""
    return Reply(body=orjson.dumps(_described(door.bench, named(door.bench.snapshot(), arrival.tail))))


def _described(bench: Workbench, model: Model) -> dict[str, Any]:
    return {
        "id": model.name,
        "object": "model",
        "created": 0,
        "owned_by": "homeport",
        "family": model.family,
        "platform": model.platform,
        "max_model_len": model.limits.context_tokens or bench.family(model).context_tokens,
    }


PROTOCOL = WireProtocol(
    label="OpenAI models",
    error=error,
    routes=(
        Look(paths=("/v1/models",), need=KNOWN, look=look, summary="List the registered models."),
        Act(paths=("/v1/models/{model}",), need=KNOWN, act=one, method="GET", summary="Describe one model."),
    ),
)

"""OpenAI's `/v1/models`: what is registered and enabled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from homeport.access import KNOWN
from homeport.protocols import Look, Reply, WireProtocol
from homeport.protocols._openai import error

if TYPE_CHECKING:
    from homeport.features import Workbench


def look(bench: Workbench) -> Reply:
    """Every enabled model by its registered name."""
    models = [model for model in bench.snapshot().models.values() if model.enabled]
    data = [
        {
            "id": model.name,
            "object": "model",
            "created": 0,
            "owned_by": "homeport",
            "family": model.family,
            "platform": model.platform,
            "max_model_len": model.limits.context_tokens or bench.family(model).context_tokens,
        }
        for model in sorted(models, key=lambda each: each.name)
    ]
    return Reply(body=orjson.dumps({"object": "list", "data": data}))


PROTOCOL = WireProtocol(
    label="OpenAI models",
    error=error,
    routes=(Look(paths=("/v1/models",), need=KNOWN, look=look, summary="List the registered models."),),
)

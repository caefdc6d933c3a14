"""OpenAI's `/v1/models`: what is registered and enabled; in Anthropic's shape for who sends `anthropic-version`.

Sources: the OpenAI API reference, "Models"; the Anthropic API reference, "List models" and "Get a model";
the Mistral API reference, "List Models" (the names in `capabilities`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from homeport.access import KNOWN
from homeport.features._ask import named
from homeport.features._ask import window as window_of
from homeport.protocols import Act, Reply, WireProtocol
from homeport.protocols._abilities import abilities
from homeport.protocols._openai import error

if TYPE_CHECKING:
    from collections.abc import Callable

    from homeport.domain.models import Model
    from homeport.features import Workbench
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door


VERSION = b"anthropic-version"
"""The header that Anthropic's clients send with every request."""
BEGINNING_OF_TIME = "1970-01-01T00:00:00Z"


async def every(door: Door, _body: None, arrival: Arrival) -> Reply:
    """Every enabled model by its registered name."""
    bench = door.bench
    models = [model for model in bench.snapshot().models.values() if model.enabled]
    describe = _described_to(arrival)
    data = [describe(bench, model) for model in sorted(models, key=lambda each: each.name)]
    if describe is _described:
        return Reply(body=orjson.dumps({"object": "list", "data": data}))
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {"first_id": None, "last_id": None}
    return Reply(body=orjson.dumps({"data": data, "has_more": False, **ends}))


async def one(door: Door, _body: None, arrival: Arrival) -> Reply:
    """The model of that name; raises Unknown with the names there are."""
    return Reply(body=orjson.dumps(_described_to(arrival)(door.bench, named(door.bench.snapshot(), arrival.tail))))


def _described_to(arrival: Arrival) -> Callable[[Workbench, Model], dict[str, Any]]:
    return _described_as_anthropic if arrival.header(VERSION) else _described


def _described_as_anthropic(bench: Workbench, model: Model) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model.name,
        "display_name": model.name,
        "created_at": BEGINNING_OF_TIME,
        "max_input_tokens": window_of(bench, model),
        "max_tokens": model.limits.output_tokens,
    }


def _described(bench: Workbench, model: Model) -> dict[str, Any]:
    return {
        "id": model.name,
        "object": "model",
        "created": 0,
        "owned_by": "homeport",
        "family": model.family,
        "platform": model.platform,
        "max_model_len": window_of(bench, model),
        "capabilities": _capabilities(bench, model),
    }


def _capabilities(bench: Workbench, model: Model) -> dict[str, bool | None]:
    """By Mistral's names where it has one; null is what nobody found out."""
    can = abilities(bench, model)
    return {
        "completion_chat": can.chats,
        "completion_fim": can.fills,
        "function_calling": can.tools,
        "reasoning": can.thinks,
        "embeddings": can.embeds,
    }


PROTOCOL = WireProtocol(
    label="OpenAI models",
    error=error,
    routes=(
        Act(paths=("/v1/models",), need=KNOWN, act=every, method="GET", summary="List the registered models."),
        Act(paths=("/v1/models/{model}",), need=KNOWN, act=one, method="GET", summary="Describe one model."),
    ),
)

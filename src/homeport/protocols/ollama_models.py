"""Ollama's `/api/tags`, `/api/show`, `/api/ps` and `/api/version`: what is registered and enabled.

What only who holds a model's file can know (size, digest, licence) is left empty. Sources: Ollama's API
documentation, "List Local Models", "Show Model Information", "List Running Models", "Version".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from homeport import __version__
from homeport.access import KNOWN
from homeport.features._ask import meant
from homeport.features._ask import window as window_of
from homeport.protocols import Act, Arrival, Look, Reply, WireProtocol
from homeport.protocols._abilities import abilities
from homeport.protocols._sentence import error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homeport.domain.models import Model
    from homeport.features import Workbench
    from homeport.protocols._endpoint import Door

BEGINNING, END = "1970-01-01T00:00:00Z", "9999-12-31T00:00:00Z"
FILLS = "{{ .Prompt }}{{ .Suffix }}"
"""The template that is told of each model: by `.Suffix` clients see that they may send one."""


class ShowBody(BaseModel):
    """Which model."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field("", max_length=512)
    name: str = Field("", max_length=512, description="What older clients call it.")


def tags(bench: Workbench) -> Reply:
    """Every enabled model by its registered name."""
    models = [{**_named(each), "modified_at": BEGINNING, "size": 0, "digest": ""} for each in _enabled(bench)]
    return Reply(body=orjson.dumps({"models": models}))


def running(bench: Workbench) -> Reply:
    """The same: none has to be loaded first."""
    more = {"size": 0, "digest": "", "expires_at": END, "size_vram": 0}
    models = [{**_named(each), **more, "context_length": window_of(bench, each)} for each in _enabled(bench)]
    return Reply(body=orjson.dumps({"models": models}))


def version(_bench: Workbench) -> Reply:
    """Homeport's own version: there is no Ollama here."""
    return Reply(body=orjson.dumps({"version": __version__}))


async def show(door: Door, body: ShowBody, _arrival: Arrival) -> Reply:
    """One model; raises Unknown with the names there are."""
    bench = door.bench
    model = meant(bench, "chat", body.model or body.name)
    info = {"general.architecture": model.family, f"{model.family}.context_length": window_of(bench, model)}
    described = {
        "license": "",
        "modelfile": "",
        "parameters": "",
        "template": FILLS,
        "details": _details(model),
        "model_info": info,
        "capabilities": list(_capabilities(bench, model)),
        "modified_at": BEGINNING,
    }
    return Reply(body=orjson.dumps(described))


def _enabled(bench: Workbench) -> list[Model]:
    models = bench.snapshot().models.values()
    return sorted((each for each in models if each.enabled), key=lambda each: each.name)


def _named(model: Model) -> dict[str, Any]:
    return {"name": model.name, "model": model.name, "details": _details(model)}


def _details(model: Model) -> dict[str, Any]:
    names = {"parent_model": "", "format": "", "family": model.family, "families": [model.family]}
    return {**names, "parameter_size": "", "quantization_level": ""}


def _capabilities(bench: Workbench, model: Model) -> Iterator[str]:
    can = abilities(bench, model)
    told = {
        "completion": not can.embeds,
        "insert": can.fills,
        "tools": can.tools,
        "thinking": can.thinks,
        "embedding": can.embeds,
    }
    yield from (name for name, holds in told.items() if holds)


PROTOCOL = WireProtocol(
    label="Ollama models",
    error=error,
    routes=(
        Look(paths=("/api/tags",), need=KNOWN, look=tags, summary="List the registered models, as Ollama does."),
        Look(paths=("/api/ps",), need=KNOWN, look=running, summary="List them again: all are ready."),
        Look(paths=("/api/version",), need=KNOWN, look=version, summary="Show Homeport's version."),
        Act(
            paths=("/api/show",),
            need=KNOWN,
            act=show,
            body=ShowBody,
            summary="Describe one model, as Ollama does.",
            example={"model": "chat"},
        ),
    ),
)

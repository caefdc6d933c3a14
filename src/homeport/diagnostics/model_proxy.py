"""Does the proxy on the way to a model let us through?"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from homeport.diagnostics import Check, Finding
from homeport.diagnostics._way import hop
from homeport.kit import network

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene
    from homeport.domain.models import Model


async def look(scene: Scene) -> Finding:
    """Those that have one; whoever is reached directly is not told of."""
    return await scene.each(ask)


async def ask(scene: Scene, model: Model) -> Finding:
    """The proxy of its options, else the one for all."""
    at = _at(scene, model)
    if at == "":
        return Finding(status="skip", saw=f"{model.name} is reached without a proxy.")
    return await hop(scene, model, "proxy", f"reached by the proxy {at}.")


def _at(scene: Scene, model: Model) -> str | None:
    """Host and port of its proxy; empty where there is none, None where what is said of one is wrong."""
    parts = urlsplit(model.endpoint)
    usual = network.usual(scene.settings.proxy, scene.settings.no_proxy)
    said = network.of(model.options)
    way = usual if said is None else said.over(usual)
    try:
        via = way.via(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)) if way else None
    except ValueError:
        return None
    return via.at if via else ""


CHECK = Check(
    order=91,
    question="Does the proxy on the way to each model let us through?",
    look=look,
    after=("keys",),
    behind=("model_dns",),
)

"""Does the host name of each model mean something here, and something that is allowed?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from homeport.diagnostics import Check, Finding
from homeport.diagnostics._way import hop
from homeport.kit.addresses import literal

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene
    from homeport.domain.models import Model


async def look(scene: Scene) -> Finding:
    """Ask the resolver that requests ask."""
    return await scene.each(ask)


async def ask(scene: Scene, model: Model) -> Finding:
    """The addresses of its host."""
    return await hop(scene, model, "dns", await _told(model))


async def _told(model: Model) -> str:
    host = urlsplit(model.endpoint).hostname or ""
    if literal(host) is not None:
        return f"{host} is an address."
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return f"{host} is for its proxy to resolve."
    return f"{host} is {', '.join(dict.fromkeys(str(each[4][0]) for each in found))}."


CHECK = Check(
    order=90,
    question="Does the host name of each model resolve to an address that it may have?",
    look=look,
    after=("keys",),
    behind=("registry",),
)

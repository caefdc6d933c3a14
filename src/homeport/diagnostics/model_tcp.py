"""Does somebody listen at each model's port?"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from homeport.diagnostics import Check, Finding
from homeport.diagnostics._way import hop

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene
    from homeport.domain.models import Model


async def look(scene: Scene) -> Finding:
    """Connect, within the model's own limit."""
    return await scene.each(ask)


async def ask(scene: Scene, model: Model) -> Finding:
    """Refused, filtered or open."""
    parts = urlsplit(model.endpoint)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return await hop(scene, model, "tcp", f"port {port} is open.")


CHECK = Check(
    order=92,
    question="Does somebody listen at each model's port?",
    look=look,
    after=("keys",),
    behind=("model_dns", "model_proxy"),
)

"""Does each model's server answer in HTTP, as a model server does?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding
from homeport.diagnostics._way import url_of

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene
    from homeport.domain.models import Model


async def look(scene: Scene) -> Finding:
    """The end of the way, for those whose way there is well."""
    return await scene.each(ask)


async def ask(scene: Scene, model: Model) -> Finding:
    """The whole way at once: any proper answer will do."""
    if not url_of(model):
        return Finding(status="skip", saw=f"{model.name} has no endpoint of its own.")
    found = (await scene.knocked(model)).finding
    return found or Finding(status="ok", saw=f"{model.name} at {model.origin}.")


CHECK = Check(
    order=94,
    question="Does each model's server answer at its address?",
    look=look,
    after=("keys",),
    behind=("model_dns", "model_proxy", "model_tcp", "model_tls"),
)

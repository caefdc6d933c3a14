"""Is each model's certificate from somebody we trust, for its name, and not about to end?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding
from homeport.diagnostics._way import certificate, hop

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene
    from homeport.domain.models import Model

SOON_DAYS = 14
DAY_S = 86_400.0


async def look(scene: Scene) -> Finding:
    """Chain, name and end of each certificate; plain HTTP has none."""
    return await scene.each(ask)


async def ask(scene: Scene, model: Model) -> Finding:
    """What the handshake came to, then when the certificate ends."""
    plain = not model.endpoint.startswith("https:")
    found = await hop(scene, model, "tls", "plain HTTP." if plain else "its certificate is accepted.")
    if found.status != "ok":
        return found
    if plain:
        return Finding(status="skip", saw=f"{model.name} is asked without TLS.")
    return await _lasting(model, found)


async def _lasting(model: Model, found: Finding) -> Finding:
    shown = await certificate(model)
    if shown is None:
        return found
    days = (shown.ends - time.time()) / DAY_S
    saw = f"{model.name}: its certificate is accepted and ends in {days:.0f} days."
    if days < SOON_DAYS:
        return Finding(status="warn", saw=saw, fix="Renew it on the model's server.")
    return Finding(status="ok", saw=saw)


CHECK = Check(
    order=93,
    question="Is each model's certificate trusted, for its name, and valid for a while?",
    look=look,
    after=("keys",),
    behind=("model_tcp",),
)

"""Does each model's server take as many tokens as we send?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport.diagnostics import Change, Check, Finding
from homeport.domain.errors import UpstreamError

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene
    from homeport.domain.models import Model

SMALL = 2048
"""Tokens below which a prompt has hardly room for the file around it."""


async def look(scene: Scene) -> Finding:
    """Compare what its server tells with what is registered."""
    return await scene.each(ask)


async def ask(scene: Scene, model: Model) -> Finding:
    """The window, if the server tells it."""
    offer = scene.providers[model.platform]
    try:
        tokens = await offer.window(scene.upstream, model) if offer.window else 0
    except UpstreamError as error:
        return Finding(status="ok", saw=f"{model.name}: its server does not tell ({error.saw})")
    if not tokens:
        return Finding(status="ok", saw=f"{model.name}: its server does not tell how many tokens it takes.")
    if model.limits.context_tokens > tokens:
        change = Change("limits.context_tokens", str(tokens))
        saw = f"{model.name}: registered with {model.limits.context_tokens} tokens, but its server takes {tokens}."
        return Finding(status="fail", saw=saw, fix=f"Run: {change.command(model.name)}", change=change)
    if tokens < SMALL and not await scene.embeds(model):
        saw = f"{model.name}: its server takes only {tokens} tokens, too few for the code around a cursor."
        return Finding(
            status="warn", saw=saw, fix="Start it with a larger window (vLLM: --max-model-len, llama.cpp: -c)."
        )
    return Finding(status="ok", saw=f"{model.name} takes {tokens} tokens.")


CHECK = Check(
    order=114,
    question="Does each model's server take as many tokens as we send?",
    look=look,
    after=("keys",),
    behind=("model_streams",),
)

"""Does each model that chat needs hold a conversation?"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding, _inside
from homeport.diagnostics._prove import MUTE, Trial
from homeport.diagnostics._scene import EMBEDDED
from homeport.domain.requests import EmbeddingRequest
from homeport.features._suits import COMPLETES

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene
    from homeport.domain.models import Model
    from homeport.features import Feature

RIGHT = "5"
_SHOWN = 40


async def look(scene: Scene) -> Finding:
    """Ask a sum in words."""
    return await scene.each(ask, embedded=True)


async def ask(scene: Scene, model: Model) -> Finding:
    """What a base model, or a server without a chat template, says to a question."""
    talked_to = [key for key in await scene.features_of(model.name) if _is_talk(scene.features[key])]
    own = [key for key in talked_to if key in (await scene.snapshot()).features] or talked_to
    family = scene.families.get(model.family)
    if (family is not None and not family.chat) or await scene.embeds(model):
        return Finding(status="skip", saw=f"{model.name} is not made for conversations.")
    unassigned = scene.only == model.name and not await scene.features_of(model.name)
    if not talked_to and not unassigned:
        return Finding(status="skip", saw=f"{model.name} serves no conversation.")
    if model.platform == EMBEDDED:
        return await _inside.through(scene, model, _inside.chats)
    seen = await Trial(
        provider=scene.providers[model.platform], upstream=scene.upstream, model=model, families=scene.families
    ).chats()
    if seen.chat:
        return _talks(model, mute=seen.problems.get("chat") == MUTE)
    problem = seen.problems.get("chat", "")
    saw = f"{model.name} continues text, but does not chat: its server has no chat template, or it is a base model."
    if unassigned:
        return Finding(status="skip", saw=saw)
    others = ", ".join(f"homeport features set {shlex.quote(key)} MODEL" for key in own)
    fix = f"Start its server with a chat template (vLLM: --chat-template FILE), or let another model chat: {others}"
    return Finding(status="fail", saw=f"{saw} ({problem})" if problem else saw, fix=fix)


def _talks(model: Model, *, mute: bool) -> Finding:
    if not mute:
        return Finding(status="ok", saw=f"{model.name} holds a conversation.")
    fix = "Ask its server the same by hand; if it is mute there too, its chat template or its stop words are wrong."
    return Finding(status="fail", saw=f"{model.name} answers a question without a word.", fix=fix)


def _is_talk(feature: Feature) -> bool:
    return feature.scope != COMPLETES and feature.request is not EmbeddingRequest


CHECK = Check(
    order=111,
    question="Does each model that chat needs hold a conversation?",
    look=look,
    after=("keys",),
    behind=("model_answers",),
)

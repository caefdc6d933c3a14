"""Is it proven that each model fills holes in code, in the layout of its family?"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding
from homeport.diagnostics._prove import Trial, doubts
from homeport.diagnostics._scene import EMBEDDED
from homeport.features._holes import PREFIX, SUFFIX
from homeport.features._suits import COMPLETES

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene
    from homeport.domain.capabilities import Capabilities
    from homeport.domain.models import Model


async def look(scene: Scene) -> Finding:
    """Three holes whose right filling only shows in what follows them."""
    return await scene.each(ask, embedded=True)


async def ask(scene: Scene, model: Model) -> Finding:
    """By its own layout, and by the code before the hole alone."""
    family, provider = scene.families.get(model.family), scene.providers[model.platform]
    completes = any(scene.features[key].scope == COMPLETES for key in await scene.features_of(model.name))
    if family is None or family.completion != "fim" or not provider.text or not completes:
        return Finding(status="skip", saw=f"{model.name} is not asked to fill holes.")
    if model.platform == EMBEDDED:
        return Finding(status="skip", saw=f"{model.name} runs inside the server, which alone can ask it.")
    trial = Trial(provider=provider, upstream=scene.upstream, model=model, families=scene.families)
    seen = await trial.fills()
    if seen.text is False:
        saw = f"{model.name} does not continue plain text: {seen.problems.get('text', '')}"
        fix = f"Switch /completions on at its server, or ask it in words: {_in_words(model)}"
        return Finding(status="fail", saw=saw, fix=fix)
    if seen.wrapped:
        saw = f"{model.name}: its server puts a chat template around plain text, where sentinels mean nothing."
        fix = f"Serve its /completions without the template, or ask it in words: {_in_words(model)}"
        return Finding(status="fail", saw=saw, fix=fix)
    odd = next(iter(doubts(model, scene.families, seen)), None)
    if odd is not None:
        return Finding(
            status="warn", saw=f"{model.name}: {odd.said}.", fix=_fix(model, odd.told(model.name)), change=odd.change
        )
    return Finding(status="ok", saw=f"{model.name} fills holes: {_scores(seen)}.")


def _fix(model: Model, told: str) -> str:
    _, found, options = told.partition(": homeport ")
    command = f"homeport {options}"
    return (
        f"Run: {command}"
        if found
        else f"Choose the family that it is of: homeport models edit {shlex.quote(model.name)} --family NAME"
    )


def _in_words(model: Model) -> str:
    return f"homeport models edit {shlex.quote(model.name)} --family general --beta"


def _scores(seen: Capabilities) -> str:
    own = max((score for name, score in seen.holes.items() if name not in {PREFIX, SUFFIX}), default=0.0)
    return f"{own:.0%} with what follows, {seen.holes.get(PREFIX, 0.0):.0%} without"


CHECK = Check(
    order=112,
    question="Is it proven that each model fills holes in code?",
    look=look,
    after=("keys",),
    behind=("model_chats",),
)

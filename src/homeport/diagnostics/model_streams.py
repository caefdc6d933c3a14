"""Does each model's answer come piece by piece, and how soon?"""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from homeport.diagnostics import Check, Finding, _inside
from homeport.diagnostics._scene import EMBEDDED
from homeport.domain.prompts import Prompt
from homeport.domain.requests import Message, Sampling

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene
    from homeport.domain.models import Model

TOTAL_S = 45.0
LATE_S = 3.0
"""Seconds after which a person has gone on without the answer."""
NOTICED_S = 0.25
"""Answers that took less say nothing about what is in between."""
AT_ONCE = 0.02
"""Part of the whole time within which pieces of a held-up answer arrive."""
FEW, MANY = 2, 3


class Heard(NamedTuple):
    """A stream as it came."""

    pieces: int
    first_s: float
    total_s: float

    @property
    def held_up(self) -> bool:
        """Whether the pieces were kept somewhere and came all at once."""
        return self.pieces > MANY and self.total_s > NOTICED_S and self.total_s - self.first_s < AT_ONCE * self.total_s


async def look(scene: Scene) -> Finding:
    """A few words from each."""
    return await scene.each(ask, embedded=True)


async def ask(scene: Scene, model: Model) -> Finding:
    """When its first piece came, and how the others followed."""
    if await scene.embeds(model):
        return Finding(status="skip", saw=f"{model.name} writes no text.")
    if model.platform == EMBEDDED:
        return await _inside.through(scene, model, _through)
    return _judged(model, await _heard(scene, model))


async def _through(scene: Scene, model: Model) -> Finding:
    return _judged(model, Heard(*await _inside.heard(scene, model)))


def _judged(model: Model, heard: Heard) -> Finding:
    saw = f"{model.name}: first token after {heard.first_s:.2f} s, {heard.pieces} pieces in {heard.total_s:.1f} s"
    if heard.held_up:
        fix = "Switch buffering off in what is between (nginx: proxy_buffering off), or go round it (option no_proxy)."
        return Finding(status="warn", saw=f"{saw}: all of them at once, so something on the way keeps them.", fix=fix)
    if heard.pieces < FEW and heard.total_s > NOTICED_S:
        return Finding(status="warn", saw=f"{saw}: it does not stream.", fix="Switch streaming on at its server.")
    if heard.first_s > LATE_S:
        fix = "It is slow or busy: see its server's load, or take a smaller model for completion."
        return Finding(status="warn", saw=f"{saw}: late for somebody who types.", fix=fix)
    return Finding(status="ok", saw=f"{saw}.")


async def _heard(scene: Scene, model: Model) -> Heard:
    patient = replace(model, limits=replace(model.limits, first_token_s=TOTAL_S, total_s=TOTAL_S))
    began, first, pieces = time.perf_counter(), 0.0, 0
    generated = scene.providers[model.platform].generate(scene.upstream, patient, _prompt(scene, model))
    async with aclosing(generated) as chunks:
        async for chunk in chunks:
            first = first or time.perf_counter() - began
            pieces += bool(chunk.text)
    total = time.perf_counter() - began
    return Heard(pieces, first or total, total)


def _prompt(scene: Scene, model: Model) -> Prompt:
    family = scene.families.get(model.family)
    sampling = Sampling(max_tokens=24, temperature=None)
    if family is not None and not family.chat:
        return Prompt(kind="text", text="one two three", sampling=sampling, stream=True)
    if family is not None and family.completion == "fim" and scene.providers[model.platform].text:
        return Prompt(kind="text", text="# one two three four\n", sampling=sampling, stream=True)
    count = Message(role="user", content="Count from one to ten in words.")
    return Prompt(kind="chat", messages=(count,), sampling=sampling, stream=True)


CHECK = Check(
    order=113,
    question="Does each model stream, and how soon does it begin?",
    look=look,
    after=("keys",),
    behind=("model_fills",),
)

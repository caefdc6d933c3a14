"""Does each model answer a tiny question?"""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding, _inside
from homeport.diagnostics._scene import EMBEDDED
from homeport.domain.prompts import Prompt
from homeport.domain.requests import Message, Sampling

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene
    from homeport.domain.models import Model

TOTAL_S = 45.0
BEFORE, AFTER = "def add(a, b):\n    return ", "\n\nprint(add(1, 2))\n"
FEW = Sampling(max_tokens=8, temperature=0.0)


async def look(scene: Scene) -> Finding:
    """Ask each model as its family likes to be asked."""
    return await scene.each(ask, embedded=True)


async def ask(scene: Scene, model: Model) -> Finding:
    """A few tokens; the embedded one is asked through the server, which alone knows where it is."""
    if model.platform == EMBEDDED:
        return await _inside.through(scene, model, _through_the_server)
    provider = scene.providers[model.platform]
    embeds = await scene.embeds(model)
    prompt = Prompt(kind="embed", extra={"input": BEFORE}) if embeds else _prompt(scene, model)
    patient = replace(model, limits=replace(model.limits, first_token_s=TOTAL_S, total_s=TOTAL_S))
    started = time.perf_counter()
    async with aclosing(provider.generate(scene.upstream, patient, prompt)) as chunks:
        text = "".join([chunk.text async for chunk in chunks])
    took_s = time.perf_counter() - started
    if embeds:
        return Finding(status="ok", saw=f"{model.name} made a vector after {took_s:.1f} s.")
    return _seen(model, text, took_s)


def _prompt(scene: Scene, model: Model) -> Prompt:
    """A hole to fill where the family has a layout for it, else a question in words."""
    family = scene.families.get(model.family)
    if family is not None and family.fim is not None and scene.providers[model.platform].text:
        return Prompt(kind="text", text=family.fim.render(BEFORE, AFTER), sampling=FEW)
    if family is not None and not family.chat:
        return Prompt(kind="text", text=BEFORE, sampling=FEW)
    question = Message(role="user", content="Answer with one word: is water wet?")
    return Prompt(kind="chat", messages=(question,), sampling=FEW)


async def _through_the_server(scene: Scene, model: Model) -> Finding:
    started = time.perf_counter()
    body = {"model": model.name, "prompt": BEFORE, "suffix": AFTER, "max_tokens": FEW.max_tokens}
    answer = await scene.door.ask("/v1/completions", body)
    if not answer.fine:
        return Finding(status="fail", saw=answer.problem, fix="See the server's log.")
    return _seen(model, str(answer.body["choices"][0]["text"]), time.perf_counter() - started)


def _seen(model: Model, text: str, took_s: float) -> Finding:
    """An answer without text is one too: there may be nothing to add, or a model may think first."""
    said = repr(text.strip()[:40]) if text.strip() else "without text"
    return Finding(status="ok", saw=f"{model.name} answered {said} after {took_s:.1f} s.")


CHECK = Check(
    order=110,
    question="Does each model answer?",
    look=look,
    after=("keys",),
    behind=("model_served", "token_accepted"),
)

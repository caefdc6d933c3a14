"""Is each model's server free again when its client leaves?"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from homeport.diagnostics import Check, Finding, _inside
from homeport.diagnostics._scene import EMBEDDED
from homeport.domain.prompts import Prompt
from homeport.domain.requests import Message, Sampling
from homeport.kit import network
from homeport.kit.upstream import Call, TransportError

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene
    from homeport.domain.models import Model

LONG = 512
"""Tokens that nobody waits for."""
WITHIN_S = 3.0
EVERY_S = 0.1
FIRST_S = 20.0
_RUNNING = re.compile(r"(?m)^(?:vllm:num_requests_running|llamacpp:requests_processing)(?:\{[^}]*\})? ([0-9.e+]+)$")
"""What vLLM and llama.cpp call the number of requests that they work on."""
_LIMIT = 4 * 1024 * 1024


async def look(scene: Scene) -> Finding:
    """Begin a long answer and leave."""
    return await scene.each(ask, embedded=True)


async def ask(scene: Scene, model: Model) -> Finding:
    """What the server's own metrics say of it, where it has some."""
    if await scene.embeds(model):
        return Finding(status="skip", saw=f"{model.name} writes no text.")
    if model.platform == EMBEDDED:
        return await _inside.through(scene, model, _inside.cancels)
    before = await _running(scene, model)
    await _leave(scene, model)
    if before is None:
        saw = f"{model.name}: left after the first token; its server does not tell how many requests run."
        return Finding(status="ok", saw=saw)
    began = time.perf_counter()
    while (await _running(scene, model) or 0) > before:
        if time.perf_counter() - began > WITHIN_S:
            saw = f"{model.name}: {WITHIN_S:.0f} s after its client left, its server still works on the answer."
            fix = (
                "Something between keeps the connection open, or the server does not notice: update it, or go round it."
            )
            return Finding(status="warn", saw=saw, fix=fix)
        await asyncio.sleep(EVERY_S)
    return Finding(
        status="ok", saw=f"{model.name}: its server is free {time.perf_counter() - began:.1f} s after we left."
    )


async def _leave(scene: Scene, model: Model) -> None:
    patient = replace(model, limits=replace(model.limits, first_token_s=FIRST_S, total_s=FIRST_S))
    family = scene.families.get(model.family)
    sampling = Sampling(max_tokens=LONG, temperature=None)
    prompt = Prompt(
        kind="chat", messages=(Message(role="user", content="Count to a thousand."),), sampling=sampling, stream=True
    )
    if family is not None and (not family.chat or family.completion == "fim"):
        prompt = Prompt(kind="text", text="# 1 2 3 4\n", sampling=sampling, stream=True)
    async with aclosing(scene.providers[model.platform].generate(scene.upstream, patient, prompt)) as chunks:
        async for _ in chunks:
            return


async def _running(scene: Scene, model: Model) -> float | None:
    """How many requests the server works on; None where it does not say."""
    parts = urlsplit(model.endpoint)
    url = parts._replace(path="/metrics", query="").geturl()
    call = Call(url=url, method="GET", first_byte_s=2.0, total_s=4.0, network=network.of(model.options))
    try:
        reply = await scene.upstream.open(call)
        try:
            text = (await reply.read(_LIMIT)).decode("utf-8", "replace")
        finally:
            reply.close()
    except TransportError:
        return None
    found = _RUNNING.findall(text)
    return sum(map(float, found)) if found else None


CHECK = Check(
    order=115,
    question="Is each model's server free again when its client leaves?",
    look=look,
    after=("keys",),
    behind=("model_window",),
)

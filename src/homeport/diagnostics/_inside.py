"""The embedded model, asked through the server that it runs in: nobody else knows where its engine is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from homeport.diagnostics import Finding

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from homeport.diagnostics._scene import Scene
    from homeport.domain.models import Model

LOG = "See the server's log."
WITHIN_S = 3.0
"""Seconds within which its engine shall be free after a client left."""
LONG = 512
"""Tokens that nobody waits for."""


async def through(scene: Scene, model: Model, look: Callable[[Scene, Model], Awaitable[Finding]]) -> Finding:
    """What was seen, if the server lets us in."""
    if "token_accepted" not in scene.passed:
        return Finding(status="skip", saw=f"{model.name} runs inside the server and is asked through it.")
    return await look(scene, model)


async def served(scene: Scene, model: Model) -> Finding:
    """Whether the server offers it."""
    answer = await scene.door.ask(f"/v1/models/{quote(model.name, safe='')}")
    if not answer.fine:
        return Finding(status="fail", saw=answer.problem, fix=f"Restart the server: {LOG.lower()}")
    return Finding(status="ok", saw=f"{model.name} is served by Homeport itself.")


async def chats(scene: Scene, model: Model) -> Finding:
    """Whether it says something to a question; what, a small model may get wrong."""
    asked = [{"role": "user", "content": "What is 2 + 3?"}]
    answer = await scene.door.ask("/v1/chat/completions", _few(model, 4, messages=asked))
    if not answer.fine:
        return Finding(status="fail", saw=f"{model.name} does not chat: {answer.problem}", fix=LOG)
    return Finding(status="ok", saw=f"{model.name} holds a conversation.")


async def heard(scene: Scene, model: Model) -> tuple[int, float, float]:
    """How many pieces an answer came in, and the seconds until the first and the last."""
    began, first, pieces = time.perf_counter(), 0.0, 0
    async with scene.door.stream("/v1/completions", _few(model, 12, prompt="# one two three four\n")) as (_, events):
        async for event in events:
            first = first or time.perf_counter() - began
            pieces += bool(event.get("choices"))
    total = time.perf_counter() - began
    return pieces, first or total, total


async def cancels(scene: Scene, model: Model) -> Finding:
    """How soon somebody else is answered after a client left in the middle of a long answer."""
    async with scene.door.stream("/v1/completions", _few(model, LONG, prompt="# 1 2 3 4\n")) as (_, events):
        await anext(events, None)
    began = time.perf_counter()
    answer = await scene.door.ask("/v1/completions", _few(model, 1, prompt="# 1"))
    took = time.perf_counter() - began
    if not answer.fine:
        return Finding(status="fail", saw=f"{model.name}: {answer.problem}", fix=LOG)
    if took > WITHIN_S:
        saw = f"{model.name}: after a client left, the next one was answered after {took:.1f} s."
        return Finding(status="warn", saw=saw, fix="Others use it now, or this machine is busy: ask again.")
    return Finding(status="ok", saw=f"{model.name}: the next one was answered {took:.1f} s after we left.")


def _few(model: Model, tokens: int, **asked: Any) -> dict[str, Any]:  # noqa: ANN401 (a JSON document)
    return {"model": model.name, "max_tokens": tokens, **asked}

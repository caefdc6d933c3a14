"""Does an answer arrive piece by piece, and how soon does it begin?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from homeport.diagnostics import Check, Finding

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene

LATE_S = 3.0
"""Seconds after which a person who types has gone on without the answer."""
QUESTIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "chat",
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": "Count from one to five."}], "max_tokens": 16},
    ),
    ("code_completions", "/v1/completions", {"prompt": "def add(a, b):\n    ", "suffix": "\n", "max_tokens": 16}),
)


async def look(scene: Scene) -> Finding:
    """The first feature of those that can stream here."""
    for feature, path, body in QUESTIONS:
        if feature in scene.answered:
            return await _listen(scene, feature, path, body)
    return Finding(status="skip", saw="No feature answered that could stream.")


async def _listen(scene: Scene, feature: str, path: str, body: dict[str, Any]) -> Finding:
    started = time.perf_counter()
    first: float | None = None
    pieces = 0
    async with scene.door.stream(path, body) as (_id, events):
        async for event in events:
            if event.get("choices"):
                pieces += 1
                first = first or time.perf_counter() - started
    took = time.perf_counter() - started
    if first is None:
        return Finding(status="ok", saw=f"{feature} streamed an empty answer in {took:.1f} s.")
    saw = f"{feature}: first token after {first:.2f} s, {pieces} pieces in {took:.1f} s."
    if first > LATE_S:
        fix = "The model is slow or busy: take a smaller one for completion, or see its server's load."
        return Finding(status="warn", saw=saw, fix=fix)
    return Finding(status="ok", saw=saw)


CHECK = Check(
    order=130,
    question="Does an answer stream, and how soon does it begin?",
    look=look,
    role="both",
    after=("feature_answers",),
)

"""Does each feature answer through the front door, as a client would ask it?"""

from __future__ import annotations

import asyncio
import shlex
import time
from typing import TYPE_CHECKING, Any

from homeport.diagnostics import Check, Finding
from homeport.diagnostics._scene import together
from homeport.kit.journal import new_id

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene

_FILE = {
    "file_name": "add.py",
    "content_above_cursor": "def add(a, b):\n    return ",
    "content_below_cursor": "\n\nprint(add(1, 2))\n",
}
QUESTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "code_completions": (
        "/v1/completions",
        {"prompt": _FILE["content_above_cursor"], "suffix": _FILE["content_below_cursor"], "max_tokens": 8},
    ),
    "code_generations": ("/v2/code/generations", {"current_file": _FILE, "prompt": "Add the two numbers."}),
    "chat": (
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": "Answer with one word: is water wet?"}], "max_tokens": 8},
    ),
}
"""By feature: where and what a client asks."""


async def look(scene: Scene) -> Finding:
    """One real round trip for each feature that has a model which nobody has blamed."""
    asked = [name for name in QUESTIONS if await scene.able(name)]
    if not asked:
        return Finding(status="skip", saw="No feature has a model that could answer.")
    return together(list(await asyncio.gather(*(_ask(scene, name) for name in asked))))


async def _ask(scene: Scene, feature: str) -> Finding:
    path, body = QUESTIONS[feature]
    sent = new_id()
    started = time.perf_counter()
    answer = await scene.door.ask(path, body, id=sent)
    took = time.perf_counter() - started
    if answer.unserved:
        return Finding(status="skip", saw=f"No model serves {feature}.")
    if not answer.fine:
        fix = f"See the server's log for {answer.id or sent}, and: homeport features list"
        return Finding(status="fail", saw=f"{feature}: {answer.problem}", fix=fix)
    scene.answered.add(feature)
    if answer.id != sent:
        saw = f"{feature} answered, but under the correlation id {shlex.quote(answer.id)} instead of {sent}."
        return Finding(status="warn", saw=saw, fix="Something between here and Homeport changes X-Request-ID.")
    return Finding(status="ok", saw=f"{feature} answered after {took:.1f} s.")


CHECK = Check(
    order=120,
    question="Does each feature answer as a client asks it?",
    look=look,
    after=("token_accepted",),
    behind=("registry", "model_answers"),
)

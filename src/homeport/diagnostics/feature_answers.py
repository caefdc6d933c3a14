"""Does each feature answer through the front door, as a client would ask it?"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from homeport.diagnostics import Check, Finding
from homeport.diagnostics._scene import together
from homeport.kit.journal import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    "code_generations": (
        "/v2/code/generations",
        {"current_file": _FILE, "prompt": "Add the two numbers.", "stream": True},
    ),
    "chat": (
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": "Answer with one word: is water wet?"}], "max_tokens": 8},
    ),
    "embeddings": ("/v1/embeddings", {"input": "Is water wet?"}),
}
"""By feature: where and what a client asks."""
BRIEFLY = {"X-Homeport-Max-Tokens": "16"}
"""Says so where the protocol has no word for it: the answer is to end, and nobody wants to wait for a long one."""


async def look(scene: Scene) -> Finding:
    """One real round trip for each feature that has a model which nobody has blamed."""
    asked = [name for name in await _questions(scene) if name not in scene.forbidden and await scene.able(name)]
    if not asked:
        return Finding(status="skip", saw="No feature has a model that could answer.")
    known = await _questions(scene)
    return together(list(await asyncio.gather(*(_ask(scene, name, *known[name]) for name in asked))))


async def _questions(scene: Scene) -> Mapping[str, tuple[str, dict[str, Any]]]:
    """What everybody asks for, then each feature with a setting of its own that is asked by a prompt."""
    if scene.remembered is None:
        return QUESTIONS
    of_prompts = {
        key: (f"/v1/prompts/{offer.template.id}", {"inputs": {each.name: "Nothing." for each in offer.template.inputs}})
        for key, setting in scene.remembered.features.items()
        if setting.assignment == "model" and (offer := scene.features.get(key)) and offer.template is not None
    }
    return {**of_prompts, **QUESTIONS}


async def _ask(scene: Scene, feature: str, path: str, body: dict[str, Any]) -> Finding:
    sent = new_id()
    started = time.perf_counter()
    answer = await scene.door.ask(path, body, id=sent, more=BRIEFLY)
    took = time.perf_counter() - started
    if answer.unserved:
        return Finding(status="skip", saw=f"No model serves {feature}.")
    if not answer.fine:
        fix = f"See the server's log for {answer.id or sent}, and: homeport features list"
        return Finding(status="fail", saw=f"{feature}: {answer.problem}", fix=fix)
    scene.answered.add(feature)
    scene.sent[feature] = (sent, answer.id)
    return Finding(status="ok", saw=f"{feature} answered after {took:.1f} s.")


CHECK = Check(
    order=120,
    question="Does each feature answer as a client asks it?",
    look=look,
    role="both",
    after=("token_accepted",),
    behind=("registry", "feature_suits", "model_cancels", "licence"),
)

"""What is learned of each model from its own answers: characters per token, so that no tokenizer is needed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homeport.domain.models import Model
    from homeport.domain.streams import Usage

CAUTIOUS = 2.5
"""Characters per token before anything was learned; code has 2.5 to 4."""
LEAST, MOST = 1.0, 6.0
ENOUGH_TOKENS = 32
"""Prompts shorter than this say more about the chat template than about the text."""
WEIGHT = 0.2
REMEMBERED_S = 900.0
"""How long it is remembered that a server takes no tools: it may be started anew with other options."""
REMEMBERED = 256


class Measures:
    """Running averages per model; a few floats, lost at a restart and learned again in seconds."""

    def __init__(self) -> None:
        self._ratio: dict[str, float] = {}
        self._toolless: dict[tuple[str, str], float] = {}

    def takes_tools(self, model: Model) -> bool:
        """Whether nothing is known against asking it with tools."""
        return time.monotonic() >= self._toolless.get((model.name, model.endpoint), 0.0)

    def refused_tools(self, model: Model) -> None:
        """Take in that its server refused tools and answers without."""
        if len(self._toolless) >= REMEMBERED:
            self._toolless.clear()
        self._toolless[model.name, model.endpoint] = time.monotonic() + REMEMBERED_S

    def characters_per_token(self, model: str) -> float:
        """What was learned so far, or a cautious guess."""
        return self._ratio.get(model, CAUTIOUS)

    def learn(self, model: str, characters: int, usage: Usage) -> None:
        """Take in what the model server counted for a prompt of `characters`."""
        if usage.prompt_tokens < ENOUGH_TOKENS or not characters:
            return
        seen = min(max(characters / usage.prompt_tokens, LEAST), MOST)
        known = self._ratio.get(model)
        self._ratio[model] = seen if known is None else known + WEIGHT * (seen - known)

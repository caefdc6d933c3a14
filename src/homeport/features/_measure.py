"""What is learned of each model from its own answers, so that no tokenizer is needed, and from what it refuses."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, TypeVar

from homeport.features._windows import Windows
from homeport.kit.journal import note

if TYPE_CHECKING:
    from homeport.domain.models import Model
    from homeport.domain.prompts import Prompt
    from homeport.domain.streams import Usage

USUAL = 3.2
"""Characters per token before anything was learned; code has 2.5 to 4, and a prompt that is refused is cut."""
LEAST, MOST = 0.8, 8.0
ENOUGH_TOKENS = 100
"""Prompts shorter than this say more about the chat template than about the text."""
SEEN = 15
"""Prompts whose ratio is remembered; the lower quarter of them is expected of the next one."""
SMALLER = 0.6
"""Share of a window that was found too small for a request which is believed in then."""
SMALLEST = 256
"""Tokens that are believed in whatever was refused: a refusal may have had another reason."""
REMEMBERED_S = 900.0
"""How long it is remembered what a server refuses: it may be started anew with other options."""
REMEMBERED = 256
Server = tuple[str, str]
"""A model's name and endpoint: requests may carry the same name for different servers."""
K = TypeVar("K")
V = TypeVar("V")


class Measures:
    """A few numbers per model, of `REMEMBERED` models at most; lost at a restart and learned again in seconds."""

    def __init__(self, windows: Windows | None = None) -> None:
        self.windows = windows or Windows()
        """What model servers tell of themselves."""
        self._ratios: OrderedDict[Server, deque[float]] = OrderedDict()
        self._windows: OrderedDict[Server, tuple[int, float]] = OrderedDict()
        self._toolless: OrderedDict[Server, float] = OrderedDict()
        self._countless: OrderedDict[Server, float] = OrderedDict()

    def takes_tools(self, model: Model) -> bool:
        """Whether nothing is known against asking it with tools."""
        return time.monotonic() >= self._toolless.get(_server(model), 0.0)

    def refused_tools(self, model: Model) -> None:
        """Take in that its server refused tools and answers without."""
        _remember(self._toolless, _server(model), time.monotonic() + REMEMBERED_S)

    def may_count(self, model: Model) -> bool:
        """Whether nothing is known against asking its server to count tokens."""
        return time.monotonic() >= self._countless.get(_server(model), 0.0)

    def cannot_count(self, model: Model) -> None:
        """Take in that its server has no tokenizer to ask."""
        _remember(self._countless, _server(model), time.monotonic() + REMEMBERED_S)

    def characters_per_token(self, model: Model) -> float:
        """What to expect: of what was seen lately the lower quarter, so that few prompts are too long."""
        seen = self._ratios.get(_server(model))
        return sorted(seen)[len(seen) // 4] if seen else USUAL

    def learn(self, model: Model, characters: int, usage: Usage) -> None:
        """Take in what the model server counted for a prompt of `characters`; 0 is one that cannot be compared."""
        if usage.prompt_tokens < ENOUGH_TOKENS or characters <= 0:
            return
        # A few usual ones at first, so that a single odd prompt decides nothing.
        seen = self._ratios.get(_server(model)) or deque((USUAL,) * 3, maxlen=SEEN)
        seen.append(min(max(characters / usage.prompt_tokens, LEAST), MOST))
        _remember(self._ratios, _server(model), seen)

    def too_long(self, model: Model, characters: int, answer_tokens: int) -> None:
        """Take in that a prompt and its answer did not fit: for a while the window is believed to be smaller.

        Whether it is, or whether the prompt has more tokens than was thought, makes no difference.
        """
        tokens = characters / self.characters_per_token(model) + answer_tokens
        smaller = max(int(tokens * SMALLER), SMALLEST)
        _remember(self._windows, _server(model), (smaller, time.monotonic() + REMEMBERED_S))

    def window(self, model: Model) -> int | None:
        """Tokens that a prompt and its answer may have together, as far as the model's refusals tell."""
        tokens, until = self._windows.get(_server(model), (0, 0.0))
        return tokens if time.monotonic() < until else None


def _server(model: Model) -> Server:
    return model.name, model.endpoint


def _remember(known: OrderedDict[K, V], key: K, value: V) -> None:
    """Keep a value, and forget the one that was set longest ago when there are too many."""
    known[key] = value
    known.move_to_end(key)
    if len(known) > REMEMBERED:
        known.popitem(last=False)


def note_cut(given: int, shown: int) -> None:
    """Say in the log how many characters of what was asked about had no room in the prompt."""
    if given > shown:
        note(prompt_cut=given - shown)


def comparable(prompt: Prompt) -> int:
    """Characters of a prompt that its tokens can be compared with; 0 when there is more in it than its text."""
    if prompt.extra.get("tools") or prompt.extra.get("functions"):
        return 0
    plain = all(isinstance(message.get("content"), str) for message in prompt.raw_messages)
    return prompt.size if plain else 0

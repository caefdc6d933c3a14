"""Replays what somebody typed, key by key, and counts the keystrokes that need no question to Homeport.

A trace is a text file of keys: `⌫` is the backspace key, a line's end is Enter, any other character is itself. What
an editor adds is not in it: Enter indents as the line before, further after a colon or an open bracket, and backspace
in front of a line's code takes back one step of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from homeport.lsp.asking import Completion, Place
from homeport.lsp.completing import Completing, Wanted
from homeport.lsp.reports import Reports

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from homeport.lsp.surroundings import Other

BACKSPACE, STEP = "⌫", 4
URI = "file:///project/inventory.py"


class Replayed(NamedTuple):
    """What came of a trace."""

    keys: int
    answered: int
    """Keystrokes after which the suggestion was known already."""
    asked: int
    """Keystrokes after which a model was asked."""

    @property
    def share(self) -> float:
        """Of keystrokes that were answered without a question."""
        return self.answered / self.keys


def texts(keys: str) -> Iterator[str]:
    """The text before the cursor after each key."""
    text = ""
    for key in keys:
        text = _typed(text, key)
        yield text


def _typed(text: str, key: str) -> str:
    if key == BACKSPACE:
        return _erased(text)
    return _entered(text) if key == "\n" else text + key


def _entered(text: str) -> str:
    line = text.rpartition("\n")[2]
    if not line.strip():
        return f"{text.rstrip(' ')}\n{line}"
    indent = len(line) - len(line.lstrip(" "))
    deeper = STEP if line.rstrip().endswith((":", "(", "[", "{")) else 0
    return text + "\n" + " " * (indent + deeper)


def _erased(text: str) -> str:
    line = text.rpartition("\n")[2]
    return text[: -((len(line) - 1) % STEP + 1)] if line and not line.strip() else text[:-1]


async def replay(keys: str, complete: Callable[[Place], Awaitable[Completion]]) -> Replayed:
    """Type all keys into an empty file; each answer is there before the next key."""
    completing = Completing(complete, _nothing_beside, Reports(_unsent), _untold, pause_s=0)
    for text in texts(keys):
        await completing.at(Wanted(URI, Place(text, len(text), "inventory.py", "python")))
    return Replayed(len(keys), completing.answered, completing.asked)


async def _nothing_beside(_uri: str) -> tuple[Other, ...]:
    return ()


async def _unsent(_events: Sequence[tuple[str, str]]) -> None:
    """Nobody is told what became of suggestions."""


def _untold(sentence: str) -> None:
    raise RuntimeError(sentence)

"""How much of the code a prompt shows, in characters.

A model server keeps what it computed for a prompt and reuses it as far as the next prompt begins
with the same text. So while somebody types, the beginning of the prompt must stay where it is:
cuts are made at coarse steps counted from the start of the file, not at a distance from the cursor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from homeport.domain.requests import RelatedFile

STEPS = 4
"""The left cut moves once per this part of the prefix's budget."""
LARGEST = 0.6
"""The part of the room for related files that one may take while others wait."""
PER_FILE = 24
"""Characters that the heading of a related file costs beside its name."""
PER_LINE = 3
"""Characters that a line of a related file may cost beside its own, as a comment."""


@dataclass(frozen=True, slots=True)
class Window:
    """The code around the cursor that a prompt shows."""

    before: str
    after: str


def window(before: str, after: str, *, budget: int, suffix_share: float = 0.25) -> Window:
    """Choose what to show of the code before and after the cursor.

    Never more than `budget` characters together. The suffix may have `suffix_share` of them; what
    one side leaves unused goes to the other. The prefix begins at a line start that stays the same
    until a quarter of its budget has been typed; the suffix ends at a line end.
    """
    budget = max(budget, 0)
    if len(before) + len(after) <= budget:
        return Window(before, after)
    suffix_room = min(max(int(budget * suffix_share), 0), budget)
    step = max((budget - suffix_room) // STEPS, 1)
    kept_before = _tail(before, budget - min(len(after), suffix_room), step)
    # In steps as well: where the suffix leads the prompt, its end must not move with the cursor.
    used = -(-len(kept_before) // step) * step
    return Window(kept_before, _head(after, max(budget - used, min(suffix_room, budget - len(kept_before)))))


def _tail(text: str, room: int, step: int) -> str:
    """The end of `text`, from a line start at or after a multiple of `step`."""
    if len(text) <= room:
        return text
    start = -(-(len(text) - room) // step) * step
    line = text.find("\n", start - 1, start + step) + 1
    return text[line or start :]


def _head(text: str, room: int) -> str:
    """The beginning of `text`, up to a line end."""
    if len(text) <= room:
        return text
    end = text.rfind("\n", 0, room + 1)
    return text[:end] if end > 0 else text[:room]


def all_fit(files: Sequence[RelatedFile], *, budget: int) -> bool:
    """Whether all of these files can be shown in `budget` characters."""
    if sum(len(file.content) for file in files) > budget:
        return False
    return sum(len(file.name) + PER_FILE + _cost(file.content) for file in files) <= budget


def related_files(files: Iterable[RelatedFile], *, budget: int) -> tuple[RelatedFile, ...]:
    """The files that fit into `budget` characters, in their order, a large one cut at a line end.

    None takes more than `LARGEST` of what is left while others need the rest.
    What writing them into a prompt costs (a heading, a comment sign on each line) is counted.
    """
    kept: list[RelatedFile] = []
    files = list(files)
    waiting = sum(len(file.content) for file in files)
    for file in files:
        waiting -= len(file.content)
        reserved = min(waiting, max(int(budget * (1 - LARGEST)), 0))
        room = budget - reserved - len(file.name) - PER_FILE
        content = _fitting(file.content, room)
        if not content.strip():
            continue
        kept.append(file if content is file.content else file._replace(content=content))
        budget -= len(file.name) + PER_FILE + _cost(content)
    return tuple(kept)


def _cost(content: str) -> int:
    return len(content) + PER_LINE * (content.count("\n") + 1)


def _fitting(content: str, room: int) -> str:
    """As many whole lines from the beginning as cost no more than `room`."""
    if len(content) <= room and _cost(content) <= room:
        return content
    end = max(room, 0)
    while end > 0 and (over := _cost(content[:end]) - room) > 0:
        end -= max(over // (1 + PER_LINE), 1)  # no character costs more, so nothing that fits is lost
    return content[: content.rfind("\n", 0, end + 1)] if end > 0 and "\n" in content[: end + 1] else ""

"""From the inputs of a prompt, which may be any JSON, to texts that fit the model's window."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from homeport.domain.wording import asked_for
from homeport.features import DATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from homeport.domain.wording import Wording
    from homeport.features import Input, Template

LEAST = 240
"""Characters that an input may have however small the window: a question is never cut to pieces."""
MARK = 48
"""Characters that a mark may take."""
SNAP = 200
"""A cut moves by at most this many characters so that whole lines stay."""
ROUNDS = 3
LONGEST_DATE = 100
_WRAPPED = re.compile(r"<(?P<tag>[a-z_]+)>(?P<inside>.*?)</(?P=tag)>", re.DOTALL)


def text_of(value: Any) -> str:  # noqa: ANN401 (any JSON value)
    """A JSON value as it reads best in a prompt: lists by the line, objects as JSON, null as nothing."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return "\n".join(text_of(each) if not isinstance(each, list | dict) else _json(each) for each in value)
    return _json(value)


def _json(value: Any) -> str:  # noqa: ANN401 (any JSON value)
    return orjson.dumps(value, default=str).decode()


def texts(template: Template, inputs: Mapping[str, Any]) -> dict[str, str]:
    """A text for every slot of the template: what is missing is blank, and the date is always known."""
    found = {name: text_of(inputs.get(name)) for name in template.slots}
    return found | {DATE: found.get(DATE, "")[:LONGEST_DATE] or today()}


def today() -> str:
    """As GitLab's prompts write a date: "November 26, 2026"."""
    return f"{datetime.now(UTC):%B %d, %Y}"


def guarded(values: Mapping[str, str], wording: Wording) -> dict[str, str]:
    """The values, each unable to close the tag between whose ends the wording puts it."""
    tags = _tags(wording.user)
    return {name: _unclosing(text, tags.get(name, "")) for name, text in values.items()}


@lru_cache(maxsize=256)
def _tags(template: str) -> Mapping[str, str]:
    """By slot: the tag that stands around it."""
    return {slot: each["tag"] for each in _WRAPPED.finditer(template) for slot in asked_for(each["inside"])}


def _unclosing(text: str, tag: str) -> str:
    if not tag or "</" not in text:
        return text
    return re.sub(rf"</(?=\s*{tag}\b)", r"<\\/", text, flags=re.IGNORECASE)


def fit(values: Mapping[str, str], inputs: Iterable[Input], wording: Wording, characters: int) -> dict[str, str]:
    """The values, the longest of them cut, so that what is said has at most `characters` where that is possible."""
    kept = dict(values)
    asked = asked_for(wording.system) | asked_for(wording.user) | asked_for(wording.prefill)
    shown = [each for each in inputs if each.name in asked]
    for _ in range(ROUNDS):
        excess = sum(len(message.content) for message in wording.messages(kept)) - characters
        if excess <= 0:
            break
        lengths = {each.name: len(kept[each.name]) for each in shown}
        most = level(list(lengths.values()), sum(lengths.values()) - excess)
        kept |= {each.name: cut(kept[each.name], most, each.cut) for each in shown}
    return kept


def level(lengths: list[int], room: int) -> int:
    """The length to which the longest must be cut so that all of them together have `room`."""
    left = max(room, 0)
    ordered = sorted(lengths)
    for place, length in enumerate(ordered):
        share = left // (len(ordered) - place)
        if length > share:
            return max(share, LEAST)
        left -= length
    return max(ordered, default=0)


def cut(text: str, most: int, side: str) -> str:
    """At most `most` characters of the text, with a mark where the rest stood."""
    if len(text) <= most:
        return text
    keep = max(most - MARK, 0)
    head = {"start": 0, "middle": keep * 2 // 3}.get(side, keep)
    first, last = _to_line(text[:head]), _from_line(text[len(text) - (keep - head) :])
    mark = f"[… {len(text) - len(first) - len(last):,} characters left out …]"
    return "\n".join(part for part in (first, mark, last) if part)


def _to_line(text: str) -> str:
    """The text without its last line if that was begun only a moment ago."""
    end = text.rfind("\n", max(len(text) - SNAP, 0))
    return text if end < 0 else text[:end]


def _from_line(text: str) -> str:
    """The text without its first line if that ends in a moment."""
    start = text.find("\n", 0, SNAP)
    return text[start + 1 :]

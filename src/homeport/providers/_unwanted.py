"""Options that a model refuses: found out from its refusal, remembered, and left out from then on.

Which models take a temperature changes with every generation (Claude from Opus 4.7 on and GPT-5
refuse one), and lists of names grow old. So the first request is refused, before anything was
answered, and asked once more without what was refused.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from contextlib import aclosing
from typing import TYPE_CHECKING

import orjson

from homeport.domain.errors import UpstreamRejected
from homeport.kit.journal import note

if TYPE_CHECKING:
    from collections.abc import Callable

    from homeport.domain.models import Model
    from homeport.domain.streams import Chunks

MOST = 1024
REMEMBERED_S = 3600.0
"""How long a lesson holds: a deployment may get another model."""
LESSONS = 4
"""Options that one request may be refused for."""
_SPELLINGS = {
    "top_p": (b"top_p", b"topp"),
    "temperature": (b"temperature",),
    "top_k": (b"top_k", b"topk"),
    "max_tokens": (b"max_tokens", b"maxtokens"),
    "stop": (b"stop_sequences", b"stopsequences", b"'stop'", b'"stop"', b"`stop`"),
    "system": (b"system messages", b"system message"),
    "stream_options": (b"stream_options",),
    "stream": (b"streaming",),
    "prefill": (b"prefill",),
}
_REFUSALS = (
    b"support",  # not supported, unsupported, doesn't support
    b"deprecated",
    b"unrecognized",
    b"cannot both be specified",
)

_CODES = frozenset({"unsupported_parameter", "unsupported_value"})
"""How OpenAI's error objects say that it is the option which is refused, and not its value."""

_learned: OrderedDict[tuple[str, str, str], tuple[frozenset[str], float]] = OrderedDict()


class Unwanted(UpstreamRejected):
    """The model does not take an option that it was asked with."""

    def __init__(self, name: str, saw: str, fix: str, *, upstream_status: int) -> None:
        super().__init__(saw, fix, upstream_status=upstream_status)
        self.name = name


def of(model: Model) -> frozenset[str]:
    """What the model is known to refuse."""
    names, until = _learned.get(_place(model), (frozenset(), 0.0))
    return names if time.monotonic() < until else frozenset()


def found(model: Model, status: int, body: bytes) -> Unwanted | None:
    """The option that a refusal speaks of, in the words of the servers that we know."""
    named = _named(body)
    name = _spoken_of(body.lower()) if named is None else named
    if not name or name in of(model):
        return None
    saw = f"The model {model.name!r} does not take the option {name} (HTTP {status})."
    return Unwanted(name, saw, "Try again: it is left out from now on.", upstream_status=status)


def _named(body: bytes) -> str | None:
    """The option that an error object of OpenAI's kind names, "" for none; None where it is no such object."""
    try:
        error = orjson.loads(body)["error"]
        param, code = error["param"], error["code"]
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return None
    return param if isinstance(param, str) and code in _CODES and param in _SPELLINGS and param != "stream" else ""


def _spoken_of(text: bytes) -> str:
    """The option that a refusal in words is about, "" for none."""
    if not any(word in text for word in _REFUSALS):
        return ""
    return next((name for name, words in _SPELLINGS.items() if any(word in text for word in words)), "")


async def without(ask: Callable[[Model], Chunks], model: Model) -> Chunks:
    """The answer, asked for again without what was refused before it began, in the time that is left."""
    started = time.monotonic()
    for lesson in range(LESSONS + 1):
        try:
            async with aclosing(ask(model)) as answer:
                async for chunk in answer:
                    yield chunk
        except Unwanted as refusal:
            _learn(model, refusal.name)
            note(left_out=refusal.name)
            if lesson == LESSONS:
                raise
            now = time.monotonic()
            model, started = model.after(now - started), now
        else:
            return


def _learn(model: Model, name: str) -> None:
    place = _place(model)
    _learned[place] = of(model) | {name}, time.monotonic() + REMEMBERED_S
    _learned.move_to_end(place)
    if len(_learned) > MOST:
        _learned.popitem(last=False)


def _place(model: Model) -> tuple[str, str, str]:
    return model.platform, model.endpoint, model.identifier

"""Options that a model refuses: found out from its refusal, remembered, and left out from then on.

Which models take a temperature changes with every generation (Claude from Opus 4.7 on and GPT-5
refuse one), and lists of names grow old. So the first request is refused, before anything was
answered, and asked once more without what was refused.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import aclosing
from typing import TYPE_CHECKING

from homeport.domain.errors import UpstreamRejected
from homeport.kit.journal import note

if TYPE_CHECKING:
    from collections.abc import Callable

    from homeport.domain.models import Model
    from homeport.domain.streams import Chunks

MOST = 1024
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

_learned: OrderedDict[tuple[str, str, str], frozenset[str]] = OrderedDict()


class Unwanted(UpstreamRejected):
    """The model does not take an option that it was asked with."""

    def __init__(self, name: str, saw: str, fix: str, *, upstream_status: int) -> None:
        super().__init__(saw, fix, upstream_status=upstream_status)
        self.name = name


def of(model: Model) -> frozenset[str]:
    """What the model is known to refuse."""
    return _learned.get(_place(model), frozenset())


def found(model: Model, status: int, body: bytes) -> Unwanted | None:
    """The option that a refusal speaks of, in the words of the servers that we know."""
    text = body.lower()
    if not any(word in text for word in _REFUSALS):
        return None
    name = next((name for name, words in _SPELLINGS.items() if any(word in text for word in words)), "")
    if not name or name in of(model):
        return None
    saw = f"The model {model.name!r} does not take the option {name} (HTTP {status})."
    return Unwanted(name, saw, "Try again: it is left out from now on.", upstream_status=status)


async def without(ask: Callable[[], Chunks], model: Model) -> Chunks:
    """The answer, asked for again without what was refused before it began."""
    for lesson in range(LESSONS + 1):
        try:
            async with aclosing(ask()) as answer:
                async for chunk in answer:
                    yield chunk
        except Unwanted as refusal:
            _learn(model, refusal.name)
            note(left_out=refusal.name)
            if lesson == LESSONS:
                raise
        else:
            return


def _learn(model: Model, name: str) -> None:
    place = _place(model)
    _learned[place] = of(model) | {name}
    _learned.move_to_end(place)
    if len(_learned) > MOST:
        _learned.popitem(last=False)


def _place(model: Model) -> tuple[str, str, str]:
    return model.platform, model.endpoint, model.identifier

"""One question to a feature: its answer piece by piece or as a whole, and what came of it."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple

from homeport.domain.errors import HomeportError, Unknown
from homeport.features._route import serve
from homeport.kit.journal import facts, note, open_event

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from homeport.domain.models import Model
    from homeport.domain.streams import Usage
    from homeport.features import Workbench

PER_TOKEN = 4.0
"""Characters, of a model that is not known any more."""


class Question(NamedTuple):
    """What is asked, and of which feature."""

    feature: str
    request: Any


class Result(NamedTuple):
    """What came of it."""

    text: str = ""
    model: str = ""
    """Who answered; empty when nobody was found."""
    error: str = ""
    first_ms: int = 0
    """Until the first piece."""
    whole_ms: int = 0
    tokens: int = 0
    counted: bool = False
    """Whether the model server counted the tokens; else they are a guess from the length."""


def named(bench: Workbench, name: str) -> Model:
    """A registered model; raises Unknown."""
    model = bench.snapshot().models.get(name)
    if model is None or not model.enabled:
        raise Unknown(f"There is no model {name[:100]!r}, or it is disabled.", "Choose one from the list.")
    return model


async def heard(bench: Workbench, asked: Question, who: str) -> AsyncGenerator[str | Result, None]:
    """The answer's pieces, and at last what came of it: an error is a result, too."""
    note(feature=asked.feature, caller=who)
    started, first, length = time.perf_counter(), 0.0, 0
    usage: Usage | None = None
    error = ""
    try:
        async with aclosing(serve(bench, asked.feature, asked.request)) as chunks:
            async for chunk in chunks:
                usage = chunk.usage or usage
                if chunk.text:
                    if not first:
                        first = time.perf_counter() - started
                        note(first_at=started + first)
                    length += len(chunk.text)
                    yield chunk.text
    except HomeportError as problem:
        # its page is answered all the same
        note(error_code=problem.code, error=problem.saw, outcome="broken" if first else "rejected")
        error = str(problem)
    tokens, counted = _tokens(bench, usage, length)
    whole = time.perf_counter() - started
    yield Result("", facts().get("model", ""), error, int(first * 1000), int(whole * 1000), tokens, counted)


def _tokens(bench: Workbench, usage: Usage | None, length: int) -> tuple[int, bool]:
    if usage is not None and usage.completion_tokens:
        return usage.completion_tokens, True
    model = bench.snapshot().models.get(facts().get("model", ""))
    return math.ceil(length / (bench.measures.characters_per_token(model) if model else PER_TOKEN)), False


async def whole(bench: Workbench, asked: Question, who: str) -> Result:
    """The whole answer."""
    texts: list[str] = []
    result = Result()
    async with aclosing(heard(bench, asked, who)) as pieces:
        async for piece in pieces:
            if isinstance(piece, str):
                texts.append(piece)
            else:
                result = piece
    return result._replace(text="".join(texts))


async def side_by_side(bench: Workbench, questions: Sequence[Question], who: str) -> list[Result]:
    """Whole answers, asked for at once; each has an event of its own, so that none takes another's facts."""
    if len(questions) == 1:
        return [await whole(bench, questions[0], who)]
    return list(await asyncio.gather(*(_apart(bench, each, who) for each in questions)))


async def _apart(bench: Workbench, asked: Question, who: str) -> Result:
    open_event(dict(facts()))
    return await whole(bench, asked, who)

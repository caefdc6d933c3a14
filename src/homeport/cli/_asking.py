"""One question to the running server, shown as it is answered."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from homeport.cli._data_dir import TOKEN
from homeport.cli._output import document, note, seconds
from homeport.cli._server import address_of, token_of
from homeport.diagnostics._front_door import FIRST_BYTE_S, FrontDoor
from homeport.domain.errors import HomeportError
from homeport.kit.upstream_http import HttpUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from homeport.kit.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Where to ask what, and where the text is in an answer."""

    path: str
    body: Mapping[str, Any]
    pick: Callable[[Mapping[str, Any]], str]
    """The text of a choice, whole or a piece of a stream."""


@dataclass(slots=True, kw_only=True)
class Told:
    """What came back."""

    text: str = ""
    correlation_id: str = ""
    model: str = ""
    finish: str = ""
    usage: Mapping[str, Any] | None = None
    first_s: float | None = None
    total_s: float = 0.0
    started: float = field(default_factory=time.perf_counter)

    def take(self, event: Mapping[str, Any], pick: Callable[[Mapping[str, Any]], str]) -> str:
        """Note what an answer or a piece of one holds; gives its text."""
        self.model = event.get("model") or self.model
        self.usage = event.get("usage") or self.usage
        choices = event.get("choices") or [{}]
        self.finish = choices[0].get("finish_reason") or self.finish
        piece = pick(choices[0])
        if piece and self.first_s is None:
            self.first_s = time.perf_counter() - self.started
        self.text += piece
        self.total_s = time.perf_counter() - self.started
        return piece


def ask(settings: Settings, question: Question, *, stream: bool, show: Callable[[str], None]) -> Told:
    """Ask, calling `show` with each piece of text; raises HomeportError."""
    try:
        return asyncio.run((_stream if stream else _whole)(settings, question, show))
    except HomeportError as error:
        if token_of(settings):
            raise
        raise HomeportError(error.saw, f"{error.fix} {_looked(settings)}".strip()) from error


def answered(
    settings: Settings, path: str, body: Mapping[str, Any] | None = None, *, within_s: float = FIRST_BYTE_S
) -> Any:  # noqa: ANN401 (any JSON document)
    """What the server answers to a document, or to a question without one.

    Raises HomeportError with the server's own words.
    """
    return asyncio.run(_answered(settings, path, body, within_s))


async def _answered(settings: Settings, path: str, body: Mapping[str, Any] | None, within_s: float) -> Any:  # noqa: ANN401 (as above)
    async with _door(settings) as door:
        answer = await door.ask(path, body, within_s=within_s)
    if not answer.fine:
        raise HomeportError(answer.problem, "" if token_of(settings) else _looked(settings))
    return answer.body


def _looked(settings: Settings) -> str:
    """Where a token was looked for in vain."""
    return (
        f"No token was sent: HOMEPORT_TOKEN is not set and there is none in {settings.data_dir / TOKEN}. "
        "HOMEPORT_DATA_DIR names another data directory."
    )


async def _stream(settings: Settings, question: Question, show: Callable[[str], None]) -> Told:
    told = Told()
    body = {**question.body, "stream_options": {"include_usage": True}}
    async with (
        _door(settings) as door,
        door.stream(question.path, body) as (told.correlation_id, events),
        aclosing(events),
    ):
        async for event in events:
            if piece := told.take(event, question.pick):
                show(piece)
    return told


async def _whole(settings: Settings, question: Question, show: Callable[[str], None]) -> Told:
    told = Told()
    async with _door(settings) as door:
        answer = await door.ask(question.path, question.body)
    told.correlation_id = answer.id
    if not answer.fine:
        raise HomeportError(answer.problem)
    show(told.take(answer.body, question.pick))
    return told


@asynccontextmanager
async def _door(settings: Settings) -> AsyncIterator[FrontDoor]:
    upstream = HttpUpstream(ca_file=settings.ca_file)
    try:
        yield FrontDoor(upstream, address_of(settings), token_of(settings))
    finally:
        await upstream.close()


def facts(told: Told) -> str:
    """What a program gets."""
    return document(
        {
            "text": told.text,
            "correlation_id": told.correlation_id,
            "model": told.model,
            "finish": told.finish or None,
            "first_token_s": None if told.first_s is None else round(told.first_s, 4),
            "total_s": round(told.total_s, 4),
            "usage": told.usage,
        }
    )


def trailer(told: Told) -> None:
    """For people, beside the answer: who gave it, how fast, and the id to look it up with."""
    first = f", first token after {seconds(told.first_s)}" if told.first_s is not None else ""
    note(f"{told.model or 'the model'}{first}, {seconds(told.total_s)} in all; correlation id {told.correlation_id}")

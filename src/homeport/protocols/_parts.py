"""The parts of one answer in their order, for protocols that show them one after the other.

Model servers send thoughts, text and calls of tools as they please; here a part is closed before the next
one is opened. A call that is begun while the one before still lacks its end waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import orjson

from homeport.domain.errors import UpstreamMalformed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from homeport.domain.streams import CallPiece, Chunk
    from homeport.protocols import Answer, Asked

W = TypeVar("W")
Kind = Literal["thought", "text", "call"]
Step = Literal["open", "more", "close"]


class Part:
    """Thoughts, text, or a call of a tool."""

    __slots__ = ("at", "id", "kind", "name", "pieces", "place")

    def __init__(self, kind: Kind, place: int, at: int = -1, call_id: str = "", name: str = "") -> None:
        self.kind = kind
        self.place = place
        """Its number in the answer, from 0."""
        self.at = at
        self.id = call_id
        self.name = name
        self.pieces: list[str] = []

    @property
    def text(self) -> str:
        """All of it: of a call, the JSON of its arguments."""
        return "".join(self.pieces)


class Move(NamedTuple):
    """What happens to a part."""

    step: Step
    part: Part
    text: str = ""
    """What is added to it."""


def writer_of(asked: Asked, kind: type[W]) -> W:
    """What a request's answer is written with, which its protocol chose."""
    if not isinstance(asked.writer, kind):
        raise TypeError
    return asked.writer


class Parts:
    """Takes the chunks of an answer and says what they do to its parts."""

    def __init__(self, *, thoughts: bool = True) -> None:
        self.all: list[Part] = []
        self.stopped_by = ""
        self.shows_thoughts = thoughts
        self._open: Part | None = None
        self._waiting: list[CallPiece] = []

    @property
    def calls(self) -> list[Part]:
        """The calls among them."""
        return [part for part in self.all if part.kind == "call"]

    def add(self, chunk: Chunk) -> list[Move]:
        """Take in a chunk."""
        open_part = self._open
        if chunk.text and open_part is not None and open_part.kind == "text" and not chunk.thought:
            # nearly every chunk
            open_part.pieces.append(chunk.text)
            return [Move("more", open_part, chunk.text)]
        return list(self._moves(chunk))

    def end(self) -> list[Move]:
        """Close what is open, with the calls that had to wait."""
        waiting, self._waiting = self._waiting, []
        found: list[Move] = []
        for piece in sorted(waiting, key=lambda each: each.at):
            found += self._call(piece)
        return [*found, *self._close()]

    def _moves(self, chunk: Chunk) -> Iterator[Move]:
        self.stopped_by = chunk.stopped_by or self.stopped_by
        if chunk.thought and self.shows_thoughts:
            yield from self._said("thought", chunk.thought)
        if chunk.text:
            yield from self._said("text", chunk.text)
        if chunk.piece is not None:
            if self._must_wait(chunk.piece):
                self._waiting.append(chunk.piece)
            else:
                yield from self._call(chunk.piece)

    def _said(self, kind: Kind, text: str) -> Iterator[Move]:
        part = self._open
        if part is None or part.kind != kind:
            yield from self._close()
            part = self._begin(Part(kind, len(self.all)))
            yield Move("open", part)
        part.pieces.append(text)
        yield Move("more", part, text)

    def _must_wait(self, piece: CallPiece) -> bool:
        part = self._open
        return part is not None and part.kind == "call" and part.at != piece.at and not _is_whole(part.text)

    def _call(self, piece: CallPiece) -> Iterator[Move]:
        part = self._open
        if part is None or part.kind != "call" or part.at != piece.at:
            yield from self._close()
            part = self._begin(Part("call", len(self.all), piece.at, piece.id, piece.name))
            yield Move("open", part)
        if piece.arguments:
            part.pieces.append(piece.arguments)
            yield Move("more", part, piece.arguments)

    def _begin(self, part: Part) -> Part:
        self.all.append(part)
        self._open = part
        return part

    def _close(self) -> Iterator[Move]:
        part, self._open = self._open, None
        if part is not None:
            yield Move("close", part)


def _is_whole(arguments: str) -> bool:
    if not arguments:
        return True
    try:
        orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return False
    return True


def arguments(part: Part, answer: Answer) -> Any:  # noqa: ANN401 (whatever JSON the model wrote)
    """What is given to a tool; raises UpstreamMalformed, unless the answer was cut off there."""
    try:
        return orjson.loads(part.text or "{}")
    except orjson.JSONDecodeError as error:
        if answer.finish == "length":
            return {}
        saw = f"The model {answer.model!r} called the tool {part.name!r} with arguments that are not JSON."
        raise UpstreamMalformed(saw, "Try again, or choose a model that follows instructions better.") from error

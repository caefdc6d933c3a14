"""What comes back: a stream of chunks, streamed or collected."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from homeport.domain.agents import ToolCall


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the model server counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and answer together."""
        return self.prompt_tokens + self.completion_tokens


class CallPiece(NamedTuple):
    """A piece of a tool call: the first one names the tool, all of them carry arguments."""

    at: int
    """Which call it belongs to; the numbers grow, with gaps."""
    id: str = ""
    name: str = ""
    arguments: str = ""
    """JSON, or a part of it."""


@dataclass(slots=True)
class Chunk:
    """A piece of an answer.

    Either `text` (parsed) or `wire` (bytes of the OpenAI stream or document, to be passed
    on unread). `finish` is "stop", "length", … on the last piece that has one. Not frozen
    because a frozen one costs a microsecond more, and there are thousands a second; nobody
    changes one after making it.
    """

    text: str = ""
    finish: str | None = None
    usage: Usage | None = None
    wire: bytes = b""
    call: ToolCall | None = None
    """The one tool that an agent is to use next; comes at the end, and instead of a text."""
    thinks: bool = False
    """A whole answer came with thoughts in a place of their own."""
    piece: CallPiece | None = None
    """A piece of a call of one of the client's tools, as it comes."""
    thought: str = ""
    """A piece of what the model thinks aloud ahead of its answer."""
    stopped_by: str = ""
    """The stop sequence that ended the text, where the model server tells."""


Chunks = AsyncGenerator[Chunk, None]

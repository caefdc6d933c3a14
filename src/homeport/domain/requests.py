"""What people ask for, whatever protocol they speak.

Named tuples: as frozen as frozen dataclasses, at a fifth of their cost, and every request makes several.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homeport.domain.models import Model


NOTHING: Mapping[str, Any] = MappingProxyType({})
MOST_STOPS = 16
"""So many texts may stop a model; what comes behind them in order of importance is left out."""


def stops(*given: str | Sequence[str] | None) -> tuple[str, ...]:
    """Where a model stops: the texts of all that was given, the most important first, without empty ones."""
    found: list[str] = []
    for texts in given:
        found += (texts,) if isinstance(texts, str) else texts or ()
    return tuple([text for text in found if text][:MOST_STOPS])


class Sampling(NamedTuple):
    """How the model shall choose its words; None leaves it to the family."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()


class RelatedFile(NamedTuple):
    """Another file, or a part of one, that helps to complete this one."""

    name: str
    content: str
    snippet: bool = False
    """A part that somebody chose because it helps; it may be of the same file."""


class CodeRequest(NamedTuple):
    """Code at a cursor: what stands before it, what stands after it, and where."""

    before: str
    after: str = ""
    file_name: str = ""
    language: str = ""
    """As the editor calls it; empty means: find out from the name and the content."""
    related: tuple[RelatedFile, ...] = ()
    instruction: str = ""
    """Generation only: what the user asked for in words."""
    libraries: tuple[str, ...] = ()
    """Generation only: what the project depends on."""
    examples: tuple[str, ...] = ()
    """Generation only: what others asked for, and what they wanted to get."""
    model: str | Model = ""
    """A registered model by name, or one that the request carried; empty: as the feature's setting says."""
    sampling: Sampling = Sampling()
    stream: bool = False


class Message(NamedTuple):
    """One turn of a conversation."""

    role: str
    """system, user, assistant or tool"""
    content: str


class Native(NamedTuple):
    """A conversation as the client sent it, for a model server that speaks the same wire format."""

    wire: str
    """Name of the format."""
    body: Mapping[str, Any]


class ChatRequest(NamedTuple):
    """A conversation that wants its next turn."""

    messages: tuple[Message, ...] = ()
    """Empty when `raw_messages` holds them as the client sent them."""
    raw_messages: tuple[Mapping[str, Any], ...] = ()
    """OpenAI-shaped messages, passed on as they are (tool calls, vision parts)."""
    extra: Mapping[str, Any] = NOTHING
    """OpenAI-shaped options that only the model server understands (tools, response_format…)."""
    model: str | Model = ""
    sampling: Sampling = Sampling()
    stream: bool = False
    relay: bool = False
    """The client speaks the OpenAI wire format: chunks may be passed on as bytes."""
    usage: bool = False
    """The client wants the usage at the end of a stream."""
    parts: bool = False
    """The answer is wanted in all its parts: thoughts, and calls of tools piece by piece."""
    native: Native | None = None
    """Where the client speaks another format than OpenAI's, which some model servers speak too."""


class EmbeddingRequest(NamedTuple):
    """Texts that are wanted as vectors."""

    input: str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]]
    """One text or several, or one or several as the tokens of the model."""
    model: str | Model = ""
    extra: Mapping[str, Any] = NOTHING
    """OpenAI-shaped options that only the model server understands."""
    stream: bool = False


class TextRequest(NamedTuple):
    """Plain text that wants to be continued, exactly as it stands."""

    prompt: str
    model: str = ""
    extra: Mapping[str, Any] = NOTHING
    sampling: Sampling = Sampling()
    stream: bool = False
    relay: bool = False
    usage: bool = False

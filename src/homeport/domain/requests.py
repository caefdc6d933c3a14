"""What people ask for, whatever protocol they speak."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.domain.models import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the model shall choose its words; None leaves it to the family."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedFile:
    """Another file, or a part of one, that helps to complete this one."""

    name: str
    content: str
    snippet: bool = False
    """A part that somebody chose because it helps; it may be of the same file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRequest:
    """Code at a cursor: what stands before it, what stands after it, and where."""

    before: str
    after: str = ""
    file_name: str = ""
    language: str = ""
    """As the editor calls it; empty means: find out from the name and the content."""
    related: tuple[RelatedFile, ...] = ()
    instruction: str = ""
    """Generation only: what the user asked for in words."""
    model: str | Model = ""
    """A registered model by name, or one that the request carried; empty: as the feature's setting says."""
    sampling: Sampling = field(default_factory=Sampling)
    stream: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a conversation."""

    role: str
    """system, user, assistant or tool"""
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A conversation that wants its next turn."""

    messages: tuple[Message, ...] = ()
    """Empty when `raw_messages` holds them as the client sent them."""
    raw_messages: tuple[Mapping[str, Any], ...] = ()
    """OpenAI-shaped messages, passed on as they are (tool calls, vision parts)."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """OpenAI-shaped options that only the model server understands (tools, response_format…)."""
    model: str | Model = ""
    sampling: Sampling = field(default_factory=Sampling)
    stream: bool = False
    relay: bool = False
    """The client speaks the OpenAI wire format: chunks may be passed on as bytes."""
    usage: bool = False
    """The client wants the usage at the end of a stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRequest:
    """Plain text that wants to be continued, exactly as it stands."""

    prompt: str
    model: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    sampling: Sampling = field(default_factory=Sampling)
    stream: bool = False
    relay: bool = False
    usage: bool = False

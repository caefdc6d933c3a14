"""What is said to a model: text to continue, a conversation, or texts that are wanted as vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from homeport.domain.requests import NOTHING, Sampling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.domain.models import Model
    from homeport.domain.requests import Message, Native


class PromptRequest(NamedTuple):
    """Something to be said that a caller knows by its id, with the values that belong into it."""

    feature: str
    """The feature that says it."""
    prompt: str
    """The id that the caller used."""
    inputs: Mapping[str, Any] = NOTHING
    """Any JSON values; what is missing is blank."""
    version: str | None = None
    """A constraint on the version of the wording."""
    model: str | Model = ""
    """As in a `CodeRequest`."""
    stream: bool = False
    spent_s: float = 0.0
    """How long the caller had to wait before it was known who calls."""


class Prompt(NamedTuple):
    """What a provider sends; every number is final."""

    kind: Literal["text", "chat", "embed"]
    text: str = ""
    """The text to continue, family tokens included, when `kind` is "text"."""
    messages: tuple[Message, ...] = ()
    raw_messages: tuple[Mapping[str, Any], ...] = ()
    """OpenAI-shaped messages to pass on as they are; used instead of `messages`."""
    extra: Mapping[str, Any] = NOTHING
    """OpenAI-shaped options, and the `input` when `kind` is "embed".

    With `tools` among them and without a relay, the answer may end in a chunk with a call.
    """
    sampling: Sampling = Sampling()
    stream: bool = False
    relay: bool = False
    """Give the answer as bytes of the OpenAI wire format where the upstream speaks it."""
    usage: bool = False
    """The client wants the usage at the end of the relayed stream."""
    parts: bool = False
    """Give thoughts, and calls of tools piece by piece as they come."""
    native: Native | None = None
    """The same as the client sent it; a server that speaks that format gets this, and its bytes are passed on."""

    @property
    def size(self) -> int:
        """Characters of the prompt, to learn characters per token from the usage reported."""
        if self.kind == "text":
            return len(self.text)
        if self.kind == "embed":
            return _characters(self.extra["input"])
        if self.messages:
            return sum(len(message.content) for message in self.messages)
        told = sum(len(str(tool)) for tool in self.extra.get("tools") or ())
        return told + sum(_length(message.get("content")) for message in self.raw_messages)


def _characters(given: object) -> int:
    """Characters of a text or of several; 0 for tokens, which have none."""
    if isinstance(given, str):
        return len(given)
    return sum(len(each) for each in given if isinstance(each, str)) if isinstance(given, list) else 0


def _length(content: object) -> int:
    if isinstance(content, str):
        return len(content)
    if isinstance(content, list):
        return sum(_length(part.get("text")) for part in content if isinstance(part, dict))
    return 0

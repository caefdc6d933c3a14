"""One turn of an agent: a conversation, what was found out so far, and the tools that it may call next.

The tools run where the conversation is kept; Homeport only says which one to call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from homeport.domain.models import Model


class Tool(NamedTuple):
    """Something that the client can do for the model."""

    name: str
    description: str
    """For the model: what it does and when to use it."""
    argument: str
    """For the model: what to write as its one argument."""


class ToolCall(NamedTuple):
    """A tool that the model wants to be used; one without a name could not be understood."""

    name: str
    argument: str = ""
    thought: str = ""
    """Why, as far as the model said; without a name, all that it said."""


class Step(NamedTuple):
    """A call that was made, and what came of it."""

    call: ToolCall
    observation: str = ""


class Shown(NamedTuple):
    """Something that a user showed along with a question."""

    kind: str
    """What it is, in a word or two: "file", "selected code", "issue"."""
    name: str = ""
    content: str = ""


class Turn(NamedTuple):
    """One turn of the conversation, with what was shown in it."""

    role: str
    """system, user or assistant"""
    content: str
    shown: tuple[Shown, ...] = ()


class AgentRequest(NamedTuple):
    """A conversation that wants its next turn: an answer, or a call of one of the tools."""

    turns: tuple[Turn, ...]
    """The last one of the user is the question."""
    steps: tuple[Step, ...] = ()
    """What was done about the question so far, oldest first."""
    tools: tuple[Tool, ...] = ()
    unavailable: tuple[str, ...] = ()
    """What the user might ask for and no tool can look at."""
    model: str | Model = ""
    """As in a `ChatRequest`."""

"""What is written down of each request once it has ended.

Named tuples: every request makes one of each.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from homeport.domain.errors import CallerError

ANSWERED, FAILED, REFUSED, LEFT = ENDINGS = ("answered", "failed", "refused", "left")
"""How requests end: refused is what the caller has to mend, left is what its client gave up."""


@cache
def callers_codes() -> frozenset[str]:
    """Codes of errors that are the caller's own: `bad_request`, `not_authenticated`, and so on."""
    return frozenset(each.code for each in _tree(CallerError))


def _tree(root: type[CallerError]) -> list[type[CallerError]]:
    return [root, *(each for kind in root.__subclasses__() for each in _tree(kind))]


EXAMINER = "homeport-doctor"
"""The client of an administrator's `homeport doctor`: what it asks is written down and no use of anybody's."""


class Traits(NamedTuple):
    """What many requests have in common; an empty text where there is nothing to say."""

    who: str = ""
    """Who asked."""
    team: str = ""
    """The teams that they were in then: of several, each on a line of its own."""
    token: str = ""
    """The token's name."""
    client: str = ""
    """The program that asked, by its own word."""
    protocol: str = ""
    feature: str = ""
    model: str = ""
    platform: str = ""
    family: str = ""
    language: str = ""
    """Of the code, by our name for it."""
    status: int = 0
    """Of HTTP; 499 when the client left."""
    outcome: str = ""
    """completed, rejected, broken or client_closed"""
    error_code: str = ""
    error: str = ""
    method: str = ""
    path: str = ""
    """Where it was sent, as the route is written: `/v1/models/{model}`, nothing that a caller made up.

    Empty for what was written down before this was.
    """

    @property
    def ending(self) -> str:
        """One of `ENDINGS`, for people: whether a feature or its model failed, or the caller has to mend something."""
        if self.outcome == "rejected":
            return REFUSED if self.error_code in callers_codes() else FAILED
        return {"broken": FAILED, "client_closed": LEFT}.get(self.outcome, ANSWERED)


class Phases(NamedTuple):
    """How a request spent its time, in microseconds; 0 for what it did not come to."""

    took: int = 0
    admitted: int = 0
    """From the beginning until it was known who asks."""
    queued: int = 0
    """How long it waited for a seat at the model."""
    asked: int = 0
    """From the beginning until the model that answered was asked."""
    connected: int = 0
    """How long a new connection to the model server took."""
    first: int = 0
    """From the beginning until the first piece of the answer."""
    told: int = 0
    """From the beginning until the model had said everything."""

    def segments(self) -> list[Segment]:
        """What followed upon what; a phase that a request did not come to is left out."""
        asked, said = self.asked or self.took, self.told or self.took
        first = self.first or said
        edges = [
            ("admit", 0, self.admitted),
            ("prepare", self.admitted, asked - self.queued),
            ("queue", asked - self.queued, asked),
            ("connect", asked, asked + self.connected),
            ("first token", asked + self.connected, first),
            ("stream", first, said),
            ("clean", said, self.took),
        ]
        return [Segment(name, start, end) for name, start, end in edges if end > start]


class Segment(NamedTuple):
    """A part of a request's time, in microseconds since its beginning."""

    name: str
    start: int
    end: int


class Exchange(NamedTuple):
    """What a model was told and what it said."""

    model: str
    prompt: str
    answer: str = ""


class Content(NamedTuple):
    """What was said in a request, where that may be kept: keys and tokens are masked in it."""

    path: str
    """Where it was sent, to be asked again."""
    body: str
    """As it came; empty when it was too long to be kept."""
    answer: str = ""
    exchanges: tuple[Exchange, ...] = ()

    @property
    def size(self) -> int:
        """Characters of all of it."""
        said = sum(len(each.prompt) + len(each.answer) for each in self.exchanges)
        return len(self.body) + len(self.answer) + said


class Offered(NamedTuple):
    """What an editor says of its earlier suggestions."""

    model: str
    language: str
    offered: int
    accepted: int


class Report(NamedTuple):
    """What an editor says of one suggestion: it belongs to the sums of whoever got it, and is no request."""

    at: float
    """Unix seconds."""
    correlation_id: str
    """Of the request that the suggestion came from."""
    traits: Traits
    """Who got it, for what, of which model, in which language."""
    what: str
    """shown, accepted or rejected"""
    offered: int = 0
    """1 for the first word about this suggestion."""
    accepted: int = 0
    """1 when it was taken."""


class Entry(NamedTuple):
    """One request that has ended."""

    at: float
    """When it ended, in Unix seconds."""
    correlation_id: str
    traits: Traits
    phases: Phases
    prompt_tokens: int = 0
    answer_tokens: int = 0
    received: int = 0
    """Bytes of its body."""
    sent: int = 0
    """Bytes of the answer's body."""
    attempts: str = ""
    """Models that were asked and failed: JSON, a list of model, error, seconds, and ms into the request."""
    offered: tuple[Offered, ...] = ()
    content: Content | None = None
    context: tuple[tuple[str, int], ...] = ()
    """Other files that the prompt showed: name, and characters of it."""
    estimated: bool = False
    """Nobody counted the tokens: they are guessed from what was sent."""

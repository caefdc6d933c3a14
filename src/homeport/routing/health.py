"""What is known of each model server's health: passive outlier ejection, a circuit breaker, the time to answer.

A server is left alone after a few failures in a row or when half of its last answers failed, for a
few seconds at first and for longer each time. Then one request tries it: its answer closes the
circuit, its failure opens it again. A server that was silent and answers a probe is tried at once;
one that only answers probes is not. What a server asks for (`Retry-After`) nothing shortens.

Whoever waits for a server's first byte is told when its circuit opens, to go elsewhere at once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from homeport.domain.models import Model

IN_A_ROW = 3
"""Failures, one after the other, that open the circuit …"""
LATELY, LEAST, SHARE = 20, 10, 0.5
"""… or this share of the last answers, once there are enough of them."""
OPEN_S, LONGEST_S = 5.0, 60.0
"""How long the circuit stays open: at first, and at most after doubling each time."""
TRIAL_S = 10.0
"""So long one request tries a server that failed before another one may."""
NEWEST = 0.2
"""Weight of the newest time to the first byte in its moving average."""
SERVERS = 1000
"""Servers that are remembered: requests may carry any number."""

UNTOLD = "it did not answer"
"""Why a request failed where nothing else is known."""

Key = tuple[str, str]


def key_of(model: Model) -> Key:
    """What failures are counted by: two endpoints of one name are two servers."""
    return model.name, model.endpoint


class Outcome(NamedTuple):
    """How it went when a server was asked last, where that is more than an answer."""

    at: float
    """By the clock of `Health`."""
    why: str
    """What was seen of a failure, safe to show; empty where it went well."""
    tested: bool = False
    """Whether somebody tested the connection; else a request asked."""


class _Record:
    __slots__ = (
        *(
            "answers",
            "asked_until",
            "asked_with",
            "failed",
            "first_s",
            "in_a_row",
            "last",
            "mute",
            "opened",
            "shut_until",
            "silent",
            "suspected",
            "trial_until",
            "waiting",
        ),
    )

    def __init__(self) -> None:
        self.in_a_row = 0
        self.answers = 0
        """Answers counted, at most LATELY."""
        self.failed = 0
        """The last of them as bits, the newest last; 1 is a failure."""
        self.first_s = [0.0, 0.0]
        """Moving averages of the time to the first byte, of completions the second; 0 while nothing is known."""
        self.last: Outcome | None = None
        """None: a request was answered, or nobody has asked yet."""
        self.opened = 0
        """How often the circuit opened since it was last closed."""
        self.shut_until = 0.0
        """Until then it is left alone because it failed …"""
        self.asked_until = 0.0
        """… and until then because it asked for it …"""
        self.asked_with = 0
        """… with this HTTP status."""
        self.silent = False
        """A probe went unanswered since the circuit opened."""
        self.suspected = False
        """Somebody has waited for long: a probe is to say whether it is there at all."""
        self.mute = False
        """Nobody has got an answer since it was asked for a token."""
        self.trial_until = 0.0
        self.waiting: set[Callable[[], None]] = set()
        """Called when the circuit opens, one for each request that waits and may go elsewhere."""

    @property
    def left_alone_until(self) -> float:
        """When a request may try it."""
        return max(self.shut_until, self.asked_until)


class State(NamedTuple):
    """One server's health, to be shown."""

    healthy: bool
    left_alone: bool
    """Whether no request goes to it now; one that is neither this nor healthy is tried by the next request."""


class Last(NamedTuple):
    """How it went when a server was asked last, to be shown."""

    age_s: float
    why: str
    tested: bool


class Pause(NamedTuple):
    """What a server asked for with `Retry-After`."""

    left_s: float
    status: int
    """The HTTP status of the answer in which it did."""


class Health:
    """The records of all servers, for one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._records: dict[Key, _Record] = {}
        self._clock = clock
        self.trouble = 0
        """How many circuits are open: while none is, nobody has to be looked at."""
        self.on_change: Callable[[Key, bool], None] = lambda _key, _healthy: None
        """Told when a circuit opens (False) and closes (True)."""

    def allows(self, model: Model) -> bool:
        """Whether requests may go to it now; asking changes nothing."""
        return not self.back_in(model)

    def is_tried(self, model: Model) -> bool:
        """Whether a request is finding out right now if it answers again."""
        record = self._records.get((model.name, model.endpoint))
        if record is None or not record.opened:
            return False
        now = self._clock()
        return record.left_alone_until <= now < record.trial_until

    def back_in(self, model: Model) -> float:
        """Seconds until requests may go to it."""
        record = self._records.get((model.name, model.endpoint))
        if record is None or not record.opened:
            return 0.0
        return max(0.0, max(record.left_alone_until, record.trial_until) - self._clock())

    def pause(self, model: Model) -> Pause | None:
        """What it asked for, as long as it lasts; requests that have no other model are refused with it."""
        record = self._records.get((model.name, model.endpoint))
        if record is None or not record.asked_with:
            return None
        left = record.asked_until - self._clock()
        if left > 0:
            return Pause(left, record.asked_with)
        record.asked_with = 0
        return None

    def is_shut(self, model: Model) -> bool:
        """Whether its failures keep requests away now; False while one tries it, and while its `Retry-After` lasts."""
        record = self._records.get((model.name, model.endpoint))
        return record is not None and record.opened > 0 and self._clock() < record.shut_until

    def is_due(self, model: Model) -> bool:
        """Whether somebody has to find out if it answers again, and nobody does."""
        record = self._records.get((model.name, model.endpoint))
        if record is None or not record.opened:
            return False
        return max(record.left_alone_until, record.trial_until) <= self._clock()

    def waiting(self, model: Model) -> set[Callable[[], None]]:
        """What is called when its circuit opens because it failed; who waits enters and leaves."""
        record = self._records.get((model.name, model.endpoint)) or self._new(model)
        return record.waiting

    def chosen(self, model: Model, for_s: float = TRIAL_S) -> bool:
        """Take in that a request goes to it; True says that it is a trial, which has to be `released`.

        Another may try it after so many seconds, whatever became of this one.
        """
        record = self._records.get((model.name, model.endpoint))
        if record is None or not record.opened:
            return False
        now = self._clock()
        if now < max(record.left_alone_until, record.trial_until):
            return False
        record.trial_until = now + for_s
        return True

    def released(self, model: Model) -> None:
        """Take in that a trial has ended, perhaps without telling anything: another may follow."""
        record = self._records.get(key_of(model))
        if record is not None:
            record.trial_until = 0.0

    def first_s(self, model: Model, *, completion: bool = False) -> float:
        """Its usual time to the first byte in seconds, of completions or of others; 0 while nothing is known."""
        record = self._records.get((model.name, model.endpoint))
        return record.first_s[completion] if record else 0.0

    def answered(self, model: Model, first_s: float = 0.0, *, completion: bool = False) -> None:
        """Take in that it answered, and how long its first byte took where that says something."""
        record = self._records.get((model.name, model.endpoint)) or self._new(model)
        record.failed = record.failed << 1 & ((1 << LATELY) - 1)
        record.answers = min(record.answers + 1, LATELY)
        record.in_a_row = 0
        record.mute = False
        record.last = None
        if first_s:
            _learn(record, first_s, completion=completion)
        # an answer that was under way does not take back what the server asked for meanwhile
        if record.opened and self._clock() >= record.asked_until:
            record.opened = 0
            self.trouble -= 1
            record.failed = record.answers = 0
            self.on_change(key_of(model), True)  # noqa: FBT003 (a callback's own words)

    def failed(self, model: Model, why: str = "", retry_after_s: float = 0.0, status: int = 0) -> None:
        """Take in a failure that is the server's, and how long it asked to be left alone, by an HTTP status.

        `why` is what was seen, safe to show.
        """
        record = self._records.get(key_of(model)) or self._new(model)
        record.failed = (record.failed << 1 | 1) & ((1 << LATELY) - 1)
        record.answers = min(record.answers + 1, LATELY)
        record.in_a_row += 1
        now = self._clock()
        record.last = Outcome(now, why or UNTOLD)
        if retry_after_s:
            record.asked_until = max(record.asked_until, now + min(retry_after_s, LONGEST_S))
            record.asked_with = status
            self._open(model, record, record.shut_until)
        elif now >= record.shut_until and (record.opened or record.in_a_row >= IN_A_ROW or _mostly_failed(record)):
            self._shut(model, record)

    def suspect(self, model: Model) -> None:
        """Take in that it is silent for long, which may be right or not: a probe has to find out."""
        (self._records.get(key_of(model)) or self._new(model)).suspected = True

    def is_suspected(self, model: Model) -> bool:
        """Whether somebody has waited for long, and nobody has looked yet."""
        record = self._records.get(key_of(model))
        return record is not None and record.suspected

    def asks_for_a_token(self, model: Model) -> None:
        """Take in that it is asked for one token, to find out whether it generates at all."""
        (self._records.get(key_of(model)) or self._new(model)).mute = True

    def gave_no_token(self, model: Model, why: str) -> None:
        """Take in that it did not come: the circuit opens, unless somebody else was answered meanwhile."""
        record = self._records.get(key_of(model))
        if record is not None and record.mute and not record.opened:
            record.last = Outcome(self._clock(), why)
            self._shut(model, record)

    def to_probe(self, model: Model) -> bool:
        """Whether it has to be found out if it is there."""
        record = self._records.get((model.name, model.endpoint))
        return record is not None and (record.suspected or self.back_in(model) > 0)

    def _shut(self, model: Model, record: _Record) -> None:
        self._open(model, record, self._clock() + min(OPEN_S * 2 ** min(record.opened, 8), LONGEST_S))
        for go_elsewhere in tuple(record.waiting):
            go_elsewhere()

    def _open(self, model: Model, record: _Record, until: float) -> None:
        first = not record.opened
        record.opened += 1
        record.shut_until = max(record.shut_until, until)
        record.trial_until = 0.0
        record.silent = False
        if first:
            self.trouble += 1
            self.on_change(key_of(model), False)  # noqa: FBT003 (a callback's own words)

    def probed(self, model: Model, *, answers: bool, silent: bool = True) -> None:
        """Take in whether it says what it serves: one that did not and does now may be tried at once.

        One that is `silent` says nothing at all; when it was suspected, its circuit opens.
        """
        record = self._records.get(key_of(model))
        if record is None:
            return
        suspected, record.suspected = record.suspected, False
        if not record.opened:
            if suspected and silent and not answers:
                self._shut(model, record)
            return
        if answers and record.silent:
            record.shut_until = record.trial_until = 0.0
        record.silent = not answers

    def tested(self, model: Model, why: str) -> None:
        """Take in that somebody tested the connection, and `why` that failed; it moves no requests."""
        record = self._records.get(key_of(model)) or self._new(model)
        record.last = Outcome(self._clock(), why, tested=True)

    def last(self, model: Model) -> Last | None:
        """How it went when it was asked last; None after an answer to a request, and while nobody has asked."""
        record = self._records.get(key_of(model))
        if record is None or record.last is None:
            return None
        return Last(self._clock() - record.last.at, record.last.why, record.last.tested)

    def state(self, model: Model) -> State | None:
        """How it is; None when it was never asked."""
        record = self._records.get(key_of(model))
        return None if record is None else self._state(record)

    def left_alone(self) -> int:
        """How many servers no request goes to now."""
        return sum(self._state(record).left_alone for record in list(self._records.values()))

    def _state(self, record: _Record) -> State:
        return State(not record.opened, record.opened > 0 and self._clock() < record.left_alone_until)

    def _new(self, model: Model) -> _Record:
        if len(self._records) >= SERVERS:
            well = (key for key, record in self._records.items() if not record.opened)
            self.trouble -= self._records.pop(next(well, next(iter(self._records)))).opened > 0
        record = self._records[key_of(model)] = _Record()
        return record


def _learn(record: _Record, first_s: float, *, completion: bool) -> None:
    usual = record.first_s[completion]
    record.first_s[completion] = usual + (first_s - usual) * NEWEST if usual else first_s


def _mostly_failed(record: _Record) -> bool:
    return record.answers >= LEAST and record.failed.bit_count() >= record.answers * SHARE

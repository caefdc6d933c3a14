"""What is known of each model server's health: passive outlier ejection, a circuit breaker, the time to answer.

A server is left alone after a few failures in a row or when half of its last answers failed, for a
few seconds at first and for longer each time. Then one request tries it: its answer closes the
circuit, its failure opens it again. What a server asks for (`Retry-After`) is respected.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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

Key = tuple[str, str]


def key_of(model: Model) -> Key:
    """What failures are counted by: two endpoints of one name are two servers."""
    return model.name, model.endpoint


class _Record:
    __slots__ = ("answers", "failed", "first_s", "in_a_row", "opened", "shut_until", "trial_until")

    def __init__(self) -> None:
        self.in_a_row = 0
        self.answers = 0
        """Answers counted, at most LATELY."""
        self.failed = 0
        """The last of them as bits, the newest last; 1 is a failure."""
        self.first_s = 0.0
        """Moving average of the time to the first byte; 0 while nothing is known."""
        self.opened = 0
        """How often the circuit opened since it was last closed."""
        self.shut_until = 0.0
        self.trial_until = 0.0


class State(NamedTuple):
    """One server's health, to be shown."""

    key: Key
    healthy: bool
    first_s: float
    failures: int


class Health:
    """The records of all servers, for one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._records: OrderedDict[Key, _Record] = OrderedDict()
        self._clock = clock
        self.on_change: Callable[[Key, bool], None] = lambda _key, _healthy: None
        """Told when a circuit opens (False) and closes (True)."""

    def allows(self, model: Model) -> bool:
        """Whether requests may go to it now; asking changes nothing."""
        record = self._records.get((model.name, model.endpoint))
        if record is None or not record.opened:
            return True
        now = self._clock()
        return now >= record.shut_until and now >= record.trial_until

    def back_in(self, model: Model) -> float:
        """Seconds until requests may go to it."""
        record = self._records.get(key_of(model))
        return max(0.0, max(record.shut_until, record.trial_until) - self._clock()) if record else 0.0

    def chosen(self, model: Model) -> None:
        """Take in that a request goes to it: after a failure only one at a time."""
        record = self._records.get((model.name, model.endpoint))
        if record is not None and record.opened:
            record.trial_until = self._clock() + TRIAL_S

    def first_s(self, model: Model) -> float:
        """Its usual time to the first byte in seconds; 0 while nothing is known."""
        record = self._records.get((model.name, model.endpoint))
        return record.first_s if record else 0.0

    def answered(self, model: Model, first_s: float = 0.0) -> None:
        """Take in a whole answer, and how long its first byte took where that says something."""
        record = self._records.get((model.name, model.endpoint)) or self._new(model)
        record.failed = record.failed << 1 & ((1 << LATELY) - 1)
        record.answers = min(record.answers + 1, LATELY)
        record.in_a_row = 0
        if first_s:
            record.first_s += (first_s - record.first_s) * NEWEST if record.first_s else first_s
        if record.opened:
            record.opened = 0
            record.failed = record.answers = 0
            self.on_change(key_of(model), True)  # noqa: FBT003 (a callback's own words)

    def failed(self, model: Model, retry_after_s: float = 0.0) -> None:
        """Take in a failure that is the server's, and how long it asked to be left alone."""
        record = self._records.get(key_of(model)) or self._new(model)
        record.failed = (record.failed << 1 | 1) & ((1 << LATELY) - 1)
        record.answers = min(record.answers + 1, LATELY)
        record.in_a_row += 1
        now = self._clock()
        if retry_after_s:
            self._open(model, record, now + min(retry_after_s, LONGEST_S))
        elif now >= record.shut_until and (record.opened or record.in_a_row >= IN_A_ROW or _mostly_failed(record)):
            self._open(model, record, now + min(OPEN_S * 2 ** min(record.opened, 8), LONGEST_S))

    def _open(self, model: Model, record: _Record, until: float) -> None:
        first = not record.opened
        record.opened += 1
        record.shut_until = max(record.shut_until, until)
        record.trial_until = 0.0
        if first:
            self.on_change(key_of(model), False)  # noqa: FBT003 (a callback's own words)

    def recovered(self, model: Model) -> None:
        """Take in that the server answers again when asked for something small: one request may try it now."""
        record = self._records.get(key_of(model))
        if record is not None and record.opened:
            record.shut_until = 0.0

    def forget(self) -> None:
        """Know nothing of any server again."""
        self._records.clear()

    def states(self) -> Iterator[State]:
        """What is known of every server."""
        for key, record in list(self._records.items()):
            yield State(key, not record.opened, record.first_s, record.failed.bit_count())

    def _new(self, model: Model) -> _Record:
        if len(self._records) >= SERVERS:
            self._records.popitem(last=False)
        record = self._records[key_of(model)] = _Record()
        return record


def _mostly_failed(record: _Record) -> bool:
    return record.answers >= LEAST and record.failed.bit_count() >= record.answers * SHARE

"""What this process keeps for its callers between two requests: in memory, for a while, and for nobody else."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from homeport.domain.models import Caller

EACH = 256
"""Answers of one caller; of more, the oldest goes."""
ALL_BYTES = 128 * 1024 * 1024
"""All answers together; beyond it, the oldest of anybody goes."""


class Kept(NamedTuple):
    """An answer from which a conversation can go on."""

    response: bytes
    """The response object."""
    messages: tuple[Mapping[str, Any], ...]
    """All that was said up to its end, in OpenAI's chat shape."""
    items: tuple[Any, ...]
    """What its own request added to that, as it came."""


Owner = tuple[str, str, str]


def owner_of(caller: Caller) -> Owner:
    """Whose an answer is: all tokens of one person share theirs."""
    return caller.issuer, caller.kind, caller.subject


class Shelf:
    """Answers by owner and id."""

    def __init__(self, keep_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`keep_s` seconds are kept, 0 for nothing at all."""
        self.keep_s = keep_s
        self._clock = clock
        self._rows: OrderedDict[tuple[Owner, str], tuple[Kept, float, int]] = OrderedDict()
        self._counts: dict[Owner, int] = {}
        self._bytes = 0

    def put(self, owner: Owner, name: str, kept: Kept, size: int) -> None:
        """Keep an answer of about `size` bytes."""
        if not self.keep_s:
            return
        self.drop(owner, name)
        self._rows[owner, name] = kept, self._clock() + self.keep_s, size
        self._counts[owner] = self._counts.get(owner, 0) + 1
        self._bytes += size
        while self._bytes > ALL_BYTES or self._is_over():
            self.drop(*next(iter(self._rows)))
        if self._counts.get(owner, 0) > EACH:
            self.drop(*next(key for key in self._rows if key[0] == owner))

    def get(self, owner: Owner, name: str) -> Kept | None:
        """The answer, if it is this owner's and not too old."""
        found = self._rows.get((owner, name))
        return found[0] if found and found[1] > self._clock() else None

    def drop(self, owner: Owner, name: str) -> bool:
        """Forget an answer; whether there was one."""
        found = self._rows.pop((owner, name), None)
        if found is None:
            return False
        self._bytes -= found[2]
        self._counts[owner] -= 1
        if not self._counts[owner]:
            del self._counts[owner]
        return True

    def _is_over(self) -> bool:
        """Whether the oldest has had its time."""
        return bool(self._rows) and next(iter(self._rows.values()))[1] <= self._clock()

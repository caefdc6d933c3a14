"""One event per request: rooms add facts with `note`, the edge writes the line.

Facts are names, numbers and outcomes; never a prompt, an answer or a key.
"""

from __future__ import annotations

import itertools
import re
import secrets
from contextvars import ContextVar
from functools import cache
from typing import Any

Facts = dict[str, Any]

_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_current: ContextVar[Facts | None] = ContextVar("homeport_request", default=None)


class _Ids:
    """Fresh ids: a random beginning for each process, then a count. Unique, not secret, and no system call each."""

    def __init__(self) -> None:
        self._count = itertools.count(1)
        self._start = secrets.token_hex(11)

    def __next__(self) -> str:
        return f"{self._start}{next(self._count):010x}"


_ids = cache(_Ids)


def new_id() -> str:
    """A fresh correlation id: 32 hexadecimal digits."""
    return next(_ids())


def accepted_id(given: str) -> str:
    """The caller's id when it is safe to log and to send on, else a fresh one.

    No colon and no slash: an id that could be read as an address or a URL goes no further.
    """
    return given if _WELL_FORMED.fullmatch(given) else new_id()


def open_event(facts: Facts) -> None:
    """Make `facts` the current request's event."""
    _current.set(facts)


def note(**facts: Any) -> None:  # noqa: ANN401 (a fact may be any JSON value)
    """Add facts to the current request's event; outside a request it does nothing."""
    event = _current.get()
    if event is not None:
        event.update(facts)


def facts() -> Facts:
    """The current request's facts, or an empty dictionary."""
    return _current.get() or {}


def correlation_id() -> str:
    """The current request's id; outside a request a fresh one."""
    return facts().get("correlation_id") or new_id()

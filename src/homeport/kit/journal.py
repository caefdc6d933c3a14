"""One event per request: rooms add facts with `note`, the edge writes the line.

Facts are names, numbers and outcomes; never a prompt, an answer or a key. Those are written as events of their
own, and only for a request whose edge said `overhear`.
"""

from __future__ import annotations

import itertools
import re
import secrets
from contextvars import ContextVar
from functools import cache
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Facts = dict[str, Any]

MASK = "**********"
DROPPED = "options_dropped"
"""The fact that names the options for which the model server has no word."""
ESTIMATED = "tokens_estimated"
"""The fact that nobody counted the tokens: they are guessed from what was sent."""
AT = "at"
"""When an attempt that failed began, by time.perf_counter(), until `settled` says how long into its request."""
SECRET = 4
"""Characters that a secret has at least; a shorter one would mask half of the text."""
CAUSES, FRAMES = 5, 30
"""Errors, and places of each, that a trace names."""

_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LOOKS_SECRET = re.compile(
    r"\b(?:hp_|sk-|gl[a-z]{2,6}-|gh[a-z]_|AKIA)[\w-]{16,200}"
    # not within a word of its own characters: each of its beginnings there would be read on to the word's end
    r"|(?<![\w-])eyJ[\w-]{8,4000}\.[\w-]{8,4000}\.[\w-]{8,4000}"
)
_current: ContextVar[Facts | None] = ContextVar("homeport_request", default=None)
_overheard: ContextVar[tuple[str, ...] | None] = ContextVar("homeport_overheard", default=None)
_heard: ContextVar[list[Any] | None] = ContextVar("homeport_heard", default=None)


class _Ids:
    """Fresh ids: a random beginning for each process, then a count. Unique, not secret, and no system call each."""

    def __init__(self) -> None:
        self._count = itertools.count(1)
        self._start = secrets.token_hex(11)

    def __next__(self) -> str:
        return f"{self._start}{next(self._count):010x}"


_ids = cache(_Ids)


VIA = "X-Homeport-Via"
"""Header of what we send to model servers: the processes of Homeport that the request went through."""
_VIA = re.compile(r"[0-9a-f]{16}(?: [0-9a-f]{16}){0,15}")
_via: ContextVar[str] = ContextVar("homeport_via", default="")


@cache
def _process() -> str:
    return secrets.token_hex(8)


def came_back(via: str) -> bool:
    """Note the ways by which the current request came; whether one of them was ours already."""
    if not _VIA.fullmatch(via):
        return False
    _via.set(via)
    return _process() in via.split()


def via() -> str:
    """The value of `VIA` for a request that we make."""
    return f"{_via.get()} {_process()}".strip()


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


def note_dropped(options: Iterable[str]) -> None:
    """Take in that a model server has no word for these options of the current request."""
    dropped = list(options)
    if dropped:
        note(**{DROPPED: dropped})


def facts() -> Facts:
    """The current request's facts, or an empty dictionary."""
    return _current.get() or {}


def settled(event: Facts, started: float) -> float:
    """Make an event of what began at `started` fit to be written; gives when the model was asked, 0 for never.

    Both by time.perf_counter(), which says nothing to who reads it later.
    """
    for tried in event.get("attempts", ()):
        tried["from_ms"] = int((tried.pop(AT) - started) * 1e4) / 10
    asked: float = event.pop("asked_at", 0.0)
    return asked


def correlation_id() -> str:
    """The current request's id; outside a request a fresh one."""
    return facts().get("correlation_id") or new_id()


def overhear(*secrets: str) -> None:
    """From here on, what the current request says to models and hears of them is logged, without `secrets`."""
    _overheard.set(secrets)
    _heard.set([])


def overheard() -> tuple[str, ...] | None:
    """What must be masked in the current request's content; None when its content is nobody's to see."""
    return _overheard.get()


def heard() -> list[Any] | None:
    """Where what is said in the current request is gathered; None when it is nobody's to see."""
    return _heard.get()


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text without these secrets, and without anything that looks like a key or a token."""
    for secret in secrets:
        if len(secret) >= SECRET:
            text = text.replace(secret, MASK)
    return _LOOKS_SECRET.sub(MASK, text)


def trace(error: BaseException) -> str:
    """Where an error came from: kinds, files, lines and functions, without messages, which may hold content."""
    parts: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(parts) < CAUSES:
        frames = list(walk_tb(seen.__traceback__))[-FRAMES:]
        places = (f"  {frame.f_code.co_filename}:{line} in {frame.f_code.co_name}" for frame, line in frames)
        parts.append("\n".join((type(seen).__name__, *places)))
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "\nafter ".join(parts)

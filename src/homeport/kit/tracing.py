"""Traces: which trace a request belongs to, and what was tried for it while it ran.

Source: W3C Trace Context, level 1 (`traceparent`). A request has one only while traces are collected.
"""

from __future__ import annotations

import random
import re
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

from homeport.kit.journal import facts

PARENT = "traceparent"
FACT = "trace"
"""Under which the current request's facts hold it, until they are written down."""
MOST = 64
"""Attempts of one request that are told apart."""
_PARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_ID = re.compile(r"[0-9a-f]{32}")
_SAMPLED = 1
_ALL = 1 << 56

SpanKind = Literal["internal", "server", "client"]


class Span(NamedTuple):
    """A part of a request's life."""

    trace: str
    """32 hexadecimal digits."""
    id: str
    """16 hexadecimal digits."""
    parent: str
    """The same, or empty."""
    name: str
    kind: SpanKind
    start: float
    """Unix seconds."""
    end: float
    attributes: dict[str, Any]
    """Texts, numbers, switches, and lists and dictionaries of these."""
    error: str = ""
    """What went wrong, in a word; empty when nothing did."""


class Try(NamedTuple):
    """One attempt to get an answer of a model."""

    span: str
    model: Any
    prompt: Any
    start: float
    """By time.perf_counter()."""
    took: float
    """Seconds."""
    first: float
    """Seconds until the first piece; 0 for none."""
    error: str
    usage: Any = None


class Trace:
    """The trace of one request while it runs."""

    __slots__ = ("current", "id", "parent", "root", "tries")

    def __init__(self, id_: str, parent: str = "") -> None:
        self.id = id_
        self.parent = parent
        self.root = new_span()
        self.current = self.root
        """The span that whatever is sent now belongs to."""
        self.tries: list[Try] = []

    def attempt(self) -> str:
        """The span of an attempt that begins."""
        self.current = new_span()
        return self.current

    def tried(self, attempt: Try) -> None:
        """Remember an attempt that has ended."""
        self.current = self.root
        if len(self.tries) < MOST:
            self.tries.append(attempt)


def new_span() -> str:
    """A span's id: 16 hexadecimal digits; it is no secret, and `secrets` would cost a system call for each."""
    return f"{random.getrandbits(64):016x}"


def begin(header: bytes, correlation_id: str, share: float) -> Trace | None:
    """The trace of a request: that of its caller's `traceparent`, or one that is its correlation id.

    None where it is not to be collected: the caller says so, or it is not among the `share` (0 to 1) that is.
    """
    found = _PARENT.fullmatch(header) if header else None
    if found and int(found[1], 16) and int(found[2], 16):
        return Trace(found[1].decode(), found[2].decode()) if int(found[3], 16) & _SAMPLED else None
    id_ = trace_id(correlation_id)
    return Trace(id_) if int(id_[-14:], 16) < share * _ALL else None


def trace_id(correlation_id: str) -> str:
    """A correlation id as the id of a trace: itself if it can be one, else a digest of it."""
    if _ID.fullmatch(correlation_id) and int(correlation_id, 16):
        return correlation_id
    return blake2b(correlation_id.encode(), digest_size=16).hexdigest()


def current() -> Trace | None:
    """The current request's trace, where there is one."""
    found: Trace | None = facts().get(FACT)
    return found


def parent_header() -> dict[str, str]:
    """What tells the server that is asked now which trace that belongs to; nothing while traces are not collected."""
    found = current()
    return {} if found is None else {PARENT: f"00-{found.id}-{found.current}-01"}

"""Questions an operator asks when something is wrong. One file per question offers one `Check`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from homeport.diagnostics._scene import Scene

Status = Literal["ok", "warn", "fail", "skip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check saw and what to do about it."""

    status: Status
    saw: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question, and who must have answered first."""

    order: int
    """Its place on the path from configuration to answer; the lowest is asked first."""
    question: str
    look: Callable[[Scene], Awaitable[Finding]]
    after: tuple[str, ...] = field(default=())
    """Checks (by file name) that must have found something to build on; otherwise this one is skipped."""
    role: Literal["instance", "gateway", "both"] = "instance"
    """Whose check it is: a gateway has no data directory, no database and no token of its own."""
    behind: tuple[str, ...] = field(default=())
    """Checks that must be done before this one, whatever they found: it takes their findings into account."""

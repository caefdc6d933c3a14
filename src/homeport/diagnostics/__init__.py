"""Questions an operator asks when something is wrong. One file per question offers one `Check`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from homeport.diagnostics._scene import Scene

Status = Literal["ok", "warn", "fail", "skip"]
_PLACEHOLDERS = {"endpoint": "URL", "identifier": "ID"}


class Change(NamedTuple):
    """A field of a registration that should be something else."""

    field: str
    """As in `Model`; `limits.…` and `options.…` for those."""
    value: str = ""
    """What it had better be; empty where only a person knows."""
    beta: bool = False
    """It is a family that needs the opt-in."""

    def command(self, model: str) -> str:
        """The command that makes the change."""
        name = self.field.removeprefix("limits.")
        value = shlex.quote(self.value) if self.value else _PLACEHOLDERS.get(name, "…")
        edit = f"homeport models edit {shlex.quote(model)}"
        if name == "key":
            return f"{edit} --api-key-env VAR (or --api-key-file FILE)"
        if name.startswith("options."):
            return f"{edit} --option {name.removeprefix('options.')}={value}"
        return f"{edit} --{name.replace('_', '-')} {value}{' --beta' if self.beta else ''}"


class Doubt(NamedTuple):
    """What looks odd about a registration; it does not forbid it."""

    said: str
    change: Change | None = None

    def told(self, model: str) -> str:
        """With the command that mends it."""
        return f"{self.said}: {self.change.command(model)}" if self.change else f"{self.said}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check saw and what to do about it."""

    status: Status
    saw: str
    fix: str = ""
    change: Change | None = None
    """The same as a change to the registration, where it is one."""


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

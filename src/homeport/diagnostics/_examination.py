"""What `homeport doctor` asks, asked by the server itself; the last result is kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from homeport import diagnostics
from homeport.diagnostics import Check, Finding
from homeport.diagnostics._front_door import AGENT, FrontDoor
from homeport.diagnostics._run import run
from homeport.diagnostics._scene import Scene
from homeport.kit.discover import discover
from homeport.kit.upstream_http import HttpUpstream

if TYPE_CHECKING:
    from homeport.kit.settings import Settings
    from homeport.kit.upstream import Upstream


@dataclass(slots=True, kw_only=True)
class Examination:
    """One run of all checks."""

    checks: dict[str, Check]
    began: datetime
    found: dict[str, tuple[Finding, float]] = field(default_factory=dict)
    """By check: what it saw, and the seconds that took."""
    task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether there is more to come."""
        return self.task is not None and not self.task.done()

    @property
    def broken(self) -> list[str]:
        """Checks that failed."""
        return [name for name, (found, _) in self.found.items() if found.status == "fail"]

    @property
    def odd(self) -> list[str]:
        """Checks that warn."""
        return [name for name, (found, _) in self.found.items() if found.status == "warn"]


@dataclass(slots=True, kw_only=True)
class Examiner:
    """Asks every check, one run at a time."""

    settings: Settings
    upstream: Upstream
    known: Examination | None = None
    """The last run, or the one that goes on."""

    def begin(self, here: str) -> Examination:
        """Begin to ask everything of this server, which listens `here`, or give the run that goes on.

        Our own token goes to where the operator said that we are; never to what an administrator says.
        """
        if self.known is None or not self.known.running:
            checks = {name: each for name, each in discover(diagnostics, Check).items() if each.role != "gateway"}
            self.known = Examination(checks=checks, began=datetime.now(UTC))
            self.known.task = asyncio.create_task(self._examine(self.known, self.settings.url.rstrip("/") or here))
        return self.known

    async def _examine(self, known: Examination, address: str) -> None:
        def seen(name: str, finding: Finding, took_s: float) -> None:
            known.found[name] = (finding, took_s)

        ourselves = HttpUpstream(ca_file=self.settings.ca_file)
        try:
            door = FrontDoor(ourselves, address, self.settings.known_token, AGENT)
            scene = Scene(settings=self.settings, upstream=self.upstream, door=door)
            await run(known.checks, scene, done=seen)
        finally:
            await ourselves.close()

"""Asks the checks: in the order of what builds on what, and otherwise at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding
from homeport.domain.errors import HomeportError
from homeport.kit.vault import VaultError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from homeport.diagnostics._scene import Scene

Asked = asyncio.Task[tuple[Finding, float]]

LONGEST_S = 60.0
"""Seconds that one check may take."""


Done = Callable[[str, Finding, float], None]
"""Told the check's name, what it saw and how many seconds that took."""


async def run(checks: Mapping[str, Check], scene: Scene, *, done: Done = lambda *_: None) -> dict[str, Finding]:
    """Every finding by check, in their order; `done` is told each as soon as those before it are known."""
    order = sorted(checks, key=lambda name: (checks[name].order, name))
    tasks: dict[str, Asked] = {}
    async with asyncio.TaskGroup() as group:
        for name in order:
            tasks[name] = group.create_task(_ask(name, checks, scene, tasks))
        for name in order:
            done(name, *await tasks[name])
    return {name: tasks[name].result()[0] for name in order}


async def _ask(
    name: str, checks: Mapping[str, Check], scene: Scene, tasks: Mapping[str, Asked]
) -> tuple[Finding, float]:
    check = checks[name]
    if scene.gateway and check.role == "instance":
        return Finding(status="skip", saw="Not tried: a gateway has none."), 0.0
    await asyncio.gather(*(tasks[before] for before in (*check.after, *check.behind) if before in tasks))
    lacking = [before for before in check.after if before in tasks and before not in scene.passed]
    if lacking:
        return Finding(status="skip", saw=_why_not(lacking, scene)), 0.0
    started = time.perf_counter()
    finding = await _look(check, scene)
    if finding.status != "skip":
        (scene.failed if finding.status == "fail" else scene.passed).add(name)
    return finding, time.perf_counter() - started


def _why_not(lacking: Sequence[str], scene: Scene) -> str:
    """Those that failed are the reason, and those that were not tried because of them are not told."""
    if failed := [before for before in lacking if before in scene.failed]:
        return f"Not tried because {', '.join(failed)} failed."
    return f"Not tried because {', '.join(lacking)} was not tried."


async def _look(check: Check, scene: Scene) -> Finding:
    """What the check saw; an error of ours is a finding like any other."""
    try:
        async with asyncio.timeout(LONGEST_S):
            return await check.look(scene)
    except (HomeportError, VaultError) as error:
        return Finding(status="fail", saw=error.saw, fix=error.fix)
    except TimeoutError:
        return Finding(status="fail", saw=f"No answer within {LONGEST_S:.0f} seconds.", fix="Try again later.")
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return Finding(status="fail", saw=f"{error.strerror or error}{where}.", fix="See that this user may read it.")

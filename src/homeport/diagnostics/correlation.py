"""Does one id lead through the whole life of a request?"""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from homeport.diagnostics._scene import Scene

TAIL = 2 * 1024 * 1024
"""Bytes of the log's end that are searched."""
TRIES, EVERY_S = 20, 0.1


async def look(scene: Scene) -> Finding:
    """The answer's own id, then the server's log file, where it is on this machine."""
    changed = {feature: got for feature, (sent, got) in scene.sent.items() if got != sent}
    if changed:
        feature, got = next(iter(changed.items()))
        saw = f"{feature} answered under the correlation id {shlex.quote(got)}, not under the one that was sent."
        return Finding(status="warn", saw=saw, fix="Something between here and Homeport changes X-Request-ID.")
    ids = [sent for sent, _ in scene.sent.values()]
    file = scene.settings.log_file
    if file is None or scene.settings.url or not file.is_file():
        return Finding(status="ok", saw="Answers carry the id that was sent; the log goes to standard error.")
    if lost := await _lost(file, ids):
        saw = f"{file} has no line about {lost[0]}, which was answered."
        fix = f"See that the server writes to {file} (restart it after the file was moved), and that the disk has room."
        return Finding(status="fail", saw=saw, fix=fix)
    return Finding(status="ok", saw=f"Answers and {file} carry the id that was sent.")


async def _lost(file: Path, ids: Iterable[str]) -> list[str]:
    """Those of which the log says nothing, a moment after they were answered."""
    lost = list(ids)
    for _ in range(TRIES):
        text = await asyncio.to_thread(_tail, file)
        lost = [each for each in lost if each.encode() not in text]
        if not lost:
            break
        await asyncio.sleep(EVERY_S)
    return lost


def _tail(file: Path) -> bytes:
    with file.open("rb") as log:
        log.seek(max(0, file.stat().st_size - TAIL))
        return log.read()


CHECK = Check(
    order=135,
    question="Does one id lead through the whole life of a request?",
    look=look,
    role="both",
    after=("feature_answers",),
)

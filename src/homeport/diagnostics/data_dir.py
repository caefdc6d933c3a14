"""Is the data directory there, ours to write, and closed to others?"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding

if TYPE_CHECKING:
    from pathlib import Path

    from homeport.diagnostics._scene import Scene

SECRETS = ("keys", "token")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


async def look(scene: Scene) -> Finding:
    """The directory and the modes of the files that hold secrets."""
    folder = scene.settings.data_dir
    if not folder.is_dir():
        return _missing(scene, folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        fix = "Give this user the right to write it, or set HOMEPORT_DATA_DIR to the directory that the server uses."
        return Finding(status="fail", saw=f"The data directory {folder} cannot be written.", fix=fix)
    open_files = [folder / name for name in SECRETS if _open_to_others(folder / name)]
    if open_files:
        names = " ".join(map(str, open_files))
        return Finding(status="fail", saw=f"Other users may read {names}.", fix=f"Run: chmod 600 {names}")
    return Finding(status="ok", saw=f"{folder}.")


def _missing(scene: Scene, folder: Path) -> Finding:
    if scene.settings.url:
        return Finding(status="skip", saw=f"This machine only asks {scene.settings.url}.")
    fix = "Start Homeport once with `homeport up`, or set HOMEPORT_DATA_DIR to the directory that the server uses."
    return Finding(status="fail", saw=f"There is no data directory {folder}.", fix=fix)


def _open_to_others(file: Path) -> bool:
    return os.name != "nt" and file.exists() and bool(file.stat().st_mode & _OTHERS)


CHECK = Check(
    order=20, question="Is the data directory there, writable and closed?", look=look, after=("configuration",)
)

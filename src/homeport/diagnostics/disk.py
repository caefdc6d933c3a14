"""Is there room on the disk that holds the database and the logs?"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding

if TYPE_CHECKING:
    from homeport.diagnostics._scene import Scene

LITTLE, LEAST = 1024**3, 64 * 1024**2
"""Bytes below which it is time to look, and below which a database is about to stop."""
FEW_FILES = 1000
_FIX = "Free some space, or move HOMEPORT_DATA_DIR to a larger disk."


async def look(scene: Scene) -> Finding:
    """Bytes and, where the file system counts them, files."""
    folder = scene.settings.data_dir
    free = shutil.disk_usage(folder).free
    files = os.statvfs(folder)
    saw = f"{free // 1024**2:,} MiB are free under {folder}."
    if files.f_files and files.f_favail < FEW_FILES:
        return Finding(status="fail", saw=f"Only {files.f_favail} more files fit under {folder}.", fix=_FIX)
    if free < LITTLE:
        return Finding(status="fail" if free < LEAST else "warn", saw=saw, fix=_FIX)
    return Finding(status="ok", saw=saw)


CHECK = Check(order=22, question="Is there room on the disk?", look=look, after=("data_dir",))

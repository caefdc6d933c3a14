"""Can the log be written where it shall be?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from homeport.diagnostics import Check, Finding

if TYPE_CHECKING:
    from pathlib import Path

    from homeport.diagnostics._scene import Scene


async def look(scene: Scene) -> Finding:
    """The file of the settings, or the folder that it would be made in."""
    file = scene.settings.log_file
    if file is None:
        return Finding(status="ok", saw="The log goes to standard error alone.")
    problem = _problem(file)
    if problem:
        fix = f"Make {file.parent} writable for the server's user, or set HOMEPORT_LOG_FILE to another path."
        return Finding(status="fail", saw=f"The log file {file} cannot be written: {problem}.", fix=fix)
    return Finding(status="ok", saw=f"{file} can be written.")


def _problem(file: Path) -> str:
    """What opening it for appending would fail with; nothing is made."""
    if file.exists():
        try:
            os.close(os.open(file, os.O_WRONLY | os.O_APPEND))
        except OSError as error:
            return (error.strerror or "no").lower()
        return ""
    if not file.parent.is_dir():
        return "there is no such directory"
    return "" if os.access(file.parent, os.W_OK | os.X_OK) else "its directory is not writable"


CHECK = Check(order=26, question="Can the log be written?", look=look, role="both", after=("configuration",))

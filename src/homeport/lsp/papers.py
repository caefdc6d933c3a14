"""Answers that are shown as documents: files in a folder that only their reader may see, gone with the editor."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path


class Papers:
    """A folder that is made when something is written."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    def write(self, name: str, text: str) -> Path:
        """Write a text; gives its file."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="homeport-"))
        file = self._folder / name
        file.write_text(text, encoding="utf-8")
        return file

    def close(self) -> None:
        """Remove everything."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

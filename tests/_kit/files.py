"""Files of cases that tests find in a folder."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def run_all(folder: Path, pattern: str, prefix: str) -> None:
    """Run every file of a folder once, as a module whose name begins with `prefix`: each registers its cases."""
    for path in sorted(folder.glob(pattern)):
        name = f"{prefix}_{path.stem}"
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, path)
            assert spec
            assert spec.loader
            sys.modules[name] = module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)

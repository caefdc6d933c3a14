"""A data directory of its own for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from commands import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """Where commands keep everything; it does not exist yet."""
    folder = tmp_path / "data"
    with clean_environment(folder):
        yield folder

"""A console for tests of pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from offices import Office, office_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """A console where nothing is set up and nobody signed in."""
    async with office_at(tmp_path) as made:
        yield made

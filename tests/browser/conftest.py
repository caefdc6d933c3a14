"""One browser for all tests of a process, and a console for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browsing import LOOKS, MISSING, Look, launched, visiting
from offices import office_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from browsing import Visit
    from playwright.async_api import Browser


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A real one."""
    if MISSING:
        pytest.skip(MISSING)
    async with launched() as found:
        yield found


@pytest.fixture
def look() -> Look:
    """How the visitor looks at pages, where a test does not say."""
    return LOOKS[0]


@pytest.fixture
async def stranger(browser: Browser, tmp_path: Path, look: Look) -> AsyncIterator[Visit]:
    """Somebody unknown, at a console that nobody has set up."""
    async with office_at(tmp_path) as office, visiting(browser, office, look) as made:
        yield made


@pytest.fixture
async def visit(stranger: Visit) -> Visit:
    """An administrator."""
    await stranger.sign_in()
    return stranger

"""Web pages with an editor that asks Homeport by way of the page's own server, as the console tells to write them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from node import CLIENTS, program
from set_ups import texts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from house import House
    from playwright.async_api import Browser, Page

PATIENCE_MS = 20_000


@contextlib.asynccontextmanager
async def web_page(
    house: House, browser: Browser, key: str, *packages: str, folder: Path = CLIENTS, script: str = ""
) -> AsyncIterator[Page]:
    """A client's page in a browser, with the console's script or what was built of it; no script may fail on it."""
    shown, handler = texts(house, key)
    process = await asyncio.create_subprocess_exec(
        program("node"),
        str(CLIENTS / "page.mjs"),
        str(folder),
        handler,
        script or shown,
        *packages,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    context = await browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    try:
        port = int(await process.stdout.readline())
        page, wrong = await context.new_page(), list[str]()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        await page.goto(f"http://127.0.0.1:{port}/")
        yield page
        assert not wrong, wrong
    finally:
        await context.close()
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()

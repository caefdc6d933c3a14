"""No page keeps anybody out: axe-core finds nothing on any, in either theme, at a desk and on a phone.

Pages are those of the shelf: a new one is covered without being listed here.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browsing import LOOKS, visiting
from offices import office_at
from townsfolk import addresses, settle_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from browsing import Visit
    from offices import Office
    from playwright.async_api import Browser

FOLDER = Path(__file__).with_name("axe")
PAGES = addresses()


@cache
def axe() -> str:
    return (FOLDER / "axe.min.js").read_text()


@pytest.fixture(scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """An office in full use."""
    async with office_at(tmp_path_factory.mktemp("town")) as office:
        await office.sign_in()
        await settle_in(office)
        yield office


@pytest.fixture(scope="module")
async def visitor(town: Office, browser: Browser) -> AsyncIterator[Visit]:
    """One browser for all pages."""
    async with visiting(browser, town) as visit:
        yield visit


async def barriers(visit: Visit) -> list[str]:
    """What axe finds on the page as it is shown."""
    found: list[dict[str, Any]] = await visit.page.evaluate("axe.run().then(({ violations }) => violations)")
    return [
        f"{each['id']}: {node['target']} {node['html'][:160]} {node['failureSummary']}"
        for each in found
        for node in each["nodes"][:3]
    ]


async def spills(visit: Visit) -> list[str]:
    """What makes the page wider than its window."""
    return await visit.page.evaluate(
        """() => document.documentElement.scrollWidth <= window.innerWidth ? [] :
            [...document.querySelectorAll("body *")]
            .filter((each) => each.getBoundingClientRect().right > window.innerWidth + 1)
            .slice(0, 3).map((each) => `wider than the window: ${each.outerHTML.slice(0, 160)}`)"""
    )


@pytest.mark.parametrize("path", PAGES)
async def test_nothing_keeps_anybody_out(visitor: Visit, path: str) -> None:
    if PAGES[path].see == "anyone":
        await visitor.context.clear_cookies()
    else:
        await visitor.keep_cookie()
    await visitor.go(path)
    await visitor.page.evaluate(axe())
    found = {}
    for look in LOOKS:
        await visitor.shown(look)
        found[look.name] = [*await barriers(visitor), *await spills(visitor)]
    assert not any(found.values()), json.dumps({name: each for name, each in found.items() if each}, indent=1)
    assert not visitor.odd


async def test_nor_does_a_panel_over_a_page(visitor: Visit) -> None:
    await visitor.keep_cookie()
    await visitor.go("/console/features")
    await visitor.page.locator("#open-chat").click()
    await visitor.page.locator("dialog[open] #serves").wait_for()
    await visitor.page.evaluate(axe())
    for look in LOOKS:
        await visitor.shown(look)
        assert [*await barriers(visitor), *await spills(visitor)] == [], look.name
    assert not visitor.odd


def test_axe_is_what_was_recorded() -> None:
    record = json.loads((FOLDER / "vendored.json").read_text())
    assert hashlib.sha256(axe().encode()).hexdigest() == record["sha256"], "run: sh tools/assets.sh"
    lock = json.loads((FOLDER.parents[2] / "tools" / "assets" / "package-lock.json").read_text())["packages"]
    package = lock["node_modules/axe-core"]
    assert record["axe-core"] == f"{package['version']} {package['license']}" == f"{package['version']} MPL-2.0"
    assert "Mozilla Public License" in (FOLDER / "LICENCE.txt").read_text()

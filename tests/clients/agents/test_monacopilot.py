"""Monaco, bundled into a web page, completes what is typed by way of Homeport."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browsing import MISSING, launched
from node import CLIENTS, installed, program, run
from set_ups import texts
from web_pages import web_page

if TYPE_CHECKING:
    from house import House

FOLDER = CLIENTS / "monaco"
LOADED = """
document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: "/built/page.css" }));
globalThis.MonacoEnvironment = { getWorker: () => new Worker("/built/worker.js", { type: "module" }) };
await import("/built/page.js");
"""
"""Where a bundler's own template would put what was built."""
ENTRIES = ("page=./page.js", "worker=./node_modules/monaco-editor/esm/vs/editor/editor.worker.js")


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
@pytest.mark.proves("monacopilot", "fill-in-the-middle")
async def test_monacopilot(house: House) -> None:
    packages = await installed(FOLDER)
    (FOLDER / "page.js").write_text(texts(house, "monacopilot")[0])
    bundle = (*ENTRIES, "--bundle", "--format=esm", "--loader:.ttf=dataurl", "--outdir=built")
    await run(program("node"), str(packages / "esbuild" / "bin" / "esbuild"), *bundle, folder=FOLDER)
    async with launched() as browser, web_page(house, browser, "monacopilot", folder=FOLDER, script=LOADED) as page:
        await page.locator(".monaco-editor .view-line").first.click()
        await page.keyboard.type("print(")
        ghost = page.locator(".ghost-text-decoration, .ghost-text")
        await ghost.first.wait_for()
        await page.keyboard.press("Tab")
        await page.get_by_text("print(one + two)").wait_for()
        assert house.models.heard[-1].json["prompt"] == "<|fim_prefix|>print(<|fim_suffix|>)<|fim_middle|>"

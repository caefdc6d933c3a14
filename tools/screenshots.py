"""Takes a picture of every page of the console: light and dark, wide and narrow, side by side in one file each.

    .venv/bin/python tools/screenshots.py [WORD …]

It opens each page of the shelf in Chromium, in an office in full use (tests/_kit/townsfolk.py), and writes
docs/concepts/console/NAME.webp and the list in docs/concepts/console-pages.md; with words, only pages whose
address has one of them.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from base64 import b64decode, b64encode
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "_kit"))

from browsing import LOOKS, launched, visiting  # noqa: E402 (beside the tests)
from offices import office_at  # noqa: E402 (as above)
from townsfolk import addresses, settle_in  # noqa: E402 (as above)

if TYPE_CHECKING:
    from browsing import Visit
    from playwright.async_api import Page

INTO = ROOT / "docs" / "concepts" / "console"
LIST = INTO.with_name("console-pages.md")
TALL = 1_500
"""Pixels of a page that are shown at most."""
JOIN = """async ([pictures, scale]) => {
  const images = await Promise.all(pictures.map(async (each) => {
    const image = new Image();
    image.src = `data:image/png;base64,${each}`;
    await image.decode();
    return image;
  }));
  const gap = 24, sizes = images.map((each) => [each.width * scale, each.height * scale]);
  const canvas = document.createElement("canvas");
  canvas.width = sizes.reduce((sum, [width]) => sum + width + gap, gap);
  canvas.height = Math.max(...sizes.map(([, height]) => height)) + 2 * gap;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#8a949e";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  images.reduce((left, each, at) => (pen.drawImage(each, left, gap, ...sizes[at]), left + sizes[at][0] + gap), gap);
  return canvas.toDataURL("image/webp", 0.8).split(",")[1];
}"""
"""A browser writes WebP; nothing else has to be installed for it."""


async def main(words: list[str]) -> None:
    """Every picture, or those that were asked for, and the page that shows them."""
    INTO.mkdir(exist_ok=True)
    wanted = [each for each in addresses() if not words or any(word in each for word in words)]
    with tempfile.TemporaryDirectory() as folder:
        async with (
            office_at(Path(folder), data_dir="/var/lib/homeport") as office,
            launched() as browser,
            visiting(browser, office) as visit,
        ):
            await visit.sign_in()
            await settle_in(office)
            drawing = await browser.new_page()
            for path in wanted:
                (INTO / f"{named(path)}.webp").write_bytes(await pictured(visit, drawing, path))
    LIST.write_text(listed())
    print(f"{len(wanted)} pictures in {INTO.relative_to(ROOT)}")


def named(path: str) -> str:
    """The name of a page's file."""
    known = path.removeprefix("/console").strip("/") or "overview"
    return re.sub(r"[^a-z]+", "-", known.lower()).strip("-")


async def pictured(visit: Visit, drawing: Page, path: str) -> bytes:
    """One page in every look, side by side."""
    if addresses()[path].see == "anyone":
        await visit.context.clear_cookies()
    else:
        await visit.keep_cookie()
    shots = []
    for look in sorted(LOOKS, key=lambda each: each.phone):
        await visit.shown(look)
        await visit.go(path)
        await visit.page.wait_for_load_state("networkidle")
        height = await visit.page.evaluate("document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": look.width, "height": min(height, TALL)}
        shots.append(b64encode(await visit.page.screenshot(full_page=True, clip=clip)).decode())  # type: ignore[arg-type]
    return b64decode(await drawing.evaluate(JOIN, [shots, 0.5]))


def listed() -> str:
    """The page of the documentation that shows them all."""
    shown = {named(path): (path, page) for path, page in addresses().items()}
    parts = [
        "# Every page of the console",
        "Made by `.venv/bin/python tools/screenshots.py`: each page in light and dark, 1280 and 360 pixels wide.",
    ]
    for name, (path, page) in shown.items():
        parts += [
            f"## {page.title}: `{path}`",
            f"![{page.title}, light and dark, wide and narrow](console/{name}.webp)",
        ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))

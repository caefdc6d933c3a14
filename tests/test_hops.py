"""The files that documentation says a request passes are those that it passes, in that order."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import FrameType

    from house import House

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "homeport"
SHELVES = ("protocols", "features", "providers")
ASKED = {"prompt": "def add(a, b):\n    ", "suffix": "\n"}


async def entered(house: House) -> list[str]:
    """Files of ours in the order in which the request of the pages first enters them."""
    seen: dict[str, None] = {}

    def note(frame: FrameType, event: str, _argument: object) -> None:
        file = Path(frame.f_code.co_filename)
        if event == "call" and file.is_relative_to(SOURCE):
            seen.setdefault(file.relative_to(SOURCE).as_posix())

    sys.setprofile(note)
    try:
        answer = await house.post("/v1/completions", ASKED)
    finally:
        sys.setprofile(None)
    assert answer.status == 200
    return list(seen)


@pytest.mark.parametrize("page", ["README.md", "docs/concepts/a-requests-life.md"])
async def test_a_request_passes_the_files_that_a_page_lists(house: House, page: str) -> None:
    text = (ROOT / page).read_text()
    assert 'POST /v1/completions {"prompt": "def add(a, b):\\n    ", "suffix": "\\n"}' in text
    hops = re.findall(r"^ \d  (\w+/\w+\.py)", text, flags=re.MULTILINE)
    passed = await entered(house)
    assert [file for file in passed if file in hops] == hops
    variants = [file for file in passed if re.fullmatch(rf"(?:{'|'.join(SHELVES)})/[a-z]\w*\.py", file)]
    assert set(variants) <= set(hops)

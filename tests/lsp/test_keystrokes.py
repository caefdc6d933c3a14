"""How many keystrokes of a recorded piece of typing need no question: they go along with what was suggested.

The model of these tests knows what the person is going to write, but is wrong from the start at half of all places,
and wherever there is a mistake ahead of the cursor. At three places in eight it is right for a word and goes wrong
then; at one in eight it is right to the end of the line. `bench/lsp.py --trace` replays the same keys with a real one.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import pytest

from homeport.lsp.asking import Completion, Place

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
TRACE = (ROOT / "tests" / "lsp" / "traces" / "inventory.txt").read_text()
WRONG = "todo()"
SHARE = 0.3
"""Of keystrokes that must be answered without a question."""


@pytest.fixture(scope="module")
def keystrokes() -> ModuleType:
    """The program's own replay."""
    spec = importlib.util.spec_from_file_location("keystrokes", ROOT / "bench" / "keystrokes.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["keystrokes"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Knows:
    """A model that knows the text which somebody is typing."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.asked = 0

    async def __call__(self, place: Place) -> Completion:
        self.asked += 1
        before = place.text[: place.offset]
        chance = crc32(before.encode()) % 8
        if not self._text.startswith(before) or chance < 4:
            return Completion(f"r{self.asked}", WRONG)
        line = self._text[len(before) :].partition("\n")[0]
        word, space, _ = line.partition(" ")
        return Completion(f"r{self.asked}", word + space + WRONG if chance < 7 else line)


def test_the_trace_is_what_a_person_types(keystrokes: ModuleType) -> None:
    *_, text = keystrokes.texts(TRACE)
    assert "minimum - item.stock" in text
    ast.parse(text)
    assert len(TRACE) > 1000
    assert 0.02 < TRACE.count(keystrokes.BACKSPACE) / len(TRACE) < 0.15


async def test_three_keystrokes_in_ten_need_no_question(keystrokes: ModuleType) -> None:
    *_, text = keystrokes.texts(TRACE)
    model = Knows(text)
    found = await keystrokes.replay(TRACE, model)
    assert found.keys == len(TRACE)
    assert found.answered + found.asked == found.keys
    assert found.asked == model.asked
    assert found.share >= SHARE, f"{found.share:.1%}"


async def test_a_model_that_is_always_wrong_is_always_asked(keystrokes: ModuleType) -> None:
    found = await keystrokes.replay(TRACE[:300], Knows("nothing like it"))
    assert found.share < 0.15

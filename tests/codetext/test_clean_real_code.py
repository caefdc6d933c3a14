"""Real code with a hole in it: the code that was there is an answer that belongs there."""

from __future__ import annotations

import random
import re
import sysconfig
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from homeport.codetext.clean import Cleaner, clean, clean_generation
from homeport.codetext.language import language_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STDLIB = Path(sysconfig.get_path("stdlib"))
OURS = Path(__file__).parents[2] / "src" / "homeport"
TOKEN = re.compile(r"\w+|[^\w\s]|\n[ \t]*|[ \t]+")
PYTHON = language_of("a.py")
HOLES = 600


def sources() -> list[str]:
    files = [*sorted(STDLIB.glob("[a-p]*.py"))[::2], *sorted(STDLIB.glob("asyncio/*.py")), *sorted(OURS.rglob("*.py"))]
    return [text for file in files if len(text := file.read_text(encoding="utf-8", errors="replace")) > 200]


def whole_lines(text: str, dice: random.Random) -> tuple[int, int]:
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    first = dice.randrange(len(starts) - 1)
    return starts[first], starts[min(first + dice.randint(1, 12), len(starts) - 1)]


def tokens(text: str, dice: random.Random) -> tuple[int, int]:
    at = dice.randrange(len(text))
    starts = [match.start() for match in TOKEN.finditer(text, at, at + 400)]
    return (starts[0], starts[min(dice.randint(1, 40), len(starts) - 1)]) if starts else (at, at)


def rest_of_line(text: str, dice: random.Random) -> tuple[int, int]:
    start, _ = tokens(text, dice)
    end = text.find("\n", start)
    return start, len(text) if end < 0 else end


def holes() -> Iterator[tuple[str, str, str]]:
    dice = random.Random(7)  # noqa: S311 (the same holes every time)
    texts = sources()
    for number in range(HOLES):
        text = dice.choice(texts)
        start, end = (whole_lines, tokens, rest_of_line)[number % 3](text, dice)
        if text[start:end].strip():
            yield text[:start], text[start:end], text[end:]


def test_code_that_belongs_there_stays() -> None:
    results = [(middle, clean(middle, before, after, language=PYTHON)) for before, middle, after in holes()]
    changed = [(middle, kept) for middle, kept in results if middle != kept]
    assert len(results) > HOLES * 0.8
    assert 1 - len(changed) / len(results) >= 0.99, changed


def test_streamed_code_that_belongs_there_stays() -> None:
    for before, middle, after in list(holes())[:60]:
        cleaner = Cleaner(before, after, language=PYTHON)
        parts = [middle[start : start + 5] for start in range(0, len(middle), 5)]
        assert "".join(map(cleaner.feed, parts)) + cleaner.end() == clean(middle, before, after, language=PYTHON)


SAMPLE = (OURS / "codetext" / "window.py").read_text(encoding="utf-8")
CURSOR = SAMPLE.index("    budget = max(budget, 0)")
BEFORE, ANSWER, AFTER = SAMPLE[:CURSOR], SAMPLE[CURSOR : CURSOR + 300], SAMPLE[CURSOR + 300 :]


def best_us(call: Callable[[], object], times: int = 20) -> float:
    """Microseconds of the fastest of several runs: what it costs on a machine that does nothing else."""
    runs = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        runs.append(time.perf_counter() - start)
    return min(runs) * 1e6


def stream(before: str, after: str, chunks: list[str]) -> None:
    cleaner = Cleaner(before, after, language=PYTHON)
    for chunk in chunks:
        cleaner.feed(chunk)
    cleaner.end()


def test_cleaning_is_cheap() -> None:
    """Measured 84, 3.2 and 62 µs on one core; the bounds leave room for slow and busy machines."""
    assert best_us(lambda: clean(ANSWER, BEFORE, AFTER, language=PYTHON)) < 300
    chunks = [ANSWER[start:end] for start, end in pairwise(range(0, 301, 6))]
    assert best_us(lambda: stream(BEFORE, AFTER, chunks)) / len(chunks) < 15
    assert best_us(lambda: clean_generation(f"```python\n{ANSWER}\n```\n", BEFORE, AFTER)) < 300


@pytest.mark.parametrize(
    "chunk", ["abcdefgh, ", "v = 1\n    ", "))))", " \n \n   ", "\n``` a", "    ", "``` ", "x\n", "Here is "]
)
def test_cost_grows_with_the_answer_and_not_faster(chunk: str) -> None:
    before, after = BEFORE + "\n        call(", ") + more(of, it)\n" + AFTER
    small = best_us(lambda: stream(before, after, [chunk] * 500), 3) / 500
    large = best_us(lambda: stream(before, after, [chunk] * 8000), 3) / 8000
    assert large < 4 * small + 10


@pytest.mark.parametrize("size", [400_000])
def test_large_files_cost_no_more(size: int) -> None:
    before, after = BEFORE * (size // len(BEFORE) + 1), AFTER * (size // len(AFTER) + 1)
    assert best_us(lambda: clean(ANSWER, before, after, language=PYTHON)) < 600

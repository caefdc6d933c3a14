"""What each rule of cleaning holds back: never more than it needs to decide, and on a plain line nothing.

A stage is fed character by character; what it has taken and not given yet is what it holds. The
bounds are those that the table in `homeport/codetext/clean.py` states.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeport.codetext import cursor, echo, fences, headings, lines, overlap, preface, prose, remarks, sentinels, stuck
from homeport.codetext.clean import Cleaner
from homeport.codetext.cursor import Cursor
from homeport.codetext.ends import Plain
from homeport.codetext.language import language_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PYTHON = language_of("a.py")
BEFORE = (
    "import os\n\n\ndef compute_total(items, tax):\n    total = 0\n    # Add them.\n    for item in items:\n        "
)
AFTER = " + tax)\n        total += item.price\n    return total * (1 + tax)\n\n\ndef main():\n    pass\n"
REST = " + tax)"
NAME = "shop/total.py"
TAGS = 41
"""The longest mark that an answer may begin with has one character more."""


class Stage(Protocol):
    """A rule of cleaning."""

    def feed(self, text: str, /) -> str: ...


def a_cursor(before: str = BEFORE, after: str = AFTER) -> Cursor:
    return Cursor(before, after, PYTHON, (NAME,))


def held(stage: Stage, text: str) -> Iterator[tuple[str, int]]:
    """After each character: what came so far, and how much of it is held.

    What was taken away is not held: it counts from the last moment at which everything was given.
    """
    given = 0
    for at, char in enumerate(text, 1):
        given += len(stage.feed(char))
        yield text[:at], at - given


def most_held(stage: Stage, text: str) -> int:
    return max((size for _, size in held(stage, text)), default=0)


PIECES = [
    *(
        "```python\n",
        "```\n",
        "Here is the code for it:\n",
        "The ",
        "`",
        "<think>",
        "<|fim_middle|>",
        "<|im",
        "</s>",
        "[MIDD",
    ),
    *(
        "total += item.price\n",
        "        total += item.price\n",
        "return",
        " + tax)",
        " + ta",
        "\n",
        "  ",
        "\t",
        "\r\n",
        "x",
    ),
    *(
        "# shop/total.py\n",
        "# Add",
        "def compute_total(items, tax):\n    total = 0\n",
        "for item in items:\n",
        "price(",
        ")",
    ),
    *(
        "call(call(call(call(call(call(call(call(",
        "y = compute(x)\n",
        "    y = compute(x)\n",
        "<code>",
        "b" * 40,
        "é😀",
    ),
]
TEXT = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
LONGEST_TOKEN = max(map(len, (*sentinels.SENTINELS, *sentinels.REMOVED, *sentinels.TAG_LIKE)))
FENCE_LINE = 60
"""Characters of a line that may be a fence: indentation, backticks and a word behind them."""


def tail_of_token(text: str) -> int:
    """Length of the ending that may become a token."""
    tokens = (*sentinels.SENTINELS, *sentinels.REMOVED, *sentinels.TAG_LIKE)
    sizes = [size for token in tokens for size in range(1, len(token)) if text.endswith(token[:size])]
    return max(sizes, default=0)


@settings(max_examples=80, deadline=None)
@given(TEXT)
def test_line_ends_hold_one_character(text: str) -> None:
    stage = Plain()
    seen = ""
    for char in text:
        seen += char
        stage.feed(char)
        assert stage.held == ("\r" if seen.endswith("\r") else "")


@settings(max_examples=80, deadline=None)
@given(TEXT)
def test_sentinels_hold_what_may_be_one_and_nothing_else(text: str) -> None:
    stage = sentinels.Stops(a_cursor(), ())
    seen = given = ""
    for char in text:
        seen += char
        given += stage.feed(char)
        if stage.cut:
            return
        assert len(seen) - len(given) == tail_of_token(seen) < LONGEST_TOKEN


@settings(max_examples=80, deadline=None)
@given(TEXT)
def test_a_preface_holds_white_space_and_a_mark(text: str) -> None:
    stage = preface.Preface(a_cursor())
    for seen, size in held(stage, text):
        if not stage.open:
            break
        visible = seen.lstrip()
        assert size <= preface.BLANK or visible
        if visible and visible[0] not in "<[" and not preface.LABEL.startswith(visible):
            pytest.fail(f"{seen!r} was held")


@settings(max_examples=80, deadline=None)
@given(TEXT)
def test_fences_hold_a_lead_and_a_fence(text: str) -> None:
    stage = fences.Unfence(a_cursor())
    given = 0
    for at, char in enumerate(text, 1):
        given += len(stage.feed(char))
        first = text[:at].lstrip()[:1]
        if first and not (first == "`" or first.isupper()):
            assert given == at
        elif not stage.cut and given:
            # Inside a fence only the newline with what may be the closing fence.
            assert at - given <= fences.LEAD + 2 * FENCE_LINE


@settings(max_examples=80, deadline=None)
@given(TEXT)
def test_a_heading_holds_what_may_name_the_file(text: str) -> None:
    forms = headings.headings((NAME,))
    stage = headings.Heading(a_cursor())
    for seen, _ in held(stage, text):
        if not stage.open:
            break
        line = seen.lstrip()
        assert "\n" not in line
        assert any(form.startswith(headings.essence(line)) for form in forms)


@settings(max_examples=80, deadline=None)
@given(TEXT)
def test_an_echo_holds_what_stands_before_the_cursor(text: str) -> None:
    stage = echo.Echo(a_cursor())
    starts = [cursor.ink(BEFORE[start:]) for start in (0, *(end.end() for end in re.finditer("\n", BEFORE)))]
    for seen, _ in held(stage, text):
        if not stage.open:
            break
        said = cursor.ink(seen)
        # Once an echo was taken away, what follows is looked at like a new answer.
        assert any(start.startswith(said) or said.startswith(start) for start in starts if start)


@settings(max_examples=80, deadline=None)
@given(TEXT)
def test_an_overlap_holds_what_agrees_with_what_follows(text: str) -> None:
    stage = overlap.Overlap(a_cursor(BEFORE + "total += (item.price"))
    for seen, size in held(stage, text):
        shown, ending = seen[: len(seen) - size], seen[len(seen) - size :].rstrip()
        # White space waits for something visible.
        space = len(ending) - len(ending.lstrip()) if not shown.strip() else 0
        assert size <= max(overlap.COPIES * len(REST), cursor.BELOW) + len(seen) - len(seen.rstrip()) + space
        assert any(agrees(ending[at:]) for at in range(space + 1))


def agrees(ending: str) -> bool:
    """Whether it is the rest of the line several times, or what follows as far as it goes."""
    copies = range(overlap.COPIES + 1)
    return any(ending.startswith(REST * n) and AFTER.startswith(ending[len(REST) * n :]) for n in copies)


@settings(max_examples=80, deadline=None)
@given(TEXT)
def test_remarks_hold_comments(text: str) -> None:
    stage = remarks.Remarks(a_cursor("x = 1\n", "\ny = 2\n"))
    for seen, size in held(stage, text):
        if any(line.strip() and not line.strip().startswith("#") for line in seen.split("\n")):
            assert size == 0
            assert not stage.open


@settings(max_examples=80, deadline=None)
@given(TEXT.map(lambda text: text.replace("\n", " ")))
def test_a_stuck_line_is_held_from_its_fourth_copy_on(text: str) -> None:
    stage = stuck.Stuck(a_cursor())
    for seen, size in held(stage, text):
        if stage.cut:
            break
        assert size <= max(stuck.MOST, stuck.LONGEST) + stuck.GRID
        if size:
            column = (len(seen) - size) // stuck.GRID * stuck.GRID
            recent = seen[max(column - stuck.TAIL, 0) : column]
            short = any(recent[period:] == recent[:-period] for period in range(1, stuck.PERIOD + 1))
            assert short or any(
                seen[column - stuck.COPIES * period : column - period]
                == seen[column - (stuck.COPIES - 1) * period : column]
                for period in range(stuck.PERIOD + 1, column // stuck.COPIES + 1)
            )


@settings(max_examples=80, deadline=None)
@given(TEXT)
def test_prose_holds_a_line_that_reads_like_a_sentence(text: str) -> None:
    stage = prose.Prose(a_cursor(), asked=True)
    for seen, size in held(stage, text):
        if not stage.open:
            break
        line = seen.lstrip().rpartition("\n")[2].lstrip()
        assert size <= len(seen) - len(seen.lstrip()) + prose.LOOK or line != seen.lstrip()
        assert not line or line[0].isupper()


@settings(max_examples=80, deadline=None)
@given(TEXT)
def test_lines_hold_one_line_and_what_looks_like_an_end(text: str) -> None:
    stage = lines.Lines(a_cursor())
    given = ""
    for at, char in enumerate(text, 1):
        given += stage.feed(char)
        if stage.cut:
            return
        whole = text[len(given) : at].split("\n")[:-1]
        earlier = given.split("\n")
        for line in filter(str.strip, whole):
            # Complete, and held all the same: it may be the code below or a loop.
            assert line.strip() in map(str.strip, AFTER.split("\n")) or line.strip() in map(str.strip, earlier)
            earlier.append(line)
        assert len(whole) <= 4 * lines.BLOCK


@settings(max_examples=80, deadline=None)
@given(st.text(alphabet="qzjkvw_ =+*.,:0123456789", min_size=1, max_size=90), st.integers(1, 12))
def test_a_plain_first_line_is_never_held(line: str, size: int) -> None:
    """Through all stages at once: what agrees with none of the rules is given the moment it comes."""
    line = "q" + line
    cleaner = Cleaner(BEFORE, "\n" + AFTER, language=PYTHON, names=(NAME,))
    given = ""
    for at in range(0, len(line), size):
        given += cleaner.feed(line[at : at + size])
        missing = len(line[: at + size]) - len(given)
        assert missing == 0 or stuck_so_far(line[: at + size])


def stuck_so_far(line: str) -> bool:
    """Whether a line goes round in circles: the only thing that stops one on its way."""
    return len(line) >= stuck.TAIL


CASES: list[tuple[str, Callable[[Cursor], Stage], str, int]] = [
    ("a mark", preface.Preface, "<|start_header_id|>assistant<|end_header_id|", TAGS + 5),
    ("a token", lambda at: sentinels.Stops(at, ()), "x<|finetune_right_pad_id|", 24),
    ("a sentence", fences.Unfence, "Here is " + "a long story " * 200, fences.LEAD + 1),
    ("a heading", headings.Heading, "# shop/total.py and more", len("# shop/total.py") + 2),
    ("an echo", echo.Echo, "for item in items:\n        x", len("for item in items:\n        ")),
    ("the line below", lines.Lines, "\n        total += item.pri", len("\n        total += item.pri")),
    ("the rest", overlap.Overlap, "x + tax", len(" + tax")),
    ("a comment", remarks.Remarks, "# Add them all up.\nx", len("# Add them all up.\n")),
    ("a plain line", echo.Echo, "quantity = 3", 0),
]


@pytest.mark.parametrize(("name", "stage", "text", "most"), CASES, ids=[case[0] for case in CASES])
def test_how_much_is_held_at_most(name: str, stage: Callable[[Cursor], Stage], text: str, most: int) -> None:
    at = a_cursor("x = 1\n", "\ny = 2\n") if name == "a comment" else a_cursor()
    assert most_held(stage(at), text) <= most

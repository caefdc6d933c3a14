"""What is answered without a question: as long as what was typed agrees with what was suggested."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol.types import Position

from homeport.lsp.positions import offset_at, position_at
from homeport.lsp.typed import KEPT, Suggestion, Typed, spot

BEFORE, AFTER, SAID = "def area(w, h):\n    return ", "\n\nprint(area(2, 3))\n", "w * h"


def kept(text: str = SAID, *, after: str = AFTER) -> Typed:
    typed = Typed()
    typed.keep(Suggestion("r1", spot(BEFORE + after, len(BEFORE)), text))
    return typed


def rest(typed: Typed, more: str, *, after: str = AFTER, before: str = BEFORE) -> tuple[str, int] | None:
    found = typed.rest(before + more + after, len(before) + len(more))
    return None if found is None else (found.text, found.replaces)


@pytest.mark.parametrize(
    ("more", "left"),
    [("", "w * h"), ("w", " * h"), ("w * ", "h"), ("w * h", None), ("h", None), ("w+", None)],
)
def test_typing_along(more: str, left: str | None) -> None:
    assert rest(kept(), more) == (None if left is None else (left, 0))


def test_a_mistake_taken_back_leads_back_to_the_suggestion() -> None:
    typed = kept()
    assert [rest(typed, more) for more in ("w", "wx", "w", "w ")] == [(" * h", 0), None, (" * h", 0), ("* h", 0)]


def test_other_code_around_is_another_place() -> None:
    assert rest(kept(), "w", after="\n") is None
    assert rest(kept(), "w", before=BEFORE.replace("area", "size")) is None
    assert rest(kept(), "", before=BEFORE[:-1]) is None


def test_nothing_to_say_is_known_too_but_only_there() -> None:
    assert rest(kept(""), "") == ("", 0)
    assert rest(kept(""), "w") is None


@pytest.mark.parametrize(
    ("closers", "said", "left"),
    [
        (")", "min(w, h)", ("w, h)", 1)),
        (")", "min(w, h", None),
        ("])", "min([w, h])", ("[w, h])", 2)),
        ("x", "min(xx)", None),
    ],
)
def test_brackets_that_the_editor_closed_are_replaced(closers: str, said: str, left: tuple[str, int] | None) -> None:
    assert rest(kept(said), "min(", after=closers + AFTER) == left


def test_the_newest_wins_and_the_oldest_goes() -> None:
    typed = kept()
    typed.keep(Suggestion("r2", spot(BEFORE + AFTER, len(BEFORE)), "h * w"))
    assert rest(typed, "") == ("h * w", 0)
    assert rest(typed, "w") is None
    for number in range(KEPT):
        other = BEFORE + "(" * number
        typed.keep(Suggestion(f"n{number}", spot(other + AFTER, len(other)), "1"))
    assert rest(typed, "h") is None


@settings(max_examples=20)
@given(st.text(st.sampled_from("aé😀\n\r \t\x0c\u2028"), max_size=40), st.data())
def test_positions_lead_there_and_back(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    inside = 0 < offset < len(text) and text[offset - 1 : offset + 1] == "\r\n"
    for encoding in ("utf-8", "utf-16", "utf-32"):
        position = position_at(text, offset, encoding)
        assert inside or offset_at(text, position, encoding) == offset, encoding


def test_positions_as_the_protocol_counts_them() -> None:
    text = "a😀b\nc\x0cd\r\nlast"
    assert offset_at(text, Position(0, 3)) == 2
    assert offset_at(text, Position(0, 99)) == 3
    assert offset_at(text, Position(1, 2)) == 6
    assert offset_at(text, Position(2, 4)) == offset_at(text, Position(9, 0)) == len(text)
    assert position_at(text, 2, "utf-8") == Position(0, 5)

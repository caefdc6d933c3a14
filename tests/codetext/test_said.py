"""An answer in words loses the tags of our own prompt and what it says over and over, however it was cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.codetext.rounds import ALONE, COPIES, Rounds
from homeport.codetext.said import Said

TAGS = ("changes", "question")
BLOCK = "Retry uploads that the server cut off\n\nLarge files failed when a proxy closed the connection.\n\n"
LINE = "    self.assertEqual(first_value, second_value)\n"


def kept(said: str, finish: str = "stop") -> str:
    said_by = Said(TAGS)
    return said_by.feed(said) + said_by.end(finish)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("", ""),
        ("plain", "plain"),
        ("<changes>\nRetry uploads\n</changes>", "Retry uploads\n"),
        ("\n<question>Retry uploads</question>\n", "Retry uploads"),
        ("<changes>\nRetry uploads", "Retry uploads"),
        ("<changes>a</changes>\n\n<changes>b</changes>", "a"),
        ("<changes>a</changes>\nb", "a\nb"),
        ("<changes>a</change", "a</change"),
        ("<change", "<change"),
        ("<changed>x</changed>", "<changed>x</changed>"),
        ("Look at <changes>.", "Look at <changes>."),
        ("<changes>a < b</changes>", "a < b"),
    ],
)
def test_our_own_tags_are_taken_away(said: str, answer: str) -> None:
    assert kept(said).rstrip() == answer.rstrip()


@pytest.mark.parametrize(
    ("copy", "copies", "left"),
    [
        (BLOCK, COPIES, 2),
        (BLOCK, 40, 2),
        (BLOCK, COPIES - 1, COPIES - 1),
        (LINE, ALONE, 2),
        (LINE, 100, 2),
        (LINE, ALONE - 1, ALONE - 1),
        ("It is written in the language of the file. ", 11, 2),
        ("It is short. ", 11, 11),
        ("| - | - |\n", 20, 20),
        ("\n", 50, 50),
    ],
)
def test_what_is_said_over_and_over_is_cut(copy: str, copies: int, left: int) -> None:
    assert kept("First of all.\n" + copy * copies).rstrip() == ("First of all.\n" + copy * left).rstrip()


def test_what_ends_a_repetition_is_given_with_it() -> None:
    said = BLOCK * 3 + "And that is all."
    rounds = Rounds()
    assert rounds.feed(said) + rounds.end() == said
    assert not rounds.cut


def test_a_third_copy_that_the_token_limit_cut_goes() -> None:
    assert kept(BLOCK * 2 + BLOCK[:50], "length") == BLOCK * 2


PARTS = ["<changes>", "</changes>", "<cha", "nges>", "\n", " ", BLOCK, BLOCK * 3, LINE * 4, "a", ". ", "<", "? B"]


@given(st.lists(st.sampled_from(PARTS), max_size=10), st.data())
def test_any_chunking_gives_the_same(parts: list[str], data: st.DataObject) -> None:
    said = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(said)), max_size=5)))
    pieces = [said[a:b] for a, b in zip([0, *cuts], [*cuts, len(said)], strict=True)]
    for chunks in (pieces, list(said)):
        keep = Said(TAGS)
        assert "".join([*map(keep.feed, chunks), keep.end()]) == kept(said)

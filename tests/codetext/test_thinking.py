"""Thoughts spoken aloud are taken away, however the answer was cut into pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.codetext.thinking import Thoughts, answer_of, without_thoughts


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("", ""),
        ("plain", "plain"),
        ("  plain", "  plain"),
        ("<think>hm</think>answer", "answer"),
        ("\n<think>\nhm\n</think>\n\nanswer\n", "answer\n"),
        ("<think></think>\n  indented", "indented"),
        ("<think>a</think>b</think>c", "b</think>c"),
        ("<think>cut short", ""),
        ("<think>a</think><think>b</think>\nc", "c"),
        ("<thinking>a</thinking>b", "b"),
        ("[THINK]a[/THINK]b", "b"),
        ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b", "b"),
        ("<think>hm</think>\n\n", ""),
        ("<thin", "<thin"),
        ("<thing>x</thing>", "<thing>x</thing>"),
        ("the tag <think>stays</think> here", "the tag <think>stays</think> here"),
        (" \n", " \n"),
    ],
)
def test_thoughts_are_taken_away(said: str, answer: str) -> None:
    assert without_thoughts(said) == answer


@given(
    st.lists(
        st.sampled_from(["<think>", "</think>", "<thi", "nk>", "ing>", "</thinking>", "a", "\n", " ", "<"]), max_size=8
    ),
    st.data(),
)
def test_any_chunking_gives_the_same(parts: list[str], data: st.DataObject) -> None:
    said = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(said)), max_size=5)))
    pieces = [said[a:b] for a, b in zip([0, *cuts], [*cuts, len(said)], strict=True)]
    thoughts = Thoughts()
    assert "".join([*map(thoughts.feed, pieces), thoughts.end()]) == without_thoughts(said)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("The user wants a word.\n</think>\n\nOK.", "OK."),
        ("</think>\nOK.", "OK."),
        ("<think>so</think>\nOK.", "OK."),
        ("The tag `</think>` ends a thought.\nOK.", "The tag `</think>` ends a thought.\nOK."),
        ("It is `<think>`, then\n</think>\nends it.", "It is `<think>`, then\n</think>\nends it."),
        ("OK.", "OK."),
    ],
)
def test_a_thought_that_the_template_began(said: str, answer: str) -> None:
    assert answer_of(said) == answer

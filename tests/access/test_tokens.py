from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.access import tokens


def test_a_token_has_the_published_layout() -> None:
    token = tokens.mint()
    assert re.fullmatch(tokens.PATTERN, token)
    assert tokens.well_formed(token)
    assert tokens.hint(token) == token[-4:]


def test_tokens_do_not_repeat() -> None:
    assert len({tokens.mint() for _ in range(2000)}) == 2000


def test_another_prefix_is_another_token() -> None:
    token = tokens.mint("hptest")
    assert token.startswith("hptest_")
    assert tokens.well_formed(token)
    assert not tokens.well_formed(token.replace("hptest_", "hp_"))


@given(at=st.integers(0, 38), char=st.sampled_from("0Zaz_-"))
def test_one_wrong_character_is_noticed(at: int, char: str) -> None:
    token = tokens.mint()
    wrong = token[:at] + char + token[at + 1 :]
    assert tokens.well_formed(wrong) == (wrong == token)


@given(st.text())
def test_no_other_text_is_well_formed(text: str) -> None:
    assert not tokens.well_formed(text)


def test_a_digest_depends_on_pepper_and_token() -> None:
    token = tokens.mint()
    digests = {
        tokens.digest(b"a" * 32, token),
        tokens.digest(b"b" * 32, token),
        tokens.digest(b"a" * 32, tokens.mint()),
    }
    assert len(digests) == 3
    assert {len(digest) for digest in digests} == {32}


def test_sealing_refuses_what_is_no_token() -> None:
    token = tokens.mint()
    assert tokens.seal(b"p" * 32, token) == tokens.digest(b"p" * 32, token)
    with pytest.raises(ValueError, match="no Homeport token"):
        tokens.seal(b"p" * 32, token + "x")

"""Constraints as Poetry reads them, and what serves when nothing satisfies one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.domain.errors import BadRequest
from homeport.domain.versions import BEYOND, Choice, choose, parse

KNOWN = ("1.0.0", "1.0.1", "1.1.0", "1.2.0", "2.0.0", "2.0.1", "0.9.0", "0.2.1", "0.2.3", "1.3.0-dev")


@pytest.mark.parametrize(
    ("constraint", "version"),
    [
        (None, "1.2.0"),
        ("", "1.2.0"),
        ("^1.0.0", "1.2.0"),
        ("^1", "1.2.0"),
        ("^2.0.1", "2.0.1"),
        ("^0.2", "0.2.3"),
        ("^0.2.2", "0.2.3"),
        ("^0", "0.9.0"),
        ("~1", "1.2.0"),
        ("~1.0", "1.0.1"),
        ("~1.0.0", "1.0.1"),
        ("~0.2.1", "0.2.3"),
        ("~=1.0", "1.2.0"),
        ("~=1.0.0", "1.0.1"),
        ("*", "2.0.1"),
        ("1.*", "1.2.0"),
        ("1.0.*", "1.0.1"),
        ("1.x", "1.2.0"),
        ("==1.*", "1.2.0"),
        ("!=2.*", "1.2.0"),
        ("1.0.1", "1.0.1"),
        ("v1.0.1", "1.0.1"),
        ("=1.0.1", "1.0.1"),
        ("==1.0.1", "1.0.1"),
        ("1.1", "1.1.0"),
        ("1.3.0-dev", "1.3.0-dev"),
        ("1.3.0.dev", "1.3.0-dev"),
        ("==1.3.0-dev", "1.3.0-dev"),
        (">=1.0,<1.2", "1.1.0"),
        (">=1.0 <1.2", "1.1.0"),
        (">= 1.0 , < 1.2", "1.1.0"),
        (">1.0.1,<=1.2.0", "1.2.0"),
        (">1.2.0,<2", None),
        ("<1", "0.9.0"),
        ("!=1.2.0,^1", "1.1.0"),
        ("^1.0.0 || ^2.0.0", "2.0.1"),
        ("^0.2|~1.0", "1.0.1"),
        ("  ^1.0.0 ", "1.2.0"),
    ],
)
def test_a_constraint_is_served_by(constraint: str | None, version: str | None) -> None:
    found = choose(constraint, KNOWN)
    assert found.satisfied is (version is not None)
    if version:
        assert found.version == version


@pytest.mark.parametrize(
    ("constraint", "version"),
    [
        ("1.0.7", "1.2.0"),
        ("^1.9", "1.2.0"),
        ("1.0.1-dev", "1.2.0"),
        ("~2.5", "2.0.1"),
        ("^3.0.0", "2.0.1"),
        ("3.0.2-dev", "2.0.1"),
        ("0.0.3", "0.9.0"),
        (">=1.0.0,<1.0.0", "1.2.0"),
    ],
)
def test_what_nothing_satisfies_gets_the_best_of_its_major(constraint: str, version: str) -> None:
    assert choose(constraint, KNOWN) == Choice(version, satisfied=False)


def test_a_pre_release_serves_when_there_is_nothing_else() -> None:
    assert choose("^1", ["1.0.0-dev"]) == Choice("1.0.0-dev", satisfied=False)
    assert choose("^1", ["1.9.0-dev", "1.0.0"]) == Choice("1.0.0", satisfied=True)
    assert choose("^1.5", ["1.9.0-dev", "1.0.0"]) == Choice("1.0.0", satisfied=False)


@pytest.mark.parametrize(
    "constraint",
    [
        "abc",
        "^",
        ">=",
        "1.2.3.4",
        "^1.0.0 and more",
        "1.0.0 1.1.0",
        "1.0.0;x",
        "||",
        "^1 ||",
        "1,,2",
        "^-1",
        "1..2",
        "latest",
        "^1\x00",
        "१.0",
    ],
)
def test_what_is_no_constraint_is_refused(constraint: str) -> None:
    with pytest.raises(BadRequest, match="Invalid version constraint") as refusal:
        choose(constraint, KNOWN)
    assert refusal.value.param == "prompt_version"


numbers = st.tuples(*[st.integers(0, 4)] * 3)


def text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


@given(bound=numbers, known=st.lists(numbers, min_size=1, unique=True))
def test_a_caret_keeps_the_first_number_that_is_not_zero(
    bound: tuple[int, int, int], known: list[tuple[int, int, int]]
) -> None:
    kept = next((place for place, number in enumerate(bound, 1) if number), 3)
    fitting = [each for each in known if each >= bound and each[:kept] == bound[:kept]]
    found = choose(f"^{text(bound)}", [text(each) for each in known])
    assert found.satisfied is bool(fitting)
    if fitting:
        assert found.version == text(max(fitting))


@given(low=numbers, high=numbers, known=st.lists(numbers, min_size=1, unique=True))
def test_a_range_holds_what_is_between(
    low: tuple[int, int, int], high: tuple[int, int, int], known: list[tuple[int, int, int]]
) -> None:
    fitting = [each for each in known if low <= each < high]
    found = choose(f">={text(low)},<{text(high)}", [text(each) for each in known])
    assert found.satisfied is bool(fitting)
    assert found.version in {text(each) for each in known}
    if fitting:
        assert found.version == text(max(fitting))


@given(st.text(alphabet="0123456789.^~<>=!*x|, -devab", max_size=24))
def test_any_text_is_read_or_refused(constraint: str) -> None:
    try:
        found = choose(constraint, KNOWN)
    except BadRequest:
        return
    assert found.version in KNOWN
    if constraint.strip():
        assert all(each.low <= BEYOND for clauses in parse(constraint) for each in clauses)

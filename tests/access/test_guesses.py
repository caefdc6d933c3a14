"""Who tries many different credentials is told to wait; who has one that is right never is."""

from __future__ import annotations

import pytest

from homeport.access.guesses import ADDRESSES, EVERY_S, FREE, KNOWN, Guesses
from homeport.domain.errors import TooMany


def spent(address: str = "192.0.2.1") -> Guesses:
    """One that has answered all that it does in a row."""
    guesses = Guesses()
    for number in range(FREE):
        guesses.refused(address, f"wrong {number}", now=0.0)
    return guesses


def test_many_different_ones_have_to_wait_and_for_how_long() -> None:
    guesses = spent()
    with pytest.raises(TooMany, match=r"from the address 192\.0\.2\.1") as told:
        guesses.refused("192.0.2.1", "another", now=0.0)
    assert told.value.retry_after_s == EVERY_S
    guesses.refused("192.0.2.1", "another", now=EVERY_S)
    with pytest.raises(TooMany) as told:
        guesses.refused("192.0.2.1", "one more", now=EVERY_S + 1.0)
    assert told.value.retry_after_s == EVERY_S - 1


def test_the_same_wrong_one_again_is_no_guess() -> None:
    guesses = Guesses()
    for _ in range(10 * FREE):
        guesses.refused("192.0.2.1", "expired", now=0.0)
    guesses.refused("192.0.2.1", "another", now=0.0)
    full = spent()
    full.refused("192.0.2.1", f"wrong {FREE - 1}", now=0.0)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "192.0.2.1", False),
        ("no:address", "no:address", True),
    ],
)
def test_whose_guesses_count_together(one: str, other: str, *, same: bool) -> None:
    guesses = spent(one)
    if not same:
        guesses.refused(other, "another", now=0.0)
        return
    with pytest.raises(TooMany):
        guesses.refused(other, "another", now=0.0)


def test_memory_has_a_bound_and_a_long_rest_gives_no_more_than_all() -> None:
    guesses = spent()
    for number in range(FREE):
        guesses.refused("192.0.2.1", f"later {number}", now=1e9)
    with pytest.raises(TooMany):
        guesses.refused("192.0.2.1", "another", now=1e9)
    for number in range(ADDRESSES):
        guesses.refused(f"address {number}", "wrong", now=1e9)
    known = guesses._of  # noqa: SLF001 (what the bound is about)
    assert len(known) == ADDRESSES
    assert "192.0.2.1" not in known
    assert all(len(each.tried) <= KNOWN for each in known.values())


def test_the_operator_hears_of_it_again_once_it_was_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    guesses, later = spent(), FREE * EVERY_S
    for now in (0.0, 0.0, later):
        for number in range(FREE + 1 if now else 1):
            try:
                guesses.refused("192.0.2.1", f"at {now}: {number}", now=now)
            except TooMany:
                continue
    said = capsys.readouterr()
    assert (said.out + said.err).count("many different wrong credentials come from one address") == 2

"""The token of an editor stands for its owner's: for code completion, for an hour, and no longer than that one."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from homeport.access import Need, tokens
from homeport.access.editors import LIFETIME_S, PREFIX
from homeport.access.gate import Gate
from homeport.domain.errors import NotAllowed, NotAuthenticated
from homeport.domain.models import Snapshot, Token

PEPPER = b"p" * 32
TOKEN = tokens.mint()
DIGEST = tokens.digest(PEPPER, TOKEN)
ROW = Token(name="laptop", owner="ada", digest=DIGEST, scopes=frozenset({"complete_code", "duo_chat", "admin"}))
DIRECT = Need("complete_code", direct=True)


class Place:
    """A gate whose one token can be changed."""

    def __init__(self, row: Token = ROW, pepper: bytes = PEPPER) -> None:
        self.snapshot = Snapshot(tokens={row.digest: row})
        self.gate = Gate(lambda: self.snapshot, pepper, editors=True)

    def give(self, now: float | None = None) -> str:
        assert self.gate.editors is not None
        given = self.gate.editors.give(DIGEST, now)
        assert given is not None
        return given.token


def bearer(token: str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", f"Bearer {token}".encode())]


def test_it_completes_code_and_does_nothing_else() -> None:
    place = Place()
    caller = place.gate.admit(bearer(place.give()), DIRECT)
    assert (caller.subject, caller.kind, caller.token) == ("ada", "direct", "laptop")
    assert caller.scopes == {"complete_code"}
    assert caller.expires == pytest.approx(time.time() + LIFETIME_S, abs=5)
    for need in (Need("complete_code"), Need("duo_chat"), Need("admin"), Need("")):
        with pytest.raises(NotAllowed, match="does not open this endpoint"):
            place.gate.admit(bearer(place.give()), need)
    for scope in ("duo_chat", "admin"):
        with pytest.raises(NotAllowed, match=f"lacks the scope {scope}"):
            place.gate.admit(bearer(place.give()), Need(scope, direct=True))


def test_it_ends() -> None:
    place = Place()
    just_ended = place.give(now=time.time() - LIFETIME_S - 1)
    with pytest.raises(NotAuthenticated, match="has expired"):
        place.gate.admit(bearer(just_ended), DIRECT)
    place.gate.admit(bearer(place.give(now=time.time() - LIFETIME_S + 5)), DIRECT)


def test_it_ends_with_the_token_that_it_stands_for() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=60)
    place = Place(replace(ROW, expires=soon))
    caller = place.gate.admit(bearer(place.give()), DIRECT)
    assert caller.expires == int(soon.timestamp())


@pytest.mark.parametrize(
    "now_there",
    [
        {},
        {DIGEST: replace(ROW, revoked=datetime.now(UTC))},
        {DIGEST: replace(ROW, expires=datetime.now(UTC) - timedelta(seconds=1))},
    ],
    ids=["gone", "revoked", "expired"],
)
def test_what_became_of_its_owners_token_counts_at_once(now_there: dict[bytes, Token]) -> None:
    place = Place()
    given = place.give()
    place.snapshot = Snapshot(tokens=now_there)
    with pytest.raises(NotAuthenticated, match="revoked or has expired"):
        place.gate.admit(bearer(given), DIRECT)
    assert place.gate.for_editor(bearer(TOKEN)) is None


def test_an_owner_who_may_no_longer_is_told_so() -> None:
    place = Place()
    given = place.give()
    withheld = frozenset({"complete_code"})
    place.snapshot = Snapshot(tokens={DIGEST: replace(ROW, scopes=frozenset(), withheld=withheld)})
    with pytest.raises(NotAllowed, match="ada may not use complete_code"):
        place.gate.admit(bearer(given), DIRECT)


def test_no_bit_of_it_can_be_changed() -> None:
    place = Place()
    given = place.give()
    raw = base64.urlsafe_b64decode(given.removeprefix(PREFIX))
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        forged = PREFIX + base64.urlsafe_b64encode(changed).decode()
        with pytest.raises(NotAuthenticated, match="was not accepted"):
            # a gate of its own: who tries many is told to wait
            Place().gate.admit(bearer(forged), DIRECT)


@pytest.mark.parametrize(("kept", "end"), [(-1, ""), (None, "A"), (-1, "*"), (-1, "é")])
def test_what_has_not_its_form_is_unknown(kept: int | None, end: str) -> None:
    place = Place()
    with pytest.raises(NotAuthenticated, match="was not accepted"):
        place.gate.admit(bearer(place.give()[:kept] + end), DIRECT)


def test_another_instance_does_not_know_it_and_none_is_given_where_that_is_off() -> None:
    given = Place().give()
    with pytest.raises(NotAuthenticated):
        Place(pepper=b"q" * 32).gate.admit(bearer(given), DIRECT)
    off = Gate(lambda: Snapshot(tokens={DIGEST: ROW}), PEPPER)
    assert off.for_editor(bearer(TOKEN)) is None
    with pytest.raises(NotAuthenticated):
        off.admit(bearer(given), DIRECT)

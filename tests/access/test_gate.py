from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from homeport.access import KNOWN, PUBLIC, SCOPES, Need, gate, tokens
from homeport.access.gate import Gate
from homeport.domain.errors import AuthUnavailable, BadRequest, NotAllowed, NotAuthenticated
from homeport.domain.models import Caller, Snapshot, Token

if TYPE_CHECKING:
    from collections.abc import Collection

    from homeport.access.gate import Verifier

PEPPER = b"p" * 32
TOKEN = tokens.mint()
COMPLETE = Need("complete_code")
Headers = list[tuple[bytes, bytes]]


def row(token: str = TOKEN, **fields: object) -> Token:
    base = Token(name="laptop", owner="ada", digest=tokens.digest(PEPPER, token), scopes=frozenset({"complete_code"}))
    return replace(base, **fields)  # type: ignore[arg-type]  # the fields of a Token


def bearer(token: str | bytes) -> Headers:
    value = token.encode() if isinstance(token, str) else token
    return [(b"host", b"x"), (b"authorization", b"Bearer " + value)]


class Door:
    """A gate whose snapshot can be changed."""

    def __init__(self, *rows: Token, fresh: bool = True, verifiers: tuple[Verifier, ...] = ()) -> None:
        self.fresh = fresh
        self.put(*rows)
        self.gate = Gate(lambda: self.snapshot, PEPPER, verifiers=verifiers, fresh=lambda: self.fresh)

    def put(self, *rows: Token) -> None:
        self.snapshot = Snapshot(tokens={each.digest: each for each in rows})


@pytest.mark.parametrize(
    "header",
    [
        (b"authorization", b"Bearer " + TOKEN.encode()),
        (b"authorization", b"bearer  " + TOKEN.encode() + b" "),
        (b"x-api-key", TOKEN.encode()),
        (b"api-key", TOKEN.encode()),
    ],
)
def test_every_carrier_leads_to_the_same_caller(header: tuple[bytes, bytes]) -> None:
    caller = Door(row()).gate.admit([(b"accept", b"*/*"), header], COMPLETE)
    assert caller == Caller(subject="ada", scopes=frozenset({"complete_code"}), token="laptop")


def test_the_same_credential_twice_is_one() -> None:
    headers = [*bearer(TOKEN), (b"x-api-key", TOKEN.encode())]
    assert Door(row()).gate.admit(headers, COMPLETE).subject == "ada"


@pytest.mark.parametrize("name", [b"authorization", b"x-api-key", b"api-key"])
def test_two_credentials_are_refused(name: bytes) -> None:
    with pytest.raises(BadRequest, match="two different credentials"):
        Door(row()).gate.admit([*bearer(TOKEN), (name, tokens.mint().encode())], COMPLETE)


@pytest.mark.parametrize("headers", [[], [(b"authorization", b"")], [(b"x-api-key", b" ")], [(b"cookie", b"token=x")]])
def test_no_credential_is_told_how_to_send_one(headers: Headers) -> None:
    with pytest.raises(NotAuthenticated, match="carries no credential") as caught:
        Door(row()).gate.admit(headers, KNOWN)
    assert "homeport tokens create" in caught.value.fix


def wrong_checksum(token: str) -> str:
    return token[:-1] + ("a" if token[-1] != "a" else "b")


BAD = {
    "unknown": tokens.mint(),
    "other prefix": tokens.mint("xx"),
    "personal token of GitLab": "glpat-" + "x" * 20,
    "openai": "sk-" + "a" * 48,
    "wrong checksum": wrong_checksum(TOKEN),
    "upper case": TOKEN.upper(),
    "lower case": TOKEN.lower(),
    "swapped case": TOKEN.swapcase(),
    "reversed": TOKEN[::-1],
    "truncated": TOKEN[:-1],
    "prefix only": "hp_",
    "first half": TOKEN[:20],
    "second half": TOKEN[20:],
    "too long": TOKEN + "a",
    "twice": TOKEN * 2,
    "twice with comma": f"{TOKEN},{TOKEN}",
    "twice with space": f"{TOKEN} {TOKEN}",
    "in quotes": f'"{TOKEN}"',
    "in brackets": f"<{TOKEN}>",
    "with scheme again": f"Bearer {TOKEN}",
    "with semicolon": TOKEN + ";",
    "with NUL": TOKEN + "\0",
    "NUL in front": "\0" + TOKEN,
    "with line end": TOKEN + "\nx",
    "with tab": TOKEN[:10] + "\t" + TOKEN[10:],
    "with dash": TOKEN.replace("_", "-"),
    "double underscore": TOKEN.replace("_", "__"),
    "percent-encoded": TOKEN.replace("_", "%5F"),
    "null": "null",
    "undefined": "undefined",
    "none": "None",
    "empty object": "{}",
    "sql": "' OR '1'='1",
    "sql in token": TOKEN[:-3] + "'--",
    "path": "../../etc/passwd",
    "template": "{{7*7}}",
    "jwt without signature": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln",
    "digest as text": tokens.digest(PEPPER, TOKEN).hex(),
    "digest as bytes": tokens.digest(PEPPER, TOKEN),
    "full-width digits": TOKEN.replace(TOKEN[5], "\uff11"),
    "cyrillic": TOKEN.replace("hp", "\u043d\u0440"),
    "not utf-8": b"\xff\xfe" * 10,
    "basic": b"Basic YWRhOnBhc3N3b3Jk",
    "long": "a" * 65_536,
    "name": "laptop",
    "owner": "ada",
}


@pytest.mark.parametrize("need", [KNOWN, COMPLETE, Need("admin")], ids=["known", "complete", "admin"])
@pytest.mark.parametrize("token", BAD.values(), ids=BAD.keys())
def test_a_bad_token_gets_the_one_answer(token: str | bytes, need: Need) -> None:
    door = Door(row())
    for _ in range(2):
        with pytest.raises(NotAuthenticated) as caught:
            door.gate.admit(bearer(token), need)
        assert caught.value.saw == "The credential was not accepted."
    assert door.gate.drain_last_used() == {}


@pytest.mark.parametrize("name", [b"x-api-key", b"api-key"])
@pytest.mark.parametrize("token", BAD.values(), ids=BAD.keys())
def test_a_bad_token_is_bad_in_every_carrier(token: str | bytes, name: bytes) -> None:
    value = token.encode() if isinstance(token, str) else token
    with pytest.raises(NotAuthenticated, match="was not accepted"):
        Door(row()).gate.admit([(name, value)], KNOWN)


def test_a_token_under_another_pepper_is_unknown() -> None:
    with pytest.raises(NotAuthenticated):
        Door(row(digest=tokens.digest(b"q" * 32, TOKEN))).gate.admit(bearer(TOKEN), KNOWN)


def test_a_malformed_token_is_never_looked_up() -> None:
    class Untouchable(dict[bytes, Token]):
        @override
        def get(self, *_args: object) -> Token | None:  # type: ignore[override]  # it must not be called at all
            raise AssertionError

    door = Gate(lambda: Snapshot(tokens=untouchable), PEPPER)
    untouchable = Untouchable()
    with pytest.raises(NotAuthenticated):
        door.admit(bearer(wrong_checksum(TOKEN)), KNOWN)


def test_a_missing_scope_is_named_with_the_command_that_helps() -> None:
    with pytest.raises(NotAllowed) as caught:
        Door(row()).gate.admit(bearer(TOKEN), Need("duo_chat"))
    assert "lacks the scope duo_chat" in caught.value.saw
    assert caught.value.fix.endswith("homeport tokens create --name NAME --scopes complete_code,duo_chat")


def test_an_old_scope_stands_for_the_new_ones() -> None:
    door = Door(row(scopes=frozenset({"code_suggestions"})))
    assert {"complete_code", "generate_code"} <= door.gate.admit(bearer(TOKEN), COMPLETE).scopes


def test_admin_does_not_include_the_rest() -> None:
    with pytest.raises(NotAllowed):
        Door(row(scopes=frozenset({"admin"}))).gate.admit(bearer(TOKEN), COMPLETE)


def test_anyone_may_use_what_is_public_even_with_a_bad_credential() -> None:
    for headers in ([], bearer("nonsense"), bearer(TOKEN)):
        assert Door().gate.admit(headers, PUBLIC) == gate.ANYONE


def test_bypass_admits_everyone_with_everything() -> None:
    door = Gate(Snapshot, PEPPER, bypass="always")
    caller = door.admit([], Need("admin"))
    assert (caller.kind, caller.scopes) == ("bypass", frozenset(SCOPES))


def test_expiry_is_checked_at_every_use(monkeypatch: pytest.MonkeyPatch) -> None:
    soon = datetime.now(UTC) + timedelta(days=1)
    door = Door(row(expires=soon))
    assert door.gate.admit(bearer(TOKEN), COMPLETE).expires == soon.timestamp()
    monkeypatch.setattr(time, "time", soon.timestamp)
    with pytest.raises(NotAuthenticated, match="was not accepted"):
        door.gate.admit(bearer(TOKEN), COMPLETE)


@pytest.mark.parametrize("change", [{"expires": datetime(2020, 1, 1, tzinfo=UTC)}, {"revoked": datetime.now(UTC)}])
def test_a_dead_token_that_is_still_listed_is_refused(change: dict[str, datetime]) -> None:
    with pytest.raises(NotAuthenticated):
        Door(row(TOKEN, **change)).gate.admit(bearer(TOKEN), COMPLETE)


def test_a_revoked_token_is_dead_with_the_next_snapshot() -> None:
    door = Door(row())
    door.gate.admit(bearer(TOKEN), COMPLETE)
    door.put()
    with pytest.raises(NotAuthenticated):
        door.gate.admit(bearer(TOKEN), COMPLETE)


def test_changed_scopes_count_with_the_next_snapshot() -> None:
    door = Door(row())
    door.gate.admit(bearer(TOKEN), COMPLETE)
    door.put(row(scopes=frozenset({"duo_chat"})))
    with pytest.raises(NotAllowed):
        door.gate.admit(bearer(TOKEN), COMPLETE)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "CACHED_TOKENS", 8)
    minted = [tokens.mint() for _ in range(30)]
    door = Door(*(row(token, name=f"t{number}") for number, token in enumerate(minted)))
    for token in minted * 2:
        door.gate.admit(bearer(token), COMPLETE)
        assert len(door.gate._tokens._known) <= 8  # noqa: SLF001 (the bound itself)


def test_an_unknown_token_is_not_called_wrong_while_the_database_is_away() -> None:
    door = Door(row(), fresh=False)
    with pytest.raises(AuthUnavailable) as caught:
        door.gate.admit(bearer(tokens.mint()), COMPLETE)
    assert (caught.value.status, caught.value.code, caught.value.retry_after_s) == (503, "auth_unavailable", 5)
    assert door.gate.admit(bearer(TOKEN), COMPLETE).subject == "ada"
    with pytest.raises(NotAuthenticated):
        door.gate.admit(bearer(wrong_checksum(TOKEN)), COMPLETE)


def test_uses_are_noted_and_handed_over_once() -> None:
    door = Door(row())
    before = datetime.now(UTC)
    door.gate.admit(bearer(TOKEN), COMPLETE)
    used = door.gate.drain_last_used()
    assert used.keys() == {tokens.digest(PEPPER, TOKEN)}
    assert before <= used[tokens.digest(PEPPER, TOKEN)] <= datetime.now(UTC)
    assert door.gate.drain_last_used() == {}


class Instance:
    """Knows one credential of another kind, and only together with a header."""

    def verify(self, token: str, headers: Collection[tuple[bytes, bytes]]) -> Caller | None:
        if token == "signed" and (b"x-instance", b"7") in headers:
            return Caller(subject="instance 7", kind="instance", scopes=frozenset({"complete_code"}))
        return None


def test_another_verifier_knows_another_kind() -> None:
    door = Door(row(), verifiers=(Instance(),))
    assert door.gate.admit([*bearer("signed"), (b"x-instance", b"7")], COMPLETE).kind == "instance"
    assert door.gate.admit(bearer(TOKEN), COMPLETE).kind == "personal"
    for headers in (bearer("signed"), bearer("other")):
        with pytest.raises(NotAuthenticated, match="was not accepted"):
            door.gate.admit(headers, COMPLETE)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_opens_its_own_need_only(scope: str) -> None:
    door = Door(row(scopes=frozenset({scope})))
    for need in SCOPES:
        if need == scope:
            assert door.gate.admit(bearer(TOKEN), Need(need)).subject == "ada"
        else:
            with pytest.raises(NotAllowed, match=need):
                door.gate.admit(bearer(TOKEN), Need(need))

"""Signed tokens at the gate: who the caller is, what is remembered, what is compared each time."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import issuer as gitlab
import jwt as pyjwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from issuer import INSTANCE, REALM, SERVICE, USER, b64, jwk, rsa_key, signed
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from homeport.access import KNOWN, PUBLIC, Need, gate, jwt
from homeport.access import signed as verifying
from homeport.access.alarm import Alarm
from homeport.access.direct import Direct, from_settings
from homeport.access.discovery import Published
from homeport.access.gate import Gate
from homeport.access.issuers import Issuer, Issuers, Times
from homeport.access.keys import Unusable, from_jwk, from_rsa, read_set
from homeport.access.signed import SignedVerifier
from homeport.domain.errors import BadConfiguration, BadRequest, NotAllowed, NotAuthenticated
from homeport.domain.models import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from homeport.domain.models import Caller

URL = "https://gitlab.test"
COMPLETE = Need("complete_code", direct=True)
SET = json.dumps({"keys": [jwk("k1", rsa_key()), jwk("e1", gitlab.ec_key())]}).encode()
Headers = list[tuple[bytes, bytes]]


def sent(token: str, **changes: str) -> Headers:
    """The headers of a request, as ASGI has them."""
    named = {"Host": "gateway.test", "Authorization": f"Bearer {token}", **gitlab.headers(**changes)}
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in named.items() if value]


def token(kid: str = "k1", iss: str = URL, **changes: Any) -> str:
    key = gitlab.ec_key() if kid == "e1" else rsa_key()
    return signed(key, {"kid": kid, "typ": "JWT"}, gitlab.claims(iss, **changes))


class Place:
    """A gate that knows one GitLab without asking it."""

    def __init__(self, *, unproven: bool = False, direct: Direct | None = None) -> None:
        self.member = Issuer(URL, None, Times())  # type: ignore[arg-type]  # nothing is fetched here
        self.issuers = Issuers([self.member])
        self.direct = direct or Direct(SERVICE, rsa_key("own"))
        self.publish(SET)
        self.verifier = SignedVerifier(self.issuers, self.direct, unproven=unproven)
        self.gate = Gate(Snapshot, b"p" * 32, verifiers=[self.verifier])
        self.checked = 0

    def publish(self, document: bytes) -> None:
        """As if it had been fetched."""
        self.member._take(Published(URL, read_set(document)))  # noqa: SLF001 (in place of a fetch)

    def admit(self, text: str, need: Need = COMPLETE, **changes: str) -> Caller:
        return self.gate.admit(sent(text, **changes), need)

    def count(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Count how often a signature is looked at."""
        verify = jwt.verify

        def counted(*arguments: Any) -> jwt.Claims:
            self.checked += 1
            return verify(*arguments)

        monkeypatch.setattr(jwt, "verify", counted)


@pytest.fixture
def place() -> Place:
    return Place()


# who it is


@pytest.mark.parametrize("kid", ["k1", "e1"])
def test_a_gitlab(place: Place, kid: str) -> None:
    text = token(kid)
    caller = place.admit(text)
    assert (caller.subject, caller.kind, caller.issuer) == (INSTANCE, "instance", URL)
    assert caller.scopes == set(gitlab.SCOPES)
    assert caller.token == ""
    assert caller.expires == json.loads(jws.extract_compact(text.encode()).payload)["exp"]


@pytest.mark.parametrize("aud", [SERVICE, [SERVICE], ["other", SERVICE], [SERVICE, SERVICE]])
def test_the_audience_may_be_one_of_several(place: Place, aud: Any) -> None:
    assert place.admit(token(aud=aud)).kind == "instance"


def test_a_gitlab_of_17_4_may_complete_and_generate(place: Place) -> None:
    text = token(scopes=["code_suggestions", "duo_chat"])
    for scope in ("complete_code", "generate_code", "duo_chat"):
        assert place.admit(text, Need(scope)).kind == "instance"
    with pytest.raises(NotAllowed, match="lacks the scope explain_code") as refusal:
        place.admit(text, Need("explain_code"))
    assert "GitLab Duo" in refusal.value.fix


def test_nobody_elses_signature_makes_an_administrator(place: Place) -> None:
    text = token(scopes=["complete_code", "admin", "read_models"])
    assert place.admit(text).scopes == {"complete_code"}
    with pytest.raises(NotAllowed, match="lacks the scope admin"):
        place.admit(text, Need("admin"))


@pytest.mark.parametrize("header", [{"typ": "jwt"}, {"typ": "JWT"}, {}])
def test_the_type_may_be_missing(place: Place, header: dict[str, str]) -> None:
    assert place.admit(signed(rsa_key(), {"kid": "k1", **header}, gitlab.claims(URL))).kind == "instance"


@pytest.mark.parametrize("claim", ["gitlab_realm", "gitlab_instance_id", "nbf", "iat", "jti"])
def test_what_a_token_need_not_say(place: Place, claim: str) -> None:
    assert place.admit(token(**{claim: ...})).kind == "instance"


@pytest.mark.parametrize("claim", ["gitlab_realm", "gitlab_instance_id", "jti"])
@pytest.mark.parametrize("value", ["", None])
def test_what_a_token_may_leave_empty(place: Place, claim: str, value: str | None) -> None:
    assert place.admit(token(**{claim: value})).kind == "instance"


def test_an_empty_claim_is_compared_with_nothing(place: Place) -> None:
    for headers in ({"X-Gitlab-Realm": ""}, {"X-Gitlab-Realm": "saas"}):
        assert place.admit(token(gitlab_realm=""), **headers).kind == "instance"


@pytest.mark.parametrize("off", [-59, -1, 0, 1, 59])
def test_clocks_may_differ_by_a_minute(place: Place, off: int) -> None:
    now = int(time.time())
    assert place.admit(token(exp=now + 60 + off if off < 0 else now + 3600, nbf=now + off, iat=now + off))
    assert place.admit(token(exp=now - 58))


@pytest.mark.parametrize("claims", [{"exp": -62}, {"nbf": 70}, {"iat": 70}])
def test_but_not_by_more(place: Place, claims: dict[str, int]) -> None:
    changes = {name: int(time.time()) + off for name, off in claims.items()}
    with pytest.raises(NotAuthenticated):
        place.admit(token(**changes))


def test_other_headers_are_nobodys_business(place: Place) -> None:
    kept = ("authorization", "x-gitlab-authentication-type", "x-gitlab-instance-id", "x-gitlab-realm")
    few = [(name, value) for name, value in sent(token()) if name.decode() in kept]
    assert len(few) == 4
    assert place.gate.admit(few, COMPLETE).kind == "instance"


@pytest.mark.parametrize("name", [b"x-api-key", b"api-key"])
def test_every_carrier_is_checked_alike(place: Place, name: bytes) -> None:
    text = token()
    headers = [(name, text.encode()) if each == b"authorization" else (each, value) for each, value in sent(text)]
    assert place.gate.admit(headers, COMPLETE).kind == "instance"
    with pytest.raises(NotAuthenticated, match="X-Gitlab-Authentication-Type is missing"):
        place.gate.admit([(name, text.encode())], COMPLETE)
    with pytest.raises(BadRequest, match="two different credentials"):
        place.gate.admit([*sent(text), (name, token().encode())], COMPLETE)


def test_public_endpoints_ask_nobody(place: Place) -> None:
    assert place.admit("a.b.c", PUBLIC) is gate.ANYONE


# what is remembered


def test_a_token_is_checked_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.count(monkeypatch)
    text = token()
    first = place.admit(text)
    assert all(place.admit(text) is first for _ in range(5))
    assert place.checked == 1


def test_headers_are_compared_every_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.count(monkeypatch)
    text = token()
    place.admit(text)
    for name, value in (("X-Gitlab-Realm", "saas"), ("X-Gitlab-Instance-Id", "another"), ("X-Gitlab-Realm", "")):
        with pytest.raises(NotAuthenticated, match=f"Header mismatch: {name}"):
            place.admit(text, **{name: value})
    with pytest.raises(NotAuthenticated, match="X-Gitlab-Authentication-Type is not oidc"):
        place.admit(text, **{"X-Gitlab-Authentication-Type": "jwt"})
    doubled = [*sent(text), (b"x-gitlab-realm", REALM.encode()), (b"x-gitlab-realm", b"saas")]
    with pytest.raises(NotAuthenticated, match="Header mismatch"):
        place.gate.admit(doubled, COMPLETE)
    without = [each for each in sent(text) if each[0] != b"x-gitlab-instance-id"]
    with pytest.raises(NotAuthenticated, match="X-Gitlab-Instance-Id is missing"):
        place.gate.admit([*without, (b"x-gitlab-realm", REALM.encode())], COMPLETE)
    assert place.checked == 1


def test_nothing_is_remembered_beyond_its_end(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    text = token(exp=int(now) + 100)
    place.admit(text)
    place.count(monkeypatch)
    monkeypatch.setattr(time, "time", lambda: now + 99)
    place.admit(text)
    assert place.checked == 0
    monkeypatch.setattr(time, "time", lambda: now + 101)
    place.admit(text)
    assert place.checked == 1
    monkeypatch.setattr(time, "time", lambda: now + 161)
    with pytest.raises(NotAuthenticated, match="has expired"):
        place.admit(text)


def test_everything_is_forgotten_when_keys_change(place: Place) -> None:
    text = token()
    place.admit(text)
    place.publish(SET)
    assert place.admit(text)
    place.publish(json.dumps({"keys": [jwk("e1", gitlab.ec_key())]}).encode())
    with pytest.raises(NotAuthenticated, match="not one of those that its issuer publishes"):
        place.admit(text)


def test_what_is_remembered_is_bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "REMEMBERED", 4)
    texts = [token("e1") for _ in range(11)]
    for text in texts * 2:
        place.admit(text)
        assert len(place.verifier._known) <= 4  # noqa: SLF001 (the bound itself)


def test_what_is_refused_is_not_remembered(place: Place) -> None:
    for number in range(20):
        with pytest.raises(NotAuthenticated):
            place.admit(token(exp=number))
    assert not place.verifier._known  # noqa: SLF001 (that there is nothing)


def test_a_token_that_begins_like_a_remembered_one(place: Place) -> None:
    text = token()
    place.admit(text)
    head, claims, sealed = text.split(".")
    forged = b64(gitlab.claims(URL, scopes=["admin"]))
    for wrong in (
        text[:-1],
        text + "A",
        f"{head}.{claims}.{sealed[::-1]}",
        f"{head}.{forged}.{sealed}",
        text[:-4] + "AAAA",
    ):
        with pytest.raises(NotAuthenticated):
            place.admit(wrong)


# tokens of our own


async def test_a_token_made_here_opens_what_takes_it(place: Place) -> None:
    made = await place.direct.mint(USER, REALM, INSTANCE)
    caller = place.admit(made.token)
    assert (caller.subject, caller.kind, caller.issuer) == (USER, "direct", SERVICE)
    assert caller.scopes == {"complete_code"}
    assert caller.expires == made.expires_at
    for need in (Need("complete_code"), KNOWN):
        with pytest.raises(NotAllowed, match="does not open this endpoint"):
            place.admit(made.token, need)
    with pytest.raises(NotAllowed, match="lacks the scope generate_code"):
        place.admit(made.token, Need("generate_code", direct=True))


@pytest.mark.parametrize("library", ["pyjwt", "joserfc"])
async def test_others_understand_a_token_made_here(place: Place, library: str) -> None:
    made = await place.direct.mint(USER, REALM, INSTANCE)
    public = rsa_key("own").public_key()
    if library == "pyjwt":
        claims = pyjwt.decode(made.token, public, algorithms=["RS256"], audience=SERVICE, issuer=SERVICE)
        header = pyjwt.get_unverified_header(made.token)
    else:
        found = jws.deserialize_compact(made.token, RSAKey.import_key(public), algorithms=["RS256"])
        claims, header = json.loads(found.payload), found.headers()
    assert header == {"alg": "RS256", "typ": "JWT", "kid": from_rsa(public).kid}
    now = time.time()
    assert set(claims) == {
        *("iss", "aud", "sub", "exp", "nbf", "iat", "jti"),
        *("gitlab_realm", "gitlab_instance_id", "scopes"),
    }
    assert claims["iss"] == claims["aud"] == SERVICE
    assert claims["exp"] - claims["iat"] == 3600
    assert now - 5 <= claims["nbf"] == claims["iat"] <= now
    assert (claims["sub"], claims["gitlab_realm"], claims["gitlab_instance_id"]) == (USER, REALM, INSTANCE)


async def test_no_two_tokens_are_the_same(place: Place) -> None:
    assert len({(await place.direct.mint(USER, REALM, INSTANCE)).token for _ in range(20)}) == 20


async def test_exchanging_the_signing_key() -> None:
    """The old key becomes the validation key, and later goes."""
    old, new = (gitlab.pem(rsa_key(name)) for name in ("own", "second"))
    before = Place(direct=from_settings(SERVICE, old, ""))
    between = Place(direct=from_settings(SERVICE, new, old))
    after = Place(direct=from_settings(SERVICE, new, ""))
    first = (await before.direct.mint(USER, REALM, INSTANCE)).token
    second = (await between.direct.mint(USER, REALM, INSTANCE)).token
    for each, accepted in ((before, {first}), (between, {first, second}), (after, {second})):
        for text in (first, second):
            if text in accepted:
                assert each.admit(text).kind == "direct"
            else:
                with pytest.raises(NotAuthenticated):
                    each.admit(text)


async def test_a_token_of_the_original_names_no_key() -> None:
    claims = gitlab.claims(SERVICE, sub=USER, gitlab_instance_id=INSTANCE, scopes=["code_suggestions"])
    text = pyjwt.encode(claims, rsa_key("own"), algorithm="RS256")
    place = Place(direct=from_settings(SERVICE, gitlab.pem(rsa_key("second")), gitlab.pem(rsa_key("own"))))
    assert place.admit(text).kind == "direct"
    assert place.admit(text, Need("generate_code", direct=True)).kind == "direct"
    with pytest.raises(NotAllowed):
        place.admit(text, Need("generate_code"))


async def test_without_a_configured_key_one_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("homeport.access.direct.log.warning", said.append, raising=False)
    place = Place(direct=from_settings(SERVICE, "", ""))
    assert not place.direct.keys
    made = [await place.direct.mint(USER, REALM, INSTANCE) for _ in range(2)]
    assert len(place.direct.keys) == len(said) == 1
    assert "AIGW_SELF_SIGNED_JWT__SIGNING_KEY" in said[0]
    assert [place.admit(each.token).kind for each in made] == ["direct", "direct"]


@pytest.mark.parametrize(
    "written",
    [
        lambda text: text,
        lambda text: text.replace("\n", "\\n"),
        lambda text: f"\n  {text}\n",
        lambda text: text.replace("\n", "\r\n"),
    ],
    ids=["as it is", "with escapes", "with space around", "with CRLF"],
)
def test_a_key_as_operators_write_it(written: Callable[[str], str]) -> None:
    found = from_settings(SERVICE, written(gitlab.pem(rsa_key("own"))), written(gitlab.public_pem(rsa_key()).decode()))
    assert list(found.keys) == [from_rsa(rsa_key(name).public_key()).kid for name in ("own", "first")]


@pytest.mark.parametrize(
    "text", ["x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", gitlab.pem(gitlab.ec_key())]
)
@pytest.mark.parametrize("which", ["SIGNING", "VALIDATION"])
def test_a_key_that_is_none(text: str, which: str) -> None:
    with pytest.raises(BadConfiguration) as refusal:
        from_settings(SERVICE, *((text, "") if which == "SIGNING" else ("", text)))
    assert f"AIGW_SELF_SIGNED_JWT__{which}_KEY" in refusal.value.saw
    assert text not in str(refusal.value)


@pytest.mark.parametrize("which", ["SIGNING", "VALIDATION"])
def test_a_key_that_is_weak(which: str) -> None:
    text = gitlab.pem(rsa_key("weak", 1024))
    with pytest.raises(BadConfiguration, match="1024 bits"):
        from_settings(SERVICE, *((text, "") if which == "SIGNING" else ("", text)))


# bypasses


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was logged at the highest level."""
    words: list[str] = []
    monkeypatch.setattr("homeport.access.alarm.log.critical", words.append, raising=False)
    return words


def test_signatures_may_be_ignored_but_nothing_else(said: list[str]) -> None:
    place = Place(unproven=True)
    text = token(iss="https://anybody.test")
    assert place.admit(text[:-10] + "AAAAAAAAAA").kind == "instance"
    assert said == ["a token was accepted without a look at its signature, which is switched off"]
    for changes in ({"exp": 1}, {"aud": "other"}, {"scopes": ...}, {"iss": ...}, {"sub": "another"}):
        with pytest.raises(NotAuthenticated):
            place.admit(token(**changes))
    with pytest.raises(NotAuthenticated):
        place.admit(f"{b64({'alg': 'none'})}.{text.split('.')[1]}.")


@pytest.mark.parametrize("value", [b"", b"false", b"True", b"1", b"true ", b"true,true"])
def test_a_bypass_by_header_wants_the_very_header(value: bytes) -> None:
    door = Gate(Snapshot, b"p" * 32, bypass="header")
    with pytest.raises(NotAuthenticated):
        door.admit([(b"bypass-auth", value)], COMPLETE)
    with pytest.raises(NotAuthenticated):
        door.admit([], COMPLETE)


def test_a_bypass_by_header(said: list[str]) -> None:
    headers = [(b"bypass-auth", b"true")]
    assert Gate(Snapshot, b"p" * 32, bypass="header").admit(headers, Need("admin")).kind == "bypass"
    assert said == ["a request was let in without authentication, which is switched off"]
    with pytest.raises(NotAuthenticated):
        Gate(Snapshot, b"p" * 32).admit(headers, COMPLETE)


def test_an_alarm_is_loud_but_does_not_flood(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    alarm = Alarm("it burns")
    for after in (0, 1, 59, 61, 62, 130):
        monkeypatch.setattr(time, "monotonic", lambda after=after: now + after)
        alarm.ring()
    assert said == ["it burns"] * 3


# against other implementations

KEYS = {"k1": from_rsa(rsa_key().public_key(), "k1"), "e1": from_jwk(jwk("e1", gitlab.ec_key()))}
GOOD = [token("k1"), token("e1")]


def ours(text: bytes) -> bool:
    """Whether we take a token for proven."""

    def find(opened: jwt.Opened) -> list[Any]:
        if opened.issuer != URL or opened.kid not in KEYS:
            raise jwt.Refused
        return [KEYS[opened.kid]]

    try:
        jwt.verify(text, find, SERVICE, time.time())
    except jwt.Refused:
        return False
    return True


def theirs(text: bytes) -> tuple[bool, bool]:
    """Whether PyJWT and joserfc do."""
    found = []
    for kid, algorithm, key in (("k1", "RS256", rsa_key()), ("e1", "ES256", gitlab.ec_key())):
        kind = RSAKey if algorithm == "RS256" else ECKey
        try:
            claims = pyjwt.decode(text, key.public_key(), algorithms=[algorithm], audience=SERVICE, leeway=60)
            one = claims["iss"] == URL and pyjwt.get_unverified_header(text)["kid"] == kid
        except (pyjwt.PyJWTError, KeyError):
            one = False
        try:
            jws.deserialize_compact(text, kind.import_key(gitlab.public_pem(key)), algorithms=[algorithm])
            other = True
        except Exception:  # noqa: BLE001 (whatever it makes of such a text)
            other = False
        found.append((one, other))
    return any(one for one, _ in found), any(other for _, other in found)


def test_all_take_what_is_right() -> None:
    for text in GOOD:
        assert ours(text.encode())
        assert theirs(text.encode()) == (True, True)


@given(which=st.sampled_from(GOOD), at=st.integers(0, 2_000), put=st.binary(max_size=3), cut=st.integers(0, 3))
def test_nobody_takes_what_was_changed(which: str, at: int, put: bytes, cut: int) -> None:
    good = which.encode()
    at %= len(good)
    changed = good[:at] + put + good[at + cut :]
    if changed == good:
        return
    assert not ours(changed)


@given(
    header=st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "b64"]),
        st.sampled_from(["RS256", "ES256", "none", "k1", "e1", "JWT", "", None, []]),
    ),
    claims=st.fixed_dictionaries(
        {
            "iss": st.sampled_from([URL, "x"]),
            "aud": st.sampled_from([SERVICE, [SERVICE], "x"]),
            "exp": st.sampled_from([1, time.time() + 900, 4e9]),
            "sub": st.just("s"),
            "scopes": st.just(["complete_code"]),
        }
    ),
    key=st.sampled_from(["k1", "e1"]),
)
def test_what_we_take_others_take(header: dict[str, Any], claims: dict[str, Any], key: str) -> None:
    body = f"{b64(header)}.{b64(claims)}"
    text = f"{body}.{b64(_seal(key, body.encode()))}".encode()
    if ours(text):
        assert theirs(text) == (True, True)


def _seal(kid: str, body: bytes) -> bytes:
    """A genuine signature."""
    algorithm = pyjwt.get_algorithm_by_name("RS256" if kid == "k1" else "ES256")
    return algorithm.sign(body, rsa_key() if kid == "k1" else gitlab.ec_key())


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_order(text: bytes) -> None:
    assert not ours(text)
    assert not ours(b".".join([text, text, text]))
    assert not ours(b".".join(b64(part).encode() for part in (text, text, text)))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5) | st.integers(-(2**53), 2**53),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["kty", "kid", "n", "e", "x", "y", "crv", "alg", "use", "key_ops", "keys"]),
                inner,
                max_size=6,
            )
        ),
    )
)
def test_any_document_is_a_set_or_unusable(document: Any) -> None:
    try:
        found = read_set(json.dumps(document).encode())
    except Unusable:
        return
    assert found.keys

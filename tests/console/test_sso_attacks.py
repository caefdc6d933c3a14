"""Single sign-on with a provider that misbehaves, and with browsers that do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode

import pytest
from issuer import b64, ed_key, jwk, public_pem, rsa_key, signed
from offices import office_at
from single_sign_on import DOOR, HERE, SECRET, Rogue, Visitor, set_up

from homeport.access import errand as errands
from homeport.access import oidc, sessions
from homeport.store.records import User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from offices import Office
    from script import Peer


@pytest.fixture(scope="module")
async def open_office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Office, Rogue]]:
    """One console and one provider for all tests: a database takes a while."""
    async with office_at(tmp_path_factory.mktemp("attacked")) as office, Rogue().listening() as rogue:
        await office.store.set_user(User(name="root", role="admin"), by="tests")
        await set_up(office, rogue.url)
        yield office, rogue


@pytest.fixture
async def office(open_office: tuple[Office, Rogue]) -> Office:
    """Nothing is known of the provider, and of nobody that they are known to it."""
    office, rogue = open_office
    rogue.behave_again()
    if (await office.store.settings())["sso_issuer"] != rogue.url:
        await set_up(office, rogue.url)
    office.house.app.routes["/console"]._desk.single_sign_on = oidc.Providers()  # type: ignore[union-attr]  # noqa: SLF001 (nothing but a new process forgets it)
    office.house.logs.lines.clear()
    return office


@pytest.fixture
async def rogue(open_office: tuple[Office, Rogue], office: Office) -> Rogue:
    del office
    return open_office[1]


@pytest.fixture
def visitor(office: Office, rogue: Rogue) -> Visitor:
    return Visitor(office, rogue)


async def test_an_honest_sign_in(office: Office, rogue: Rogue, visitor: Visitor) -> None:
    told = await visitor.begin()
    assert told | {"state": "", "nonce": "", "code_challenge": ""} == {
        "response_type": "code",
        "client_id": "homeport",
        "redirect_uri": f"{visitor.at}{HERE}",
        "scope": "openid profile email",
        "state": "",
        "nonce": "",
        "code_challenge": "",
        "code_challenge_method": "S256",
    }
    shown = await visitor.back(state=told["state"], code="c-1")
    assert (shown.status, shown.location) == (303, f"{visitor.at}/console")
    assert visitor.cookies.keys() == {"homeport"}
    (redeemed,) = rogue.asked("/token")
    sent = {name: values[0] for name, values in parse_qs(redeemed.body.decode()).items()}
    assert {name: sent[name] for name in ("grant_type", "code", "redirect_uri")} == {
        "grant_type": "authorization_code",
        "code": "c-1",
        "redirect_uri": f"{visitor.at}{HERE}",
    }
    assert b64(hashlib.sha256(sent["code_verifier"].encode()).digest()) == told["code_challenge"]
    basic = base64.b64decode(redeemed.headers["authorization"].removeprefix("Basic ")).decode()
    assert basic == "homeport:s%3Ae+c%2Fr%25e%26t"
    assert not rogue.asked("/me"), "the token said enough"
    assert "Overview" in (await visitor.ask(shown.location)).text
    assert await office.store.identities()


# what the provider's tokens may not be


def forged(rogue: Rogue, header: dict[str, Any], key: bytes = b"") -> str:
    """A token with any header; signed with HMAC where there is a key."""
    signed_ = f"{b64(header)}.{b64(rogue.said())}"
    return f"{signed_}.{b64(hmac.digest(key, signed_.encode(), 'sha256')) if key else ''}"


def with_key(rogue: Rogue, name: str, kid: str = "k1") -> str:
    return signed(rsa_key(name), {"kid": kid}, rogue.said())


def honest_but(**header: Any) -> Callable[[Rogue], str]:
    return lambda rogue: signed(rogue.keys["k1"], {"kid": "k1"} | header, rogue.said())


def claiming(**claims: Any) -> Callable[[Rogue], str]:
    def make(rogue: Rogue) -> str:
        return signed(
            rogue.keys["k1"], {"kid": "k1"}, {n: v for n, v in (rogue.said() | claims).items() if v is not ...}
        )

    return make


def tampered(rogue: Rogue) -> str:
    head, _body, signature = rogue.honest().split(".")
    return f"{head}.{b64(rogue.said() | {'sub': 'root'})}.{signature}"


def eddsa(rogue: Rogue) -> str:
    text = f"{b64({'alg': 'EdDSA', 'kid': 'k1'})}.{b64(rogue.said())}"
    return f"{text}.{b64(ed_key().sign(text.encode()))}"


NOW = time.time()
TOKENS: dict[str, tuple[Callable[[Rogue], str], str]] = {
    "alg none": (lambda rogue: forged(rogue, {"alg": "none", "kid": "k1"}), "algorithm"),
    "alg None": (lambda rogue: forged(rogue, {"alg": "None", "kid": "k1"}), "algorithm"),
    "HS256 with the public key": (
        lambda rogue: forged(rogue, {"alg": "HS256", "kid": "k1"}, public_pem(rogue.keys["k1"])),
        "algorithm",
    ),
    "HS256 with the client's secret": (
        lambda rogue: forged(rogue, {"alg": "HS256", "kid": "k1"}, SECRET.encode()),
        "algorithm",
    ),
    "RS256 in name, HMAC in fact": (
        lambda rogue: forged(rogue, {"alg": "RS256", "kid": "k1"}, public_pem(rogue.keys["k1"])),
        "signature",
    ),
    "EdDSA": (eddsa, "algorithm"),
    "ES256 with an RSA key's id": (
        lambda rogue: signed(rogue.keys["e1"], {"kid": "k1"}, rogue.said()),
        "signature",
    ),
    "another's key": (lambda rogue: with_key(rogue, "other"), "signature"),
    "a key that is not published": (lambda rogue: with_key(rogue, "other", "k9"), "not one of those"),
    "no kid": (lambda rogue: signed(rogue.keys["k1"], {}, rogue.said()), "not one of those"),
    "a key of its own in the header": (honest_but(jwk=jwk("k1", rsa_key("other"))), "header"),
    "the address of keys in the header": (honest_but(jku="http://127.0.0.1:1/jwks"), "header"),
    "another type": (honest_but(typ="at+jwt"), "type"),
    "claims changed afterwards": (tampered, "signature"),
    "no signature": (lambda rogue: rogue.honest().rpartition(".")[0] + ".", "signature"),
    "two parts": (lambda rogue: rogue.honest().rpartition(".")[0], "compact"),
    "encrypted": (lambda _rogue: "a.b.c.d.e", "compact"),
    "not a token": (lambda _rogue: "hello", "compact"),
    "huge": (claiming(padding="x" * 20_000), "longer"),
    "surrogates": (lambda _rogue: "\ud800.x.y", "id_token"),
    "wrong iss": (claiming(iss="https://other.example.com"), "iss"),
    "iss with a slash more": (lambda rogue: claiming(iss=f"{rogue.url}/")(rogue), "iss"),
    "no iss": (claiming(iss=...), "iss"),
    "wrong aud": (claiming(aud="other"), "aud"),
    "no aud": (claiming(aud=...), "aud"),
    "aud is an object": (claiming(aud={"homeport": True}), "aud"),
    "two audiences without azp": (claiming(aud=["homeport", "other"]), "azp"),
    "two audiences, azp another": (claiming(aud=["homeport", "other"], azp="other"), "azp"),
    "azp another": (claiming(azp="other"), "azp"),
    "no nonce": (claiming(nonce=...), "nonce"),
    "nonce of another sign-in": (claiming(nonce="x" * 43), "nonce"),
    "nonce is a list": (claiming(nonce=["x"]), "nonce"),
    "expired": (claiming(exp=NOW - 120), "expired"),
    "no exp": (claiming(exp=...), "exp"),
    "exp is a text": (claiming(exp="tomorrow"), "exp"),
    "made in the future": (claiming(iat=NOW + 86_400), "not valid yet"),
    "not yet valid": (claiming(nbf=NOW + 86_400), "not valid yet"),
    "no iat": (claiming(iat=...), "iat"),
    "no sub": (claiming(sub=...), "sub"),
    "empty sub": (claiming(sub=""), "sub"),
    "sub is a number": (claiming(sub=7), "sub"),
    "long sub": (claiming(sub="s" * 256), "sub"),
}


@pytest.mark.parametrize("how", TOKENS)
async def test_a_bad_token_opens_nothing(office: Office, rogue: Rogue, visitor: Visitor, how: str) -> None:
    make, why = TOKENS[how]
    before = await office.store.audit(1)
    rogue.token = lambda: make(rogue)
    shown = await visitor.sign_in()
    assert shown.status in {400, 502}
    assert why in shown.text
    assert not visitor.signed_in
    assert await office.store.audit(1) == before
    told(office, shown.text)


def told(office: Office, text: str) -> None:
    """The page has the number under which the log tells more, and there is one such line."""
    (line,) = [each for each in office.house.logs.lines if each.get("message") == "single sign-on failed"]
    assert line["correlation_id"] in text
    assert line["reason"] in text


@pytest.mark.parametrize(
    "change",
    [{"aud": ["homeport"]}, {"aud": ["homeport", "other"], "azp": "homeport"}, {"azp": "homeport"}],
)
async def test_what_is_allowed_is_let_in(rogue: Rogue, visitor: Visitor, change: dict[str, Any]) -> None:
    rogue.claims |= change
    assert (await visitor.sign_in()).status == 303
    assert visitor.signed_in


@pytest.mark.parametrize(("claim", "seconds"), [("exp", -20), ("iat", 50), ("nbf", 50)])
async def test_clocks_may_differ_a_little(rogue: Rogue, visitor: Visitor, claim: str, seconds: float) -> None:
    rogue.claims[claim] = time.time() + seconds
    assert (await visitor.sign_in()).status == 303


async def test_es256_is_let_in(rogue: Rogue, visitor: Visitor) -> None:
    rogue.kid = "e1"
    assert (await visitor.sign_in()).status == 303


async def test_keys_that_are_exchanged(rogue: Rogue, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new key is asked for when a token names it, but not for every token that somebody makes up."""
    assert (await visitor.sign_in()).status == 303
    rogue.keys, rogue.kid = {"k2": rsa_key("second")}, "k2"
    visitor.cookies.clear()
    assert (await visitor.sign_in()).status == 502
    assert len(rogue.asked("/jwks")) == 1
    monkeypatch.setattr(oidc, "AGAIN_S", 0.0)
    assert (await visitor.sign_in()).status == 303
    assert len(rogue.asked("/jwks")) == 2


# what browsers may not do


async def test_a_state_is_used_once(rogue: Rogue, visitor: Visitor) -> None:
    told_ = await visitor.begin()
    kept = dict(visitor.cookies)
    assert (await visitor.back(state=told_["state"], code="c-1")).status == 303
    visitor.cookies = kept
    shown = await visitor.back(state=told_["state"], code="c-2")
    assert (shown.status, "used already" in shown.text) == (400, True)
    assert len(rogue.asked("/token")) == 1


async def test_a_state_of_another_browser(office: Office, rogue: Rogue, visitor: Visitor) -> None:
    """Whoever is sent an attacker's answer must not end up in the attacker's account."""
    attacker = Visitor(office, rogue)
    theirs = await attacker.begin()
    shown = await visitor.back(state=theirs["state"], code="c-1")
    assert (shown.status, "This browser did not begin" in shown.text) == (400, True)
    await visitor.begin()
    shown = await visitor.back(state=theirs["state"], code="c-1")
    assert (shown.status, "another sign-in" in shown.text) == (400, True)
    assert not rogue.asked("/token")


async def test_a_swapped_code_brings_another_nonce(office: Office, rogue: Rogue, visitor: Visitor) -> None:
    theirs = (await Visitor(office, rogue).begin())["nonce"]
    mine = await visitor.begin()
    rogue.nonce = theirs
    shown = await visitor.back(state=mine["state"], code="theirs")
    assert (shown.status, "nonce" in shown.text) == (400, True)


@pytest.mark.parametrize("query", [{}, {"iss": ""}, {"iss": "https://other.example.com"}])
async def test_an_answer_of_another_provider(rogue: Rogue, visitor: Visitor, query: dict[str, str]) -> None:
    """RFC 9207: who announces `iss` in its answers must send it, and it must be theirs."""
    rogue.published["authorization_response_iss_parameter_supported"] = True
    shown = await visitor.sign_in(**query)
    assert (shown.status, "another provider" in shown.text) == (400, True)
    assert not rogue.asked("/token")
    assert (await visitor.sign_in(iss=rogue.url)).status == 303


async def test_another_provider_is_set_in_between(office: Office, visitor: Visitor) -> None:
    begun = await visitor.begin()
    async with Rogue().listening() as other:
        await set_up(office, other.url)
        shown = await visitor.back(state=begun["state"], code="c-1")
        assert (shown.status, "another provider in between" in shown.text) == (400, True)
        assert not other.heard


@pytest.mark.parametrize("cookie", ["", "x", "x.y", "." * 3, "ä", "e30.", "a" * 5000])
async def test_cookies_of_ones_own_making(rogue: Rogue, visitor: Visitor, cookie: str) -> None:
    begun = await visitor.begin()
    visitor.cookies["homeport-sso"] = cookie
    assert (await visitor.back(state=begun["state"], code="c-1")).status == 400
    assert not rogue.asked("/token")


def repacked(office: Office, **changes: Any) -> str:
    """A cookie that this server signed, with other things in it."""
    errand = errands.begin("", time.time())._replace(**changes)
    return errands.pack(office.vault.derive(sessions.PEPPER), errand)


async def test_a_sign_in_that_took_too_long(office: Office, rogue: Rogue, visitor: Visitor) -> None:
    visitor.cookies["homeport-sso"] = repacked(office, state="s", issuer=rogue.url, until=time.time() - 1)
    shown = await visitor.back(state="s", code="c-1")
    assert (shown.status, "ten minutes" in shown.text) == (400, True)


async def test_a_cookie_that_was_changed(visitor: Visitor) -> None:
    begun = await visitor.begin()
    body, _, seal = visitor.cookies["homeport-sso"].partition(".")
    fields = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    visitor.cookies["homeport-sso"] = f"{b64([*fields[:3], 'test', *fields[4:]])}.{seal}"
    assert (await visitor.back(state=begun["state"], code="c-1")).status == 400


OUTSIDE = (
    "https://evil.test",
    "//evil.test",
    "/\\evil.test",
    "/console/../v1",
    "javascript:alert(1)",
    "/consolefake",
    "/console\r\nSet-Cookie: a=b",
    "/console/" + "a" * 600,
    "/console/ü",
    "/v1/models",
    '/console/"onload="x',
)


@pytest.mark.parametrize("where", OUTSIDE)
async def test_the_way_on_stays_in_the_console(visitor: Visitor, where: str) -> None:
    shown = await visitor.sign_in(f"?{urlencode({'next': where})}")
    assert (shown.status, shown.location) == (303, f"{visitor.at}/console")


@pytest.mark.parametrize("where", ["/console/models?find=a", "/console", "/console/tokens", "/console?said=saved"])
async def test_the_way_on(visitor: Visitor, where: str) -> None:
    assert (await visitor.sign_in(f"?next={quote(where)}")).location == visitor.at + where


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ({"error": "access_denied"}, 403, "you cancelled"),
        ({"error": "server_error"}, 400, "The provider failed."),
        ({"error": "temporarily_unavailable"}, 400, "busy"),
        ({"error": "<script>alert(1)</script>", "error_description": "<b>x"}, 400, "not one of the protocol"),
        ({"error": "x" * 3000}, 400, "not one of the protocol"),
        ({"error": "access_denied", "code": "c-1"}, 403, "you cancelled"),
        ({}, 400, "no code"),
        ({"code": ""}, 400, "no code"),
        ({"code": "c" * 5000}, 400, "no code"),
        ({"code": "c\0d"}, 400, "no code"),
    ],
)
async def test_answers_without_a_code(
    office: Office, rogue: Rogue, visitor: Visitor, query: dict[str, str], status: int, said: str
) -> None:
    begun = await visitor.begin()
    shown = await visitor.back(state=begun["state"], **query)
    assert (shown.status, said in shown.text) == (status, True)
    assert "<script>alert" not in shown.body
    assert not rogue.asked("/token")
    assert "homeport-sso" not in visitor.cookies
    told(office, shown.text)


# how the provider may not answer


async def _endless(peer: Peer) -> None:
    await peer.head(kind="application/json")
    while not peer.closed.is_set():
        await peer.chunk(b'{"id_token": "' + b" " * 65_536)


async def _dripping(peer: Peer) -> None:
    await peer.head(kind="application/json")
    await peer.chunk(b'{"id_token": "')
    await peer.hang()


def _document(body: Any, status: int = 200, **more: str) -> Callable[[Peer], Any]:
    return lambda peer: peer.document(body, status, **more)


async def _silent(peer: Peer) -> None:
    await peer.hang()


async def _cut(peer: Peer) -> None:
    peer.reset()


ANSWERS: dict[str, tuple[Callable[[Peer], Any], int, str]] = {
    "500": (_document(b"<html>secret stack trace</html>", 500), 502, "answered HTTP 500"),
    "503": (_document({"error": "busy"}, 503), 502, "answered HTTP 503"),
    "400 without a reason": (_document(b"", 400), 502, "refused to exchange the code"),
    "400 with a wild reason": (_document({"error": {"a": ["<script>"]}}, 400), 502, "no reason that is known"),
    "invalid_grant": (_document({"error": "invalid_grant"}, 400), 400, "does not take this code"),
    "invalid_client": (_document({"error": "invalid_client"}, 401), 409, "does not accept Homeport"),
    "unauthorized_client": (_document({"error": "unauthorized_client"}, 400), 409, "does not accept Homeport"),
    "moved to another origin": (
        _document(b"", 307, location="http://127.0.0.1:9/t"),
        502,
        "redirects are not followed",
    ),
    "found": (_document({"id_token": "x"}, 302, location="https://evil.test/"), 502, "redirects are not followed"),
    "oversized": (_document({"id_token": "x" * 400_000}), 502, "more than"),
    "endless": (_endless, 502, "more than"),
    "dripping": (_dripping, 504, "did not answer in time"),
    "silent": (_silent, 504, "did not answer in time"),
    "cut": (_cut, 502, "127.0.0.1"),
    "not JSON": (_document(b"<html>"), 502, "no id_token"),
    "a list": (_document([1, 2]), 502, "no id_token"),
    "no id_token": (_document({"access_token": "a"}), 502, "no id_token"),
    "id_token is null": (_document({"id_token": None}), 502, "no id_token"),
    "id_token is an object": (_document({"id_token": {}}), 502, "no id_token"),
}


@pytest.mark.parametrize("how", ANSWERS)
async def test_answers_to_the_code(
    office: Office, rogue: Rogue, visitor: Visitor, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "ANSWER_S", 0.5)
    play, status, said = ANSWERS[how]
    rogue.answers["/token"] = play
    shown = await visitor.sign_in()
    assert (shown.status, said in shown.text) == (status, True), shown.text
    assert "stack trace" not in shown.text
    assert SECRET not in shown.body
    assert not visitor.signed_in
    told(office, shown.text)


WRONG = {
    "another issuer": ({"issuer": "https://other.example.com"}, "says that it is https://other.example.com"),
    "no issuer": ({"issuer": ...}, "says that it is no issuer"),
    "issuer is a list": ({"issuer": []}, "says that it is no issuer"),
    "no authorization_endpoint": ({"authorization_endpoint": ...}, "no authorization_endpoint"),
    "a scheme that runs script": ({"authorization_endpoint": "javascript:alert(1)"}, "no authorization_endpoint"),
    "a line end in an address": ({"authorization_endpoint": "http://127.0.0.1/\r\nx: y"}, "no authorization_endpoint"),
    "a fragment": ({"authorization_endpoint": "http://127.0.0.1/a#b"}, "no authorization_endpoint"),
    "a token endpoint without TLS": ({"token_endpoint": "http://sso.example.com/token"}, "without TLS"),
    "no jwks_uri": ({"jwks_uri": ...}, "no jwks_uri"),
    "keys in a file": ({"jwks_uri": "file:///etc/passwd"}, "no jwks_uri"),
    "keys at a metadata service": ({"jwks_uri": "https://169.254.169.254/keys"}, "never contacted"),
}


@pytest.mark.parametrize("how", WRONG)
async def test_discovery_that_cannot_be_used(office: Office, rogue: Rogue, visitor: Visitor, how: str) -> None:
    changes, said = WRONG[how]
    rogue.published |= changes
    shown = await visitor.ask(visitor.at + HERE)
    assert (shown.status, said in shown.text) == (502, True), shown.text
    assert visitor.cookies == {}
    told(office, shown.text)


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks"])
@pytest.mark.parametrize("how", ["500", "moved to another origin", "oversized", "endless", "cut", "not JSON", "a list"])
async def test_documents_that_cannot_be_read(rogue: Rogue, visitor: Visitor, path: str, how: str) -> None:
    rogue.answers[path] = ANSWERS[how][0]
    shown = await visitor.ask(visitor.at + HERE)
    assert (shown.status, "cannot be used" in shown.text) == (502, True)
    asked = len(rogue.heard)
    assert (await visitor.ask(visitor.at + HERE)).status == 502
    assert len(rogue.heard) == asked, "a provider that is broken is not asked by everybody"


async def test_a_provider_that_says_nothing(rogue: Rogue, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "FETCH_S", 0.3)
    rogue.answers["/jwks"] = _silent
    shown = await visitor.ask(visitor.at + HERE)
    assert (shown.status, "did not answer within" in shown.text) == (502, True)


async def test_a_provider_that_is_away(office: Office) -> None:
    await set_up(office, "http://127.0.0.1:9")
    visitor = Visitor(office, Rogue())
    shown = await visitor.ask(visitor.at + HERE)
    assert (shown.status, "refuses connections" in shown.text) == (502, True)
    assert "Continue with" in (await visitor.ask(visitor.at + DOOR)).text, "the door does not wait for it"


async def test_userinfo_about_somebody_else(rogue: Rogue, visitor: Visitor) -> None:
    rogue.claims |= {"email": ..., "preferred_username": ...}
    rogue.more = {"sub": "root", "email": "root@example.com", "email_verified": True}
    shown = await visitor.sign_in()
    assert (shown.status, "about somebody else" in shown.text) == (502, True)
    assert rogue.asked("/me")[0].headers["authorization"] == "Bearer at"


async def test_userinfo_does_not_win_over_the_token(office: Office, rogue: Rogue, visitor: Visitor) -> None:
    await set_up(office, rogue.url, admins="bosses", claim="roles")
    rogue.more = {"sub": "s-1", "roles": ["bosses"], "email": "root@example.com", "iss": "x"}
    assert (await visitor.sign_in()).status == 303
    roles = {user.name: user.role for user in await office.store.users()}
    assert (roles["ada@example.com"], "root@example.com" in roles) == ("admin", False)
    await set_up(office, rogue.url, admins="", claim="")

"""A provider of single sign-on: what it publishes, the way to it, and what it answers to a code.

Sources: OpenID Connect Core 1.0 (code flow, section 3.1; UserInfo, 5.3), Discovery 1.0, RP-Initiated Logout 1.0,
RFC 6749 (sections 2.3.1, 4.1), RFC 7636 (PKCE), RFC 9207 (iss in the answer), RFC 9700 (best current practice).
"""

from __future__ import annotations

import asyncio
import base64
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote_plus, urlencode, urlsplit

import orjson

from homeport.access.discovery import PATH, document, exchanged, is_address, refusal, words
from homeport.access.keys import Unusable, read_set
from homeport.domain.errors import (
    BadConfiguration,
    BadRequest,
    TooMany,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from homeport.kit.upstream import Call, TransportError, UpstreamTooLate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.access.discovery import Answered
    from homeport.access.keys import KeySet
    from homeport.kit.upstream import Upstream

FETCH_S, ANSWER_S = 8.0, 10.0
"""Seconds for discovery with keys, and for each answer to a sign-in."""
KEPT_S, AGAIN_S, FAILED_S = 600.0, 30.0, 2.0
"""Seconds that discovery is kept, at least until it is asked for again because of a key, and after a failure."""
AT_ONCE = 32
"""Sign-ins that may wait for a provider; more are told to come back."""
_OK, _ERROR, _BUSY = 200, 400, 500
_LOCAL = ("localhost", "127.0.0.1", "::1")
_FIX = "`homeport sso check` and the settings of single sign-on say what is wrong with it."
_SECRET = "The client's id or secret is another one there: set both again in the settings of single sign-on."  # noqa: S105 (a sentence)


class Provider(NamedTuple):
    """What a provider publishes of itself, as far as a sign-in needs it."""

    issuer: str
    authorize: str
    token: str
    keys_at: str
    userinfo: str = ""
    end_session: str = ""
    """Where somebody signs out there; empty where that is not offered."""
    basic: bool = True
    """Whether the client's secret goes into a header, as it usually does, or into the body."""
    names_itself: bool = False
    """Whether each answer carries `iss` (RFC 9207)."""
    challenges: tuple[str, ...] = ()
    """PKCE methods that it says it knows."""
    algorithms: tuple[str, ...] = ()


class Client(NamedTuple):
    """Who we are at the provider."""

    id: str
    secret: str
    """Empty for a public client, which PKCE alone protects."""
    redirect: str
    """Where browsers come back to."""


class Known(NamedTuple):
    """A provider with its keys."""

    provider: Provider
    keys: KeySet
    at: float
    """By the monotonic clock."""


def secure(url: str) -> bool:
    """Whether nobody on the way can read along: TLS, or this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in _LOCAL


def read(issuer: str, found: bytes) -> Provider:
    """The provider from its discovery document; raises Unusable."""
    try:
        said: Any = orjson.loads(found)
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict):
        raise Unusable(f"{issuer}{PATH} is not a discovery document: a JSON object")
    if said.get("issuer") != issuer:
        raise Unusable(_another(issuer, said.get("issuer")))
    methods = _texts(said, "token_endpoint_auth_methods_supported")
    return Provider(
        issuer=issuer,
        authorize=_endpoint(issuer, said, "authorization_endpoint"),
        token=_endpoint(issuer, said, "token_endpoint"),
        keys_at=_endpoint(issuer, said, "jwks_uri"),
        userinfo=_endpoint(issuer, said, "userinfo_endpoint", needed=False),
        end_session=_endpoint(issuer, said, "end_session_endpoint", needed=False),
        basic=not methods or "client_secret_basic" in methods or "client_secret_post" not in methods,
        names_itself=said.get("authorization_response_iss_parameter_supported") is True,
        challenges=_texts(said, "code_challenge_methods_supported"),
        algorithms=_texts(said, "id_token_signing_alg_values_supported"),
    )


def _another(issuer: str, said: Any) -> str:  # noqa: ANN401 (whatever the provider wrote)
    shown = said if is_address(said) and said.isprintable() else "no issuer"
    return f"{issuer}{PATH} says that it is {shown}; the issuer must be written exactly as the provider writes it"


def _endpoint(issuer: str, said: Mapping[str, Any], name: str, *, needed: bool = True) -> str:
    value: Any = said.get(name)
    if value is None and not needed:
        return ""
    if not is_address(value) or urlsplit(value).fragment or not value.isascii() or not value.isprintable():
        raise Unusable(f"{issuer}{PATH} has no {name} that is an http(s) URL")
    if not secure(value):
        raise Unusable(f"{issuer}{PATH} has a {name} without TLS: it must begin with https://")
    return str(value)


def _texts(said: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = said.get(name)
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


async def fetch(upstream: Upstream, issuer: str) -> Known:
    """Ask a provider for everything; raises Unusable that says what is wrong."""
    try:
        async with asyncio.timeout(FETCH_S):
            provider = read(issuer, await document(upstream, issuer.rstrip("/") + PATH))
            keys = read_set(await document(upstream, provider.keys_at))
            return Known(provider, keys, time.monotonic())
    except TimeoutError:
        raise Unusable(f"{issuer} did not answer within {FETCH_S:.0f} seconds") from None


class Providers:
    """What is known of the configured provider, asked for when it is needed; belongs to one event loop."""

    def __init__(self) -> None:
        self._known: Known | None = None
        self._failed: tuple[str, float, str] = ("", 0.0, "")
        self._turn = asyncio.Lock()
        self._open = 0

    async def find(self, upstream: Upstream, issuer: str, *, newer_than: float | None = None) -> Known:
        """The provider; with `newer_than`, fetched after that moment if that is allowed again.

        Raises UpstreamUnreachable, or TooMany.
        """
        if self._waiting():
            raise TooMany("Too many people are signing in.", "Try again in a moment.", retry_after_s=1)
        self._open += 1
        try:
            async with self._turn:
                return self._kept(issuer, newer_than) or await self._fetched(upstream, issuer)
        finally:
            self._open -= 1

    def _waiting(self) -> bool:
        return self._open >= AT_ONCE

    def _kept(self, issuer: str, newer_than: float | None) -> Known | None:
        known = self._known
        if known is None or known.provider.issuer != issuer:
            return None
        age = time.monotonic() - known.at
        if newer_than is None:
            return known if age < KEPT_S else None
        return known if known.at > newer_than or age < AGAIN_S else None

    async def _fetched(self, upstream: Upstream, issuer: str) -> Known:
        whose, until, why = self._failed
        if whose == issuer and time.monotonic() < until:
            raise UpstreamUnreachable(why, _FIX)
        try:
            self._known = await fetch(upstream, issuer)
        except Unusable as error:
            why = f"The provider of single sign-on cannot be used: {error}."
            self._failed = issuer, time.monotonic() + FAILED_S, why
            raise UpstreamUnreachable(why, _FIX) from error
        return self._known


def authorize(provider: Provider, client: Client, scopes: str, errand: Mapping[str, str]) -> str:
    """Where the browser goes; `errand` has state, nonce and code_challenge."""
    asked = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": client.redirect,
        "scope": scopes,
        "code_challenge_method": "S256",
        **errand,
    }
    return _with(provider.authorize, asked)


def leave(provider: Provider, client_id: str, back: str) -> str:
    """Where somebody signs out at the provider; empty where that is not offered."""
    asked = {"client_id": client_id, "post_logout_redirect_uri": back}
    return provider.end_session and _with(provider.end_session, asked)


def _with(url: str, fields: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(fields)}"


async def redeem(upstream: Upstream, provider: Provider, client: Client, code: str, verifier: str) -> tuple[str, str]:
    """The ID token and the access token for a code; raises a HomeportError that says what is wrong."""
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect,
        "code_verifier": verifier,
    }
    answer = await _asked(upstream, _token_call(provider, client, fields))
    said = _read(answer.body)
    if answer.status != _OK:
        raise _refused(answer, said.get("error"))
    token, access = said.get("id_token"), said.get("access_token", "")
    if not isinstance(token, str) or not isinstance(access, str):
        raise UpstreamMalformed("The provider's answer to the code holds no id_token.", "Ask for the scope openid.")
    return token, access


def _token_call(provider: Provider, client: Client, fields: dict[str, str]) -> Call:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if client.secret and provider.basic:
        # RFC 6749, section 2.3.1: each part is form-encoded first
        pair = f"{quote_plus(client.id)}:{quote_plus(client.secret)}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    else:
        fields |= {"client_id": client.id} | ({"client_secret": client.secret} if client.secret else {})
    body = urlencode(fields).encode()
    return _bounded(provider.token, headers, "POST", body)


def _bounded(url: str, headers: Mapping[str, str], method: str = "GET", body: bytes = b"") -> Call:
    sent = {"Accept-Encoding": "identity", **headers}
    return Call(url, sent, method, body, first_byte_s=ANSWER_S, idle_s=ANSWER_S, total_s=ANSWER_S)


async def _asked(upstream: Upstream, call: Call) -> Answered:
    """An answer of the provider, bounded; raises UpstreamTimeout, UpstreamUnreachable or UpstreamRefused."""
    where = f"{urlsplit(call.url).scheme}://{urlsplit(call.url).netloc}"
    try:
        async with asyncio.timeout(ANSWER_S):
            answer = await exchanged(upstream, call)
    except (TimeoutError, UpstreamTooLate):
        raise UpstreamTimeout(
            f"{where} did not answer in time.", "Try again; if it stays so, ask whoever runs it."
        ) from None
    except TransportError as error:
        raise UpstreamUnreachable(f"{where} {words(error)}.", _FIX) from error
    if answer.status != _OK and not _ERROR <= answer.status < _BUSY:
        saw = f"{where} {refusal(answer.status, answer.location)}."
        raise UpstreamRefused(saw, "Try again; if it stays so, ask whoever runs it.", upstream_status=answer.status)
    return answer


def _read(body: bytes) -> dict[str, Any]:
    """A JSON object; anything else is an empty one."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _refused(answer: Answered, error: Any) -> BadRequest | BadConfiguration | UpstreamRefused:  # noqa: ANN401 (whatever it wrote)
    """RFC 6749, section 5.2."""
    word = error if isinstance(error, str) else ""
    if word == "invalid_grant":
        saw = "The provider does not take this code: it was used, is too old, or is another's."
        return BadRequest(saw, "Sign in again.")
    if word in {"invalid_client", "unauthorized_client"}:
        return BadConfiguration(f"The provider does not accept Homeport as its client ({word}).", _SECRET)
    why = word if word in {"invalid_request", "unsupported_grant_type", "invalid_scope"} else "no reason that is known"
    saw = f"The provider refused to exchange the code: HTTP {answer.status}, {why}."
    return UpstreamRefused(saw, _FIX, upstream_status=answer.status)


async def userinfo(upstream: Upstream, provider: Provider, access: str, subject: str) -> dict[str, Any]:
    """More claims about `subject`; none where the provider has no such place or gives none for this token."""
    if not (provider.userinfo and access and access.isascii() and access.isprintable()):
        return {}
    answer = await _asked(
        upstream, _bounded(provider.userinfo, {"Accept": "application/json", "Authorization": f"Bearer {access}"})
    )
    said = _read(answer.body) if answer.status == _OK else {}
    if said and said.get("sub") != subject:
        saw = "The provider's userinfo is about somebody else than its ID token."
        raise UpstreamMalformed(saw, "Ask whoever runs the provider.")
    return said


async def accepts(upstream: Upstream, provider: Provider, client: Client) -> None:
    """Find out with a code that nobody has whether the provider takes the client; raises what `redeem` does."""
    try:
        await redeem(upstream, provider, client, "homeport-checks-its-client", "x" * 43)
    except BadRequest:
        return

"""Callers with a signed token: GitLab instances, and users whose editor got a token from this gateway.

What was checked once is remembered by the digest of the whole token, never past its end, and forgotten when
an issuer's keys change. What the headers say is compared on every request.
Source: gateway protocol, "Order of checks and 401 texts".
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from homeport.access import OWN, jwt, widen
from homeport.access.alarm import Alarm
from homeport.access.gate import KeysNeeded
from homeport.domain.errors import NotAuthenticated
from homeport.domain.models import Caller

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from homeport.access.direct import Direct
    from homeport.access.issuers import Issuers
    from homeport.access.keys import Key

REMEMBERED = 4096
"""Tokens that are remembered; GitLab makes a new one for every request, so most are seen once."""

_TYPE, _REALM = b"x-gitlab-authentication-type", b"x-gitlab-realm"
_INSTANCE, _USER = b"x-gitlab-instance-id", b"x-gitlab-global-user-id"
_NAMES = {
    _TYPE: "X-Gitlab-Authentication-Type",
    _REALM: "X-Gitlab-Realm",
    _INSTANCE: "X-Gitlab-Instance-Id",
    _USER: "X-Gitlab-Global-User-Id",
}
_WHERE = "AIGW_GITLAB_URL must be the URL of the GitLab that sends it; `homeport doctor` shows what is known of it."
_COPY = "GitLab sends both; a proxy in between must pass them on unchanged."
_OIDC_ONLY = "Signed tokens are sent with `X-Gitlab-Authentication-Type: oidc`; a proxy must pass it on."
_FIX = "`homeport doctor` shows whose tokens are accepted; GitLab makes a new one for its next request."
_OIDC: dict[bytes, bytes] = {_TYPE: b"oidc"}


class Remembered(NamedTuple):
    """A token that was checked."""

    caller: Caller
    ends: float
    """Unix seconds."""
    expected: Mapping[bytes, bytes]
    """Headers that must be there, with these values."""


class SignedVerifier:
    """Knows the tokens of the configured issuers and those that this gateway signed."""

    def __init__(self, issuers: Issuers, direct: Direct, *, unproven: bool = False) -> None:
        """With `unproven`, signatures are not checked: for development only."""
        self._issuers = issuers
        self._direct = direct
        self._unproven = unproven
        self._alarm = Alarm("a token was accepted without a look at its signature, which is switched off")
        self._rings = issuers.current
        self._known: dict[bytes, Remembered] = {}

    def verify(self, token: str, headers: Collection[tuple[bytes, bytes]]) -> Caller | None:
        """The caller; None for what is no JWT. Raises NotAuthenticated, or KeysNeeded when waiting may help."""
        if "." not in token:
            return None
        if self._issuers.current is not self._rings:
            self._rings, self._known = self._issuers.current, {}
        data = token.encode("latin-1")
        digest = hashlib.sha256(data).digest()
        found = self._known.get(digest)
        if found is None or found.ends <= time.time():
            found = self._checked(digest, data, headers)
        _compare(found.expected, headers)
        return found.caller

    def _checked(self, digest: bytes, token: bytes, headers: Collection[tuple[bytes, bytes]]) -> Remembered:
        _compare(_OIDC, headers)
        try:
            claims = self._claims(token)
        except jwt.Refused as reason:
            raise NotAuthenticated(f"The token was not accepted. {reason}", _FIX) from None
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        found = Remembered(self._caller(claims), claims.expires, self._expected(claims))
        self._known[digest] = found
        return found

    def _claims(self, token: bytes) -> jwt.Claims:
        if not self._unproven:
            return jwt.verify(token, self._keys, self._direct.issuer, time.time())
        self._alarm.ring()
        return jwt.claims_of(jwt.read(token), self._direct.issuer, time.time())

    def _keys(self, opened: jwt.Opened) -> Sequence[Key]:
        """The keys that may have signed a token of this issuer, with this key id."""
        if opened.issuer == self._direct.issuer:
            # the original's tokens name no key, and may be met while it is being replaced
            own = self._direct.keys
            return tuple(key for key in own.values() if opened.kid in {"", key.kid})
        if not opened.kid:
            raise jwt.Refused("Its header names no kid.")
        key = self._rings.get(opened.issuer, {}).get(opened.kid)
        if key is None:
            raise self._lacking(opened.issuer)
        return (key,)

    def _lacking(self, issuer: str) -> NotAuthenticated:
        awaited = self._issuers.missing(issuer)
        if issuer in self._rings:
            saw = "The token was not accepted. Its key is not one of those that its issuer publishes."
        elif all(each.published for each in self._issuers.members):
            saw = "The token was not accepted. Its issuer is not one that this gateway accepts."
        else:
            saw = "The token was not accepted. The keys of its issuer could not be fetched yet."
        if awaited:
            return KeysNeeded(saw, _WHERE, lambda: asyncio.gather(*(each.arrival() for each in awaited)))
        return NotAuthenticated(saw, _WHERE)

    def _caller(self, claims: jwt.Claims) -> Caller:
        ours = claims.issuer == self._direct.issuer
        return Caller(
            subject=claims.subject,
            kind="direct" if ours else "instance",
            scopes=_widened(claims.scopes),
            expires=claims.expires,
            issuer=claims.issuer,
        )

    def _expected(self, claims: jwt.Claims) -> dict[bytes, bytes]:
        """The headers that the claims speak of; an empty claim says nothing."""
        holder = _USER if claims.issuer == self._direct.issuer else _INSTANCE
        expected = _OIDC | {holder: claims.subject.encode()}
        if claims.realm:
            expected[_REALM] = claims.realm.encode()
        if claims.instance and expected.setdefault(_INSTANCE, claims.instance.encode()) != claims.instance.encode():
            raise NotAuthenticated("The token was not accepted. Its sub and gitlab_instance_id differ.", _FIX)
        return expected


@lru_cache(maxsize=256)
def _widened(scopes: tuple[str, ...]) -> frozenset[str]:
    return widen(frozenset(scopes)) - OWN


def _compare(expected: Mapping[bytes, bytes], headers: Collection[tuple[bytes, bytes]]) -> None:
    """Raise NotAuthenticated unless each expected header is there, and nowhere with another value."""
    seen: set[bytes] = set()
    for name, value in headers:
        wanted = expected.get(name)
        if wanted is not None:
            if value != wanted:
                raise _differs(name)
            seen.add(name)
    if len(seen) < len(expected):
        raise _lacks(next(name for name in expected if name not in seen))


def _differs(name: bytes) -> NotAuthenticated:
    if name == _TYPE:
        return NotAuthenticated(f"{_NAMES[name]} is not oidc.", _OIDC_ONLY)
    return NotAuthenticated(f"Header mismatch: {_NAMES[name]} is not what the token says.", _COPY)


def _lacks(name: bytes) -> NotAuthenticated:
    if name == _TYPE:
        return NotAuthenticated(f"The header {_NAMES[name]} is missing.", _OIDC_ONLY)
    return NotAuthenticated(f"Header mismatch: {_NAMES[name]} is missing, and the token has a value for it.", _COPY)

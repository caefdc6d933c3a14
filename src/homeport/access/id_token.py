"""What a provider says of somebody who signed in: an ID token, believed only when everything about it fits.

Source: OpenID Connect Core 1.0, section 3.1.3.7 (ID Token Validation); the form and the signature as for all
signed tokens here, see `jwt`.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, NamedTuple

from homeport.access import jwt
from homeport.access.jwt import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.access.keys import Key

SUBJECT = 255
"""Characters that a subject may have (OpenID Connect Core 1.0, section 2)."""


class Expected(NamedTuple):
    """What an ID token must say."""

    issuer: str
    client_id: str
    nonce: str


def check(token: str, keys: Mapping[str, Key], expected: Expected, now: float) -> dict[str, Any]:
    """The claims, proven; raises Refused. `now` in Unix seconds."""
    opened = jwt.read(token.encode("utf-8", "surrogatepass"))
    if opened.issuer != expected.issuer:
        raise Refused("Its iss is another issuer than the configured one.")
    key = keys.get(opened.kid)
    if key is None:
        raise UnknownKey("Its key is not one of those that its issuer publishes.")
    if key.algorithm != opened.algorithm or not key.fits(opened.signature, opened.signed):
        raise Refused("Its signature does not fit its issuer's key.")
    _check_party(opened.claims, expected.client_id)
    jwt.check_times(opened.claims, now)
    if "iat" not in opened.claims:
        raise Refused("It has no iat.")
    _check_nonce(opened.claims, expected.nonce)
    if len(jwt.text(opened.claims, "sub")) > SUBJECT:
        raise Refused(f"Its sub has more than {SUBJECT} characters.")
    return opened.claims


class UnknownKey(Refused):
    """The issuer may have new keys: it is worth asking for them."""


class OtherNonce(Refused):
    """The token is from another sign-in than this browser's."""


def _check_party(claims: Mapping[str, Any], client_id: str) -> None:
    """Made for us, and where it is made for others too, issued to us."""
    audience, party = claims.get("aud"), claims.get("azp")
    jwt.check_audience(audience, client_id)
    several = isinstance(audience, list) and len(audience) > 1
    if party != client_id and (party is not None or several):
        raise Refused(f"It was not issued to {client_id}: its azp is another one or missing.")


def _check_nonce(claims: Mapping[str, Any], nonce: str) -> None:
    said = claims.get("nonce")
    if not isinstance(said, str) or not hmac.compare_digest(said.encode("utf-8", "surrogatepass"), nonce.encode()):
        raise OtherNonce("Its nonce is missing or belongs to another sign-in.")

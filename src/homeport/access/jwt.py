"""One signed token, checked from its bytes alone: compact form, RS256 or ES256, nothing else exists here.

The algorithm is the key's, never the token's; the key is one of those that the token's issuer published.
Sources: RFC 7515 (JWS), RFC 7519 (JWT), RFC 8725 (best current practices); claims as in the gateway
protocol, "JWT validation and keys". Why no library does this: docs/decisions/0010.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from homeport.access.keys import KID, to_text, unpadded

if TYPE_CHECKING:
    from homeport.access.keys import Key

LONGEST = 16 * 1024
"""Characters that a token may have."""
LEEWAY_S = 60.0
"""Seconds by which an issuer's clock may differ from ours."""
SCOPES = 500
"""Scopes that a token may name."""
SCOPE = 100
"""Characters that one of them may have."""
TEXT = 1024
"""Characters that one claim may have."""

ALGORITHMS = ("RS256", "ES256")

_SEGMENTS = 3
_FORBIDDEN = frozenset({"crit", "b64", "jku", "jwk", "x5u", "x5c", "enc", "zip", "cty"})
"""Header fields that would change what is checked, or with which key."""
_YEAR_9999 = 253_402_300_800


class Refused(Exception):
    """The token is not accepted; the text says why and repeats nothing of it."""


class Opened(NamedTuple):
    """A token whose form is right; nothing in it is proven yet."""

    kid: str
    """The id of its key; empty when it names none."""
    algorithm: str
    issuer: str
    claims: dict[str, Any]
    signed: bytes
    signature: bytes


class Claims(NamedTuple):
    """What a token says; to be believed once its signature was checked."""

    issuer: str
    subject: str
    expires: float
    """Unix seconds."""
    scopes: tuple[str, ...]
    realm: str
    instance: str


Find = Callable[[Opened], Sequence["Key"]]
"""The keys that a token may be signed with; raises Refused when there is none."""


def verify(token: bytes, find: Find, audience: str, now: float) -> Claims:
    """What the token says, proven; raises Refused."""
    opened = read(token)
    if not any(key.algorithm == opened.algorithm and key.fits(opened.signature, opened.signed) for key in find(opened)):
        raise Refused("Its signature does not fit its issuer's key.")
    return claims_of(opened, audience, now)


def read(token: bytes) -> Opened:
    """Take a token apart; raises Refused for every form but the compact one."""
    if len(token) > LONGEST:
        raise Refused(f"It is longer than {LONGEST} characters.")
    parts = token.split(b".")
    if len(parts) != _SEGMENTS:
        raise Refused("It is not a signed JWT in compact form.")
    header, claims = _object(parts[0]), _object(parts[1])
    _check_header(header)
    return Opened(
        kid=header.get("kid", ""),
        algorithm=header["alg"],
        issuer=text(claims, "iss"),
        claims=claims,
        signed=token[: len(token) - len(parts[2]) - 1],
        signature=_bytes(parts[2]),
    )


def claims_of(opened: Opened, audience: str, now: float) -> Claims:
    """The claims, checked against audience and time; raises Refused."""
    claims = opened.claims
    check_audience(claims.get("aud"), audience)
    expires = check_times(claims, now)
    return Claims(
        issuer=opened.issuer,
        subject=text(claims, "sub"),
        expires=expires,
        scopes=_scopes(claims.get("scopes")),
        realm=text(claims, "gitlab_realm", needed=False),
        instance=text(claims, "gitlab_instance_id", needed=False),
    )


def check_times(claims: dict[str, Any], now: float) -> float:
    """When it ends, in Unix seconds; raises Refused before and after its time, clocks forgiven `LEEWAY_S`."""
    expires = _moment(claims, "exp")
    if expires is None:
        raise Refused("It has no exp: a token must end.")
    if now >= expires + LEEWAY_S:
        raise Refused("It has expired.")
    if any((_moment(claims, name) or 0) > now + LEEWAY_S for name in ("nbf", "iat")):
        raise Refused("It is not valid yet; compare the clocks of issuer and gateway.")
    return expires


def _bytes(segment: bytes) -> bytes:
    try:
        return unpadded(segment)
    except ValueError:
        raise Refused("One of its parts is not base64url.") from None


def _object(segment: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(_bytes(segment))
    except orjson.JSONDecodeError:
        raise Refused("Header or claims are not JSON.") from None
    if not isinstance(found, dict):
        raise Refused("Header or claims are not a JSON object.")
    return found


def _check_header(header: dict[str, Any]) -> None:
    if not _FORBIDDEN.isdisjoint(header):
        raise Refused(f"Its header may not have any of {', '.join(sorted(_FORBIDDEN))}.")
    if header.get("alg") not in ALGORITHMS:
        raise Refused("Its algorithm is neither RS256 nor ES256.")
    if str(header.get("typ", "JWT")).upper() != "JWT":
        raise Refused("Its type is not JWT.")
    kid = header.get("kid", "")
    if not isinstance(kid, str) or len(kid) > KID:
        raise Refused("Its kid is not a short text.")


def text(claims: dict[str, Any], name: str, *, needed: bool = True) -> str:
    """A claim that is a text; one that is not needed may be empty, null or missing."""
    value = claims.get(name)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or len(value) > TEXT or (needed and not value):
        raise Refused(f"Its {name} is {'missing or ' if needed else ''}not a short text.")
    return value


def _moment(claims: dict[str, Any], name: str) -> float | None:
    """A claim that is a time in Unix seconds, or None without it."""
    if name not in claims:
        return None
    value = claims[name]
    if type(value) not in {int, float} or not 0 <= value < _YEAR_9999:
        raise Refused(f"Its {name} is not a time in Unix seconds.")
    return float(value)


def check_audience(value: Any, audience: str) -> None:  # noqa: ANN401 (whatever the issuer wrote)
    """Raise Refused for a token that is not made for `audience`."""
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in listed) or audience not in listed:
        raise Refused(f"It is not made for {audience}: its aud does not name it.")


def _scopes(value: Any) -> tuple[str, ...]:  # noqa: ANN401 (whatever the issuer wrote)
    """GitLab's ID tokens for pipelines and applications have no scopes: they open nothing here."""
    if not isinstance(value, list) or len(value) > SCOPES:
        raise Refused(f"Its scopes are not a list of at most {SCOPES}.")
    if not all(isinstance(each, str) and len(each) <= SCOPE for each in value):
        raise Refused("Its scopes are not all short texts.")
    return tuple(value)


def sign(header: dict[str, Any], claims: dict[str, Any], signer: Callable[[bytes], bytes]) -> str:
    """A token in compact form; `signer` gives the signature of the bytes."""
    signed = to_text(orjson.dumps(header)) + b"." + to_text(orjson.dumps(claims))
    return (signed + b"." + to_text(signer(signed))).decode()

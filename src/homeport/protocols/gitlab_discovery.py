"""Whose tokens Homeport signs, and with which keys: OpenID Connect discovery, as a GitLab publishes it.

Source: OpenID Connect Discovery 1.0, sections 3 and 4; RFC 7517; instance and editors reference, section 5.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from homeport.access import PUBLIC
from homeport.protocols import Act, Reply, WireProtocol
from homeport.protocols._instance import address, error, error_headers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from homeport.access.keys import Key
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door

KEYS = "/oauth/discovery/keys"


async def configuration(door: Door, _body: None, arrival: Arrival) -> Reply:
    """The issuer and where its keys are. Nobody signs in here by way of another application."""
    issuer = address(door.url, arrival)
    found = {
        "issuer": issuer,
        "jwks_uri": issuer + KEYS,
        "response_types_supported": ["none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["aud", "sub", "iss", "exp", "nbf", "iat", "jti"],
    }
    return Reply(orjson.dumps(found))


async def keys(door: Door, _body: None, _arrival: Arrival) -> Reply:
    """The public keys; none where no token is signed."""
    known: Iterable[Key] = door.federation.direct.keys.values() if door.federation else ()
    return Reply(orjson.dumps({"keys": [_jwk(each) for each in known]}))


def _jwk(key: Key) -> dict[str, Any]:
    from homeport.access.keys import to_text  # noqa: PLC0415 (its cryptography takes a while to load)

    modulus, exponent = (to_text(each.to_bytes((each.bit_length() + 7) // 8)).decode() for each in key.numbers)
    return {"kty": "RSA", "kid": key.kid, "use": "sig", "alg": key.algorithm, "n": modulus, "e": exponent}


PROTOCOL = WireProtocol(
    label="GitLab instance: keys",
    error=error,
    error_headers=error_headers,
    routes=(
        Act(
            paths=("/.well-known/openid-configuration",),
            need=PUBLIC,
            act=configuration,
            method="GET",
            summary="Who signs tokens here.",
        ),
        Act(paths=(KEYS,), need=PUBLIC, act=keys, method="GET", summary="The public keys of signed tokens."),
    ),
)

"""Tokens that the gateway makes itself: for one user's editor, one hour, to complete code without the detour.

Source: gateway protocol, "Direct-access tokens (self-signed)". The signing key signs; it and the validation
key are accepted, so that a key can be exchanged without anybody noticing. Without a configured key one is
made when it is first needed.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import structlog
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from homeport.access import jwt
from homeport.access.keys import Key, Unusable, from_rsa
from homeport.domain.errors import BadConfiguration

if TYPE_CHECKING:
    from collections.abc import Iterable

log = structlog.get_logger()

LIFETIME_S = 3600
SCOPES = ("complete_code",)
"""What such a token opens, by its scopes; which endpoints take one at all, each `Need` says."""


class Minted(NamedTuple):
    """A new token."""

    token: str
    expires_at: int
    """Unix seconds."""


class Direct:
    """Signs tokens and knows the keys that they are checked with."""

    def __init__(self, issuer: str, signing: rsa.RSAPrivateKey | None, accepted: Iterable[Key] = ()) -> None:
        """`issuer` is the service's name; `accepted` are further keys whose tokens are taken."""
        self.issuer = issuer
        self._signing = signing
        self._kid = ""
        self._making = asyncio.Lock()
        own = () if signing is None else (from_rsa(signing.public_key()),)
        self.keys = {key.kid: key for key in (*own, *accepted)}
        """By id."""
        if own:
            self._kid = own[0].kid

    async def mint(self, user: str, realm: str, instance: str) -> Minted:
        """A token for `user` of this instance."""
        signing = self._signing or await self._made()
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": self.issuer,
            "sub": user,
            "exp": now + LIFETIME_S,
            "nbf": now,
            "iat": now,
            "jti": str(uuid.uuid4()),
            "gitlab_realm": realm,
            "gitlab_instance_id": instance,
            "scopes": SCOPES,
        }
        header = {"alg": "RS256", "typ": "JWT", "kid": self._kid}
        signer = partial(signing.sign, padding=PKCS1v15(), algorithm=SHA256())
        return Minted(jwt.sign(header, claims, signer), now + LIFETIME_S)

    async def _made(self) -> rsa.RSAPrivateKey:
        """The key of this process, made once, beside the event loop: that takes a tenth of a second."""
        async with self._making:
            if self._signing is None:
                made = await asyncio.to_thread(rsa.generate_private_key, 65537, 2048)
                key = from_rsa(made.public_key())
                self.keys = {**self.keys, key.kid: key}
                self._kid, self._signing = key.kid, made
                log.warning(
                    "users' tokens are signed with a key that dies with this process; "
                    "set AIGW_SELF_SIGNED_JWT__SIGNING_KEY to keep them valid over restarts and for all replicas"
                )
            return self._signing


def from_settings(issuer: str, signing_pem: str, validation_pem: str) -> Direct:
    """From two PEM texts, each perhaps empty; raises BadConfiguration that names the wrong one."""
    signing = _private(signing_pem) if signing_pem else None
    accepted = [_accepted(validation_pem)] if validation_pem else []
    return Direct(issuer, signing, accepted)


def _private(pem: str) -> rsa.RSAPrivateKey:
    # here, because it loads much that only a configured key needs
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 (see above)

    try:
        found = load_pem_private_key(_lines(pem), None)
        if isinstance(found, rsa.RSAPrivateKey):
            from_rsa(found.public_key())
            return found
    except (ValueError, TypeError):
        pass
    except Unusable as error:
        raise _wrong("SIGNING", str(error)) from None
    raise _wrong("SIGNING", "it is not the PEM of an RSA private key without a password")


def _accepted(pem: str) -> Key:
    """The public half of a private key, as the original wants it, or a public key."""
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 (as in `_private`)
        load_pem_private_key,
        load_pem_public_key,
    )

    try:
        text = _lines(pem)
        found = load_pem_public_key(text) if b"PUBLIC" in text else load_pem_private_key(text, None).public_key()
        if isinstance(found, rsa.RSAPublicKey):
            return from_rsa(found)
    except (ValueError, TypeError):
        pass
    except Unusable as error:
        raise _wrong("VALIDATION", str(error)) from None
    raise _wrong("VALIDATION", "it is not the PEM of an RSA key without a password")


def _lines(pem: str) -> bytes:
    """The PEM with its line ends: files with variables often write them as a backslash and an n."""
    return pem.strip().replace("\\n", "\n").encode()


def _wrong(which: str, what: str) -> BadConfiguration:
    name = f"AIGW_SELF_SIGNED_JWT__{which}_KEY"
    return BadConfiguration(f"{name} cannot be used: {what}.", "Make one with: openssl genrsa 2048")

"""A GitLab as far as tokens go: it publishes its keys on a real socket, signs, and misbehaves when told to."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import json
import time
import uuid
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from script import ModelServer
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from script import Peer

SERVICE = "gitlab-ai-gateway"
INSTANCE = "5b2c7f5e-4a1d-4e6f-9d43-3f1f0b8c7a10"
USER = "xK3TjvWmvO1hOo5kSxkFz4WmqkQm2w6mXJ8o0lX1n8I="
REALM = "self-managed"
SCOPES = ("complete_code", "generate_code", "duo_chat", "documentation_search", "explain_code")

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def rsa_key(name: str = "first", bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key that is made once per process: that takes a while."""
    return _rsa_key(name, bits)


@functools.cache
def _rsa_key(_name: str, bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def ec_key(name: str = "first") -> ec.EllipticCurvePrivateKey:
    """A key on P-256."""
    return _ec_key(name)


@functools.cache
def _ec_key(_name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@functools.cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    """A key for EdDSA, which nobody here accepts."""
    return ed25519.Ed25519PrivateKey.generate()


def pem(key: Any) -> str:
    """A private key as operators configure it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_pem(key: Any) -> bytes:
    """Its public half."""
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def jwk(kid: str, key: PrivateKey, **more: Any) -> dict[str, Any]:
    """The public half as issuers publish it."""
    kind, algorithm = (RSAAlgorithm, "RS256") if isinstance(key, rsa.RSAPrivateKey) else (ECAlgorithm, "ES256")
    known = kind.to_jwk(key.public_key(), as_dict=True)
    known.pop("key_ops", None)
    return {**known, "kid": kid, "use": "sig", "alg": algorithm, **more}


def b64(data: Any) -> str:
    """A part of a compact token: bytes as they stand, anything else as JSON."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(key: PrivateKey, header: dict[str, Any], claims: dict[str, Any] | bytes) -> str:
    """A token, signed by another library than the one under test."""
    algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return jws.serialize_compact({"alg": algorithm, **header}, payload, _imported(key))


@functools.cache
def _imported(key: PrivateKey) -> RSAKey | ECKey:
    """The key as the other library holds it; importing one takes longer than signing with it."""
    return (RSAKey if isinstance(key, rsa.RSAPrivateKey) else ECKey).import_key(pem(key))


def claims(issuer: str, **changes: Any) -> dict[str, Any]:
    """What a GitLab writes into its tokens; a claim that is changed to `...` is left out."""
    now = int(time.time())
    usual = {
        "jti": str(uuid.uuid4()),
        "iss": issuer,
        "aud": SERVICE,
        "sub": INSTANCE,
        "iat": now,
        "nbf": now - 5,
        "exp": now + 3600,
        "gitlab_realm": REALM,
        "scopes": list(SCOPES),
    }
    return {name: value for name, value in (usual | changes).items() if value is not ...}


def headers(**changes: str) -> dict[str, str]:
    """What a GitLab sends beside the token; an empty one is left out."""
    usual = {
        "X-Gitlab-Authentication-Type": "oidc",
        "X-Gitlab-Instance-Id": INSTANCE,
        "X-Gitlab-Realm": REALM,
        "X-Gitlab-Global-User-Id": USER,
        "X-Gitlab-Host-Name": "gitlab.test",
        "X-Gitlab-Version": "18.5.0",
    }
    return usual | {name.replace("_", "-"): value for name, value in changes.items()}


class Issuer(ModelServer):
    """Publishes discovery and keys below its path; `mood` says how it answers."""

    def __init__(self, path: str = "", name: str = "") -> None:
        super().__init__()
        self.path = path
        self._name = name
        self.keys: dict[str, PrivateKey] = {"k1": rsa_key(), "e1": ec_key()}
        self.extra: list[Any] = []
        """What else stands in the set."""
        self.mood = "well"
        self.jwks_uri = ""
        """Where it says that its keys are; empty: where they are."""

    @property
    @override
    def url(self) -> str:
        """What the gateway is configured with."""
        return f"http://127.0.0.1:{self.port}{self.path}"

    @property
    def name(self) -> str:
        """What it calls itself."""
        return self._name or self.url

    @property
    def fetches(self) -> int:
        """How often its keys were asked for."""
        return sum(peer.target == f"{self.path}/oauth/discovery/keys" for peer in self.heard)

    def token(self, kid: str = "k1", **changes: Any) -> str:
        """A token as its instance sends it, with these claims changed."""
        return signed(self.keys[kid], {"kid": kid, "typ": "JWT"}, claims(self.name, **changes))

    async def stop(self) -> None:
        """Let nobody connect any more."""
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def start(self) -> None:
        """Listen, again at the same port."""
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    @contextlib.asynccontextmanager
    @override
    async def listening(self) -> AsyncIterator[Issuer]:
        """Serve until the block ends."""
        await self.start()
        try:
            yield self
        finally:
            await self.stop()

    @override
    async def behave(self, peer: Peer) -> None:
        """Answer as `mood` says."""
        await getattr(self, f"_{self.mood}")(peer)

    async def _well(self, peer: Peer) -> None:
        if peer.target == f"{self.path}/.well-known/openid-configuration":
            keys_at = self.jwks_uri or f"{self.name}/oauth/discovery/keys"
            await peer.document(
                {"issuer": self.name, "jwks_uri": keys_at, "id_token_signing_alg_values_supported": ["RS256"]}
            )
        elif peer.target == f"{self.path}/oauth/discovery/keys":
            await peer.document({"keys": [*(jwk(kid, key) for kid, key in self.keys.items()), *self.extra]})
        else:
            await peer.document({"error": "404 Not Found"}, status=404)

    async def _keys_only(self, peer: Peer, answer: Any) -> None:
        """The usual discovery, and `answer` for the keys."""
        if peer.target.endswith("/keys"):
            await peer.document(answer)
        else:
            await self._well(peer)

    async def _empty(self, peer: Peer) -> None:
        await self._keys_only(peer, {"keys": []})

    async def _garbage(self, peer: Peer) -> None:
        await self._keys_only(peer, b"<html>502 Bad Gateway</html>")

    async def _huge(self, peer: Peer) -> None:
        await self._keys_only(peer, {"keys": [], "padding": "x" * 2_000_000})

    async def _endless(self, peer: Peer) -> None:
        await peer.head(kind="application/json")
        while not peer.closed.is_set():
            await peer.chunk(b'{"keys": [' + b" " * 65_536)

    async def _failing(self, peer: Peer) -> None:
        await peer.document({"error": "busy"}, status=503)

    async def _moved(self, peer: Peer) -> None:
        await peer.document(b"", status=301, location="https://gitlab.test/elsewhere")

    async def _silent(self, peer: Peer) -> None:
        await peer.hang()

    async def _cut(self, peer: Peer) -> None:
        peer.reset()

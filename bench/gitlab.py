"""A GitLab as far as tokens go: publishes its key, and signs the one token that the benchmark's requests carry."""

from __future__ import annotations

import base64
import functools
import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from typing_extensions import override

from homeport import access

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT = 18285
URL = f"http://127.0.0.1:{PORT}"
INSTANCE = "8c4b2f5e-4a1d-4e6f-9d43-3f1f0b8c7a10"
SCOPES = sorted(access.SCOPES)
"""All of them: a GitLab grants whatever its licence covers, not only what is asked for."""
HEADERS = (
    "x-gitlab-authentication-type: oidc",
    f"x-gitlab-instance-id: {INSTANCE}",
    "x-gitlab-realm: self-managed",
    "x-gitlab-host-name: gitlab.example.test",
    "x-gitlab-version: 18.5.0",
    "x-gitlab-global-user-id: xK3TjvWmvO1hOo5kSxkFz4WmqkQm2w6mXJ8o0lX1n8I=",
    "x-gitlab-rails-send-start: 1700000000.5",
    "x-gitlab-enabled-feature-flags: ",
    "x-gitlab-language-server-version: 7.20.0",
    "x-request-id: 01JBENCHMARKREQUEST",
)
"""What a GitLab sends beside the token."""


@functools.cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@functools.cache
def token() -> str:
    """A token for a day, as a GitLab signs it."""
    now = int(time.time())
    claims = {
        "jti": "5f0c1d6e-0d6b-4d0a-9f53-2f6f7a2c1d10",
        "iss": URL,
        "aud": "gitlab-ai-gateway",
        "sub": INSTANCE,
        "iat": now,
        "nbf": now - 5,
        "exp": now + 86_400,
        "gitlab_realm": "self-managed",
        "scopes": SCOPES,
    }
    signed = ".".join(_b64(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT", "kid": "b"}, claims))
    return f"{signed}.{_b64(_key().sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Discovery, or the keys."""
        public = _key().public_key().public_numbers()
        key = {"kty": "RSA", "kid": "b", "use": "sig", "alg": "RS256", "n": _number(public.n), "e": _number(public.e)}
        found = {"keys": [key]} if self.path.endswith("/keys") else {"issuer": URL, "jwks_uri": f"{URL}/keys"}
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def issuing() -> Iterator[None]:
    """Publish the key until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", PORT), _Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

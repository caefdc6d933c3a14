"""AWS Signature Version 4, in the `Authorization` header.

Source: AWS General Reference, "Create a signed AWS API request".
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.kit.upstream import Call

ALGORITHM = "AWS4-HMAC-SHA256"


class Keys(NamedTuple):
    """What signs a request; `token` belongs to temporary ones."""

    access: str
    secret: str
    token: str = ""


class Scope(NamedTuple):
    """What a signature is good for."""

    region: str
    service: str


def sign(keys: Keys, scope: Scope, call: Call, now: float | None = None) -> dict[str, str]:
    """The call's headers with what AWS wants to see beside them; signed are those that nobody on the way changes."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    sent = {**call.headers, "X-Amz-Date": moment}
    if keys.token:
        sent["X-Amz-Security-Token"] = keys.token
    signed = {name.lower(): " ".join(value.split()) for name, value in sent.items() if _stays(name.lower())}
    signed["host"] = urlsplit(call.url).netloc
    names = ";".join(sorted(signed))
    place = f"{moment[:8]}/{scope.region}/{scope.service}/aws4_request"
    request = hashlib.sha256(_canonical(call, signed, names).encode()).hexdigest()
    signature = _hmac(_key(keys.secret, place), f"{ALGORITHM}\n{moment}\n{place}\n{request}").hex()
    credential = f"Credential={keys.access}/{place}"
    return {**sent, "Authorization": f"{ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"}


def _stays(name: str) -> bool:
    return name == "content-type" or name.startswith("x-amz-")


def _canonical(call: Call, headers: Mapping[str, str], names: str) -> str:
    """The request in the one form that both sides hash; the path, encoded already, is encoded once more."""
    parts = urlsplit(call.url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = "&".join("=".join(pair) for pair in sorted((_encoded(name), _encoded(value)) for name, value in pairs))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    digest = hashlib.sha256(call.body).hexdigest()
    return f"{call.method}\n{quote(parts.path or '/', safe='/-_.~')}\n{query}\n{lines}\n{names}\n{digest}"


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _key(secret: str, place: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in place.split("/"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")

"""What an issuer publishes: its name and its keys, asked for at the address that an operator configured.

Source: OpenID Connect Discovery 1.0, sections 3 and 4. Where a GitLab is reached under another name than
its own, its keys are asked for under the configured one too: nobody is contacted who was not configured.
"""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from homeport.access.keys import Unusable, read_set
from homeport.domain.models import origin_of
from homeport.kit.upstream import Call, TooMuch, TransportError, Unreachable, UpstreamTooLate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.access.keys import KeySet
    from homeport.kit.upstream import Upstream

FETCH_S = 5.0
"""Seconds for both documents together; no request waits that long."""
DOCUMENT = 256 * 1024
"""Bytes that either document may have."""
NAME = 1024
"""Characters that an issuer's name may have."""

PATH = "/.well-known/openid-configuration"
HEADERS = MappingProxyType({"Accept": "application/json", "Accept-Encoding": "identity"})
_OK, _REDIRECTS = 200, range(300, 400)
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "refused": "refuses connections",
        "dns": "has a name that cannot be resolved",
        "denied": "has an address that is never contacted",
        "url": "is not an address that can be asked",
        "plain": "does not speak TLS at that port; a URL of plain HTTP begins with http://",
        "tls": "has a certificate that is not trusted; HOMEPORT_CA_FILE names one more authority to trust",
    }
)


class Published(NamedTuple):
    """What an issuer says of itself, fetched whole."""

    issuer: str
    """Its name, as its tokens carry it."""
    keys: KeySet


async def fetch(upstream: Upstream, url: str) -> Published:
    """Name and keys of the issuer at `url`, whose path is kept; raises Unusable that says what is wrong."""
    try:
        async with asyncio.timeout(FETCH_S):
            issuer, keys_at = _discovered(url, await document(upstream, url + PATH))
            return Published(issuer, read_set(await document(upstream, keys_at)))
    except TimeoutError:
        raise Unusable(f"{url} did not answer within {FETCH_S:.0f} seconds") from None


async def document(upstream: Upstream, url: str) -> bytes:
    """What is there, whole; raises Unusable that says what is wrong."""
    try:
        answer = await exchanged(
            upstream, Call(url, HEADERS, "GET", first_byte_s=FETCH_S, idle_s=FETCH_S, total_s=FETCH_S)
        )
    except TransportError as error:
        raise Unusable(f"{url} {words(error)}") from error
    if answer.status != _OK:
        raise Unusable(f"{url} {refusal(answer.status, answer.location)}")
    return answer.body


class Answered(NamedTuple):
    """A whole answer."""

    status: int
    location: str
    body: bytes
    """Of a redirect, nothing: they are not followed."""


async def exchanged(upstream: Upstream, call: Call) -> Answered:
    """A call with its whole answer, of at most `DOCUMENT` bytes; raises TransportError."""
    reply = await upstream.open(call)
    try:
        body = b"" if reply.status in _REDIRECTS else await reply.read(DOCUMENT)
        return Answered(reply.status, reply.header("Location"), body)
    finally:
        reply.close()


def _discovered(url: str, document: bytes) -> tuple[str, str]:
    """The issuer's name and where its keys are."""
    try:
        said: Any = orjson.loads(document)
        issuer, keys_at = said["issuer"], said["jwks_uri"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise Unusable(f"{url}{PATH} is not a discovery document with issuer and jwks_uri") from None
    if not (is_address(issuer) and is_address(keys_at)):
        raise Unusable(f"{url}{PATH} names an issuer or a jwks_uri that is not an http(s) URL")
    return issuer, _beside(url, keys_at)


def is_address(text: Any) -> bool:  # noqa: ANN401 (whatever the issuer wrote)
    """Whether it is an http(s) URL of sober length."""
    try:
        return isinstance(text, str) and len(text) <= NAME and bool(origin_of(text))
    except ValueError:
        return False


def _beside(url: str, keys_at: str) -> str:
    """`keys_at` at the origin that was configured."""
    ours, theirs = urlsplit(url), urlsplit(keys_at)
    return theirs._replace(scheme=ours.scheme, netloc=ours.netloc, fragment="").geturl()


def refusal(status: int, location: str) -> str:
    """An answer that is no success as the rest of a sentence."""
    if status in _REDIRECTS:
        return f"redirects to {location[:200] or 'nowhere'}; redirects are not followed: configure where it leads"
    return f"answered HTTP {status}"


def words(error: TransportError) -> str:
    """A failure of the transport as the rest of a sentence."""
    if isinstance(error, Unreachable):
        return _WORDS.get(error.why, "cannot be reached") + (f" ({error.detail})" if error.detail else "")
    if isinstance(error, UpstreamTooLate):
        return "did not answer in time"
    if isinstance(error, TooMuch):
        return f"answered with more than {error.limit} bytes"
    return "did not answer in proper HTTP"

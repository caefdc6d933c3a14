"""Proxies: how one is named, how it is asked for a tunnel, and what its refusals mean (RFC 9110, section 9.3.6)."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from typing_extensions import override

from homeport.kit.references import check as check_reference
from homeport.kit.references import resolve
from homeport.kit.upstream import Unreachable

HEAD_LIMIT = 16 * 1024
AUTHENTICATE = 407
_FORM = "write it like http://proxy.internal:3128, with user:env:PROXY_PASSWORD@ before the host if it wants that"
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})\b")
_NETLOC = re.compile(r"[A-Za-z0-9._~%!$&'()*+;=:@\[\]-]+")
_OWN_WORDS = {b"x-squid-error", b"proxy-status"}
"""Headers of answers that a proxy wrote itself: Squid's, and RFC 9209's."""


class Proxy(NamedTuple):
    """A proxy and what it wants to know of us."""

    secure: bool
    host: str
    port: int
    user: str = ""
    password: str = ""
    """A reference to it (`env:VAR`), never itself."""

    @property
    def at(self) -> str:
        """Host and port, for people."""
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def authorization(self) -> str:
        """The header line that says who we are, or nothing; raises Unreachable."""
        if not self.user:
            return ""
        try:
            password = resolve(self.password) if self.password else ""
        except ValueError as error:
            raise Unreachable("proxy", f"the password for its proxy {self.at} is missing: {error}") from error
        return f"Proxy-Authorization: Basic {b64encode(f'{self.user}:{password}'.encode()).decode()}\r\n"

    def refusal(self, status: int, place: str) -> Unreachable:
        """What an HTTP error of the proxy's own means."""
        if status == AUTHENTICATE:
            said = "does not accept our user name and password" if self.user else "wants a user name and a password"
            return Unreachable("proxy", f"its proxy {self.at} {said} (HTTP 407)")
        if status == 403:  # noqa: PLR2004 (HTTP's own number)
            return Unreachable("proxy", f"its proxy {self.at} does not let us to {place} (HTTP 403)")
        if status in {502, 503, 504}:
            return Unreachable("proxy", f"its proxy {self.at} cannot reach {place} (HTTP {status})")
        return Unreachable("proxy", f"its proxy {self.at} refused the way to {place} (HTTP {status})")

    def trouble(self, error: Unreachable) -> Unreachable:
        """The same trouble, at the proxy rather than at the model."""
        words = _HOP.get(error.why, "cannot be reached")
        detail = f" ({error.detail})" if error.detail and error.why in {"tls", "network"} else ""
        return Unreachable("proxy", f"its proxy {self.at} {words}{detail}")


_HOP = {
    "refused": "does not listen",
    "dns": "has a host name that cannot be resolved",
    "tls": "has a TLS certificate that was not accepted",
    "plain": "does not speak TLS",
    "denied": "has an address that none may have (link-local or a metadata service, or a denied network)",
    "reset": "reset the connection",
    "closed": "closed the connection",
}


def proxy_of(text: str) -> Proxy:
    """A proxy from its URL; raises ValueError that says what is wrong and shows no password."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(_FORM) from None
    more = parts.path.strip("/") or parts.query or parts.fragment
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port or more:
        raise ValueError(_FORM)
    if not _NETLOC.fullmatch(parts.netloc):
        raise ValueError(_FORM)
    user, password = unquote(parts.username or ""), parts.password or ""
    if password and not password.startswith("env:"):
        msg = f"its password would be stored in clear: name the variable that holds it ({_FORM})"
        raise ValueError(msg)
    if password:
        check_reference(password)
    if ":" in user or not user.isprintable() or (password and not user):
        raise ValueError(_FORM)
    return Proxy(parts.scheme == "https", parts.hostname, port, user, password)


def asks(proxy: Proxy, host: str, port: int) -> bytes:
    """The request for a tunnel."""
    place = f"{f'[{host}]' if ':' in host else host}:{port}"
    return f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{proxy.authorization()}\r\n".encode()


class Tunnel(asyncio.Protocol):
    """A connection to a proxy until it has answered; then somebody else takes over its transport."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._seen = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    @override
    def data_received(self, data: bytes) -> None:
        self._seen += data
        if not self.answer.done() and (b"\r\n\r\n" in self._seen or len(self._seen) > HEAD_LIMIT):
            self.answer.set_result(self._seen)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.set_result(b"")

    async def opened(self, proxy: Proxy, host: str, port: int) -> asyncio.Transport:
        """The transport once the proxy has let us through; raises Unreachable."""
        self.transport.write(asks(proxy, host, port))
        head, end, early = (await self.answer).partition(b"\r\n\r\n")
        if not head:
            raise proxy.trouble(Unreachable("closed"))
        status = _STATUS.match(head)
        if status is None or not end:
            raise Unreachable("proxy", f"what answers at its proxy {proxy.at} does not speak HTTP")
        if not 200 <= int(status[1]) < 300:  # noqa: PLR2004 (HTTP's own numbers)
            raise proxy.refusal(int(status[1]), f"{host}:{port}")
        if early:
            raise Unreachable("proxy", f"its proxy {proxy.at} sent something into the tunnel that nobody asked for")
        return self.transport


def of_the_proxy(status: int, headers: dict[bytes, bytes]) -> bool:
    """Whether an error answer to a plain request is the proxy's own, as far as one can tell."""
    return status == AUTHENTICATE or (status >= 400 and not headers.keys().isdisjoint(_OWN_WORDS))  # noqa: PLR2004 (HTTP's own number)

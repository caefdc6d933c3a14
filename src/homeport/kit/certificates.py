"""Certificates: whom we trust and how we show who we are. Files are read off the loop, and again when they change."""

from __future__ import annotations

import asyncio
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from homeport.kit.upstream import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from homeport.kit.network import Network

MOST = 256
Stamp = tuple[int, int, int] | None


class _Papers(NamedTuple):
    """The files that a context is made of; empty where there is none."""

    authorities: str = ""
    certificate: str = ""
    key: str = ""


class _Held:
    """A context, and what its files were like when it was made."""

    __slots__ = ("context", "ends", "lock", "stamps")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.context: ssl.SSLContext | None = None
        self.stamps: tuple[Stamp, ...] = ()
        self.ends = float("inf")


class Contexts:
    """TLS contexts by the files that they are made of; belongs to one event loop."""

    def __init__(self, authorities: Path | None = None) -> None:
        """`authorities` are trusted everywhere besides the system's: a file, or a folder of them."""
        self._site = "" if authorities is None else str(authorities)
        self._held: dict[_Papers, _Held] = {}

    async def of(self, network: Network | None, *, show: bool = True) -> ssl.SSLContext:
        """What this way trusts and, if it shall `show` it, presents; raises Unreachable for files that will not do."""
        papers = _papers(network, show=show)
        if len(self._held) >= MOST and papers not in self._held:
            self._held.clear()
        held = self._held.setdefault(papers, _Held())
        files = [file for file in (self._site, *papers) if file]
        if held.context is not None and not files:
            return held.context
        async with held.lock:
            return await asyncio.to_thread(self._current, held, papers, files)

    def _current(self, held: _Held, papers: _Papers, files: Iterable[str]) -> ssl.SSLContext:
        stamps = tuple(_stamp(file) for file in files)
        if held.context is None or stamps != held.stamps:
            held.context = None
            held.context, held.ends = self._made(papers)
            held.stamps = stamps
        if held.ends < time.time():
            raise _of_ours(f"has expired ({time.strftime('%Y-%m-%d', time.gmtime(held.ends))})", papers.certificate)
        return held.context

    def _made(self, papers: _Papers) -> tuple[ssl.SSLContext, float]:
        context = ssl.create_default_context()
        for authorities in filter(None, (self._site, papers.authorities)):
            _trust_also(context, Path(authorities))
        if not papers.certificate:
            return context, float("inf")
        _show(context, papers)
        return context, _end(papers.certificate)


def _papers(network: Network | None, *, show: bool) -> _Papers:
    if network is None:
        return _Papers()
    if not show:
        return _Papers(network.ca_file)
    if network.client_key_file and not network.client_cert_file:
        detail = "a client key is set without its certificate (option client_cert_file)"
        raise Unreachable("certificate", detail)
    return _Papers(network.ca_file, network.client_cert_file, network.client_key_file)


def _stamp(file: str) -> Stamp:
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _trust_also(trust: ssl.SSLContext, authorities: Path) -> None:
    folder = authorities.is_dir()
    try:
        trust.load_verify_locations(None if folder else authorities, authorities if folder else None)
    except OSError as error:
        why = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        detail = f"the file of certificate authorities {authorities} cannot be read ({why})"
        raise Unreachable("certificate", detail) from error


def _show(context: ssl.SSLContext, papers: _Papers) -> None:
    for file in filter(None, papers[1:]):
        _readable(file)
    try:
        context.load_cert_chain(papers.certificate, papers.key or None, password=_no_passphrase)
    except ValueError as error:
        raise _of_ours("has a key with a passphrase: store it without one", papers.key or papers.certificate) from error
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise _of_ours("does not belong to the key", papers.certificate, papers.key) from error
        raise _of_ours("holds no certificate with its key in PEM form", papers.certificate, papers.key) from error


def _readable(file: str) -> None:
    try:
        with Path(file).open("rb"):
            return
    except OSError as error:
        raise _of_ours(f"cannot be read ({error.strerror})", file) from error


def _no_passphrase() -> str:
    """Nobody is there to type one."""
    raise ValueError


def _end(file: str) -> float:
    """The Unix time at which the first certificate of a file ends."""
    # here, because its cryptography takes a while to load
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 (see above)

    return load_pem_x509_certificates(Path(file).read_bytes())[0].not_valid_after_utc.timestamp()


def _of_ours(what: str, *files: str) -> Unreachable:
    return Unreachable("certificate", f"the client certificate {' with '.join(filter(None, files))} {what}")


_ALERTS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a client certificate (option client_cert_file)",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it says that our client certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "it says that our client certificate was revoked",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not know the authority of our client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not accept our client certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not accept our client certificate",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it does not accept the kind of our client certificate",
    "TLSV1_ALERT_ACCESS_DENIED": "it does not let our client certificate in",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the TLS handshake failed; perhaps it wants a client certificate",
}
"""What a server says of our certificate (RFC 8446, section 6.2), after the handshake in TLS 1.3, within it before."""


def refused(error: Exception | None) -> Unreachable | None:
    """What a server said of our certificate, if the error is such a word."""
    reason = error.reason if isinstance(error, ssl.SSLError) else None
    return Unreachable("certificate", _ALERTS[reason]) if reason in _ALERTS else None

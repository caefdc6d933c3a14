"""Certificates made for a test, and servers on loopback that show and want them."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

Paper = tuple[ec.EllipticCurvePrivateKey, x509.Certificate]


def certificate(name: str, *, issuer: Paper | None = None, days: int = 1) -> Paper:
    """A key and a certificate for `name`, signed by `issuer` or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    alternative: list[x509.GeneralName] = [x509.DNSName(name)]
    with contextlib.suppress(ValueError):
        alternative = [x509.IPAddress(ipaddress.ip_address(name))]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[1].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=9))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(alternative), critical=False)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .sign(issuer[0] if issuer else key, hashes.SHA256())
    )
    return key, made


def pem_of_key(paper: Paper, passphrase: bytes = b"") -> bytes:
    """The key alone."""
    sealed = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return paper[0].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)


def pem(paper: Paper) -> bytes:
    """The certificate alone."""
    return paper[1].public_bytes(serialization.Encoding.PEM)


def written(paper: Paper, folder: Path, name: str) -> Path:
    """Both in one file."""
    file = folder / name
    file.write_bytes(pem_of_key(paper) + pem(paper))
    return file


def shown(paper: Paper, folder: Path, *, wants: Paper | None = None, tls13: bool = True) -> ssl.SSLContext:
    """What a server shows; with `wants` it takes only clients with a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(written(paper, folder, f"server-{id(paper)}.pem"))
    if not tls13:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if wants is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=pem(wants).decode())
    return context


@contextlib.asynccontextmanager
async def secured(context: ssl.SSLContext, answer: bytes = b"ok") -> AsyncIterator[int]:
    """A TLS server that answers every request alike; gives its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@contextlib.contextmanager
def strict(context: ssl.SSLContext) -> Iterator[int]:
    """The same, one connection after the other, by a server that tells its clients why it refuses them.

    asyncio's cuts the connection before it has sent the alert.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker = threading.Thread(target=_accept, args=(listener, context))
        worker.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            worker.join()


def _accept(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        plain.settimeout(5)
        # whoever is refused may go in any way
        with contextlib.suppress(OSError), _waiting(plain, context) as secure:
            _serve(secure)


def _waiting(plain: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    return context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)


def _serve(secure: ssl.SSLSocket) -> None:
    try:
        secure.do_handshake()
        while secure.recv(65536):
            secure.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
    except ssl.SSLError:
        # what is left unread would make the close a reset, which overtakes the alert
        secure.shutdown(socket.SHUT_WR)
        while secure.recv(65536):
            pass

"""What can be wrong on the way to a model's server."""

from __future__ import annotations

import asyncio
import email.utils
import socket
import time
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from blackhole import black_hole
from broken import Breaking, Site, broken
from commands import KEY, LIMITS
from papers import certificate, pem, shown
from proxies import ForwardProxy, pump

from homeport.kit import server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from papers import Paper
    from script import Peer


def nobody() -> int:
    """A port that was free a moment ago."""
    with closing(server.listen("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@broken("model_tcp", saw="nobody listens there", fix="homeport models edit coder --endpoint URL")
async def a_wrong_port(site: Site) -> Breaking:
    """The endpoint has a wrong port, or the model's server is down."""
    await site.instance.edit(endpoint=f"http://127.0.0.1:{nobody()}/v1")
    yield
    await site.run(f"homeport models edit coder --endpoint {site.instance.models.url}")
    await site.instance.edit(key=KEY)


@broken("model_tcp", saw="connecting takes too long", fix="See that no firewall is in between")
async def a_firewall_that_drops(site: Site) -> Breaking:
    """A firewall drops what is sent."""
    with black_hole() as port:
        limits = replace(LIMITS, connect_s=0.3)
        await site.instance.edit(endpoint=f"http://127.0.0.1:{port}/v1", limits=limits)
        yield
    await site.instance.edit(endpoint=site.instance.models.url, limits=LIMITS, key=KEY)


@broken("model_dns", saw="cannot resolve the host name", fix="or the name server that this machine asks")
async def a_host_that_does_not_exist(site: Site) -> Breaking:
    """The host name does not exist."""
    await site.instance.edit(endpoint="http://no-such-host.invalid:8000/v1")
    yield
    await site.instance.edit(endpoint=site.instance.models.url, key=KEY)


@broken("model_dns", saw="gpu.corp.example is 203.0.113.7 here", fix="in a split DNS, ask the inner name server")
async def a_split_dns(site: Site) -> Breaking:
    """A split DNS shows this machine the outer address."""
    usual = socket.getaddrinfo

    def outer(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        return usual("203.0.113.7" if host == "gpu.corp.example" else host, port, *rest, **more)

    site.monkeypatch.setattr(socket, "getaddrinfo", outer)
    site.environment["HOMEPORT_ALLOWED_NETWORKS"] = "127.0.0.0/8"
    endpoint = f"http://gpu.corp.example:{site.instance.models.port}/v1"
    await site.instance.edit(endpoint=endpoint, key=KEY)
    yield
    await site.instance.edit(endpoint=site.instance.models.url, key=KEY)
    site.monkeypatch.undo()


@broken("model_dns", saw="no model may have", fix="homeport models edit coder --endpoint URL")
async def a_metadata_service(site: Site) -> Breaking:
    """The endpoint is a cloud's metadata service."""
    await site.instance.edit(endpoint="http://169.254.169.254/v1")
    yield
    await site.instance.edit(endpoint=site.instance.models.url, key=KEY)


@broken("model_dns", saw="a denied network", fix="HOMEPORT_DENIED_NETWORKS")
async def a_denied_network(site: Site) -> Breaking:
    """The endpoint is in a denied network."""
    site.environment["HOMEPORT_DENIED_NETWORKS"] = "127.0.0.0/8"
    yield
    site.environment["HOMEPORT_DENIED_NETWORKS"] = None


@broken("model_proxy", saw="its proxy 127.0.0.1", fix="--option proxy=URL")
async def a_proxy_that_is_down(site: Site) -> Breaking:
    """The proxy on the way is down."""
    await site.instance.edit(options={"proxy": f"http://127.0.0.1:{nobody()}"})
    yield
    await site.run("homeport models edit coder --option proxy=none")


@broken("model_proxy", saw="HTTP 407", fix="--option proxy=URL")
async def a_proxy_that_wants_a_password(site: Site) -> Breaking:
    """The proxy on the way wants a password."""
    async with ForwardProxy(wants="ada:lovelace").listening() as proxy:
        await site.instance.edit(options={"proxy": proxy.url()})
        yield
        await site.run("homeport models edit coder --option proxy=none")


PATIENT = replace(LIMITS, connect_s=20)
"""Shaking hands takes a while where many tests run."""


@asynccontextmanager
async def behind_tls(site: Site, paper: Paper, host: str = "127.0.0.1", **options: str) -> AsyncIterator[int]:
    """The model's server behind TLS that shows `paper`, registered at `host`; gives the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, out = await asyncio.open_connection("127.0.0.1", site.instance.models.port)
        await asyncio.gather(pump(reader, out), pump(there, writer))

    secured = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=shown(paper, site.folder))
    port = secured.sockets[0].getsockname()[1]
    await site.instance.edit(endpoint=f"https://{host}:{port}/v1", key=KEY, options=options, limits=PATIENT)
    try:
        yield port
    finally:
        secured.close()


def trusted(site: Site, paper: Paper) -> str:
    """A file of authorities."""
    file = site.folder / f"authority-{id(paper)}.pem"
    file.write_bytes(pem(paper))
    return str(file)


@broken("model_tls", saw="its TLS certificate is not accepted", fix="--option ca_file=PATH")
async def a_private_authority(site: Site) -> Breaking:
    """The certificate is of an authority that nobody here knows, or signed by itself."""
    authority = certificate("authority")
    await site.stack.enter_async_context(behind_tls(site, certificate("127.0.0.1", issuer=authority, days=90)))
    yield
    await site.run(f"homeport models edit coder --option ca_file={trusted(site, authority)}")


@broken("model_tls", saw="certificate has expired", fix="Renew the certificate")
async def an_expired_certificate(site: Site) -> Breaking:
    """The certificate has expired."""
    authority = certificate("authority")
    known = trusted(site, authority)
    await site.stack.enter_async_context(
        behind_tls(site, certificate("127.0.0.1", issuer=authority, days=-2), ca_file=known)
    )
    yield
    renewed = certificate("127.0.0.1", issuer=authority, days=90)
    await site.stack.enter_async_context(behind_tls(site, renewed, ca_file=known))


@broken("model_tls", saw="ends in", fix="Renew it on the model's server")
async def a_certificate_that_ends_soon(site: Site) -> Breaking:
    """The certificate ends in a few days."""
    authority = certificate("authority")
    known = trusted(site, authority)
    await site.stack.enter_async_context(
        behind_tls(site, certificate("127.0.0.1", issuer=authority, days=3), ca_file=known)
    )
    yield
    await site.instance.edit(endpoint=site.instance.models.url, key=KEY)


@broken("model_tls", saw="is for localhost", fix="homeport models edit coder --endpoint https://localhost:")
async def a_certificate_for_another_name(site: Site) -> Breaking:
    """The certificate is for another name."""
    authority = certificate("authority")
    known = trusted(site, authority)
    secured = await site.stack.enter_async_context(
        behind_tls(site, certificate("localhost", issuer=authority, days=90), ca_file=known)
    )
    yield
    await site.instance.edit(endpoint=f"https://localhost:{secured}/v1", key=KEY)


@broken("model_tls", saw="it speaks TLS at that port", fix="homeport models edit coder --endpoint https://")
async def http_where_tls_is_spoken(site: Site) -> Breaking:
    """The endpoint says http, and the server speaks TLS."""
    authority = certificate("authority")
    known = trusted(site, authority)
    secured = await site.stack.enter_async_context(
        behind_tls(site, certificate("127.0.0.1", issuer=authority, days=90), ca_file=known)
    )
    await site.instance.edit(endpoint=f"http://127.0.0.1:{secured}/v1", key=KEY)
    yield
    await site.instance.edit(endpoint=f"https://127.0.0.1:{secured}/v1", key=KEY)


@broken("model_tls", saw="it does not speak TLS at that port", fix="homeport models edit coder --endpoint http://")
async def https_where_http_is_spoken(site: Site) -> Breaking:
    """The endpoint says https, and the server speaks plain HTTP."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    plain = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = plain.sockets[0].getsockname()[1]
    await site.instance.edit(endpoint=f"https://127.0.0.1:{port}/v1", key=KEY, limits=PATIENT)
    yield
    plain.close()
    await site.instance.edit(endpoint=site.instance.models.url, key=KEY)


@broken("model_reachable", saw="the connection is taken, but no answer comes", fix="restart it")
async def a_server_that_hangs(site: Site) -> Breaking:
    """The model's server takes connections and hangs."""

    async def hang(peer: Peer) -> None:
        await peer.hang()

    site.instance.models.play = hang
    await site.instance.edit(limits=replace(LIMITS, first_token_s=0.4))
    yield
    site.instance.models.play = site.instance.play
    await site.instance.edit(limits=LIMITS)


@broken("model_reachable", saw="does not speak HTTP", fix="--endpoint URL")
async def something_else_than_http(site: Site) -> Breaking:
    """Something else than a web server listens there."""

    async def other(peer: Peer) -> None:
        await peer.write(b"SSH-2.0-OpenSSH_9.6\r\n")

    site.instance.models.play = other
    yield
    site.instance.models.play = site.instance.play


@broken("model_reachable", saw="what answers is a web page", fix="no_proxy")
async def a_captive_portal(site: Site) -> Breaking:
    """A login page or a proxy's page answers instead of the model."""

    async def portal(peer: Peer) -> None:
        await peer.document(b"<html>Sign in</html>", kind="text/html")

    site.instance.models.play = portal
    yield
    site.instance.models.play = site.instance.play


@broken("clock", saw="Clocks differ from http://127.0.0.1:", fix="timedatectl set-ntp true")
async def a_clock_that_is_off(site: Site) -> Breaking:
    """This machine's clock is off by an hour."""
    usual = site.instance.play

    async def dated(peer: Peer) -> None:
        if peer.method == "GET" and peer.target.endswith("/models"):
            date = email.utils.formatdate(time.time() + 3600.4, usegmt=True)
            await peer.document({"data": [{"id": name} for name in site.instance.served]}, date=date)
        else:
            await usual(peer)

    site.instance.models.play = dated
    yield
    site.instance.models.play = usual

"""The way to a server: proxies, tunnels, certificates, and which hop failed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from papers import Paper, certificate, pem, pem_of_key, secured, shown, strict, written
from proxies import ForwardProxy
from script import ModelServer

from homeport.kit import certificates, extra_headers, network, references
from homeport.kit.addresses import parse_networks
from homeport.kit.network import Network, exempt
from homeport.kit.proxy import proxy_of
from homeport.kit.upstream import Call, Unreachable, UpstreamTooLate
from homeport.kit.upstream_http import HttpUpstream

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from pathlib import Path

PASSWORD = "canary-of-the-proxy"


@pytest.fixture
async def proxy() -> AsyncIterator[ForwardProxy]:
    async with ForwardProxy().listening() as found:
        yield found


@pytest.fixture(scope="module")
def authority() -> Paper:
    return certificate("authority")


@pytest.fixture
def ca_file(authority: Paper, tmp_path: Path) -> str:
    file = tmp_path / "ca.pem"
    file.write_bytes(pem(authority))
    return str(file)


@pytest.fixture
def context(authority: Paper, tmp_path: Path) -> ssl.SSLContext:
    return shown(certificate("127.0.0.1", issuer=authority), tmp_path)


async def fetch(upstream: HttpUpstream, url: str, way: Network | None = None, **more: Any) -> bytes:
    reply = await upstream.open(Call(url, method="GET", connect_s=5, network=way, **more))
    try:
        return await reply.read(10**6)
    finally:
        reply.close()


async def refused(upstream: HttpUpstream, url: str, way: Network | None = None, **more: Any) -> Unreachable:
    with pytest.raises(Unreachable) as refusal:
        await fetch(upstream, url, way, **more)
    return refusal.value


# proxies


async def test_a_plain_request_names_the_whole_address(
    server: ModelServer, proxy: ForwardProxy, upstream: HttpUpstream
) -> None:
    way = Network(proxy=proxy.url())
    for _ in range(3):
        assert b"served" in await fetch(upstream, f"{server.url}/models", way)
    assert proxy.asked == [f"GET {server.url}/models"] * 3
    assert {(peer.target, peer.headers["host"]) for peer in server.heard} == {
        ("/v1/models", f"127.0.0.1:{server.port}")
    }
    assert proxy.connections == 1


async def test_a_secure_one_goes_through_a_tunnel(
    proxy: ForwardProxy, upstream: HttpUpstream, context: ssl.SSLContext, ca_file: str
) -> None:
    way = Network(proxy=proxy.url(), ca_file=ca_file)
    async with secured(context) as port:
        for _ in range(3):
            assert await fetch(upstream, f"https://127.0.0.1:{port}/", way) == b"ok"
    assert proxy.asked == [f"CONNECT 127.0.0.1:{port}"]  # one connection, used again


async def test_a_tunnel_through_a_proxy_that_is_secure_itself(
    upstream: HttpUpstream, server: ModelServer, context: ssl.SSLContext, ca_file: str
) -> None:
    async with ForwardProxy().listening(context) as proxy, secured(context) as port:
        way = Network(proxy=proxy.url(), ca_file=ca_file)
        assert await fetch(upstream, f"https://127.0.0.1:{port}/", way) == b"ok"
        assert b"served" in await fetch(upstream, f"{server.url}/models", way)
        assert proxy.asked == [f"CONNECT 127.0.0.1:{port}", f"GET {server.url}/models"]
        stranger = await refused(upstream, f"{server.url}/models", Network(proxy=proxy.url()))
    assert str(stranger).startswith(f"its proxy 127.0.0.1:{proxy.port} has a TLS certificate that was not accepted")


async def test_a_name_that_only_the_proxy_knows(
    proxy: ForwardProxy, upstream: HttpUpstream, authority: Paper, tmp_path: Path, ca_file: str
) -> None:
    """The certificate within the tunnel is checked for the model's own name."""
    way = Network(proxy=proxy.url(), ca_file=ca_file)
    async with secured(shown(certificate("gpu.test", issuer=authority), tmp_path)) as port:
        proxy.hosts = {"gpu.test": port, "other.test": port}
        assert await fetch(upstream, "https://gpu.test/", way) == b"ok"
        wrong = await refused(upstream, "https://other.test/", way)
    assert wrong.why == "tls"
    assert "other.test" in wrong.detail


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_wants_a_password(
    proxy: ForwardProxy, context: ssl.SSLContext, ca_file: str, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    proxy.wants, upstream = f"ada:{PASSWORD}", HttpUpstream()
    async with secured(context) as port, ModelServer().listening() as server:
        url = f"https://127.0.0.1:{port}/" if scheme == "https" else f"{server.url}/models"
        way = Network(proxy=proxy.url("ada:env:PROXY_PASS"), ca_file=ca_file)
        missing = await refused(upstream, url, way)
        monkeypatch.setenv("PROXY_PASS", PASSWORD)
        assert await fetch(upstream, url, way)
        monkeypatch.setenv("PROXY_PASS", "wrong")
        await upstream.close()
        wrong = await refused(upstream, url, way)
        unsaid = await refused(upstream, url, way._replace(proxy=proxy.url()))
    at = f"127.0.0.1:{proxy.port}"
    assert str(missing) == f"the password for its proxy {at} is missing: the variable PROXY_PASS is not set"
    assert str(wrong) == f"its proxy {at} does not accept our user name and password (HTTP 407)"
    assert str(unsaid) == f"its proxy {at} wants a user name and a password (HTTP 407)"
    await upstream.close()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "its proxy {at} does not let us to {place} (HTTP 403)"),
        (502, "its proxy {at} cannot reach {place} (HTTP 502)"),
        (503, "its proxy {at} cannot reach {place} (HTTP 503)"),
        (504, "its proxy {at} cannot reach {place} (HTTP 504)"),
        (400, "its proxy {at} refused the way to {place} (HTTP 400)"),
        (302, "its proxy {at} refused the way to {place} (HTTP 302)"),
    ],
)
async def test_a_tunnel_that_is_refused(proxy: ForwardProxy, upstream: HttpUpstream, status: int, said: str) -> None:
    proxy.refuse = f"HTTP/1.1 {status} No\r\nContent-Length: 2\r\n\r\nno".encode()
    error = await refused(upstream, "https://127.0.0.1:9/", Network(proxy=proxy.url()))
    assert error.why == "proxy"
    assert str(error) == said.format(at=f"127.0.0.1:{proxy.port}", place="127.0.0.1:9")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "closed the connection"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000, "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nearly", "sent something into the tunnel"),
    ],
)
async def test_what_is_no_proxy(upstream: HttpUpstream, answer: bytes, said: str) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    listener = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    error = await refused(upstream, "https://127.0.0.1:9/", Network(proxy=f"http://127.0.0.1:{port}"))
    assert error.why == "proxy"
    assert f"127.0.0.1:{port}" in str(error)
    assert said in str(error)
    listener.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_not_there(upstream: HttpUpstream, scheme: str) -> None:
    url = f"{scheme}://127.0.0.1:9/"
    down = await refused(upstream, url, Network(proxy="http://127.0.0.1:9"))
    assert str(down) == "its proxy 127.0.0.1:9 does not listen"
    unknown = await refused(upstream, url, Network(proxy="http://proxy.invalid:3128"))
    assert str(unknown) == "its proxy proxy.invalid:3128 has a host name that cannot be resolved"
    unspeakable = await refused(upstream, url, Network(proxy=f"http://{'a' * 64}.test:3128"))
    assert str(unspeakable).endswith("has a host name that cannot be resolved")


async def test_a_proxy_that_says_nothing(upstream: HttpUpstream) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(1000):
                pass
        writer.close()

    mute = await asyncio.start_server(silent, "127.0.0.1", 0)
    at = f"127.0.0.1:{mute.sockets[0].getsockname()[1]}"
    with pytest.raises(UpstreamTooLate) as late:
        await upstream.open(Call("https://127.0.0.1:9/", connect_s=0.2, network=Network(proxy=f"http://{at}")))
    assert late.value.phase == f"connect, by its proxy {at}"
    mute.close()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 Connection established\r\n\r\n"])
@pytest.mark.parametrize("end", ["too late", "left"])
async def test_giving_up_within_a_tunnel_closes_it(upstream: HttpUpstream, answer: bytes, end: str) -> None:
    """Before the proxy has answered, and while the server behind it says nothing of TLS."""
    begun, closed = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        begun.set()
        with contextlib.suppress(ConnectionError):
            while await reader.read(1000):
                pass
        closed.set()
        writer.close()

    mute = await asyncio.start_server(silent, "127.0.0.1", 0)
    way = Network(proxy=f"http://127.0.0.1:{mute.sockets[0].getsockname()[1]}")
    connect_s = 0.3 if end == "too late" else 30
    asked = asyncio.create_task(upstream.open(Call("https://gpu.test/", connect_s=connect_s, network=way)))
    await begun.wait()
    if end == "left":
        asked.cancel()
    with pytest.raises((UpstreamTooLate, asyncio.CancelledError)):
        await asked
    await asyncio.wait_for(closed.wait(), 5)
    mute.close()


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"HTTP/1.1 502 Bad\r\n", "or what is behind it, cannot reach 127.0.0.1:9 (HTTP 502)"),
        (b"HTTP/1.1 403 No\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\n", "does not let us to 127.0.0.1:9 (HTTP 403)"),
        (b"HTTP/1.1 503 No\r\nProxy-Status: p; error=dns_error\r\n", "cannot reach 127.0.0.1:9 (HTTP 503)"),
    ],
)
async def test_a_plain_request_that_the_proxy_refuses(
    proxy: ForwardProxy, upstream: HttpUpstream, head: bytes, said: str
) -> None:
    proxy.refuse = head + b"Content-Length: 0\r\n\r\n"
    error = await refused(upstream, "http://127.0.0.1:9/", Network(proxy=proxy.url()))
    assert (error.why, said in str(error)) == ("proxy", True)


async def test_what_the_server_itself_refuses_is_its_answer(proxy: ForwardProxy, upstream: HttpUpstream) -> None:
    proxy.refuse = b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno"
    reply = await upstream.open(Call("http://127.0.0.1:9/", network=Network(proxy=proxy.url())))
    assert (reply.status, await reply.read(9)) == (403, b"no")
    reply.close()


async def test_the_usual_proxy_and_who_needs_none(server: ModelServer, proxy: ForwardProxy) -> None:
    proxy.hosts = {"gpu.test": server.port, "other.corp": server.port}
    upstream = HttpUpstream(proxy=proxy.url(), no_proxy="elsewhere.test")
    await fetch(upstream, "http://gpu.test/v1/models")
    await fetch(upstream, f"{server.url}/models")  # this machine
    await fetch(upstream, f"{server.url}/models", Network(proxy="none"))
    await fetch(upstream, f"{server.url}/models", Network(proxy=proxy.url()))  # as it was said
    assert proxy.asked == ["GET http://gpu.test/v1/models", f"GET {server.url}/models"]
    for way in (Network(proxy="none"), Network(no_proxy=".test")):
        assert (await refused(upstream, "http://gpu.test/v1/models", way)).why == "dns"
    await fetch(upstream, "http://gpu.test/v1/models", Network(no_proxy=".corp"))
    await upstream.close()


async def test_a_metadata_service_is_asked_without_a_proxy(server: ModelServer, proxy: ForwardProxy) -> None:
    upstream = HttpUpstream(proxy=proxy.url())
    way = Network(proxy=proxy.url())
    await fetch(upstream, f"{server.url}/models", way, metadata=True)
    assert (proxy.asked, len(server.heard)) == ([], 1)
    await upstream.close()


async def test_connections_of_different_ways_are_kept_apart(
    server: ModelServer, proxy: ForwardProxy, upstream: HttpUpstream
) -> None:
    for way in (None, Network(proxy=proxy.url()), None, Network(ca_file="/x"), None):
        await fetch(upstream, f"{server.url}/models", way)
    writers = [id(peer.writer) for peer in server.heard]
    assert writers[0] == writers[2] == writers[4]
    assert len(set(writers)) == 3


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "169.254.43518",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "169.254.169.254.",
        "metadata.google.internal",
        "METADATA.GOOGLE.INTERNAL.",
        "10.1.2.3",
        "[64:ff9b::10.1.2.3]",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_leads_to_no_denied_address(proxy: ForwardProxy, scheme: str, host: str) -> None:
    upstream = HttpUpstream(denied_networks=parse_networks(["10.0.0.0/8"]), proxy=proxy.url())
    assert (await refused(upstream, f"{scheme}://{host}/")).why == "denied"
    assert proxy.asked == []
    await upstream.close()


async def test_a_proxy_of_a_model_is_in_no_denied_network(server: ModelServer, proxy: ForwardProxy) -> None:
    """Else whoever registers models could look around with CONNECT; the operator's own proxy may be there."""
    networks = parse_networks(["127.0.0.0/8"])
    proxy.hosts = {"gpu.test": server.port}
    for usual in ("", "http://127.0.0.1:9"):
        upstream = HttpUpstream(denied_networks=networks, proxy=usual)
        error = await refused(upstream, "http://gpu.test/v1/models", Network(proxy=proxy.url()))
        assert "has an address that none may have" in str(error)
        await upstream.close()
    upstream = HttpUpstream(denied_networks=networks, proxy=proxy.url())
    assert await fetch(upstream, "http://gpu.test/v1/models")
    await upstream.close()
    never = HttpUpstream(proxy="http://169.254.169.254:3128")
    assert "has an address that none may have" in str(await refused(never, "http://gpu.test/"))
    await never.close()


# names of proxies and of who needs none


@pytest.mark.parametrize(
    "text",
    [
        "proxy.internal:3128",
        "socks5://proxy.internal:1080",
        "http://proxy.internal",
        "http://proxy.internal:3128/path",
        "http://proxy.internal:3128?x",
        "http://proxy internal:3128",
        "http://proxy.internal:99999",
        "http://[::1:3128",
        "http://:env:X@proxy.internal:3128",
        "http://a%0d%0ab:env:X@proxy.internal:3128",
        f"http://ada:{PASSWORD}@proxy.internal:3128",
        f"http://ada:env:{PASSWORD}@proxy.internal:3128",
        "http://ada:env:AWS_SECRET_ACCESS_KEY@proxy.internal:3128",
    ],
)
def test_what_is_no_proxy_s_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"proxy|reference|variable") as wrong:
        proxy_of(text)
    assert PASSWORD not in str(wrong.value)


def test_a_proxy_s_name() -> None:
    assert proxy_of("http://proxy.internal:3128") == (False, "proxy.internal", 3128, "", "")
    assert proxy_of("https://corp%5Cada:env:P@[::1]:8443/") == (True, "::1", 8443, "corp\\ada", "env:P")
    assert proxy_of("https://ada@[::1]:8443").at == "[::1]:8443"


@pytest.mark.parametrize(
    ("rules", "host", "port", "found"),
    [
        ("", "gpu.corp", 80, False),
        ("*", "gpu.corp", 80, True),
        ("corp", "gpu.corp", 80, True),
        (".corp", "gpu.corp", 80, True),
        ("*.corp", "a.gpu.CORP.", 80, True),
        ("corp", "corp", 80, True),
        (".corp", "corporate", 80, False),
        ("orp", "gpu.corp", 80, False),
        ("x, GPU.corp ,y", "gpu.corp", 80, True),
        ("gpu.corp:8000", "gpu.corp", 8000, True),
        ("gpu.corp:8000", "gpu.corp", 80, False),
        ("gpu.corp:http", "gpu.corp", 80, False),
        ("10.0.0.0/8", "10.9.9.9", 80, True),
        ("10.0.0.1/8", "10.9.9.9", 80, True),
        ("10.0.0.0/8", "11.9.9.9", 80, False),
        ("10.0.0.0/8", "gpu.corp", 80, False),
        ("10.0.0.1:81", "10.0.0.1", 81, True),
        ("127.0.0.0/8", "2130706433", 80, True),
        ("::1", "::1", 80, True),
        ("[::1]:80", "::1", 80, True),
        ("fd00::/8", "fd00::7", 80, True),
        ("fd00::/8", "10.0.0.1", 80, False),
    ],
)
def test_who_needs_no_proxy(rules: str, host: str, port: int, *, found: bool) -> None:
    assert exempt(rules, host, port) is found


@pytest.mark.parametrize("rules", ["10.0.0.0/33", "a b", "gpu.corp:http", "gpu:70000", ".", "x,,http://gpu.corp"])
def test_rules_that_match_nobody(rules: str) -> None:
    with pytest.raises(ValueError, match="is neither a name"):
        network.check_no_proxy(rules)


def test_rules_that_are_fine() -> None:
    network.check_no_proxy("*, .corp, *.corp, gpu_1.corp:8000, 10.0.0.0/8, ::1, [::1]:80, fd00::/8")


# certificates


def files(paper: Paper, folder: Path, name: str = "client") -> dict[str, str]:
    """A client's certificate and key as options."""
    found = {"client_cert_file": folder / f"{name}.crt", "client_key_file": folder / f"{name}.key"}
    found["client_cert_file"].write_bytes(pem(paper))
    found["client_key_file"].write_bytes(pem_of_key(paper))
    return {option: str(file) for option, file in found.items()}


async def test_a_model_s_own_authority(upstream: HttpUpstream, context: ssl.SSLContext, ca_file: str) -> None:
    async with secured(context) as port:
        assert await fetch(upstream, f"https://127.0.0.1:{port}/", Network(ca_file=ca_file)) == b"ok"
        assert (await refused(upstream, f"https://127.0.0.1:{port}/")).why == "tls"


@pytest.mark.parametrize("newest", ["TLS 1.3", "TLS 1.2"])
@pytest.mark.parametrize("by", ["itself", "a proxy"])
async def test_a_client_certificate(
    proxy: ForwardProxy, authority: Paper, tmp_path: Path, ca_file: str, by: str, newest: str
) -> None:
    upstream = HttpUpstream()
    ours = files(certificate("homeport", issuer=authority), tmp_path)
    stranger = files(certificate("homeport", issuer=certificate("stranger")), tmp_path, "stranger")
    way = Network(ca_file=ca_file, proxy=proxy.url() if by == "a proxy" else "")
    paper = certificate("127.0.0.1", issuer=authority)
    with strict(shown(paper, tmp_path, wants=authority, tls13=newest == "TLS 1.3")) as port:
        url = f"https://127.0.0.1:{port}/"
        assert await fetch(upstream, url, way._replace(**ours)) == b"ok"
        both = written(certificate("homeport", issuer=authority), tmp_path, "both.pem")
        assert await fetch(upstream, url, way._replace(client_cert_file=str(both))) == b"ok"
        missing = await refused(upstream, url, way)
        unknown = await refused(upstream, url, way._replace(**stranger))
    await upstream.close()
    assert (missing.why, unknown.why) == ("certificate", "certificate")
    assert "wants a client certificate" in str(missing)
    assert str(unknown) == "it does not know the authority of our client certificate"


async def test_a_client_certificate_that_ended(upstream: HttpUpstream, authority: Paper, tmp_path: Path) -> None:
    ours = files(certificate("homeport", issuer=authority, days=-2), tmp_path)
    error = await refused(upstream, "https://127.0.0.1:9/", Network(**ours))
    assert error.why == "certificate"
    assert str(error).startswith(f"the client certificate {ours['client_cert_file']} has expired (20")


def _without_key(ours: dict[str, str], folder: Path) -> dict[str, str]:
    return ours | {"client_key_file": str(folder / "none.key")}


def _of_another(ours: dict[str, str], folder: Path) -> dict[str, str]:
    return ours | {"client_key_file": files(certificate("x"), folder, "other")["client_key_file"]}


def _sealed(ours: dict[str, str], folder: Path) -> dict[str, str]:
    file = folder / "sealed.key"
    file.write_bytes(pem_of_key(certificate("x"), b"phrase"))
    return ours | {"client_key_file": str(file)}


def _garbage(ours: dict[str, str], folder: Path) -> dict[str, str]:
    file = folder / "garbage.crt"
    file.write_bytes(b"no certificate")
    return ours | {"client_cert_file": str(file)}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (_without_key, r"the client certificate \S+none\.key cannot be read \(No such file or directory\)"),
        (_of_another, r"the client certificate \S+client\.crt with \S+other\.key does not belong to the key"),
        (_sealed, r"the client certificate \S+sealed\.key has a key with a passphrase: store it without one"),
        (_garbage, r"the client certificate \S+garbage\.crt with \S+ holds no certificate with its key in PEM form"),
        (lambda ours, _: {"client_key_file": ours["client_key_file"]}, r"a client key is set without its certificate"),
        (lambda _, folder: {"ca_file": str(folder / "no.pem")}, r"certificate authorities \S+no\.pem cannot be read"),
    ],
)
async def test_files_that_will_not_do(upstream: HttpUpstream, tmp_path: Path, fault: Any, said: str) -> None:
    way = Network(**fault(files(certificate("homeport"), tmp_path), tmp_path))
    for _ in range(2):
        with pytest.raises(Unreachable, match=said) as wrong:
            await fetch(upstream, "https://127.0.0.1:9/", way)
        assert wrong.value.why == "certificate"


async def test_files_are_read_once_and_again_when_they_change(
    authority: Paper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    make = certificates.Contexts._made  # noqa: SLF001 (what is counted)

    def counted(self: certificates.Contexts, papers: Any) -> Any:
        made.append(papers.authorities)
        return make(self, papers)

    monkeypatch.setattr(certificates.Contexts, "_made", counted)
    contexts, file = certificates.Contexts(), tmp_path / "ca.pem"
    way = Network(ca_file=str(file))
    file.write_bytes(pem(certificate("stranger")))
    first = await asyncio.gather(*(contexts.of(way) for _ in range(9)))
    assert (len(set(map(id, first))), len(made)) == (1, 1)
    file.unlink()
    with pytest.raises(Unreachable, match="cannot be read"):
        await contexts.of(way)
    fresh = tmp_path / "new.pem"
    fresh.write_bytes(pem(authority))
    shutil.move(fresh, file)
    assert await contexts.of(way) is not first[0]
    assert await contexts.of(way, show=False) is await contexts.of(way)
    assert await contexts.of(None) is await contexts.of(None)


async def test_an_authority_that_is_replaced_is_used_by_the_next_connection(
    upstream: HttpUpstream, context: ssl.SSLContext, authority: Paper, tmp_path: Path
) -> None:
    file = tmp_path / "changing.pem"
    file.write_bytes(pem(certificate("stranger")))
    way = Network(ca_file=str(file))
    async with secured(context) as port:
        assert (await refused(upstream, f"https://127.0.0.1:{port}/", way)).why == "tls"
        file.write_bytes(pem(certificate("another")) + pem(authority))
        assert await fetch(upstream, f"https://127.0.0.1:{port}/", way) == b"ok"


# headers and references


def test_headers_of_an_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "AGAIN_S", 0.0)
    monkeypatch.setenv("GATE_PASS", "s3cret")
    file = tmp_path / "pass"
    file.write_text("from-a-file\n")
    text = f'{{"X-Team": "blue green", "X-Pass": "env:GATE_PASS", "X-Other": "file:{file}"}}'
    expected = {"X-Team": "blue green", "X-Pass": "s3cret", "X-Other": "from-a-file"}
    assert extra_headers.resolved(text) == expected
    file.write_text("changed")
    assert extra_headers.resolved(text) == expected | {"X-Other": "changed"}
    assert extra_headers.holds_references(text)
    assert extra_headers.in_clear('{"X-Token": "abc", "X-Team": "blue", "Cookie": "env:C"}') == ["X-Token"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("X-Team: blue", "JSON object"),
        ("{}", "JSON object"),
        ('["X"]', "JSON object"),
        ('{"X": 1}', "JSON object"),
        ('{"X-A": "1", "x-a": "2"}', "twice"),
        ("{" + ",".join(f'"X-{number}": "a"' for number in range(21)) + "}", "more than 20"),
        ('{"X Y": "a"}', "no header's name"),
        ('{"X:": "a"}', "no header's name"),
        ('{"": "a"}', "no header's name"),
        ('{"Host": "a"}', "said by HTTP"),
        ('{"content-length": "1"}', "said by HTTP"),
        ('{"Transfer-Encoding": "chunked"}', "said by HTTP"),
        ('{"Connection": "close"}', "said by HTTP"),
        ('{"Proxy-Authorization": "x"}', "said by HTTP"),
        ('{"X-Homeport-Via": "x"}', "said by HTTP"),
        ('{"X-Request-ID": "x"}', "said by HTTP"),
        ('{"X-Amz-Date": "x"}', "said by HTTP"),
        ('{"AUTHORIZATION": "Bearer x"}', "--api-key-env"),
        ('{"x-api-key": "x"}', "--api-key-env"),
        ('{"X-A": "a\\r\\nX-B: b"}', "no header can carry"),
        ('{"X-A": " a"}', "no header can carry"),
        ('{"X-A": "✓"}', "no header can carry"),
        ('{"X-A": ""}', "no header can carry"),
        ('{"X-A": "env:NOT A NAME"}', "env:VARIABLE"),
        ('{"X-A": "file:relative"}', "env:VARIABLE"),
        ('{"X-A": "env:HOMEPORT_JWT_SIGNING_KEY"}', "sent to nobody"),
    ],
)
def test_headers_that_cannot_be(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        extra_headers.parse(text)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is empty"),
        (b"a\nb", "is not one line"),
        (b"\xff", "it is no text"),
        (b"x" * 17_000, "is not one line"),
    ],
)
def test_references_to_files(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / f"secret-{os.getpid()}"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"the header X: .*{said}"):
        extra_headers.resolved(f'{{"X": "file:{file}"}}')

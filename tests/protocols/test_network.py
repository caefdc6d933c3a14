"""Every platform by a proxy, with certificates and headers of its own, through the front door."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any

import pytest
from clouds import ACCESS, REGION, SECRET, Aws, Entra
from house import WORDS, asking
from papers import certificate, pem, shown
from proxies import ForwardProxy
from script import document
from ways import MESSAGES

from homeport import app
from homeport.domain.errors import BadConfiguration
from homeport.domain.models import Limits, Secret
from homeport.store import models_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from house import House
    from script import Peer

CHAT = {"messages": MESSAGES}
PASSWORD = "canary-of-the-proxy"
GATE = "canary-of-the-gate"


@pytest.fixture
async def proxy(house: House) -> AsyncIterator[ForwardProxy]:
    """A proxy that alone knows where gpu.test and the clouds' services are."""
    async with ForwardProxy().listening() as found:
        found.hosts = dict.fromkeys(("gpu.test", "sts.test", "login.test"), house.models.port)
        yield found


def register(house: House, platform: str = "openai", **fields: Any) -> None:
    """The model that answers chat."""
    model = replace(house.model(WORDS, **fields), platform=platform)
    house.snapshot = house.snapshot.with_models(model)


async def ask(house: House, **more: Any) -> tuple[int, str]:
    answer = await house.post("/v1/chat/completions", CHAT | more)
    return answer.status, answer.body.decode()


async def claude(peer: Peer) -> None:
    await peer.document({"content": [{"type": "text", "text": "one + two"}], "stop_reason": "end_turn"})


async def gpt(peer: Peer) -> None:
    await peer.document(document("chat", "one + two"))


@pytest.mark.parametrize(
    ("platform", "play", "own"),
    [
        ("openai", gpt, {"endpoint": "http://gpu.test/v1"}),
        ("anthropic", claude, {"endpoint": "http://gpu.test"}),
        ("azure", gpt, {"endpoint": "http://gpu.test"}),
        ("bedrock", Aws(), {"endpoint": "http://gpu.test", "key": Secret(f"{ACCESS}:{SECRET}")}),
    ],
)
async def test_every_platform_by_a_proxy_with_headers(
    house: House, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch, platform: str, play: Any, own: dict[str, Any]
) -> None:
    monkeypatch.setenv("PROXY_PASS", PASSWORD)
    monkeypatch.setenv("GATE_PASS", GATE)
    monkeypatch.setenv("AWS_REGION_NAME", REGION)
    proxy.wants = f"ada:{PASSWORD}"
    house.models.play = play
    said = {"proxy": proxy.url("ada:env:PROXY_PASS"), "headers": '{"X-Team": "blue", "X-Gate": "env:GATE_PASS"}'}
    register(house, platform, options=said, **own)
    status, body = await ask(house)
    assert (status, json.loads(body)["choices"][0]["message"]["content"]) == (200, "one + two")
    (peer,) = house.models.heard
    assert (peer.headers["x-team"], peer.headers["x-gate"]) == ("blue", GATE)
    assert [first.split("/")[2] for first in proxy.asked] == ["gpu.test"]
    assert not any(secret in str(house.logs.lines) for secret in (PASSWORD, GATE))


async def test_credentials_of_aws_by_the_proxy(
    house: House, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is for the model's server goes to nobody else."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://sts.test")
    aws = Aws()
    house.models.play = aws
    said = {"proxy": proxy.url(), "headers": '{"X-Team": "blue"}', "region": REGION, "credentials": "assume_role"}
    said["role_arn"] = "arn:aws:iam::123456789012:role/reader"
    own = {"endpoint": "http://gpu.test", "key": Secret(f"{ACCESS}:{SECRET}")}
    register(house, "bedrock", options=said, **own)
    assert (await ask(house))[0] == 200
    assert [first.split("/")[2] for first in proxy.asked] == ["sts.test", "gpu.test"]
    assert ["x-team" in peer.headers for peer in house.models.heard] == [False, True]
    proxy.refuse = b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"
    register(house, "bedrock", options=said | {"external_id": "another"}, **own)
    status, body = await ask(house)
    assert status == 502
    assert f"AWS STS (AssumeRole) cannot be reached (its proxy 127.0.0.1:{proxy.port} wants a user name" in body


async def test_credentials_of_azure_by_the_proxy(
    house: House, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "http://login.test")
    entra = Entra()

    async def play(peer: Peer) -> None:
        if not await entra(peer):
            await gpt(peer)

    house.models.play = play
    said = {"proxy": proxy.url(), "auth": "client_secret", "tenant": "contoso", "client_id": "me"}
    register(house, "azure", options=said, endpoint="http://gpu.test", key=Secret("secret"))
    assert (await ask(house))[0] == 200
    assert [first.split("/")[2] for first in proxy.asked] == ["login.test", "gpu.test"]


FILE = """
[[models]]
name = "coder"
endpoint = "https://gpu.test/v1"
identifier = "x"
[models.options]
ca_file = "/etc/ca.pem"
proxy = "PROXY"
no_proxy = ".corp"
headers = '{"X-Gate": "env:GATE"}'
[models.limits]
LIMITS
"""


def test_a_models_file_says_all_of_it(tmp_path: Path) -> None:
    limits = {each.name: number for number, each in enumerate(fields(Limits), 1)}
    written = "\n".join(f"{name} = {value}" for name, value in limits.items())
    file = tmp_path / "models.toml"
    file.write_text(FILE.replace("PROXY", "http://proxy.internal:3128").replace("LIMITS", written))
    model = models_file.load(file, str.encode, app._fits).models["coder"]  # noqa: SLF001 (as the gateway does it)
    assert model.options.keys() == {"ca_file", "proxy", "no_proxy", "headers"}
    assert asdict(model.limits) == limits
    file.write_text(FILE.replace("PROXY", "http://a:b@proxy.internal:3128").replace("LIMITS", ""))
    with pytest.raises(BadConfiguration, match=r"line 8, .*options\.proxy: .*stored in clear"):
        models_file.load(file, str.encode, app._fits)  # noqa: SLF001 (the same)


@pytest.mark.parametrize(
    ("refuse", "said"),
    [
        (b"HTTP/1.1 407 No\r\n", "its proxy {at} wants a user name and a password (HTTP 407)"),
        (b"HTTP/1.1 403 No\r\n", "its proxy {at} does not let us to gpu.test:443 (HTTP 403)"),
        (b"HTTP/1.1 502 No\r\n", "its proxy {at} cannot reach gpu.test:443 (HTTP 502)"),
    ],
)
async def test_a_caller_is_told_which_hop_failed(house: House, proxy: ForwardProxy, refuse: bytes, said: str) -> None:
    proxy.refuse = refuse + b"Content-Length: 0\r\n\r\n"
    register(house, endpoint="https://gpu.test/v1", options={"proxy": proxy.url()})
    status, body = await ask(house)
    words = said.format(at=f"127.0.0.1:{proxy.port}")
    assert (status, json.loads(body)["error"]["code"]) == (502, "upstream_unreachable")
    assert f"The model '{WORDS}' cannot be reached: {words}." in json.loads(body)["error"]["message"]
    assert (await house.record())["upstream_problem"] == words


async def test_a_header_that_is_not_to_be_had(house: House) -> None:
    register(house, options={"headers": '{"X-Gate": "env:NO_SUCH_VARIABLE"}'})
    status, body = await ask(house)
    assert status == 409
    said = (
        f"A header for the model '{WORDS}' cannot be sent: the header X-Gate: the variable NO_SUCH_VARIABLE is not set."
    )
    assert said in json.loads(body)["error"]["message"]
    assert not house.models.heard


async def test_a_stream_and_leaving_it_by_a_tunnel(house: House, proxy: ForwardProxy, tmp_path: Path) -> None:
    """A client that leaves ends the request behind the proxy as well."""
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
            writer.write(head + b'data: {"choices": [{"index": 0, "delta": {"content": "one"}}]}\n\n')
            await writer.drain()
            while await reader.read(65536):
                pass
        closed.set()
        writer.close()

    authority = certificate("authority")
    (tmp_path / "ca.pem").write_bytes(pem(authority))
    context = shown(certificate("gpu.test", issuer=authority), tmp_path)
    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    proxy.hosts = {"gpu.test": listener.sockets[0].getsockname()[1]}
    said = {"proxy": proxy.url(), "ca_file": str(tmp_path / "ca.pem")}
    register(house, endpoint="https://gpu.test/v1", options=said)
    async with house.line() as wire:
        await wire.send(asking("POST", "/v1/chat/completions", CHAT | {"stream": True}))
        assert (await wire.head())[0] == 200
        assert b"one" in await wire.chunk()
        wire.leave()
    await asyncio.wait_for(closed.wait(), 5)
    listener.close()

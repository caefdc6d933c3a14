"""What can be wrong with a model's server, its registration and what it serves."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from broken import Breaking, Site, broken
from commands import KEY, LIMITS, SERVED
from script import piece

from homeport.domain.models import FeatureSetting

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from typing import Any

    from script import Peer

TALKER = "served-talker"


@broken("model_served", saw="lacks its /v1", fix="homeport models edit coder --endpoint http://127.0.0.1:")
async def a_missing_v1(site: Site) -> Breaking:
    """The endpoint lacks its `/v1`."""
    await site.instance.edit(endpoint=site.instance.models.url.removesuffix("/v1"))
    yield
    await site.run(f"homeport models edit coder --endpoint {site.instance.models.url}")


@broken("model_served", saw="has a wrong path", fix="homeport models edit coder --endpoint http://127.0.0.1:")
async def a_wrong_path(site: Site) -> Breaking:
    """The endpoint's path is wrong: everything is 404."""
    await site.instance.edit(endpoint=site.instance.models.url.replace("/v1", "/api/openai"))
    yield
    await site.run(f"homeport models edit coder --endpoint {site.instance.models.url}")


@broken("model_served", saw=f"serves {SERVED}, not another", fix=f"homeport models edit coder --identifier {SERVED}")
async def a_wrong_served_name(site: Site) -> Breaking:
    """The server serves the model under another name."""
    await site.instance.edit(identifier="another")
    yield
    await site.run(f"homeport models edit coder --identifier {SERVED}")


@broken("model_served", saw="does not accept the key (HTTP 401)", fix="homeport models edit coder --api-key-env")
async def a_wrong_key(site: Site) -> Breaking:
    """The model's API key is wrong."""
    await site.instance.edit(key="sk-wrong")
    yield
    await site.run("homeport models edit coder --api-key-env THE_KEY", THE_KEY=KEY)


@broken("model_served", saw="wants a key (HTTP 401)", fix="homeport models edit coder --api-key-env")
async def a_missing_key(site: Site) -> Breaking:
    """The server wants an API key, and none is registered."""
    await site.instance.edit(key="")
    yield
    await site.run("homeport models edit coder --api-key-env THE_KEY", THE_KEY=KEY)


@broken("model_answers", saw="HTTP 500", fix="Look for the correlation id ")
async def a_server_that_fails(site: Site) -> Breaking:
    """The model's server lists its models and fails at every question."""

    async def fail(peer: Peer) -> None:
        await peer.document({"error": "no"}, 500)

    site.play(fail)
    yield
    site.instance.models.play = site.instance.play


@broken("model_chats", saw="without a word", fix="its chat template or its stop words are wrong")
async def a_model_that_says_nothing(site: Site) -> Breaking:
    """The model answers every question of a chat without a word."""
    usual = site.instance.play

    async def mute(peer: Peer) -> None:
        await (site.instance.models.behave(peer, [""]) if peer.kind == "chat" else usual(peer))

    site.play(mute)
    yield
    site.instance.models.play = usual


@broken("model_streams", saw="broke off", fix="Something ends connections before an answer is whole")
async def a_stream_that_breaks_off(site: Site) -> Breaking:
    """What is between cuts every stream in its middle."""
    usual = site.instance.play

    async def cut(peer: Peer) -> None:
        if peer.json.get("stream"):
            await peer.head()
            await peer.events([piece(peer.kind, "one")])
            peer.close()
        else:
            await usual(peer)

    site.play(cut)
    yield
    site.instance.models.play = usual


def _refusing_chat(site: Site, status: int, said: str) -> None:
    """The model does not chat; a second one does."""
    usual = site.instance.play
    site.instance.served.append(TALKER)

    async def refuse(peer: Peer) -> None:
        mute = peer.kind == "chat" and peer.json["model"] == SERVED
        await (peer.document({"error": {"message": said}}, status) if mute else usual(peer))

    site.play(refuse)


async def _talker(site: Site) -> None:
    at = site.instance.models.url
    command = f"homeport models add talker --family qwen_coder --endpoint {at} --identifier {TALKER}"
    await site.run(f"{command} --api-key-env THE_KEY", THE_KEY=KEY)


@broken("model_chats", saw="has no chat template", fix="--chat-template FILE")
async def a_missing_chat_template(site: Site) -> Breaking:
    """The server has no chat template for the model."""
    _refusing_chat(site, 400, "default chat template is no longer allowed, so you must provide a chat template")
    yield
    site.instance.models.play = site.instance.play


@broken("model_chats", saw="it is a base model", fix="let another model chat: homeport features set chat MODEL")
async def a_base_model_for_chat(site: Site) -> Breaking:
    """Chat is assigned to a base model, whose server offers only completions."""
    _refusing_chat(site, 404, "Not Found")
    await _talker(site)
    yield
    await site.run("homeport features set chat talker")
    await site.run("homeport features set code_generations talker")


@broken(
    "model_fills",
    saw="puts a chat template around plain text",
    fix="homeport models edit coder --family general --beta",
)
async def fim_tokens_wrapped_in_chat(site: Site) -> Breaking:
    """The server wraps fill-in-the-middle tokens in a chat template."""
    site.instance.template = 24
    yield
    await site.run("homeport models edit coder --family general --beta")


@broken(
    "model_fills",
    saw="It fills holes better laid out as codegemma",
    fix="homeport models edit coder --family codegemma --beta",
)
async def a_family_of_another_layout(site: Site) -> Breaking:
    """The registered family lays holes out in another way than the model learnt."""
    usual = site.instance.play

    async def strict(peer: Peer) -> None:
        asked: Any = peer.json
        if peer.kind == "text" and "<|fim_prefix|>" not in asked["prompt"] and len(asked["prompt"]) > len("a b"):
            await site.instance.models.behave(peer, ["and", " so on"])
        else:
            await usual(peer)

    site.play(strict)
    await site.instance.edit(family="codestral")
    yield
    await site.run("homeport models edit coder --family codegemma --beta")


@broken("model_streams", saw="all of them at once", fix="proxy_buffering off")
async def a_proxy_that_buffers(site: Site) -> Breaking:
    """A proxy keeps the stream and sends it in one piece."""
    usual = site.instance.play

    async def held(peer: Peer) -> None:
        if peer.json.get("max_tokens") == 24:
            await asyncio.sleep(0.4)  # the proxy holds the answer until it is whole
            await site.instance.models.behave(peer, list("abcdef"))
        else:
            await usual(peer)

    site.play(held)
    yield
    site.instance.models.play = usual


@broken("model_window", saw="its server takes 4096", fix="homeport models edit coder --context-tokens 4096")
async def a_window_that_is_too_small(site: Site) -> Breaking:
    """The server was started with a smaller window than is registered."""
    usual = site.instance.play

    async def small(peer: Peer) -> None:
        if peer.method == "GET" and peer.target.endswith("/models"):
            await peer.document({"data": [{"id": SERVED, "max_model_len": 4096}]})
        else:
            await usual(peer)

    site.instance.models.play = small
    await site.instance.edit(limits=replace(LIMITS, context_tokens=32_768))
    yield
    await site.run("homeport models edit coder --context-tokens 4096")


async def _set(site: Site, feature: str, **fields: Any) -> None:
    async with site.instance.store() as store:
        await store.set_feature(FeatureSetting(feature=feature, **fields), by="test")
    await site.instance.seen()


@broken("registry", saw="chat is switched off", fix="homeport features set chat coder")
async def a_disabled_feature(site: Site) -> Breaking:
    """The feature is switched off."""
    await _set(site, "chat", assignment="disabled")
    yield
    await site.run("homeport features set chat coder")


@broken("registry", saw="code_completions has no model", fix="homeport features set code_completions coder")
async def an_unassigned_feature(site: Site) -> Breaking:
    """The feature has no model."""
    await _set(site, "code_completions")
    yield
    await site.run("homeport features set code_completions coder")


@broken("registry", saw="which is disabled", fix="homeport models enable coder")
async def a_disabled_model(site: Site) -> Breaking:
    """The feature's model is disabled."""
    await site.instance.edit(enabled=False)
    yield
    await site.run("homeport models enable coder")


@broken("feature_suits", saw="chat is served by coder, which cannot", fix="homeport features set chat MODEL")
async def a_family_that_cannot(site: Site) -> Breaking:
    """Chat is assigned to a model of a family that only continues code."""
    site.instance.served.append(TALKER)
    await _talker(site)
    await site.instance.edit(family="starcoder")
    yield
    await site.run("homeport features set chat talker")


@broken("correlation", saw="not under the one that was sent", fix="changes X-Request-ID")
async def a_proxy_that_changes_ids(site: Site) -> Breaking:
    """A proxy in front of Homeport replaces `X-Request-ID`."""
    async with relabelled(site) as url:
        site.environment["HOMEPORT_URL"] = url
        yield
    site.environment["HOMEPORT_URL"] = None


@asynccontextmanager
async def relabelled(site: Site) -> AsyncGenerator[str, None]:
    """A proxy that does so; one request for each connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = site.instance.url.removeprefix("http://").partition(":")
        head = await reader.readuntil(b"\r\n\r\n")
        lines = [
            b"x-request-id: proxys-own" if b"x-request-id" in line.lower() else line for line in head.split(b"\r\n")
        ]
        lines[1:1] = [b"Connection: close"]
        length = next((int(line[16:]) for line in lines if line.lower().startswith(b"content-length: ")), 0)
        there, out = await asyncio.open_connection(host, int(port))
        out.write(b"\r\n".join(lines) + await reader.readexactly(length))
        writer.write(await there.read(-1))
        await writer.drain()
        out.close()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()

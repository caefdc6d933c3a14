"""The SDKs of OpenAI, Anthropic and Vercel for Node.js against the running server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from deltas import call, plays
from house import FIM, PREFIX, TOKEN, WORDS, eventually
from node import CLIENTS, installed, program, run
from script import VECTOR, piece

if TYPE_CHECKING:
    from house import House
    from script import Peer


def serve(house: House) -> None:
    """A model server that calls a tool it is offered, then says what came of it, and never ends where it is to wait."""

    async def play(peer: Peer) -> None:
        asked = peer.json if peer.body else {}
        said = asked.get("messages", [{}])[-1]
        if said.get("content") == "Wait.":
            await peer.head()
            await peer.chunk(piece("chat", "one"))
            await peer.hang()
        elif asked.get("tools") and said["role"] == "user":
            plays(house, call(0, "weather"), call(0, arguments='{"city":"Ghent"}'), finish="tool_calls")
            answer, house.models.play = house.models.play, play
            await answer(peer)
        else:
            await house.models.behave(peer, [said["content"]] if said.get("role") == "tool" else ())

    house.models.play = play


@pytest.mark.proves("openai-node", "fill-in-the-middle", "chat", "streaming", "tools", "embeddings", "model list")
@pytest.mark.proves("openai-node", "cancellation", "refusals")
@pytest.mark.proves("anthropic-node", "chat", "streaming", "tools", "token counting", "cancellation", "refusals")
@pytest.mark.proves("vercel-ai", "chat", "streaming", "tools", "cancellation")
async def test_they_understand_every_answer(house: House) -> None:
    serve(house)
    await installed()
    said = await run(program("node"), "sdks.mjs", f"http://127.0.0.1:{house.port}", TOKEN, WORDS, folder=CLIENTS)
    assert json.loads(said.splitlines()[-1]) == {
        **dict.fromkeys(("chat", "responses", "messages", "ai", "hole"), "one + two"),
        "counted": True,
        "models": [FIM, PREFIX, WORDS],
        "embedding": len(VECTOR),
        "calls": ['{"city":"Ghent"}', "Ghent", "rain in Ghent"],
        "unknown": ["NotFoundError", 404],
    }
    await eventually(lambda: len(house.records()) == house.asked)
    gone = [each["path"] for each in house.records() if each["outcome"] == "client_closed"]
    assert {path: gone.count(path) for path in gone} == {"/v1/chat/completions": 2, "/v1/messages": 1}

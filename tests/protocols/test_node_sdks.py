"""The SDKs of OpenAI, Anthropic and Vercel for Node.js against the running server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from house import TOKEN, WORDS
from node import CLIENTS, installed, program, run

if TYPE_CHECKING:
    from house import House


@pytest.mark.proves("openai-node", "chat", "streaming", "refusals")
@pytest.mark.proves("anthropic-node", "chat", "streaming", "token counting", "refusals")
@pytest.mark.proves("vercel-ai", "chat", "streaming")
async def test_they_understand_every_answer(house: House) -> None:
    await installed()
    said = await run(program("node"), "sdks.mjs", f"http://127.0.0.1:{house.port}", TOKEN, WORDS, folder=CLIENTS)
    assert json.loads(said.splitlines()[-1]) == {
        **dict.fromkeys(("chat", "responses", "messages", "ai"), "one + two"),
        "counted": True,
        "tools": "stop",
        "unknown": ["NotFoundError", 404],
    }

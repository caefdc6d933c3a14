"""How much of what is asked about a prompt shows, and what the log says of the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from house import WORDS, eventually, opened

if TYPE_CHECKING:
    from house import House
    from script import Peer

LONG = "x = 1  # a line of a long text\n" * 3_000
COMMIT = ("/v1/prompts/generate_commit_message", {"inputs": {"diff": LONG}})
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "prompt": COMMIT,
    "completion": ("/v1/completions", {"prompt": LONG, "suffix": "\n"}),
    "generation": (
        "/v2/code/generations",
        {"current_file": {"file_name": "a.py", "content_above_cursor": LONG, "content_below_cursor": ""}, "prompt": ""},
    ),
    "agent": ("/v2/chat/agent", {"messages": [{"role": "user", "content": LONG}]}),
    "chat": (
        "/v1/chat/agent",
        {
            "prompt_components": [
                {"type": "prompt", "metadata": {"source": "x", "version": "1"}, "payload": {"content": LONG}}
            ]
        },
    ),
}


@pytest.mark.parametrize("name", ASKED)
async def test_what_has_no_room_is_in_the_log(house: House, name: str) -> None:
    path, body = ASKED[name]
    house.limit(context_tokens=4096)
    await house.post(path, body)
    assert 50_000 < (await house.record())["prompt_cut"] < len(LONG)


async def test_what_has_room_is_not(house: House) -> None:
    await house.post(COMMIT[0], {"inputs": {"diff": "+ x = 1\n"}})
    assert "prompt_cut" not in await house.record()


@pytest.mark.parametrize(("default", "whole"), [(0, False), (100_000, True)])
async def test_a_setting_says_what_nobody_else_does(default: int, *, whole: bool) -> None:
    async with opened(default_context_tokens=default) as house:
        house.limit(context_tokens=0)
        await house.post(*COMMIT)
        assert (LONG in house.models.heard[0].json["messages"][-1]["content"]) is whole


async def test_a_registration_and_then_the_server_count_first() -> None:
    async def tells(peer: Peer) -> None:
        await peer.document({"data": [{"id": "served-words-model", "max_model_len": 100_000}]})

    async with opened(default_context_tokens=2000) as house:
        house.models.catalogue = tells
        house.limit(context_tokens=4096)
        await house.post(*COMMIT)
        assert not house.models.listed
        house.limit(context_tokens=0)
        await house.post(*COMMIT)
        await eventually(lambda: [line for line in house.logs.lines if line.get("tokens") == 100_000])
        assert (await house.get(f"/v1/models/{WORDS}")).json["max_model_len"] == 100_000
        await house.post(*COMMIT)
        assert [LONG in str(peer.json["messages"][-1]["content"]) for peer in house.models.heard] == [
            False,
            False,
            True,
        ]

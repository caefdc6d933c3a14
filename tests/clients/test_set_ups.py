"""Programs that the console shows are run as they stand, with the address and the token filled in."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from typing import TYPE_CHECKING

import pytest
from node import CLIENTS, installed, program, run
from set_ups import texts

if TYPE_CHECKING:
    from house import House


def printed(text: str) -> str:
    """What a program prints."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(text, "set-up", "exec"), {})  # noqa: S102 (what people are told to run)
    return said.getvalue()


@pytest.mark.parametrize("key", ["openai_python", "anthropic_python", "ollama_python"])
async def test_python(house: House, key: str) -> None:
    assert await asyncio.to_thread(printed, texts(house, key)[-1]) == "one + two\n"
    assert "hex colour" in str(house.models.heard[0].json["messages"])


@pytest.mark.parametrize("key", ["openai_node", "anthropic_node", "vercel_ai"])
async def test_javascript(house: House, key: str) -> None:
    await installed()
    said = await run(program("node"), "--input-type=module", "--eval", texts(house, key)[-1], folder=CLIENTS)
    assert said == "one + two\n"
    assert "hex colour" in json.dumps(house.models.heard[0].json["messages"])

"""llm asks, calls tools and continues text by way of Homeport, with the files and commands that the console shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from asked import kept_of
from deltas import call, plays
from isolated import alone, isolated
from node import run
from set_ups import texts

if TYPE_CHECKING:
    from pathlib import Path

    from house import House
    from script import Peer

DOUBLE = 'def double(n: int) -> int:\n    "Twice a number."\n    return 2 * n\n'


@pytest.fixture
async def env(house: House, tmp_path: Path) -> dict[str, str]:
    """An environment in which `llm` knows the house."""
    programs = await isolated("llm")
    models, commands = texts(house, "llm")
    (tmp_path / "extra-openai-models.yaml").write_text(models)
    found = alone(tmp_path / "home", programs, LLM_USER_PATH=str(tmp_path))
    await run("sh", "-c", commands.splitlines()[0], folder=tmp_path, env=found)
    return found


@pytest.mark.proves("llm", "chat", "streaming")
async def test_a_question(house: House, env: dict[str, str], tmp_path: Path) -> None:
    said = await run("sh", "-c", texts(house, "llm")[1].splitlines()[1], folder=tmp_path, env=env)
    assert said == "one + two\n"
    assert house.models.heard[0].json["stream"]


@pytest.mark.proves("llm", "tools")
async def test_a_tool(house: House, env: dict[str, str], tmp_path: Path) -> None:
    heard: list[dict[str, Any]] = []

    async def play(peer: Peer) -> None:
        heard.append(peer.json)
        first = len(heard) == 1
        deltas = [call(0, "double"), call(0, arguments='{"n": 21}')] if first else [{"content": "It is 42."}]
        plays(house, *deltas, finish="tool_calls" if first else "stop")
        answer, house.models.play = house.models.play, play
        await answer(peer)

    house.models.play = play
    with kept_of(house, "llm"):
        said = await run("llm", "-m", "homeport", "--functions", DOUBLE, "Twice 21?", folder=tmp_path, env=env)
    assert said.splitlines()[-1] == "It is 42."
    assert [each["content"] for each in heard[1]["messages"] if each["role"] == "tool"] == ["42"]


async def test_a_form(house: House, env: dict[str, str], tmp_path: Path) -> None:
    house.models.words = ['{"name": "one", ', '"age": 3}']
    said = await run("llm", "-m", "homeport", "--schema", "name, age int", "A dog?", folder=tmp_path, env=env)
    assert json.loads(said) == {"name": "one", "age": 3}
    assert house.models.heard[0].json["response_format"]["type"] == "json_schema"


@pytest.mark.proves("llm", "completion")
async def test_a_continuation(house: House, env: dict[str, str], tmp_path: Path) -> None:
    said = await run("llm", "-m", "homeport-code", "def add(a, b):", folder=tmp_path, env=env)
    assert said == "one + two\n"
    assert house.records()[0]["path"] == "/v1/completions"

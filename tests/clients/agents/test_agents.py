"""Coding agents of other people write a file by way of Homeport, with the settings that their pages show.

The model server is scripted: it asks for one call of the agent's own tool, and ends when it sees what came of it.
Whatever else an agent wants of the network goes to a proxy that is not there.
"""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from asked import kept_of
from deltas import call, plays
from house import TOKEN
from node import installed, program, run

if TYPE_CHECKING:
    from house import House

HERE = Path(__file__).parent
AGENTS: dict[str, Any] = tomllib.loads((HERE / "agents.toml").read_text())
proves = pytest.mark.proves
CONTENT = "hello from the model"


def filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(name, value)
    return text


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("claude-code", marks=proves("claude-code", "chat", "streaming", "tools", "edits files")),
        pytest.param("codex", marks=proves("codex", "chat", "streaming", "tools", "edits files")),
        pytest.param("continue-cli", marks=proves("continue-cli", "chat", "streaming", "tools", "edits files")),
        pytest.param("opencode", marks=proves("opencode", "chat", "streaming", "tools", "edits files")),
        pytest.param("qwen-code", marks=proves("qwen-code", "chat", "streaming", "tools", "edits files")),
    ],
)
async def test_an_agent_writes_a_file(house: House, tmp_path: Path, name: str) -> None:
    agent = AGENTS[name]
    packages = await installed(HERE, ("install", "--no-save"))
    home, work = tmp_path / "home", tmp_path / "work"
    work.mkdir()
    file = work / "hello.txt"
    values = {
        "{url}": f"http://127.0.0.1:{house.port}",
        "$HOMEPORT_TOKEN": TOKEN,
        "{task}": "Write hello.txt",
        "{file}": str(file),
        "{content}": CONTENT,
    }
    for place, text in agent.get("files", {}).items():
        path = home / place[2:] if place.startswith("~/") else work / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(filled(text, values))
    arguments = json.dumps({key: filled(value, values) for key, value in agent["arguments"].items()})

    async def play(peer: Any) -> None:
        body = peer.json if peer.body else {}
        offered = any(each["function"]["name"] == agent["tool"] for each in body.get("tools") or ())
        wanted = offered and not any(message["role"] == "tool" for message in body["messages"])
        deltas = [call(0, agent["tool"]), call(0, arguments=arguments)] if wanted else [{"content": "All done."}]
        if peer.target.endswith("/chat/completions"):
            plays(house, *deltas, finish="tool_calls" if wanted else "stop")
            answer, house.models.play = house.models.play, play
            await answer(peer)
        else:
            await house.models.behave(peer)

    house.models.play = play
    home.mkdir(exist_ok=True)
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    here = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
    env = {"PATH": os.environ["PATH"], "HOME": str(home), **(nowhere if agent.get("proxied", True) else {}), **here}
    env |= {key: filled(value, values) for key, value in agent["env"].items()}
    binary = next(path for path in sorted(packages.glob(agent["program"])) if "baseline" not in str(path))
    started = [program("node"), str(binary)] if binary.suffix == ".js" else [str(binary)]
    with kept_of(house, name):
        said = await run(*started, *(filled(each, values) for each in agent["command"][1:]), folder=work, env=env)
    assert "All done." in said
    assert file.read_text().strip() == CONTENT
    asked = [each for each in house.records() if each["path"].split("?")[0] in agent["asks"]]
    assert {each["status_code"] for each in asked} == {200}
    assert any(peer.json.get("stream") for peer in house.models.heard if peer.body)

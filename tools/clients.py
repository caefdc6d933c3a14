"""Clients of other people, as tests ran them, as Markdown: their settings, and what was seen to work."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from tables import table

from homeport.console import _clients
from homeport.console._clients import Client, filled
from homeport.kit.discover import discover

ROOT = Path(__file__).parents[1]
CLIENTS = ROOT / "tests" / "clients" / "clients.toml"
AGENTS = ROOT / "tests" / "clients" / "agents" / "agents.toml"
PROVEN = ROOT / "docs" / "reference" / "clients.json"
ADDRESS, TOKEN = "http://127.0.0.1:5050", "hp_…"
PAGES = "docs/guides/editors/"
_SAME = 'export HOMEPORT_TOKEN="$HOMEPORT_TOKEN"\n'


def agent(name: str) -> str:
    """How one coding agent is told of Homeport: the settings of its test, with an address for the port."""
    found = tomllib.loads(AGENTS.read_text())[name]
    variables = "\n".join(f"export {key}={json.dumps(value)}" for key, value in found["env"].items())
    blocks = [found["about"], f"```\nexport HOMEPORT_TOKEN={TOKEN}\n{variables}\n```".replace(_SAME, "")]
    for place, text in found.get("files", {}).items():
        kind = place.rpartition(".")[2]
        blocks.append(f"`{place}`:\n\n```{kind}\n{text.strip()}\n```".replace("$HOMEPORT_TOKEN", TOKEN))
    words = " ".join(f'"{each}"' if " " in each or each == "{task}" else each for each in found["command"])
    blocks.append(f"Then:\n\n```\n{words}\n```")
    filled = "\n\n".join(blocks).replace("{url}", ADDRESS).replace("{task}", "Write hello.txt")
    return f"{filled}\n\n{proven(name)}"


def set_up(name: str) -> str:
    """What the console tells of a client under this name in `console/_clients`, which a test does word by word."""
    steps = discover(_clients, Client)[name].steps
    return "\n\n".join(f"{each.where}\n\n```{each.kind}\n{filled(each.text, ADDRESS, TOKEN)}\n```" for each in steps)


def proven(name: str) -> str:
    """What a client was seen to do, in a sentence."""
    found = _proven()[name]
    paths = ", ".join(f"`{path}`" for path in found["asks"])
    return f"Proven with version {found['version']} by way of {paths}: {_words(found)}."


def clients_in_short() -> str:
    """Every client with its version and what was seen to work, for the front page."""
    return table(
        ("Client", "Version", "Proven"),
        [(_link(each, PAGES), each["version"], _words(each)) for each in _ordered()],
    )


def clients_in_full() -> str:
    """Every client with what it asks, and a column for each feature."""
    seen = {feature for each in _ordered() for feature in each["features"]}
    features = [each for each in tomllib.loads(CLIENTS.read_text())["features"] if each in seen]
    rows = [
        (
            _link(each),
            each["version"],
            "<br>".join(f"`{path}`" for path in each["asks"]),
            *("✓" if feature in each["features"] else "" for feature in features),
        )
        for each in _ordered()
    ]
    return table(("Client", "Version", "Asks", *features), rows)


def _proven() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(PROVEN.read_text())
    return found


def _ordered() -> list[dict[str, Any]]:
    return sorted(_proven().values(), key=lambda each: each["title"].lower())


def _link(found: dict[str, Any], folder: str = "") -> str:
    return f"[{found['title']}]({folder}{found['page']}.md)"


def _words(found: dict[str, Any]) -> str:
    return ", ".join(found["features"])

"""What tests prove of other people's clients: marked on each test, written down by a run that passed.

A test says it in one line: `@pytest.mark.proves("openai-python", "chat", "streaming")`. The client is a section of
`tests/clients/clients.toml` (or of the agents' file), the features are words of that file. A run with
HOMEPORT_TEST_RECORD=1 writes what passed to `docs/reference/clients.json`, from which the tables are drawn.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
RECORD = ROOT / "docs" / "reference" / "clients.json"
FILES = (TESTS / "clients" / "clients.toml", TESTS / "clients" / "agents" / "agents.toml")
FEATURES: list[str] = tomllib.loads(FILES[0].read_text())["features"]
"""What a client may be proven to do, in the order of the table."""
Proofs = dict[str, set[str]]
"""From a client to features."""


def clients() -> dict[str, dict[str, Any]]:
    """Every client by its key, with the lock that pins it unless it is found another way."""
    found: dict[str, dict[str, Any]] = {}
    for path in FILES:
        lock = path.with_name("package-lock.json").relative_to(ROOT)
        sections = {key: each for key, each in tomllib.loads(path.read_text()).items() if isinstance(each, dict)}
        found |= {key: {"lock": str(lock), **each} for key, each in sections.items()}
    return found


def version(client: Mapping[str, Any]) -> str:
    """The version that runs: what `command` says of itself, else what the lock pins."""
    if command := client.get("says"):
        said = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 (from the file above)
        return _first(r"\d+(?:\.\d+)+", said.stdout)
    return pinned(ROOT / client["lock"], client["package"])


def pinned(lock: Path, package: str) -> str:
    """The version of a package in a lock of npm or of pip."""
    if lock.suffix == ".json":
        return str(json.loads(lock.read_text())["packages"][f"node_modules/{package}"]["version"])
    return _first(rf"(?m)(?<=^{re.escape(package)}==)[\w.]+", lock.read_text())


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found, f"no version in {text[:200]!r}"
    return found[0]


def claimed() -> Proofs:
    """What all tests say that they prove, those that this run does not collect too."""
    found: Proofs = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text()
        for client, *features in _marks(text) if "proves(" in text else ():
            found.setdefault(client, set()).update(features)
    return found


def _marks(text: str) -> Iterator[list[str]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"proves", "pytest.mark.proves"}:
            yield checked([ast.literal_eval(each) for each in node.args])


def checked(words: list[str]) -> list[str]:
    """A client and its features; raises AssertionError for a word that is not known."""
    client, *features = words
    assert client in clients(), f"{client}: give it a section in tests/clients/clients.toml"
    assert features, f"{client}: say what the test proves"
    assert set(features) <= set(FEATURES), f"{client}: {set(features) - set(FEATURES)} is none of the features there"
    return words


def recorded() -> dict[str, Any]:
    """What is written down."""
    found: dict[str, Any] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    return found


def merged(known: Mapping[str, Any], passed: Proofs, failed: Proofs) -> dict[str, Any]:
    """What to write down after a run: its word counts for what it ran; what no test claims any more is dropped."""
    found = {}
    for key, features in sorted(claimed().items()):
        before = known.get(key, {"features": ()})
        now = ((set(before["features"]) - failed.get(key, set())) | passed.get(key, set())) & features
        if now:
            runs = version(clients()[key]) if key in passed else before["version"]
            found[key] = {**shown(key), "version": runs, "features": sorted(now, key=FEATURES.index)}
    return found


def shown(key: str) -> dict[str, Any]:
    """What the tables show of a client beside what a run finds out."""
    client = clients()[key]
    return {"title": client["title"], "page": client.get("page", key), "asks": client["asks"]}


class Recorder:
    """A plugin that writes down, when the run is over, what its tests proved."""

    def __init__(self) -> None:
        self.passed: Proofs = {}
        self.failed: Proofs = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.failed:
            into = self.passed if report.passed else self.failed
            for name, words in report.user_properties:
                if name == "proves":
                    into.setdefault(words[0], set()).update(words[1:])

    def pytest_sessionfinish(self) -> None:
        if self.passed or self.failed:
            document = merged(recorded(), self.passed, self.failed)
            RECORD.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def install(config: pytest.Config) -> None:
    """Have a run that is asked to write down what it proves; one of several processes does it."""
    if os.environ.get("HOMEPORT_TEST_RECORD") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder())


def note(item: pytest.Item) -> None:
    """Let a test's report carry what the test proves."""
    for mark in item.iter_markers("proves"):
        item.user_properties.append(("proves", checked(list(mark.args))))

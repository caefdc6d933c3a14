"""What GitLab's AI Gateway protocol asks for, as cases: each names its section and says in a sentence what must hold.

The same sentences make docs/reference/gitlab-compatibility.md.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import issuer

if TYPE_CHECKING:
    from house import House
    from script import ModelServer
    from wire import Answer

CASES_FOLDER = Path(__file__).resolve().parents[1] / "conformance"
OWN_KEY = "key-in-the-body-77"

SECTIONS = {
    "1": "Paths, bodies and headers",
    "2": "Errors",
    "3": "Code completions, v2",
    "4": "Code generations, v2",
    "5": "Code completions and generations, v3",
    "6": "Code suggestions, v4",
    "7": "Direct connections",
    "8": "Chat agent, v2",
    "9": "Chat, v1",
    "10": "Prompts",
    "11": "Answers that GitLab parses",
    "12": "Documentation search",
    "13": "Model list",
    "14": "Not part of a self-hosted setup",
    "15": "Monitoring",
    "16": "Models in requests",
    "17": "Families",
    "18": "Trouble at the model server",
    "19": "Tokens and scopes",
    "20": "Test connection and health check",
}


class Site:
    """A gateway as a self-managed GitLab sees it, with a model server that only GitLab's requests name."""

    def __init__(self, house: House, theirs: ModelServer, token: Callable[..., str]) -> None:
        self.house = house
        self.theirs = theirs
        self.token = token
        """A new token of the instance; keyword arguments replace claims."""

    @property
    def metadata(self) -> dict[str, Any]:
        """The object in which newer endpoints carry the model."""
        return {
            "provider": "openai",
            "name": "mistral",
            "endpoint": self.theirs.url,
            "api_key": OWN_KEY,
            "identifier": "custom_openai/their-model",
        }

    @property
    def flat(self) -> dict[str, Any]:
        """The fields in which the v2 code endpoints carry it."""
        fields = {f"model_{name}": value for name, value in self.metadata.items() if name != "provider"}
        return {**fields, "model_provider": "litellm", "prompt_version": 2, "prompt": None}

    async def post(self, path: str, body: Any, *, scopes: tuple[str, ...] | None = None, **headers: str) -> Answer:
        """A POST as GitLab makes it."""
        claims = {} if scopes is None else {"scopes": list(scopes)}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.house.ask("POST", path, body, {**issuer.headers(), **named}, self.token(**claims))

    @property
    def said(self) -> dict[str, Any]:
        """The last request to their model server."""
        return self.theirs.heard[-1].json

    @property
    def prompt(self) -> str:
        """All the text of that request."""
        said = self.said
        return said.get("prompt") or "\n".join(message["content"] for message in said["messages"])

    def answers(self, *words: str) -> None:
        """What their model says from now on."""
        self.theirs.words = list(words)


class Case(NamedTuple):
    """One thing that must hold."""

    section: str
    says: str
    of: str
    """Which of several cases that say the same."""
    run: Callable[[Site], Awaitable[None]]


CASES: list[Case] = []
Run = TypeVar("Run", bound=Callable[..., Awaitable[None]])


def case(section: str, says: str, *values: Any) -> Callable[[Run], Run]:
    """Register a case, "what must hold | for which input"; `values` are given to it after the site."""
    assert section in SECTIONS
    rule, _, of = says.partition(" | ")

    def register(run: Run) -> Run:
        CASES.append(Case(section, rule, of, lambda site: run(site, *values)))
        return run

    return register


def load_cases() -> list[Case]:
    """Every case of every file of tests/conformance."""
    for path in sorted(CASES_FOLDER.glob("case_*.py")):
        name = f"conformance_{path.stem}"
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, path)
            assert spec
            assert spec.loader
            sys.modules[name] = module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
    return CASES


def detail(answer: Answer) -> str:
    """The sentence of an error, in the form that its status demands of GitLab's reader."""
    body = json.loads(answer.body)
    if answer.status == 401:
        assert list(body) == ["error"]
        return body["error"]
    assert list(body) == ["detail"]
    if answer.status == 421:
        assert isinstance(body["detail"], str)
        return body["detail"]
    assert isinstance(body["detail"], list)
    for each in body["detail"]:
        assert each["msg"]
        assert each["type"]
        assert isinstance(each["loc"], list)
    return body["detail"][0]["msg"]


def file(
    name: str = "add.py", above: str = "def add(a, b):\n    return ", below: str = "\n\nprint(add(1, 2))\n"
) -> dict:
    """A file with a cursor in it."""
    return {"file_name": name, "content_above_cursor": above, "content_below_cursor": below}


def components(kind: str, *, stream: bool = False, **fields: Any) -> dict[str, Any]:
    """A body of v3 and v4."""
    payload = {**file(), "stream": stream, **fields}
    return {"prompt_components": [{"type": f"code_editor_{kind}", "payload": payload}]}

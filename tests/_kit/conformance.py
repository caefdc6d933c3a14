"""What GitLab's AI Gateway protocol asks for, as cases: each names its section and says in a sentence what must hold.

"4.1" means: AI Gateway protocol, section 4.1. The same sentences make docs/reference/gitlab-compatibility.md.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import issuer
from files import run_all

if TYPE_CHECKING:
    from house import House
    from script import ModelServer
    from wire import Answer

CASES_FOLDER = Path(__file__).resolve().parents[1] / "conformance"
OWN_KEY = "key-in-the-body-77"

SECTIONS = {
    "3": "Rules for all endpoints",
    "3.1": "Paths and bodies",
    "3.2": "Error bodies",
    "3.3": "How GitLab parses errors, and the trap",
    "3.4": "GitLab's retries and circuit breaker",
    "3.6": "Stream formats at a glance",
    "3.7": "Response headers",
    "4": "Code suggestions",
    "4.1": "`POST /v2/code/completions` (alias `POST /v2/completions`)",
    "4.3": "`POST /v2/code/generations`",
    "4.4": "`POST /v3/code/completions`",
    "4.5": "`POST /v4/code/suggestions`",
    "4.6": "`POST /v1/code/user_access_token`",
    "4.7": "`POST /v1/x-ray/libraries`",
    "4.9": "Prompt building in the original",
    "4.10": "Languages",
    "4.11": "Post-processing",
    "5": "Duo Chat",
    "5.1": "`POST /v2/chat/agent`",
    "5.2": "`POST /v1/chat/{chat_invokable}`",
    "6": "Prompts",
    "6.1": "`POST /v1/prompts/{prompt_id}`",
    "6.2": "`POST /v2/prompts/{prompt_id}`",
    "6.3": "Registry and version resolution",
    "6.4": "Prompt ids, inputs and scopes",
    "6.5": "Answer grammars that GitLab parses",
    "7": "Documentation search: `POST /v1/search/gitlab-docs`",
    "8": "Model list: `GET /v1/models/definitions`",
    "9": "Vendor proxies: `POST /v1/proxy/*`",
    "10": "Embeddings: `POST /v1/embeddings/code_embeddings`",
    "11": "Amazon Q: `POST /v1/amazon_q/*`",
    "12": "Monitoring and API pages",
    "12.1": "`GET /monitoring/healthz`",
    "12.2": "`GET /monitoring/ready`",
    "12.4": "`GET /docs`, `/openapi.json`, `/redoc`",
    "13": "Model selection",
    "13.1": "The two carriers",
    "13.2": "Families",
    "13.3": "From model fields to the upstream call",
    "13.4": "Completion templates",
    "13.6": "Context limits",
    "14": "Authentication",
    "14.1": "Request headers GitLab sends",
    "14.2": "Order of checks and 401 texts",
    "14.3": "JWT validation and keys",
    "14.5": "Direct-access tokens (self-signed)",
    "14.6": "Scopes per endpoint",
    "16": "Logging and metrics",
    "16.1": "Correlation",
    "17": "Health checks that reach the gateway",
    "17.2": "Admin health check",
    "17.3": "Test connection of a model",
}
"""Of the AI Gateway protocol: number and title, as its description has them."""


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
    """Of the AI Gateway protocol: the most specific one that asks for it."""
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
    run_all(CASES_FOLDER, "case_*.py", "conformance")
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

"""What clients that are too large for every run ask: kept in outline by a run that records, asked again by every run.

An outline has the wire format's names, types and short words of a request, and an ellipsis for each longer text.
What a client calls its tools, their fields and values, and what it says of itself is other people's, and nothing
depends on it: numbers stand for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from house import House

FOLDER = Path(__file__).resolve().parents[1] / "clients" / "asked"
HEADERS = frozenset({"accept", "content-type", "anthropic-version", "anthropic-beta", "openai-beta"})
"""What may change an answer; the rest says who asks from where."""

RANDOM = re.compile(r"[0-9a-f]{8,}(-[0-9a-f]{4,})*")
"""Ids that are others each time."""
MOMENT = 10**9
"""A greater number is a time."""


class Asked(NamedTuple):
    """One request in outline."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any = None

    @property
    def kind(self) -> str:
        """What sets a request apart from others of its client."""
        body = self.body or {}
        turns = body.get("messages") or body.get("input") or ()
        roles = [each.get("role") or each.get("type") for each in turns if isinstance(each, dict)]
        return json.dumps([self.method, self.path, sorted(body), roles])


@contextlib.contextmanager
def kept_of(house: House, client: str) -> Iterator[None]:
    """Write down what a client asks in the block, where this run records."""
    house.questions = []
    yield
    if os.environ.get("HOMEPORT_TEST_RECORD"):
        found = {each.kind: each for each in outlines(house)}
        lines = ",\n".join(
            json.dumps(each._asdict(), ensure_ascii=False, sort_keys=True) for _, each in sorted(found.items())
        )
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{client}.json").write_text(f"[\n{lines}\n]\n")


def outlines(house: House) -> Iterable[Asked]:
    """What a house was asked."""
    for scope, body in house.questions or ():
        heard = ((name.decode(), value.decode()) for name, value in scope["headers"])
        headers = {name: value for name, value in sorted(heard) if name in HEADERS}
        query = scope["query_string"].decode()
        path = f"{scope['path']}?{query}" if query else scope["path"]
        yield Asked(scope["method"], path, headers, numbered(outline(json.loads(body))) if body else None)


def numbered(body: dict[str, Any]) -> dict[str, Any]:
    """A request in outline, with numbers for what its client calls things."""
    labels = Labels()
    found: dict[str, Any] = labels.walked(body)
    if "metadata" in found:
        found["metadata"] = dict.fromkeys(found["metadata"], "0")
    if "client_metadata" in found:
        found["client_metadata"] = dict.fromkeys(labels.fields(found["client_metadata"]), "0")
    return found


class Labels:
    """Numbers for names, the same one for the same name."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def of(self, kind: str, name: object) -> str:
        """What stands for a name."""
        return f"{kind}_{self._numbers.setdefault(f'{kind} {name}', len(self._numbers))}"

    def fields(self, value: dict[str, Any]) -> dict[str, Any]:
        """An object whose keys the client chose."""
        return {self.of("field", key): self.walked(each) for key, each in value.items()}

    def walked(self, value: Any) -> Any:
        """A part of a request."""
        if isinstance(value, dict):
            return {key: self._member(key, each) for key, each in value.items()}
        return [self.walked(each) for each in value] if isinstance(value, list) else value

    def _member(self, key: str, value: Any) -> Any:
        match key, value:
            case "name", str():
                return self.of("tool", value)
            case "properties" | "input", dict():
                return self.fields(value)
            case "arguments", str() if value.startswith("{"):
                return json.dumps(self.fields(json.loads(value)), ensure_ascii=False, sort_keys=True)
            case "required", list():
                return [self.of("field", each) for each in value]
            case "enum", list():
                return [self.of("value", each) for each in value]
        return self.walked(value)


def outline(value: Any) -> Any:
    """A document without its longer texts."""
    if isinstance(value, dict):
        return {key: outline(each) for key, each in value.items()}
    if isinstance(value, list):
        return [outline(each) for each in value]
    if isinstance(value, str):
        return RANDOM.sub("0", _short(value))
    return 0 if isinstance(value, int) and value > MOMENT else value


def _short(text: str) -> str:
    if text.startswith("{"):
        try:
            return json.dumps(outline(json.loads(text)), ensure_ascii=False, sort_keys=True)
        except ValueError:
            return "…"
    return "…" if len(text) > 64 or (" " in text and len(text) > 16) or "/tmp" in text else text  # noqa: S108 (a path of this machine, left out)


def kept() -> dict[str, list[Asked]]:
    """What is written down, client by client."""
    return {path.stem: [Asked(**each) for each in json.loads(path.read_text())] for path in sorted(FOLDER.glob("*"))}

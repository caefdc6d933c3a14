"""What the language server asks of Homeport, and what it tells it."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple

from homeport.codetext.window import window
from homeport.diagnostics._front_door import FrontDoor
from homeport.domain.errors import HomeportError
from homeport.kit.journal import new_id
from homeport.kit.upstream_http import HttpUpstream
from homeport.lsp.trouble import Trouble, trouble_of, unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from homeport.diagnostics._front_door import Answer
    from homeport.lsp.options import Options
    from homeport.lsp.surroundings import Other

COMPLETE, CHAT, REPORT = "/v1/completions", "/v1/chat/completions", "/api/v4/usage_data/track_events"
BEFORE_AND_AFTER = 60_000
"""Characters around the cursor that are sent; Homeport takes what the model's window holds."""
WITHIN_S = 30.0
"""How long the first byte of a completion is awaited: what comes later nobody waits for."""


class Place(NamedTuple):
    """A cursor in a file that wants completing."""

    text: str
    offset: int
    name: str
    """The file's path in its project."""
    language: str
    """As the editor calls it."""
    others: tuple[Other, ...] = ()
    one_line: bool = False
    """Code follows on the line, so that only its gap is filled."""


class Completion(NamedTuple):
    """What a model said belongs at the cursor; perhaps nothing."""

    id: str
    text: str


class Homeport:
    """A Homeport over HTTP. Whoever cancels a question closes its connection, and the model stops."""

    def __init__(self, options: Options, agent: str, ca_file: Path | None = None) -> None:
        self.options = options
        self._more = {"User-Agent": agent}
        self._upstream = HttpUpstream(ca_file=ca_file)
        self._door = FrontDoor(self._upstream, options.url, options.token)

    async def complete(self, place: Place) -> Completion:
        """What belongs at a cursor; raises Trouble."""
        asked = new_id()
        body = completion_body(place, self.options.model, self.options.max_tokens)
        found = (await self._ask(COMPLETE, body, asked)).body
        text = _choice(found).get("text")
        if not isinstance(text, str):
            raise unreachable(self.options.url, "What answers there is no Homeport.")
        return Completion(asked, text)

    async def chat(self, messages: Sequence[Mapping[str, str]], model: str, heard: Callable[[str], None]) -> str:
        """An answer, of which `heard` gets all that was said so far with each piece; raises Trouble."""
        said = ""
        body = {"model": model, "messages": messages}
        try:
            async with self._door.stream(CHAT, body, more=self._more) as (_, events), aclosing(events):
                async for event in events:
                    piece = _piece(event)
                    said += piece
                    if piece:
                        heard(said)
        except HomeportError as error:
            raise Trouble("chat", f"{error.saw} {error.fix}".strip()) from error
        return said

    async def report(self, events: Sequence[tuple[str, str]]) -> None:
        """Say what became of suggestions: pairs of what happened and the request's id; raises Trouble."""
        body = {
            "events": [
                {"event": f"code_suggestion_{what}_in_ide", "additional_properties": {"unique_tracking_id": request}}
                for what, request in events
            ]
        }
        await self._ask(REPORT, body, new_id())

    async def _ask(self, path: str, body: Mapping[str, Any], asked: str) -> Answer:
        try:
            answer = await self._door.ask(path, body, id=asked, more=self._more, within_s=WITHIN_S)
        except HomeportError as error:
            raise unreachable(self.options.url, error.saw, error.fix) from error
        if not answer.fine:
            raise trouble_of(answer.status, answer.problem, known=bool(self.options.token))
        return answer

    async def close(self) -> None:
        """Close every connection."""
        await self._upstream.close()


def completion_body(place: Place, model: str, max_tokens: int | None) -> dict[str, Any]:
    """The question of `/v1/completions`; the cut far from the cursor moves in coarse steps."""
    code = window(place.text[: place.offset], place.text[place.offset :], budget=BEFORE_AND_AFTER)
    body: dict[str, Any] = {
        "model": model,
        "prompt": code.before,
        "suffix": code.after,
        "file_name": place.name,
        "language": place.language,
    }
    if place.others:
        body["context"] = [other._asdict() for other in place.others]
    if place.one_line:
        body["stop"] = ["\n"]
    if max_tokens:
        body["max_tokens"] = max_tokens
    return body


def _choice(document: object) -> Mapping[str, Any]:
    """The first choice of an answer, or nothing: whoever answers there may be no Homeport."""
    choices = document.get("choices") if isinstance(document, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _piece(event: object) -> str:
    delta = _choice(event).get("delta")
    piece = delta.get("content") if isinstance(delta, dict) else None
    return piece if isinstance(piece, str) else ""

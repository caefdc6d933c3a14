"""A request of the log, asked again of another model: for the console, the API and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson

from homeport.domain.errors import BadRequest, Unknown
from homeport.features._hearing import Question, Result, named, whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from homeport.features import Workbench
    from homeport.store.database import Store
    from homeport.store.log_search import Found
    from homeport.store.request_log import RequestLog

    Again = Callable[[str, str], tuple[str, Any]]
    """From path and body: a feature, and what is asked of it."""


class Wanted(NamedTuple):
    """What is asked again, of which model."""

    id: str
    model: str
    row: str = ""
    """Which one, where several requests came with this id; empty for the newest that can be asked again."""


class Replay(NamedTuple):
    """What was said then, and what is said now."""

    found: Found
    before: str
    result: Result

    @property
    def differs(self) -> bool:
        """Whether the two are not the same but for space around them."""
        return self.before.strip() != self.result.text.strip()


class Replayer(NamedTuple):
    """What a request is asked again with."""

    bench: Workbench
    store: Store
    log: RequestLog
    again: Again

    async def ask(self, wanted: Wanted, who: str, *, by: str) -> Replay:
        """Ask it again for `who`; `by` is written down in the audit. Raises Unknown or BadRequest."""
        found = await self.log.find(wanted.id.replace("\0", ""))
        if not found:
            raise Unknown("No request with this id is kept.", "It may be too old, or not from here.")
        for each in found:
            content = await self.log.content(each.row) if wanted.row in {"", str(each.row)} else None
            if content is not None and content.body:
                model = named(self.bench, wanted.model)
                feature, request = self.again(content.path, content.body)
                await self.store.note_replay(wanted.id, model.name, by=by)
                question = Question(feature, _of(request, {"model": model, "stream": False, "relay": False}))
                return Replay(each, spoken(content.answer), await whole(self.bench, question, who))
        raise BadRequest("What was said in this request is not kept.", "Choose one whose content was logged.")


def _of(request: Any, changes: dict[str, Any]) -> Any:  # noqa: ANN401 (each feature has a request of its own)
    return request._replace(**{name: value for name, value in changes.items() if hasattr(request, name)})


def spoken(answer: str) -> str:
    """The words of an answer that was passed on in OpenAI's form, whole or as events; any other as it is."""
    events = [line.removeprefix("data:").strip() for line in answer.splitlines() if line.startswith("data:")]
    pieces = [_words(each) for each in events or [answer]]
    return "".join(each for each in pieces if each) if any(each is not None for each in pieces) else answer


def _words(text: str) -> str | None:
    try:
        first = orjson.loads(text)["choices"][0]
        found = first.get("text") or (first.get("delta") or first.get("message") or {}).get("content")
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
        return None
    return str(found or "")

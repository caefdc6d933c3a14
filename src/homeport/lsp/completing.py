"""One completion after the other: what is known already, when to ask, and what is no longer wanted."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from homeport.lsp.trouble import Trouble, Troubles
from homeport.lsp.typed import Rest, Suggestion, Typed, spot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from homeport.lsp.asking import Completion, Place
    from homeport.lsp.reports import Reports
    from homeport.lsp.surroundings import Other

DOCUMENTS = 100
"""Documents whose suggestions are remembered."""
ENDS = frozenset(")]}>,;:\"'` \t")
"""What may stand behind the cursor while more than the rest of its line is wanted."""


class Wanted(NamedTuple):
    """A cursor that wants a suggestion."""

    uri: str
    place: Place
    by_hand: bool = False
    """Somebody asked for it: it waits for nothing."""


class Offer(NamedTuple):
    """A suggestion that an editor shows."""

    text: str
    """Of the document, as it was then."""
    offset: int
    rest: Rest

    def taken(self, text: str) -> bool:
        """Whether a text is what inserting it leads to: not every editor says so by the suggestion's command.

        A suggestion of one character is as likely to have been typed.
        """
        said, behind = self.rest.text, self.offset + self.rest.replaces
        return (
            len(said) > 1
            and len(text) == len(self.text) + len(said) - self.rest.replaces
            and text.startswith(said, self.offset)
            and text.startswith(self.text[: self.offset])
            and text.endswith(self.text[behind:])
        )


@dataclass(slots=True)
class _Document:
    typed: Typed = field(default_factory=Typed)
    asking: asyncio.Task[Rest | None] | None = None
    offer: Offer | None = None
    last: float = float("-inf")
    """When it was asked about last, by time.monotonic()."""


class Completing:
    """Suggestions for all open documents. In each, only the newest question is alive."""

    def __init__(
        self,
        complete: Callable[[Place], Awaitable[Completion]],
        others: Callable[[str], Awaitable[tuple[Other, ...]]],
        reports: Reports,
        tell: Callable[[str], None],
        *,
        pause_s: float,
    ) -> None:
        """`others`: the files that help with a document; `tell`: show somebody a sentence."""
        self._complete = complete
        self._others = others
        self._reports = reports
        self._tell = tell
        self._pause_s = pause_s
        self._documents: dict[str, _Document] = {}
        self.troubles = Troubles()
        self.asked = 0
        """Questions that Homeport got."""
        self.answered = 0
        """Questions that were answered from what was known."""

    async def at(self, wanted: Wanted) -> Rest | None:
        """What to suggest; None for nothing, which is also what an older question gets once there is a newer one."""
        document = self._document(wanted.uri)
        if document.asking is not None:
            document.asking.cancel()
        known = document.typed.rest(wanted.place.text, wanted.place.offset)
        now = time.monotonic()
        hurried = now - document.last < self._pause_s and not wanted.by_hand
        document.last = now
        if known is not None:
            self.answered += 1
            return self._shown(document, wanted, known)
        if self.troubles.pausing and not wanted.by_hand:
            return None
        return await self._newest(document, wanted, self._pause_s if hurried else 0.0)

    async def _newest(self, document: _Document, wanted: Wanted, pause_s: float) -> Rest | None:
        document.asking = task = asyncio.create_task(self._ask(document, wanted, pause_s))
        try:
            rest = await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise  # the editor itself no longer wants it
            return None
        finally:
            if document.asking is task:
                document.asking = None
        return self._shown(document, wanted, rest)

    async def _ask(self, document: _Document, wanted: Wanted, pause_s: float) -> Rest | None:
        if pause_s:
            await asyncio.sleep(pause_s)
        place = wanted.place._replace(others=await self._others(wanted.uri), one_line=_one_line(wanted.place))
        self.asked += 1
        try:
            found = await self._complete(place)
        except Trouble as trouble:
            if said := self.troubles.seen(trouble):
                self._tell(said)
            return None
        self.troubles.over()
        document.typed.keep(Suggestion(found.id, spot(place.text, place.offset), found.text))
        return document.typed.rest(place.text, place.offset)

    def _shown(self, document: _Document, wanted: Wanted, rest: Rest | None) -> Rest | None:
        document.offer = None
        if rest is None or not rest.text:
            return None
        document.offer = Offer(wanted.place.text, wanted.place.offset, rest)
        self._reports.shown(wanted.uri, rest.suggestion)
        return rest

    def changed(self, uri: str, text: str) -> None:
        """A document's text is another one now; where that is the suggestion, inserted at once, it was accepted."""
        document = self._documents.get(uri)
        if document is not None and document.offer is not None and document.offer.taken(text):
            self._reports.accepted(document.offer.rest.suggestion.id)

    def closed(self, uri: str) -> None:
        """Forget a document."""
        document = self._documents.pop(uri, None)
        if document is not None and document.asking is not None:
            document.asking.cancel()
        self._reports.left(uri)

    def _document(self, uri: str) -> _Document:
        found = self._documents.pop(uri, None) or _Document()
        self._documents[uri] = found
        while len(self._documents) > DOCUMENTS:
            self.closed(next(iter(self._documents)))
        return found


def _one_line(place: Place) -> bool:
    """Whether code follows the cursor on its line: then a suggestion of several lines would tear it apart."""
    rest = place.text[place.offset :].partition("\n")[0].rstrip("\r")
    return not ENDS.issuperset(rest)

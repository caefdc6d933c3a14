"""Texts in every field that pages show, and what a page is made of once they are there."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from homeport.access import tokens
from homeport.domain.entries import Content, Entry, Exchange, Phases, Traits
from homeport.domain.errors import HomeportError
from homeport.domain.models import Model, Token
from homeport.store import invitations, models, people, teams
from homeport.store import tokens as token_rows
from homeport.store.records import Invitation, Team, User

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from offices import Office

    from homeport.store.writing import Writing

ADDRESSES = frozenset({"href", "src", "action", "formaction", "poster", "data", "srcset", "ping", "background"})


class Skeleton(HTMLParser):
    """What a page is made of: its elements with the names of their attributes; and what it says."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[tuple[str, ...]] = []
        self.said: list[str] = []
        """Texts and values of attributes."""
        self.leads: list[str] = []
        """Addresses."""

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.made.append((tag, *sorted(name for name, _ in attrs)))
        self.said += [value or "" for _, value in attrs]
        self.leads += [value or "" for name, value in attrs if name in ADDRESSES]

    @override
    def handle_data(self, data: str) -> None:
        self.said.append(data)

    @override
    def handle_comment(self, data: str) -> None:
        self.made.append(("comment", data))


def skeleton(body: str) -> Skeleton:
    """A page, read."""
    read = Skeleton()
    read.feed(body)
    read.close()
    return read


async def plant(office: Office, words: Sequence[str]) -> None:
    """Store each word in every field that takes it, in one step: a change each would be as many writes."""
    for number, word in enumerate(words):
        office.request_log.enter(_entry(number, word))
    async with office.store._change(words[0]) as change:  # noqa: SLF001 (see above)
        for number, word in enumerate(words):
            for store in _stores(change, number, word):
                with contextlib.suppress(HomeportError):
                    await store()
    await office.request_log.settle()


def _stores(change: Writing, number: int, word: str) -> Iterator[Callable[[], Awaitable[Any]]]:
    """A model with its identifier, its endpoint, a person with what a directory says, and so on."""
    now, day = datetime.now(UTC), timedelta(days=1)
    digest = tokens.digest(b"p" * 32, tokens.mint())
    token = Token(name=word, owner=word, digest=digest, hint="abcd", scopes=frozenset({"duo_chat"}))
    invited = Invitation(id="", note=word, created=now, expires=now + day)
    user = User(name=word, display=word, email=word, external_id=word)
    yield lambda: models.add(change, _model(word, identifier=word))
    yield lambda: models.add(change, _model(f"e-{number}", endpoint=f"http://127.0.0.1:9/{word}"))
    yield lambda: people.put(change, user)
    yield lambda: teams.add(change, Team(name=word, external_id=word))
    yield lambda: token_rows.add(change, token)
    yield lambda: invitations.add(change, digest, invited, day)


def _model(name: str, **fields: Any) -> Model:
    usual = {"platform": "openai", "family": "general", "endpoint": "http://127.0.0.1:9/v1", "identifier": "x"}
    return Model(name=name, **(usual | fields))


def _entry(number: int, word: str) -> Entry:
    traits = Traits(
        who=word, client=word, protocol=word, feature=word, model=word, platform=word, family=word, language=word,
        status=502, outcome="rejected", error_code=word, error=word,
    )  # fmt: skip
    content = Content("/v1/completions", word, word, (Exchange(word, word, word),))
    phases = Phases(took=4_000, admitted=400, asked=2_000, first=3_000, told=3_900)
    return Entry(time.time() - number, f"id-of-{number:06d}", traits, phases, 1, 1, 1, 1, content=content)

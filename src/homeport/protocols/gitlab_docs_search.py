"""GitLab's AI Gateway: `/v1/search/gitlab-docs`, passages of documentation for chat to answer from.

Source: gateway protocol, "Documentation search". Without an index nothing is found, which is no error.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import orjson
from pydantic import Field

from homeport.access import Need
from homeport.protocols import Act, Reply, WireProtocol
from homeport.protocols._gitlab import Lenient, error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from homeport.domain.passages import Passage
    from homeport.protocols import Arrival
    from homeport.protocols._endpoint import Door

TOKENS = 8_000
"""Estimated tokens of all results together."""
TOKENS_PER_WORD = 1.4


class SearchMetadata(Lenient):
    """Who asks."""

    source: str = Field("", max_length=100)
    version: str = Field("", max_length=100)


class SearchPayload(Lenient):
    """What is asked."""

    query: str = Field(max_length=400_000)
    page_size: int = Field(4, ge=1, le=20)


class SearchBody(Lenient):
    """A question for the documentation."""

    type: str = Field("", max_length=100)
    metadata: SearchMetadata | None = None
    payload: SearchPayload


async def search(door: Door, body: SearchBody, _arrival: Arrival) -> Reply:
    """The passages that answer best, within the bound; raises TooMany or Unavailable."""
    found = await door.bench.docs(body.payload.query, body.payload.page_size)
    answer = {
        "response": {"results": [_result(each) for each in within(found)]},
        "metadata": {"provider": "sqlite", "timestamp": int(time.time())},
    }
    return Reply(orjson.dumps(answer))


def within(found: Iterable[Passage], tokens: float = TOKENS) -> Iterator[Passage]:
    """The best of them, as many as have room."""
    for each in found:
        tokens -= len(each.text.split()) * TOKENS_PER_WORD
        if tokens < 0:
            return
        yield each


def _result(found: Passage) -> dict[str, object]:
    """A passage as GitLab takes it; the content says where it stands, for the model that reads it."""
    facts = {"filename": found.file, "title": found.title, "heading": found.heading, "source_url": found.url}
    head = f"{found.heading or found.title}\n\n"
    return {
        "id": found.file,
        "content": head + found.text,
        "metadata": {name: value for name, value in facts.items() if value},
    }


PROTOCOL = WireProtocol(
    label="GitLab AI Gateway: documentation search",
    error=error,
    process_time=True,
    routes=(
        Act(
            paths=("/v1/search/gitlab-docs",),
            need=Need("documentation_search"),
            body=SearchBody,
            act=search,
            summary="Find passages of the documentation that `homeport docs index` has indexed.",
            example={"type": "search-docs", "payload": {"query": "How do I register a runner?", "page_size": 4}},
        ),
    ),
)

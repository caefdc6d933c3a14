"""An error as one sentence under `error`, for clients that look for nothing else.

Sources: Ollama's API documentation, "Errors"; Tabby's clients, which read the status alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from homeport.domain.errors import HomeportError


def sentence(problem: HomeportError, correlation_id: str) -> bytes:
    """The object; the correlation id stands in the text too, where people will see it."""
    text = f"{problem} (correlation id {correlation_id})"
    return orjson.dumps({"error": text, "code": problem.code, "correlation_id": correlation_id})


def error(problem: HomeportError, correlation_id: str) -> tuple[int, bytes]:
    """Status and body."""
    return problem.status, sentence(problem, correlation_id)

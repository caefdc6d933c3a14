"""What the endpoints of GitLab's AI Gateway protocol share: its error bodies and its code fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from pydantic import BaseModel, ConfigDict, Field

from homeport.domain.errors import NotAuthenticated, SetupError, UpstreamError, UpstreamOverloaded
from homeport.domain.requests import RelatedFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from homeport.domain.errors import HomeportError

MISDIRECTED = 421
BUSY = 429
UNPROCESSABLE = 422
CODE_LIMIT = 100_000
"""Characters on each side of the cursor; GitLab trims to this before it sends."""


class Lenient(BaseModel):
    """Unknown fields are ignored: GitLab passes its editors' fields through."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, protected_namespaces=())


class ContextItem(Lenient):
    """A file or a snippet that helps."""

    type: str = Field("", max_length=1024)
    name: str = Field("", max_length=1024)
    content: str = Field("", max_length=500_000)


class CurrentFile(Lenient):
    """The file at the cursor."""

    file_name: str = Field(max_length=255)
    language_identifier: str | None = Field(None, max_length=255)
    content_above_cursor: str = Field(max_length=CODE_LIMIT)
    content_below_cursor: str = Field(max_length=CODE_LIMIT)


def related(items: Iterable[ContextItem]) -> tuple[RelatedFile, ...]:
    """Context items as related files."""
    return tuple(RelatedFile(name=item.name, content=item.content) for item in items if item.content.strip())


def error(problem: HomeportError, correlation_id: str) -> tuple[int, bytes]:
    """The body that GitLab's Ruby client can read without raising.

    401 has the key `error`; 421 has `detail` as text; everything else has `detail` as a list. A model that
    cannot be used is 421, never 5xx: those open GitLab's circuit breaker. One that is busy is 429: GitLab tries again.
    """
    text = f"{problem} (correlation id {correlation_id})"
    if isinstance(problem, NotAuthenticated):
        return problem.status, orjson.dumps({"error": text})
    if isinstance(problem, UpstreamOverloaded):
        return BUSY, orjson.dumps({"detail": [{"msg": text, "type": problem.code, "loc": ["body"]}]})
    if isinstance(problem, UpstreamError | SetupError):
        return MISDIRECTED, orjson.dumps({"detail": f"{problem.code}: {text}"})
    status = UNPROCESSABLE if problem.status == 400 else problem.status  # noqa: PLR2004 (HTTP's own number)
    where = problem.param.split(".") if problem.param else ["body"]
    return status, orjson.dumps({"detail": [{"msg": text, "type": problem.code, "loc": where}]})


def engine(model: str) -> dict[str, str]:
    """How the protocol names the model that answered."""
    return {"engine": "agent", "name": model}

"""Where models run. One file per kind of upstream offers one `Provider`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from homeport.domain.models import Model
    from homeport.domain.prompts import Prompt
    from homeport.domain.streams import Chunks
    from homeport.kit.upstream import Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A kind of model server: how to ask it and how to list what it serves."""

    label: str
    generate: Callable[[Upstream, Model, Prompt], Chunks]
    served: Callable[[Upstream, Model], Awaitable[Sequence[str]]]
    """Names of the models it serves."""
    prefixes: tuple[str, ...] = ()
    """Identifier prefixes that name it, without the slash ("custom_openai")."""
    needs_endpoint: bool = True
    text: bool = True
    """Whether it can continue plain text; without it everything is asked as chat."""

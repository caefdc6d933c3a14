"""What one room needs of another, as small as it is used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from homeport.domain.models import Model
from homeport.domain.passages import Passage
from homeport.domain.prompts import Prompt
from homeport.domain.streams import Chunks

Generate = Callable[[Model, Prompt], Chunks]
"""Ask a model and get its answer as a stream."""

Count = Callable[[Model, Prompt], Awaitable[int]]
"""Tokens of a conversation as the model server counts them; 0 where it cannot."""

SearchDocs = Callable[[str, int], Awaitable[Sequence[Passage]]]
"""The passages of documentation that answer a question best, at most so many."""

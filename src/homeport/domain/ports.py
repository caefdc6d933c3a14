"""What one room needs of another, as small as it is used."""

from __future__ import annotations

from collections.abc import Callable

from homeport.domain.models import Model
from homeport.domain.prompts import Prompt
from homeport.domain.streams import Chunks

Generate = Callable[[Model, Prompt], Chunks]
"""Ask a model and get its answer as a stream."""

"""How many tokens a prompt has: as the model's own server counts, else as its answers let us expect."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from homeport.domain.errors import UpstreamError
from homeport.kit.journal import note

if TYPE_CHECKING:
    from homeport.domain.models import Model
    from homeport.domain.prompts import Prompt
    from homeport.features import Workbench

IMAGE_TOKENS = 1200
"""What a picture is taken for where nobody counts it."""
PATIENCE_S = 5.0


class Counted(NamedTuple):
    """Tokens of a prompt."""

    tokens: int
    exact: bool
    """Whether the model's own tokenizer counted them."""


async def count(bench: Workbench, model: Model, prompt: Prompt) -> Counted:
    """The tokens of `prompt`; never raises because a model server cannot count."""
    counts = bench.counts.get(model.platform)
    if counts is not None and bench.measures.may_count(model):
        try:
            tokens = await counts(model.within(PATIENCE_S), prompt)
        except UpstreamError as error:
            note(not_counted=error.code)
            tokens = 0
        if tokens:
            return Counted(tokens, exact=True)
        bench.measures.cannot_count(model)
    return Counted(estimated(bench, model, prompt), exact=False)


def estimated(bench: Workbench, model: Model, prompt: Prompt) -> int:
    """Tokens of `prompt` by the characters per token that the model's answers showed; pictures at a flat rate."""
    text = prompt.size / bench.measures.characters_per_token(model)
    return max(1, round(text) + IMAGE_TOKENS * sum(map(_images, prompt.raw_messages)))


def _images(message: object) -> int:
    content = message.get("content") if isinstance(message, dict) else None
    parts = content if isinstance(content, list) else ()
    return sum(isinstance(part, dict) and part.get("type") == "image_url" for part in parts)

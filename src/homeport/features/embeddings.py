"""Embeddings: texts as vectors, for editors that look for code by its meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport.domain.prompts import Prompt
from homeport.domain.requests import EmbeddingRequest
from homeport.features import Feature
from homeport.features._ask import ask, choose
from homeport.kit.journal import note

if TYPE_CHECKING:
    from homeport.domain.streams import Chunks
    from homeport.features import Workbench


def run(bench: Workbench, wanted: EmbeddingRequest) -> Chunks:
    """Embed the texts; the one chunk holds the document of OpenAI's format."""
    model = choose(bench, "embeddings", wanted.model)
    prompt = Prompt(kind="embed", extra={**wanted.extra, "input": wanted.input})
    note(prompt_length=prompt.size)
    return ask(bench, model, prompt)


FEATURE = Feature(title="Embeddings", section="Embeddings", scope="duo_chat", request=EmbeddingRequest, run=run)

"""Models that turn text into vectors: BGE, E5, GTE, Nomic Embed, Jina Embeddings, MiniLM and their like.

They write no text, so they serve embeddings and nothing else. Their window bounds each text on its own; that of the
older ones is 512 tokens.

Sources: https://huggingface.co/BAAI/bge-m3, https://huggingface.co/intfloat/e5-large-v2,
https://huggingface.co/nomic-ai/nomic-embed-text-v1.5, https://platform.openai.com/docs/guides/embeddings
"""

from __future__ import annotations

from homeport.families import Family

FAMILY = Family(
    label="Embedding",
    chat=False,
    embeds=True,
    context_tokens=8192,
    aliases=("embeddings", "text_embedding"),
    served_as=(
        "embed",
        "bge",
        "e5base",
        "e5small",
        "e5large",
        "e5mistral",
        "gtebase",
        "gtesmall",
        "gtelarge",
        "minilm",
    ),
)

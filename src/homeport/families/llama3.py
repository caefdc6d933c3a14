"""Llama 3, 3.1, 3.2 and 3.3: Meta's general models; completion asks in words.

Window: 8,192 tokens for Llama 3, 131,072 from 3.1.

Sources: https://github.com/meta-llama/llama-models/tree/main/models,
https://www.llama.com/docs/model-cards-and-prompt-formats/meta-llama-3/
"""

from __future__ import annotations

from homeport.families import Family

FAMILY = Family(
    label="Llama 3",
    release="beta",
    context_tokens=8192,
    stops=("<|eot_id|>", "<|end_of_text|>", "<|start_header_id|>"),
    aliases=("llama_3", "llama3_1", "llama3_2", "llama3_3"),
    served_as=("llama3",),
)

"""SmolLM2 of Hugging Face (135M to 1.7B): continues code, chats simply; no fill-in-the-middle.

Its tokenizer knows some file sentinels, but the small models follow plain comments better than
tokens they have hardly seen. Window: 8,192 tokens.

Sources: https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct, https://arxiv.org/abs/2502.02737
"""

from __future__ import annotations

from homeport.families import Family

FAMILY = Family(
    label="SmolLM",
    release="experimental",
    completion="prefix",
    context_tokens=8192,
    completion_tokens=64,
    generation_tokens=256,
    stops=("<|im_end|>", "<|endoftext|>", "<|im_start|>"),
    aliases=("smollm2", "smollm2_135m"),
    served_as=("smollm",),
)

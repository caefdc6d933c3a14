"""CodeGemma: Google's code models on Gemma; 2B and 7B fill in the middle, 7B-it chats.

No white space between sentinels and code; several files are separated by `<|file_separator|>`,
each headed by its path. Gemma's chat template knows no system role. Window: 8,192 tokens.

Sources: https://ai.google.dev/gemma/docs/codegemma/prompt-structure,
https://arxiv.org/abs/2406.11409 (figure 2)
"""

from __future__ import annotations

from homeport.families import Family, Fim

FAMILY = Family(
    label="CodeGemma",
    release="beta",
    completion="fim",
    fim=Fim(
        layout="<|fim_prefix|>{before}<|fim_suffix|>{after}<|fim_middle|>",
        stops=("<|file_separator|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
        file="{name}\n{content}<|file_separator|>",
        current="{name}\n",
    ),
    system_role=False,
    context_tokens=8192,
    stops=("<end_of_turn>", "<eos>"),
    aliases=("codegemma_2b", "codegemma_7b", "codegemma_7b_it"),
    served_as=("codegemma",),
)

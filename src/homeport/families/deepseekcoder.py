"""DeepSeek Coder and DeepSeek Coder V2: `fim▁hole` stands where the code belongs.

The bars and the low blocks in the sentinels are not ASCII. Files of a repository were trained one
after the other, each headed by a comment with its name, so related files lead the prefix as
comments. Window: 16,384 tokens (first generation), 131,072 (V2).

Sources: https://github.com/deepseek-ai/DeepSeek-Coder (README, "Code Insertion" and "Repository
Level Code Completion"), https://github.com/deepseek-ai/DeepSeek-Coder-V2
"""

# ruff: noqa: RUF001 (the sentinels are spelled with these bars)

from __future__ import annotations

from homeport.families import Family, Fim

FAMILY = Family(
    label="DeepSeek Coder",
    release="beta",
    completion="fim",
    fim=Fim(
        layout="<｜fim▁begin｜>{before}<｜fim▁hole｜>{after}<｜fim▁end｜>",
        layout_with_files="<｜fim▁begin｜>{lead}{before}<｜fim▁hole｜>{after}<｜fim▁end｜>",
        stops=("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
    ),
    context_tokens=16_384,
    stops=("<｜end▁of▁sentence｜>", "<|EOT|>"),
    aliases=("deepseek_coder", "deepseek_coder_v2"),
    served_as=("deepseekcoder",),
)

"""Qwen2.5-Coder and Qwen3-Coder: Alibaba's code models; base and instruct fill in the middle.

Several files: `<|repo_name|>` and a name, then each file after `<|file_sep|>` and its path, the
current file's sentinels under its own path. A request does not say what the repository is called,
so it is called "project". Window: 32,768 tokens (2.5), 262,144 (3).

Sources: https://github.com/QwenLM/Qwen3-Coder (README; `examples/Qwen2.5-Coder-repolevel-fim.py`),
https://arxiv.org/abs/2409.12186 (figure 4)
"""

from __future__ import annotations

from homeport.families import Family, Fim

FAMILY = Family(
    label="Qwen Coder",
    completion="fim",
    fim=Fim(
        layout="<|fim_prefix|>{before}<|fim_suffix|>{after}<|fim_middle|>",
        layout_with_files=("<|repo_name|>project\n{lead}<|fim_prefix|>{before}<|fim_suffix|>{after}<|fim_middle|>"),
        stops=("<|file_sep|>", "<|repo_name|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>"),
        file="<|file_sep|>{name}\n{content}\n",
        current="<|file_sep|>{name}\n",
    ),
    context_tokens=32_768,
    stops=("<|endoftext|>", "<|im_end|>", "<|im_start|>"),
    aliases=("qwen2p5-coder-7b", "qwen2.5_coder", "qwen3_coder"),
    served_as=("qwen*coder",),
)

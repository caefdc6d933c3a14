"""Granite Code of IBM (3B to 34B): StarCoder's sentinels, no trained layout for several files.

Later general Granite models (3.3, 4) spell the sentinels `<|fim_prefix|>`; register those as
`general`. Window: 2,048 tokens for the oldest 3B, 128,000 for its successors; configure the model's own.

Sources: https://arxiv.org/abs/2405.04324, https://huggingface.co/ibm-granite/granite-8b-code-base-4k
"""

from __future__ import annotations

from homeport.families import Family, Fim

FAMILY = Family(
    label="Granite Code",
    completion="fim",
    fim=Fim(
        layout="<fim_prefix>{before}<fim_suffix>{after}<fim_middle>",
        layout_with_files="<fim_prefix>{lead}{before}<fim_suffix>{after}<fim_middle>",
        stops=("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>"),
    ),
    context_tokens=2048,
    stops=("<|endoftext|>",),
    aliases=("granite_8b_code",),
    served_as=("granite*code",),
)

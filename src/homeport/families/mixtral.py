"""Mixtral 8x7B and 8x22B: Mistral's mixtures of experts.

Not trained to fill in the middle, so completion asks in words; the system message goes into the
user turn as in `mistral`. Window: 32,768 tokens (8x7B), 65,536 (8x22B).

Sources: https://mistral.ai/news/mixtral-of-experts, https://mistral.ai/news/mixtral-8x22b
"""

from __future__ import annotations

from homeport.families import Family

FAMILY = Family(
    label="Mixtral",
    system_role=False,
    context_tokens=32_768,
    stops=("</s>", "[INST]", "[/INST]"),
    aliases=("mixtral_text", "mixtral_8x7b", "mixtral_8x22b", "mixtral_8x22b_text"),
    served_as=("mixtral",),
)

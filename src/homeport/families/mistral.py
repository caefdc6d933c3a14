"""Mistral's general models: Mistral 7B, Nemo, Small, Large, Ministral, Devstral.

They were not trained to fill in the middle (Codestral was), so completion asks in words.
Mistral's own tokenizer puts a system message into the first or the last user turn, and the older
chat templates refuse one, so we put it there ourselves. Window: 32,768 tokens from Mistral 7B v0.2.

Sources: https://github.com/mistralai/cookbook/blob/main/concept-deep-dive/tokenization/chat_templates.md,
https://docs.mistral.ai/getting-started/models/
"""

from __future__ import annotations

from homeport.families import Family

FAMILY = Family(
    label="Mistral",
    tools=True,
    system_role=False,
    context_tokens=32_768,
    stops=("</s>", "[INST]", "[/INST]"),
    aliases=("mistral_text", "mistral_nemo", "mistral_7b", "mistral_small", "mistral_large"),
    served_as=("mistral", "ministral", "magistral", "devstral", "mathstral", "pixtral"),
)

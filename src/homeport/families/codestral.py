"""Codestral: Mistral's code model, trained to fill in the middle.

The suffix comes first, then the prefix: `<s>[SUFFIX]suffix[PREFIX]prefix`. Related files stand at
the beginning of the prefix, each under a line `+++++ name`, as Mistral's fill-in-the-middle clients
write them. Needs a server whose tokenizer reads the sentinels in a text prompt as control tokens
(Hugging Face tokenizers do). Window: 32,768 tokens (22B v0.1), 256,000 from 2501.

Sources: https://github.com/mistralai/mistral-common (`encode_fim` and its tests),
https://github.com/mistralai/cookbook/blob/main/concept-deep-dive/tokenization/chat_templates.md,
https://mistral.ai/news/codestral, https://mistral.ai/news/codestral-2501,
https://github.com/continuedev/continue/blob/main/core/autocomplete/templating/AutocompleteTemplate.ts
"""

from __future__ import annotations

from homeport.families import Family, Fim

FAMILY = Family(
    label="Codestral",
    completion="fim",
    fim=Fim(
        layout="[SUFFIX]{after}[PREFIX]{before}",
        layout_with_files="[SUFFIX]{after}[PREFIX]{lead}{before}",
        stops=("[SUFFIX]", "[PREFIX]", "[MIDDLE]", "\n+++++ "),
        file="+++++ {name}\n{content}\n\n",
        current="+++++ {name}\n",
    ),
    system_role=False,
    context_tokens=32_768,
    stops=("</s>", "[INST]", "[/INST]"),
    aliases=("codestral@2405", "codestral-2405", "codestral-2501", "codestral-2508", "codestral_22b"),
    served_as=("codestral",),
)

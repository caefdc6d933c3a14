"""GPT models of OpenAI, by way of Azure or an endpoint of the same kind; completion asks in words.

GPT-5 accepts no temperature but 1 and spends part of its answer on thinking, hence the numbers.
Azure accepts at most four stop sequences; none are needed. Window: 128,000 tokens (GPT-4o) and more.

Sources: https://platform.openai.com/docs/models,
https://learn.microsoft.com/azure/ai-foundry/openai/how-to/reasoning
"""

from __future__ import annotations

from homeport.families import Family

FAMILY = Family(
    label="GPT",
    tools=True,
    context_tokens=128_000,
    completion_tokens=256,
    completion_temperature=1.0,
    generation_tokens=2048,
    generation_temperature=1.0,
    any_temperature=False,
    thinking_tokens=1024,
    aliases=("gpt_4", "gpt_4o", "gpt_4.1", "gpt_5"),
    served_as=("gpt35", "gpt4", "gpt5", "chatgpt"),
)

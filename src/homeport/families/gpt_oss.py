"""gpt-oss-20b and gpt-oss-120b: OpenAI's open models; completion asks in words.

They think before they answer and the thinking counts as answer tokens, hence the lengths; OpenAI
recommends temperature 1. Window: 131,072 tokens.

Sources: https://github.com/openai/gpt-oss, https://cookbook.openai.com/articles/openai-harmony
"""

from __future__ import annotations

from homeport.families import Family

FAMILY = Family(
    label="gpt-oss",
    tools=True,
    context_tokens=131_072,
    completion_tokens=512,
    completion_temperature=1.0,
    generation_tokens=4096,
    generation_temperature=1.0,
    any_temperature=False,
    thinking_tokens=2048,
    stops=("<|return|>", "<|call|>"),
    aliases=("gpt_oss_20b", "gpt_oss_120b"),
    served_as=("gptoss",),
)

"""Gemini models of Google, by way of an OpenAI-compatible endpoint; completion asks in words.

From 2.5 part of the answer is spent on thinking, hence the length. Window: 1,048,576 tokens.

Source: https://ai.google.dev/gemini-api/docs/models
"""

from __future__ import annotations

from homeport.families import Family

FAMILY = Family(
    label="Gemini",
    release="beta",
    tools=True,
    context_tokens=1_048_576,
    completion_tokens=512,
    generation_tokens=2048,
    aliases=("gemini_1_5", "gemini_2_0", "gemini_2_5"),
    served_as=("gemini",),
)

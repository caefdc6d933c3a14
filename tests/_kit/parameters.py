"""The parameters of OpenAI's chat and text completions, and what becomes of each: found out by parsing it.

Source: the OpenAI API reference, "Create chat completion" and "Create completion", November 2026; and those of vLLM
and llama.cpp that clients send besides.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from homeport.domain.errors import BadRequest
from homeport.domain.models import Caller
from homeport.protocols import Arrival, _openai, openai_chat, openai_completions
from homeport.protocols._kept import Shelf
from homeport.providers import _turns

Fate = Literal["passed on", "understood", "ignored", "refused", ""]
MESSAGES = [{"role": "user", "content": "hi"}]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]

BOTH: dict[str, Any] = {
    "model": "",
    "stream": False,
    "stream_options": {"include_usage": True},
    "max_tokens": 9,
    "temperature": 0.5,
    "top_p": 0.5,
    "n": 2,
    "seed": 7,
    "stop": ["END"],
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "logit_bias": {"50256": -100},
    "user": "ada",
    "top_k": 5,
    "min_p": 0.1,
    "repetition_penalty": 1.1,
}
CHAT: dict[str, Any] = {
    "messages": MESSAGES,
    **BOTH,
    "max_completion_tokens": 9,
    "tools": TOOLS,
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "response_format": {"type": "json_object"},
    "logprobs": True,
    "top_logprobs": 2,
    "reasoning_effort": "low",
    "verbosity": "low",
    "modalities": ["text"],
    "audio": {"voice": "alloy", "format": "wav"},
    "functions": [{"name": "f"}],
    "function_call": "auto",
    "web_search_options": {"search_context_size": "low"},
    "prediction": {"type": "content", "content": "a"},
    "store": True,
    "metadata": {"a": "b"},
    "service_tier": "auto",
    "prompt_cache_key": "a",
    "prompt_cache_retention": "24h",
    "safety_identifier": "a",
    "chat_template_kwargs": {"enable_thinking": False},
}
TEXT: dict[str, Any] = {
    "prompt": "a = ",
    "suffix": "\nprint(a)",
    **BOTH,
    "logprobs": 2,
    "best_of": 2,
    "echo": True,
}


class Fates(NamedTuple):
    """What becomes of one parameter; empty where it is none of the endpoint's."""

    chat: Fate
    turns: dict[str, Fate]
    """In chat, by platform, where models take turns only."""
    text: Fate
    hole: Fate


def fates() -> dict[str, Fates]:
    """What becomes of every parameter."""
    return {name: _fates(name) for name in {**CHAT, **TEXT}}


def _fates(name: str) -> Fates:
    chat = _fate(openai_chat, openai_chat.ChatBody, {"messages": MESSAGES}, name, CHAT)
    platforms = {platform: _in_turns(platform, name, chat) for platform in _turns.TAKEN}
    text = _fate(openai_completions, openai_completions.TextBody, {"prompt": "a"}, name, TEXT)
    with_suffix = {"prompt": "a", "suffix": "b"}
    return Fates(chat, platforms, text, _fate(openai_completions, openai_completions.TextBody, with_suffix, name, TEXT))


def _fate(module: Any, form: Any, plain: dict[str, Any], name: str, samples: dict[str, Any]) -> Fate:
    if name not in samples:
        return ""
    arrival = Arrival("", [], Caller(subject="x"), Shelf(0))
    try:
        asked = module.parse(form.model_validate(plain | {name: samples[name]}), arrival)
    except BadRequest:
        return "refused"
    if name in asked.ignored:
        return "ignored"
    usual = module.parse(form.model_validate(plain), arrival).request
    goes = name in getattr(asked.request, "extra", {}) or asked.request.sampling != usual.sampling
    return "passed on" if goes or name == "messages" or (name == "prompt" and "suffix" not in plain) else "understood"


def _in_turns(platform: str, name: str, chat: Fate) -> Fate:
    if chat != "passed on" or name in _turns.TAKEN[platform]:
        return chat
    if name in _turns.REFUSED:
        return "refused"
    return "ignored" if name == "seed" or name in (*openai_chat.PASSED_ON, *_openai.PASSED_ON) else chat

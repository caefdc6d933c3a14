"""The parameters of completion clients' protocols, and what becomes of each: found out by parsing it.

Sources: the Mistral API reference, "FIM Completion"; llama.cpp's server README, "POST /completion" and "POST
/infill"; Ollama's API documentation, "Generate a completion" and "Generate a chat completion"; Tabby's OpenAPI
description, CompletionRequest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from homeport.access import SCOPES
from homeport.domain.errors import BadRequest
from homeport.domain.models import Caller
from homeport.protocols import Arrival, llama_cpp, mistral_fim, ollama_chat, ollama_generate, tabby
from homeport.protocols._endpoint import formed
from homeport.protocols._kept import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from homeport.protocols import Asked

Fate = Literal["understood", "passed on", "ignored", "refused"]


class Tongue(NamedTuple):
    """One kind of request of one protocol."""

    path: str
    form: type[BaseModel]
    parse: Callable[[Any, Arrival], Asked]
    plain: dict[str, Any]
    """The smallest request."""
    samples: dict[str, Any]
    """Every further parameter of the protocol, with a value; `a.b` is in an object."""
    about: str = ""


_LLAMA: dict[str, Any] = {
    "model": "chat",
    "stream": True,
    "n_predict": 9,
    "temperature": 0.5,
    "top_p": 0.5,
    "seed": 7,
    "stop": ["END"],
    "response_fields": ["content"],
    "top_k": 5,
    "min_p": 0.1,
    "repeat_penalty": 1.1,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "grammar": "root ::= x",
    "json_schema": {"type": "object"},
    "n_probs": 5,
    **dict.fromkeys(("n_keep", "n_indent", "n_cache_reuse", "id_slot", "mirostat", "repeat_last_n", "n_cmpl"), 2),
    **dict.fromkeys(("cache_prompt", "return_tokens", "ignore_eos", "timings_per_token", "return_progress"), True),
    **dict.fromkeys(("t_max_prompt_ms", "t_max_predict_ms", "typical_p", "dynatemp_range", "xtc_probability"), 1),
    "samplers": ["top_k"],
    "logit_bias": [[5, 1.0]],
    "lora": [{"id": 0, "scale": 0.5}],
}
_OLLAMA: dict[str, Any] = {
    "stream": False,
    "think": "low",
    "format": "json",
    "keep_alive": "5m",
    "options.num_predict": 9,
    "options.temperature": 0.5,
    "options.top_p": 0.5,
    "options.seed": 7,
    "options.stop": ["END"],
    "options.top_k": 5,
    "options.min_p": 0.1,
    "options.repeat_penalty": 1.1,
    "options.presence_penalty": 0.5,
    "options.frequency_penalty": 0.5,
    **{f"options.{name}": 5 for name in ("num_ctx", "num_keep", "num_gpu", "num_thread", "repeat_last_n", "mirostat")},
    "logprobs": True,
    "top_logprobs": 2,
}
_GENERATE = _OLLAMA | {
    "system": "Be brief.",
    "images": ["iVBORw0KGgo="],
    "template": "{{ .Prompt }}",
    "context": [1, 2],
}
TONGUES = (
    Tongue(
        "/v1/fim/completions",
        mistral_fim.FimBody,
        mistral_fim.parse,
        {"prompt": "a = "},
        {
            "model": "chat",
            "suffix": "\n",
            "stream": True,
            "max_tokens": 9,
            "temperature": 0.5,
            "top_p": 0.5,
            "random_seed": 7,
            "stop": ["END"],
            "min_tokens": 2,
            "metadata": {"a": "b"},
            "prompt_cache_key": "a",
        },
    ),
    Tongue(
        "/infill",
        llama_cpp.InfillBody,
        llama_cpp.parse_infill,
        {"input_prefix": "a", "input_suffix": "\n"},
        {"prompt": " = ", "input_extra": [{"filename": "b.py", "text": "b = 2"}], **_LLAMA},
    ),
    Tongue("/completion", llama_cpp.CompletionBody, llama_cpp.parse_completion, {"prompt": "a = "}, _LLAMA),
    Tongue(
        "/api/generate",
        ollama_generate.GenerateBody,
        ollama_generate.parse,
        {"model": "", "prompt": "a = ", "suffix": "\n"},
        _GENERATE,
        "with `suffix`",
    ),
    Tongue(
        "/api/generate",
        ollama_generate.GenerateBody,
        ollama_generate.parse,
        {"model": "", "prompt": "a = ", "raw": True},
        _GENERATE,
        "with `raw`",
    ),
    Tongue(
        "/api/generate",
        ollama_generate.GenerateBody,
        ollama_generate.parse,
        {"model": "", "prompt": "Why?"},
        _GENERATE,
        "a question",
    ),
    Tongue(
        "/api/chat",
        ollama_chat.OllamaChatBody,
        ollama_chat.parse,
        {"model": "", "messages": [{"role": "user", "content": "Why?"}]},
        {**_OLLAMA, "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]},
    ),
    Tongue(
        "/v1/completions",
        tabby.TabbyBody,
        tabby.parse,
        {"segments": {"prefix": "a = "}},
        {
            "language": "python",
            "user": "ada",
            "temperature": 0.5,
            "seed": 7,
            "mode": "next_edit_suggestion",
            "debug_options": {"return_prompt": True},
            "segments.suffix": "\n",
            "segments.filepath": "a.py",
            "segments.declarations": [{"filepath": "b.py", "body": "b = 2"}],
            "segments.relevant_snippets_from_changed_files": [{"filepath": "b.py", "body": "b = 2", "score": 1}],
            "segments.relevant_snippets_from_recently_opened_files": [{"filepath": "b.py", "body": "b", "score": 1}],
            "segments.git_url": "https://git.example.com/a",
            "segments.clipboard": "x",
            "segments.edit_history": {"original_code": "", "edits_diff": "", "current_version": ""},
        },
        "with `segments`",
    ),
)


def with_one(plain: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """A request with one parameter more."""
    outer, _, inner = name.partition(".")
    return plain | {outer: {**plain.get(outer, {}), inner: value} if inner else value}


def fate(tongue: Tongue, name: str) -> Fate:
    """What becomes of a parameter."""
    arrival = Arrival("", [], Caller(subject="x", scopes=frozenset(SCOPES)), Shelf(0))
    try:
        asked = tongue.parse(formed(tongue.form, with_one(tongue.plain, name, tongue.samples[name])), arrival)
    except BadRequest:
        return "refused"
    if name in asked.ignored:
        return "ignored"
    usual = tongue.parse(formed(tongue.form, tongue.plain), arrival)
    extra, before = (getattr(each.request, "extra", {}) for each in (asked, usual))
    return "passed on" if extra != before else "understood"

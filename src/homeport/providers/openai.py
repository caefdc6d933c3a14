"""Any server that speaks the OpenAI wire format: vLLM, SGLang, llama.cpp, TGI, Ollama, LM Studio."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from homeport.domain.errors import BadConfiguration
from homeport.providers import Option, Provider
from homeport.providers import _openai_compatible as wire

if TYPE_CHECKING:
    from homeport.domain.models import Model
    from homeport.domain.prompts import Prompt
    from homeport.domain.streams import Chunks
    from homeport.kit.upstream import Upstream

OPTIONS = {
    "fim": Option(
        text="How a hole in code is shown: laid out as its family was trained, or by the server's parameter `suffix`. "
        "Unset, what `homeport models detect` proved decides, and without a proof the family.",
        values=("layout", "suffix"),
    ),
    "extra_body": Option(
        text="A JSON object that every request to it carries besides: vLLM's priority, cache_salt or "
        "chat_template_kwargs, llama.cpp's cache_prompt.",
        form=r"\{.*\}",
        like='{"name": "value"}',
    ),
}
OURS = frozenset({"model", "messages", "prompt", "stream", "stream_options", "suffix", "tools", "max_tokens", "n"})
"""What a request says itself."""


def generate(upstream: Upstream, model: Model, prompt: Prompt) -> Chunks:
    """Ask the model."""
    more = model.options.get("extra_body")
    return wire.generate(upstream, model, prompt, _with(more, model.name) if more else wire.PLAIN)


@lru_cache(maxsize=256)
def _with(more: str, name: str) -> wire.Dialect:
    """The plain dialect with more in each body; raises BadConfiguration for what is no JSON object."""
    try:
        found = orjson.loads(more)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or OURS & found.keys():
        taken = ", ".join(sorted(OURS & found.keys())) if isinstance(found, dict) else ""
        saw = f"The option extra_body of the model {name!r} {f'says {taken}' if taken else 'is no JSON object'}."
        raise BadConfiguration(saw, 'Write it like {"priority": 1}; what a request says itself is not for it to say.')

    def adapt(_model: Model, body: dict[str, Any]) -> dict[str, Any]:
        return {**found, **body}

    return wire.Dialect(adapt=adapt)


PROVIDER = Provider(
    label="OpenAI-compatible (vLLM, SGLang, llama.cpp, …)",
    generate=generate,
    served=wire.served,
    window=wire.window,
    count=wire.count,
    prefixes=("custom_openai", "openai"),
    options=OPTIONS,
)

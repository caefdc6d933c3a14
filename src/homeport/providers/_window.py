"""What a server that speaks the OpenAI format says of the tokens that a model takes.

Sources: the list of models of vLLM and SGLang (`max_model_len`), Mistral (`max_context_length`), OpenRouter
and Together (`context_length`), Groq (`context_window`), llama.cpp (`meta`); llama.cpp's `GET /props`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = ("max_model_len", "max_context_length", "context_length", "context_window")
LEAST, MOST = 256, 16 * 1024 * 1024
"""Tokens beyond which a number is no window but a mistake."""


class Told(NamedTuple):
    """What a list of models says of one; 0 for what it does not say."""

    tokens: int = 0
    """Those that a prompt and its answer may have together."""
    trained: int = 0
    """Those that the model was trained for: llama.cpp usually serves fewer."""


def told(listing: Mapping[str, Any], served: str) -> Told:
    """What a `/models` document says of the model that is called so, or of the only one that there is.

    An adapter that says nothing has the window of the model that it was made for.
    """
    data = listing.get("data")
    entries = [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []
    entry = _called(entries, served) or (entries[0] if len(entries) == 1 else {})
    parent = _called(entries, entry.get("parent")) if entry.get("parent") else {}
    return Told(_tokens(entry) or _tokens(parent), _count(_meta(entry).get("n_ctx_train")))


def running(props: Mapping[str, Any]) -> int:
    """The tokens that one request may have, as llama.cpp's properties tell; 0 where they do not."""
    settings = props.get("default_generation_settings")
    return _count(settings.get("n_ctx")) if isinstance(settings, dict) else 0


def _called(entries: list[dict[str, Any]], name: object) -> dict[str, Any]:
    return next((each for each in entries if each.get("id") == name), {})


def _tokens(entry: Mapping[str, Any]) -> int:
    found = (*(entry.get(name) for name in NAMES), _meta(entry).get("n_ctx"))
    return next(filter(None, map(_count, found)), 0)


def _meta(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = entry.get("meta")
    return meta if isinstance(meta, dict) else {}


def _count(value: object) -> int:
    return value if type(value) is int and LEAST <= value <= MOST else 0

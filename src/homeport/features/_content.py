"""What a model is told and what it says, as log events of their own, for requests whose content may be seen.

Source: gateway protocol, "Content logging". Keys and tokens are masked, and both events are bounded.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from homeport.domain.entries import Exchange
from homeport.kit.journal import facts, heard, masked

if TYPE_CHECKING:
    from homeport.domain.models import Model
    from homeport.domain.prompts import Prompt
    from homeport.domain.streams import Chunks

log = structlog.get_logger()

LIMIT = 100_000
"""Characters of a prompt or an answer that are logged; how many there were is said beside them."""


async def written_down(model: Model, prompt: Prompt, answer: Chunks, secrets: tuple[str, ...]) -> Chunks:
    """The answer as it comes; the prompt is logged before it, and what came of it afterwards, however it ended."""
    hidden = (model.key.reveal(), *secrets)
    _write("prompt", model, said(prompt), hidden)
    pieces: list[str] = []
    size = 0
    try:
        async with aclosing(answer):
            async for chunk in answer:
                # a vector says nothing to a reader
                piece = "" if prompt.kind == "embed" else chunk.text or chunk.wire.decode("utf-8", "replace")
                size += len(piece)
                if size <= LIMIT * 2:
                    pieces.append(piece)
                yield chunk
    finally:
        answered = "".join(pieces)
        _write("answer", model, answered, hidden, size)
        if (gathered := heard()) is not None:
            texts = (masked(text, hidden)[:LIMIT] for text in (said(prompt), answered))
            gathered.append(Exchange(model.name, *texts))


def said(prompt: Prompt) -> str:
    """The prompt in one text: as it is, or the conversation as JSON with the tools that came with it."""
    if prompt.kind == "text":
        return prompt.text
    if prompt.kind == "embed":
        return orjson.dumps(prompt.extra["input"]).decode()
    messages: list[Any] = [{"role": each.role, "content": each.content} for each in prompt.messages]
    messages += prompt.raw_messages
    return orjson.dumps({"messages": messages, **prompt.extra}, default=str).decode()


def _write(what: str, model: Model, text: str, hidden: tuple[str, ...], size: int | None = None) -> None:
    event = {
        "logger": "api.content",
        "correlation_id": facts().get("correlation_id", ""),
        "model": model.name,
        what: masked(text, hidden)[:LIMIT],
        f"{what}_length": len(text) if size is None else size,
    }
    log.info(f"content of a request: {what}", **event)

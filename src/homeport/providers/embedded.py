"""The small model that Homeport runs itself, so that everything works before a real one is registered."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from homeport.domain.errors import UpstreamUnreachable
from homeport.providers import Provider
from homeport.providers import _openai_compatible as wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from homeport.domain.models import Model
    from homeport.domain.prompts import Prompt
    from homeport.domain.streams import Chunks
    from homeport.kit.upstream import Upstream


async def generate(upstream: Upstream, model: Model, prompt: Prompt) -> Chunks:
    """Ask the engine; raises UpstreamUnreachable while it is down."""
    if not model.endpoint:
        raise _down(model)
    try:
        async with aclosing(wire.generate(upstream, model, prompt)) as answer:
            async for chunk in answer:
                yield chunk
    except UpstreamUnreachable as error:
        raise _down(model) from error


async def served(upstream: Upstream, model: Model) -> Sequence[str]:
    """The name of the one model that the engine serves."""
    if not model.endpoint:
        raise _down(model)
    try:
        return await wire.served(upstream, model)
    except UpstreamUnreachable as error:
        raise _down(model) from error


async def count(upstream: Upstream, model: Model, prompt: Prompt) -> int:
    """Tokens of a conversation, as the engine counts them."""
    if not model.endpoint:
        raise _down(model)
    return await wire.count(upstream, model, prompt)


def _down(model: Model) -> UpstreamUnreachable:
    """With what the engine said last, if this request saw it down from the start."""
    saw = f"The engine of the embedded model {model.name!r} is not running."
    return UpstreamUnreachable(
        f"{saw} {model.trouble.rstrip('.')}." if model.trouble else saw,
        'It is restarted by itself: try again in a few seconds. Homeport\'s log ("child died") says why it ended; '
        "without such a line, restart Homeport.",
        retry_after_s=2,
    )


PROVIDER = Provider(
    label="Embedded (llama.cpp on this machine's CPU)",
    generate=generate,
    served=served,
    count=count,
    prefixes=("embedded",),
    needs_endpoint=False,
    needs_identifier=False,
)

"""Chat with a prompt that the caller wrote itself, served by the model of the feature that it is for.

GitLab 17.4 to 17.x words some of its chat tools itself; what they are for is said by their path.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from homeport.codetext.thinking import Thoughts
from homeport.domain.errors import UpstreamMalformed
from homeport.domain.requests import ChatRequest
from homeport.domain.streams import Chunk
from homeport.features import Feature
from homeport.kit.journal import note

if TYPE_CHECKING:
    from homeport.domain.streams import Chunks
    from homeport.features import Workbench

CHAT = "chat"


async def run(bench: Workbench, wanted: ChatRequest) -> Chunks:
    """Pass the prompt on; a feature that is named as the model stands for its own. Thoughts are left out.

    Raises UpstreamMalformed where the model has nothing to say.
    """
    if isinstance(wanted.model, str):
        feature = wanted.model if wanted.model in bench.features else CHAT
        wanted = wanted._replace(model=feature)
        note(feature=feature)
    thoughts = Thoughts()
    finish: str | None = None
    said = False
    async with aclosing(bench.features[CHAT].run(bench, wanted)) as answer:
        async for chunk in answer:
            finish = chunk.finish or finish
            text = thoughts.feed(chunk.text)
            said = said or bool(text.strip())
            if text or chunk.usage:
                yield Chunk(text, None, chunk.usage)
    rest = thoughts.end()
    if not said and not rest.strip():
        raise UpstreamMalformed("The model gave an empty answer.", "Try again, or choose another model.")
    yield Chunk(rest, finish or "stop")


FEATURE = Feature(
    title="Chat with a prompt of GitLab's",
    section="Chat",
    scope="",
    request=ChatRequest,
    run=run,
    inherits=CHAT,
    listed=False,
)

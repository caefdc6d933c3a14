"""Chat with a prompt that the caller wrote itself, served by the model of the feature that it is for.

GitLab 17.4 to 17.x words some of its chat tools itself; what they are for is said by their path.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from homeport.domain.models import Model
from homeport.domain.requests import ChatRequest
from homeport.features import Feature
from homeport.features._ask import choose
from homeport.features._say import passed_on
from homeport.features._seen import thought_begun
from homeport.kit.journal import note

if TYPE_CHECKING:
    from homeport.domain.streams import Chunks
    from homeport.features import Workbench

CHAT = "chat"


async def run(bench: Workbench, wanted: ChatRequest) -> Chunks:
    """Pass the prompt on; a feature that is named as the model stands for its own. Thoughts are left out.

    Raises UpstreamMalformed where the model has nothing to say.
    """
    brought = isinstance(wanted.model, Model)
    feature = wanted.model if not brought and wanted.model in bench.features else CHAT
    note(feature=feature)
    model = choose(bench, CHAT, wanted.model if brought else feature)
    async with aclosing(bench.features[CHAT].run(bench, wanted._replace(model=model))) as answer:
        async for chunk in passed_on(model, answer, None, within=thought_begun(bench, model)):
            yield chunk


FEATURE = Feature(
    title="Chat with a prompt of GitLab's",
    section="Chat",
    scope="",
    request=ChatRequest,
    run=run,
    inherits=CHAT,
    listed=False,
)

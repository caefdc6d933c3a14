"""Plain text continued exactly as it stands, for clients that bring their own prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeport.domain.errors import BadRequest
from homeport.domain.prompts import Prompt
from homeport.domain.requests import Message, TextRequest
from homeport.features import Feature
from homeport.features._ask import answer_room, ask, choose
from homeport.features._holes import continues

if TYPE_CHECKING:
    from homeport.domain.models import Model
    from homeport.domain.streams import Chunks
    from homeport.features import Workbench

CONTINUE = "Continue the user's text exactly where it ends. Reply with the continuation only."


def run(bench: Workbench, wanted: TextRequest) -> Chunks:
    """Continue the text."""
    model = choose(bench, "text_completions", wanted.model)
    return ask(bench, model, build(bench, model, wanted))


def build(bench: Workbench, model: Model, wanted: TextRequest) -> Prompt:
    """The text itself where the platform continues text, else a chat that asks for it."""
    tokens = wanted.sampling.max_tokens
    sampling = wanted.sampling._replace(max_tokens=answer_room(bench, model, tokens or model.limits.output_tokens))
    if continues(bench, model):
        return Prompt(
            kind="text",
            text=wanted.prompt,
            extra=wanted.extra,
            sampling=sampling,
            stream=wanted.stream,
            relay=wanted.relay,
            usage=wanted.usage,
        )
    for name, value in wanted.extra.items():
        if name == "logprobs" or (name == "n" and value > 1):
            saw = f"{name} is not offered where a text is continued by a chat, as the model {model.name!r} does."
            raise BadRequest(saw, "Leave it out.", param=name)
    messages = (Message(role="system", content=CONTINUE), Message(role="user", content=wanted.prompt))
    return Prompt(kind="chat", messages=messages, extra=wanted.extra, sampling=sampling, stream=wanted.stream)


FEATURE = Feature(
    title="Text completion",
    section="Code Suggestions",
    scope="complete_code",
    request=TextRequest,
    run=run,
    inherits="code_completions",
    listed=False,
)

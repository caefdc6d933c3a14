"""Test connection: does the model answer at all, in less time than GitLab waits for us?

The model is asked the way in which it will be used: to continue code where it does that, else in words. GitLab
waits three seconds; we say after two and a half what is wrong.

Source: "Test connection of a model" of the gateway protocol.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from homeport.domain.errors import UpstreamOverloaded, UpstreamRefused, UpstreamTimeout
from homeport.domain.prompts import Prompt, PromptRequest
from homeport.domain.requests import Sampling
from homeport.domain.streams import Chunk
from homeport.domain.wording import Wording
from homeport.features import Feature, Template
from homeport.features._ask import ask, choose
from homeport.features._say import template_of, worded
from homeport.features._wording import spoken
from homeport.kit.journal import note

if TYPE_CHECKING:
    from homeport.domain.models import Model
    from homeport.domain.streams import Chunks
    from homeport.features import Workbench

WITHIN_S = 2.5
CONNECT_S = 1.5
ANSWER_TOKENS = 12
VERSION = "1.0.0"
CODE = "def add(a, b):\n    return "
SILENT = "The model answers; what it said within the few words of a test is not text."
"""For models that think first."""

WORDING = Wording(user="Reply with the word OK.")


async def run(bench: Workbench, wanted: PromptRequest) -> Chunks:
    """A few words of the model as one chunk. Raises UpstreamTimeout after two and a half seconds."""
    within = WITHIN_S - wanted.spent_s
    model = _brief(choose(bench, wanted.feature, wanted.model), within - 0.1)
    note(prompt_id=wanted.prompt, prompt_version=VERSION)
    try:
        async with asyncio.timeout(within):
            answer = await _collect(bench, model, build(bench, model, wanted.feature))
    except TimeoutError as error:
        raise UpstreamTimeout(
            f"The model {model.name!r} did not answer within {within:.3g} s.",
            "It may be overloaded or loading, or its address may lead nowhere.",
        ) from error
    except UpstreamOverloaded as error:
        # as a refusal, so that whoever tests the model sees the reason instead of another attempt
        raise UpstreamRefused(error.saw, error.fix, upstream_status=error.upstream_status or error.status) from error
    yield replace(answer, text=answer.text if answer.text.strip() else SILENT)


def _brief(model: Model, most: float) -> Model:
    """The model with limits of which one passes, and says which, before the whole time is over."""
    limits = replace(
        model.limits,
        connect_s=min(model.limits.connect_s, CONNECT_S),
        first_token_s=min(model.limits.first_token_s, most),
        total_s=min(model.limits.total_s, most),
    )
    return replace(model, limits=limits)


def build(bench: Workbench, model: Model, feature: str) -> Prompt:
    """What is asked: code to continue, or a word in reply."""
    family = bench.family(model)
    sampling = Sampling(max_tokens=ANSWER_TOKENS, temperature=0.0 if family.any_temperature else None)
    text = model.platform in bench.text_platforms
    if text and family.completion != "chat":
        before = family.fim.render(CODE, "\n") if family.fim else CODE
        return Prompt(kind="text", text=before, sampling=sampling)
    template = template_of(bench, feature)
    said = spoken(bench.overrides, template, VERSION, feature, (bench.family_key(model), family))
    return worded(family, said.wording, {}, sampling, stream=False, text=text and not family.chat)


async def _collect(bench: Workbench, model: Model, prompt: Prompt) -> Chunk:
    """The answer as one chunk."""
    whole = Chunk(finish="stop")
    async with aclosing(ask(bench, model, prompt)) as answer:
        async for chunk in answer:
            whole = Chunk(whole.text + chunk.text, chunk.finish or whole.finish, chunk.usage or whole.usage)
    return whole


FEATURE = Feature(
    title="Connection check",
    section="Code Suggestions",
    scope="complete_code",
    request=PromptRequest,
    run=run,
    inherits="code_completions",
    listed=False,
    alone=True,
    template=Template(id="model_configuration/check", inputs=(), versions={VERSION: WORDING}, max_tokens=ANSWER_TOKENS),
)

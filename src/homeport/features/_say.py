"""Says what a prompt id stands for: inputs to texts, texts into a wording, the wording to a model."""

from __future__ import annotations

import re
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from homeport.codetext.said import Said
from homeport.codetext.thinking import Thoughts, answer_of
from homeport.domain import versions
from homeport.domain.errors import UpstreamMalformed
from homeport.domain.prompts import Prompt
from homeport.domain.requests import Sampling, stops
from homeport.domain.streams import Chunk
from homeport.domain.wording import fill
from homeport.features._ask import answer_room, ask, budget, choose, window
from homeport.features._measure import note_cut
from homeport.features._seen import thought_begun
from homeport.features._values import fit, guarded, texts
from homeport.features._wording import spoken
from homeport.kit.journal import note

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.domain.models import Model
    from homeport.domain.prompts import PromptRequest
    from homeport.domain.streams import Chunks, Usage
    from homeport.domain.wording import Wording
    from homeport.families import Family
    from homeport.features import Grammar, Template, Workbench

ANSWER = "\n\nAnswer:\n"
"""Where a model that only continues text is to go on."""
_WRAPS = re.compile(r"<(\w+)>(?=(?:(?!</\1>).)*\{\w+\}.*?</\1>)", re.DOTALL)


async def say(bench: Workbench, wanted: PromptRequest) -> Chunks:
    """Answer a prompt. Raises UpstreamMalformed when the model has nothing to say."""
    template = template_of(bench, wanted.feature)
    model = choose(bench, wanted.feature, wanted.model)
    prompt = build(bench, model, wanted)
    grammar, begun, tags = template.grammar, _begun(prompt), tags_of(template)
    whole = not wanted.stream or (grammar is not None and grammar.held)
    async with aclosing(ask(bench, model, prompt, partial(build, bench, model, wanted))) as answer:
        within = thought_begun(bench, model, prompt.kind)
        chunks = (collected if whole else passed_on)(model, answer, grammar, begun, tags, within=within)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk


def template_of(bench: Workbench, feature: str) -> Template:
    """What a feature says; raises LookupError for one that is not asked in words."""
    template = bench.features[feature].template
    if template is None:
        message = f"{feature} has no template"
        raise LookupError(message)
    return template


def tags_of(template: Template) -> tuple[str, ...]:
    """The tags that its wordings wrap what they are given in."""
    found = (_WRAPS.findall(wording.user) for wording in template.versions.values())
    return tuple(dict.fromkeys(name for names in found for name in names))


def build(bench: Workbench, model: Model, wanted: PromptRequest) -> Prompt:
    """The prompt, in the first wording that somebody gave, within the model's window."""
    template = template_of(bench, wanted.feature)
    version, satisfied = versions.choose(wanted.version, template.versions)
    family = bench.family(model)
    said = spoken(bench.overrides, template, version, wanted.feature, (bench.family_key(model), family))
    wanted_tokens = (said.max_tokens or template.max_tokens) + family.thinking_tokens
    # of a small window the prompt gets as much as the answer: what it is about counts more than its length
    answer_tokens = min(answer_room(bench, model, wanted_tokens), window(bench, model) // 2)
    given = guarded(texts(template, wanted.inputs), said.wording)
    values = fit(given, template.inputs, said.wording, budget(bench, model, answer_tokens))
    note_cut(sum(map(len, given.values())), sum(map(len, values.values())))
    usual = template.temperature if family.any_temperature else None
    sampling = Sampling(
        max_tokens=answer_tokens,
        temperature=usual if said.temperature is None else said.temperature,
        stop=stops(said.stop, family.stops),
    )
    text = not family.chat and model.platform in bench.text_platforms
    prompt = worded(family, said.wording, values, sampling, stream=wanted.stream, text=text)
    note(prompt_id=template.id, prompt_version=version, wording=said.sources["user"], prompt_length=prompt.size)
    if not satisfied:
        note(prompt_version_asked=wanted.version)
    return prompt


def worded(
    family: Family, wording: Wording, values: Mapping[str, str], sampling: Sampling, *, stream: bool, text: bool
) -> Prompt:
    """The wording as a conversation, or as one text for a family that only continues."""
    if not text:
        messages = wording.messages(values, system_role=family.system_role)
        return Prompt(kind="chat", messages=messages, sampling=sampling, stream=stream)
    parts = (fill(part, values) for part in (wording.system, wording.user))
    told = "\n\n".join(part for part in parts if part) + ANSWER + fill(wording.prefill, values)
    return Prompt(kind="text", text=told, sampling=sampling, stream=stream)


def _begun(prompt: Prompt) -> str:
    """How the answer was begun for the model."""
    last = prompt.messages[-1] if prompt.messages else None
    return last.content if last is not None and last.role == "assistant" else ""


async def collected(
    model: Model,
    answer: Chunks,
    grammar: Grammar | None,
    begun: str = "",
    tags: tuple[str, ...] = (),
    *,
    within: bool = False,
) -> Chunks:
    """The whole answer as one chunk, mended where a program reads it; `within` says that it begins in a thought."""
    parts: list[str] = []
    finish: str | None = None
    usage: Usage | None = None
    async for chunk in answer:
        parts.append(chunk.text)
        finish, usage = chunk.finish or finish, chunk.usage or usage
    keep = Said(tags)
    text = keep.feed(answer_of("".join(parts), begun=within)) + keep.end(finish or "stop")
    if not text.strip():
        raise _empty(model, finish)
    yield Chunk(grammar.mend(begun + text) if grammar else text, "stop" if keep.done else finish or "stop", usage)


async def passed_on(
    model: Model,
    answer: Chunks,
    grammar: Grammar | None,
    begun: str = "",
    tags: tuple[str, ...] = (),
    *,
    within: bool = False,
) -> Chunks:
    """The answer as it comes, from its first visible character on; only what is missing at its end is added."""
    thoughts, keep = Thoughts(begun=within), Said(tags)
    lead, said = "", ""
    finish: str | None = None
    usage: Usage | None = None
    async for chunk in answer:
        finish, usage = chunk.finish or finish, chunk.usage or usage
        text = keep.feed(thoughts.feed(chunk.text))
        if not said:
            lead += text
            text = (begun if grammar else "") + lead if lead.strip() else ""
        if text:
            said = said + text if grammar else text
            yield Chunk(text)
        if keep.done:
            finish = "stop"
            break
    rest = keep.feed(thoughts.end(finish)) + keep.end(finish or "stop")
    if not said and not rest.strip():
        raise _empty(model, finish)
    yield Chunk(rest + (grammar.end(said + rest) if grammar else ""), finish or "stop", usage)


def _empty(model: Model, finish: str | None) -> UpstreamMalformed:
    if finish == "length":
        return UpstreamMalformed(
            f"The model {model.name!r} used up its answer without saying anything; it may have been thinking.",
            "Raise max_tokens for this prompt in the prompts folder, or choose another model.",
        )
    return UpstreamMalformed(f"The model {model.name!r} gave an empty answer.", "Try again, or choose another model.")

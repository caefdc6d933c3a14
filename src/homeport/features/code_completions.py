"""Code completion: what belongs at the cursor, before the next keystroke."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from homeport.codetext.clean import Cleaner
from homeport.codetext.language import language_of
from homeport.codetext.related import lead
from homeport.codetext.window import window
from homeport.domain.prompts import Prompt
from homeport.domain.requests import CodeRequest
from homeport.domain.wording import Wording
from homeport.families import SLOTS
from homeport.features import Feature, Input, Template
from homeport.features._ask import answer_room, ask, budget, choose
from homeport.features._code import cleaned, cleaner, related, sampling_of, silent_on_language
from homeport.features._holes import SUFFIX, by_suffix, continues, is_mute
from homeport.features._measure import note_cut
from homeport.features._seen import thought_begun
from homeport.features._wording import worded_by
from homeport.kit.journal import note

if TYPE_CHECKING:
    from collections.abc import Mapping

    from homeport.codetext.language import Language
    from homeport.domain.models import Model
    from homeport.domain.requests import Sampling
    from homeport.domain.streams import Chunks
    from homeport.families import Family
    from homeport.features import Workbench

WORDING = Wording(
    system=(
        "You are the completion engine of a code editor. You are shown the code before and after the cursor. "
        "Reply with exactly the text to insert at the cursor and nothing else: no explanation, no Markdown fence, "
        "no repetition of the code that is already there. Keep the indentation and the style of the file. "
        "When nothing needs to be inserted, reply with nothing."
    ),
    user=(
        "{related}File: {file_name}\nLanguage: {language}\n\n"
        "<before_cursor>\n{before}</before_cursor>\n<after_cursor>{after}\n</after_cursor>\n\n"
        "Text to insert at the cursor:"
    ),
)
TEMPLATE = Template(
    id="code_suggestions/completions", inputs=tuple(map(Input, SLOTS)), versions={"1.0.0": WORDING}, dated=False
)
"""For models that are asked in words; the others are shown the code itself."""


async def run(bench: Workbench, wanted: CodeRequest) -> Chunks:
    """Complete the code: where it runs, what to say, who answers, what to keep."""
    model = choose(bench, "code_completions", wanted.model)
    family = bench.family(model)
    language = language_of(wanted.file_name, wanted.language, wanted.before)
    prompt = build(bench, model, wanted, language)
    begun = thought_begun(bench, model, prompt.kind)
    keep = cleaner(model, wanted, Cleaner, prompt, language, begun=begun)
    note(
        lang=language.id if language else "",
        prompt_length=prompt.size,
        completion=SUFFIX if SUFFIX in prompt.extra else family.completion,
    )
    async with aclosing(
        ask(bench, model, prompt, partial(build, bench, model, wanted, language), gives_way=True)
    ) as answer:
        async for chunk in cleaned(answer, keep):
            yield chunk


def build(bench: Workbench, model: Model, wanted: CodeRequest, language: Language | None) -> Prompt:
    """The prompt in the family's own layout, within the model's window."""
    family = bench.family(model)
    said = worded_by(bench, TEMPLATE, "code_completions", model)
    answer_tokens = answer_room(bench, model, wanted.sampling.max_tokens or said.max_tokens or family.completion_tokens)
    most = bench.completion_prompt_tokens
    characters = budget(bench, model, answer_tokens, min(most, model.limits.prompt_tokens or most))
    files = related(bench, wanted, characters)
    text = continues(bench, model)
    # asked in words, the family's sentinels would only be noise
    native = text and by_suffix(bench, model)
    fim = family.fim if text and family.completion == "fim" and not native else None
    ahead = lead(files, fim.file if fim else "", fim.current if fim else "", language, wanted.file_name)
    room = max(characters - len(ahead), characters // 4)
    code = window(wanted.before, wanted.after, budget=room, suffix_share=bench.completion_suffix_share)
    note_cut(len(wanted.before) + len(wanted.after), len(code.before) + len(code.after))
    ends = (*(fim.stops if fim else ()), *family.stops)
    sampling = sampling_of(wanted, said, answer_tokens, family.completion_temperature, ends)
    values = {
        "before": code.before,
        "after": code.after,
        "related": ahead,
        "file_name": wanted.file_name or "untitled",
        "language": language.name if language else "",
        "instruction": "",
    }
    if native:
        # its server lays the hole out by itself
        extra = {SUFFIX: code.after}
        return Prompt(kind="text", text=ahead + code.before, extra=extra, sampling=sampling, stream=wanted.stream)
    if text and family.completion == "chat" and is_mute(bench, model):
        return Prompt(kind="text", text=ahead + code.before, sampling=sampling, stream=wanted.stream)
    wording = said.wording if language else silent_on_language(said.wording)
    return say(family, wording, values, sampling, stream=wanted.stream, text=text)


def say(
    family: Family, wording: Wording, values: Mapping[str, str], sampling: Sampling, *, stream: bool, text: bool
) -> Prompt:
    """Sentinels where the family has them, the prefix where it only continues, words otherwise."""
    if text and family.completion == "fim" and family.fim:
        code = family.fim.render(values["before"], values["after"], lead=values["related"])
        return Prompt(kind="text", text=code, sampling=sampling, stream=stream)
    if text and family.completion == "prefix":
        return Prompt(kind="text", text=values["related"] + values["before"], sampling=sampling, stream=stream)
    messages = wording.messages(values, system_role=family.system_role)
    return Prompt(kind="chat", messages=messages, sampling=sampling, stream=stream)


FEATURE = Feature(
    title="Code completion",
    section="Code Suggestions",
    scope="complete_code",
    request=CodeRequest,
    run=run,
    template=TEMPLATE,
)
